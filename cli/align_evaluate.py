"""`xmodal align evaluate`: trained alignments asked again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, Dataset, StorePath


@user_errors
def evaluate(
    run_id: Annotated[str, typer.Argument(help="Of an alignment, or its beginning.")],
    store: StorePath = DEFAULT_STORE,
    dataset: Dataset = None,
    features: Annotated[
        str | None,
        typer.Option(help="Id of picture features by the run's encoder.  [default: the run's]"),
    ] = None,
    text_features: Annotated[
        str | None,
        typer.Option(
            help="Id of text features by the run's LM, such as class names in another language.  "
            "[default: the run's]"
        ),
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(
            help="A file of the classes that pictures and candidates are limited to, one a line: "
            "name, synset, or WordNet id such as n01818515."
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Whose pictures are asked about: train, validation or test.")
    ] = "test",
    allow_seen: Annotated[
        bool, typer.Option("--allow-seen", help="Test on pictures the encoder was trained on.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
) -> None:
    """Ask a trained alignment about other pictures, classes or class names, and sync."""
    from xmodal.align_evaluations import evaluate_alignment

    for line in evaluate_alignment(
        store, run_id, dataset=dataset, features=features, text_features=text_features,
        classes=classes, split=split, allow_seen=allow_seen, device=device,
    ):  # fmt: skip
        typer.echo(line)
