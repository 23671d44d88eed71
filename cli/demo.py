"""`xmodal demo`: the whole way once, on the embedded default."""

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
            help="Folder for store, features, runs and figure.  [default: xmodal-demo; for parts "
            "xmodal-demo-part]",
        ),
    ] = None,
    relation: Annotated[
        str,
        typer.Option(help="What is removed from training and asked: hypernym, or part."),
    ] = "hypernym",
    encoder: Annotated[
        str, typer.Option(help="Image encoder of the package: embedded-ssl or classical.")
    ] = "embedded-ssl",
    seeds: Annotated[
        str, typer.Option(help="Comma-separated; one run of each condition a seed.")
    ] = "42",
    full: Annotated[
        bool, typer.Option("--full", help="Add the whole ablation curve, for both LMs.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes for features, and runs at a time.  [default: one a core; at most 4 "
            "runs]",
        ),
    ] = None,
    epochs: Annotated[
        float | None, typer.Option(help="Instead of the recipe's; for a quick look.")
    ] = None,
) -> None:
    """See the paper's finding come out of the embedded pictures, taxonomy and LM.

    Rerunning reuses what is there and goes on where it was stopped.
    """
    from xmodal.demo import demo as run_demo

    chosen = listed("seeds", seeds, int)
    for text in run_demo(
        output, relation=relation, encoder=encoder, seeds=chosen, full=full, workers=workers,
        epochs=epochs,
    ):  # fmt: skip
        typer.echo(text)
