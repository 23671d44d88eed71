"""`xmodal align evaluate`: trained alignments asked again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, AllowOutside, StorePath


@user_errors
def evaluate(
    run_id: Annotated[str, typer.Argument(help="Of an alignment, or its beginning.")],
    store: StorePath = DEFAULT_STORE,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Id of a dataset, or its beginning.  [default: the run's; the latest for a run "
            "over captions]"
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(help="Id of picture features by the run's encoder.  [default: the run's]"),
    ] = None,
    text_features: Annotated[
        str | None,
        typer.Option(
            help="Id of text features by the run's LM, such as class names in another language.  "
            "[default: the run's; of other captions their only ones]"
        ),
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(
            help="A file of the classes that pictures and candidates are limited to, one a line: "
            "name, synset, or WordNet id such as n01818515."
        ),
    ] = None,
    captions: Annotated[
        str | None,
        typer.Option(
            help="Retrieval in place of classes: id of a caption set, among all whose texts and "
            "pictures each is to be found."
        ),
    ] = None,
    winoground: Annotated[
        Path | None,
        typer.Option(
            help="Compositional examples in place of classes: a .parquet file or a folder in "
            "the layout of Winoground."
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Whose pictures are asked about: train, validation or test.")
    ] = "test",
    allow_seen: Annotated[
        bool, typer.Option("--allow-seen", help="Test on pictures the encoder was trained on.")
    ] = False,
    allow_outside: AllowOutside = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
) -> None:
    """Ask a trained alignment about other pictures, classes or class names, and sync."""
    from taxonomy.errors import ConfigError
    from xmodal.alignments import evaluations as ask

    if allow_outside and winoground is None:
        raise ConfigError("allow-outside goes with winoground, whose file names pictures")
    if sum(one is not None for one in (captions, winoground, classes or dataset or features)) > 1:
        raise ConfigError("classes, captions and winoground are asked about one at a time")
    if captions is not None:
        lines = ask.evaluate_captions(
            store, run_id, captions, text_features=text_features, device=device
        )
    elif winoground is not None:
        lines = ask.evaluate_winoground(
            store, run_id, winoground, allow_outside=allow_outside, device=device
        )
    else:
        lines = ask.evaluate_alignment(
            store, run_id, dataset=dataset, features=features, text_features=text_features,
            classes=classes, split=split, allow_seen=allow_seen, device=device,
        )  # fmt: skip
    for line in lines:
        typer.echo(line)
