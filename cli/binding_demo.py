"""`xmodal binding demo`: binding once, on decoders that ship with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.lists import listed


@user_errors
def demo(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder for store, runs and figures.  [default: xmodal-binding-demo]",
        ),
    ] = None,
    seeds: Annotated[
        str,
        typer.Option(help="Comma-separated; 0, 1 and 2 ship, others are trained first."),
    ] = "0,1,2",
    n_examples: Annotated[
        int, typer.Option("--n", help="Scenes of each number of objects that a probe looks at.")
    ] = 512,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Runs at a time.  [default: one a core]")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of the recipe, such as second=20; a quick look."),
    ] = None,
) -> None:
    """Show where text-trained decoders fail, what they bind by, and what an arm mends of it.

    Rerunning reuses what is there and goes on where it was stopped.
    """
    from xmodal.bindings.demo import binding_demo

    for text in binding_demo(
        output, seeds=listed("seeds", seeds, int), n_examples=n_examples, workers=workers,
        changes=changes or (),
    ):  # fmt: skip
        typer.echo(text)
