"""`xmodal train`: projectors from manifests."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, StorePath


@user_errors
def train(
    manifest: Annotated[
        list[str], typer.Option(help="Id of a manifest, or its beginning; may be repeated.")
    ],
    store: StorePath = DEFAULT_STORE,
    lm: Annotated[
        str,
        typer.Option(help="embedded, embedded-parts, a local folder, or a name on the model hub."),
    ] = "embedded",
    lm_init: Annotated[
        str,
        typer.Option(
            help="pretrained; random: same architecture, random weights; scrambled: the embedded "
            "LM taught a taxonomy with permuted hypernyms."
        ),
    ] = "pretrained",
    revision: Annotated[str | None, typer.Option(help="Revision of a hub model.")] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(help="Seed of initialisation and order; may be repeated.  [default: 42]"),
    ] = None,
    recipe: Annotated[str, typer.Option(help="Recipe: embedded or s1.")] = "embedded",
    epochs: Annotated[float | None, typer.Option(help="Instead of the recipe's.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Instead of the recipe's.")] = None,
    prompt: Annotated[str, typer.Option(help="Prompt template: default or s1.")] = "default",
    workers: Annotated[int, typer.Option(min=1, help="Runs at a time, a process each.")] = 1,
    features: Annotated[
        str | None,
        typer.Option(
            help="Id of a feature set, or its beginning.  [default: what `xmodal features extract` "
            "makes unless told otherwise]",
        ),
    ] = None,
    allow_seen: Annotated[
        bool, typer.Option("--allow-seen", help="Test on pictures the encoder was trained on.")
    ] = False,
) -> None:
    """Train a projector from each manifest and seed, score it on all test questions, sync.

    A finished run is not trained again unless its folder lost a file; a stopped one goes on
    where it was.
    """
    from xmodal.pipeline import train_manifests

    for line in train_manifests(
        store,
        manifest,
        seeds=seed or [42],
        lm=lm,
        lm_init=lm_init,
        revision=revision,
        recipe=recipe,
        prompt=prompt,
        workers=workers,
        features=features,
        allow_seen=allow_seen,
        changes={"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate},
    ):
        typer.echo(line)
