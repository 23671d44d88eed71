"""`xmodal align demo`: the whole way of an alignment once, on the embedded default."""

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
            help="Folder for store, features, runs and figure.  [default: xmodal-align-demo]",
        ),
    ] = None,
    seeds: Annotated[
        str,
        typer.Option(
            help="Comma-separated; one run of each level and LM a seed, random weights drawn by it."
        ),
    ] = "42,218,7",
    n_unseen: Annotated[int, typer.Option(help="Unseen classes, in whole branches.")] = 100,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes for features, and runs at a time.  [default: one a core; at most 4 "
            "runs]",
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of the recipe, such as n_steps=20; a quick look."),
    ] = None,
) -> None:
    """Ask a pretrained LM, a random one and a bag of words about classes without a picture.

    At each level of separation; rerunning reuses what is there and goes on where it was stopped.
    """
    from xmodal.alignments.demo import align_demo

    chosen = listed("seeds", seeds, int)
    for text in align_demo(
        output, seeds=chosen, n_unseen=n_unseen, workers=workers, changes=changes or ()
    ):
        typer.echo(text)
