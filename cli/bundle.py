"""`xmodal bundle`: how the embedded default was made, as commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors

app = typer.Typer(help="Make the parts of the embedded default anew.", no_args_is_help=True)


@app.command("train-lm")
@user_errors
def train_lm(
    output: Annotated[Path, typer.Option(help="Folder to make; must not exist.")],
    scrambled: Annotated[
        bool, typer.Option("--scrambled", help="Give each leaf another leaf's hypernyms.")
    ] = False,
    relation: Annotated[
        str, typer.Option(help="What the LM is taught of the leaves: hypernym or part.")
    ] = "hypernym",
    seed: Annotated[int, typer.Option(help="Seed of weights, corpus and what is withheld.")] = 0,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimiser steps, instead of ours.")
    ] = None,
    wordnet: Annotated[
        Path | None, typer.Option(help="Your WordNet folder; the bundled nouns if not given.")
    ] = None,
) -> None:
    """Pretrain the embedded LM on WordNet-made text, and examine it."""
    from xmodal.bundle.lm.command import pretrain_bundle

    lines = pretrain_bundle(
        output,
        scrambled=scrambled,
        relation=relation,
        seed=seed,
        n_steps=steps,
        wordnet_dir=wordnet,
    )
    for line in lines:
        typer.echo(line)


@app.command("train-encoder")
@user_errors
def train_encoder(
    output: Annotated[Path, typer.Option(help="Folder to make; must not exist.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of views, weights and batches.")] = 0,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimiser steps, instead of ours.")
    ] = None,
) -> None:
    """Train the embedded image encoder on the training pictures, without labels."""
    from xmodal.bundle.encoder.command import train_bundle_encoder

    for line in train_bundle_encoder(output, seed=seed, n_steps=steps):
        typer.echo(line)
