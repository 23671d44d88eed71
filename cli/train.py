"""`xmodal train`: projectors from manifests."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.errors import user_errors
from cli.lists import listed
from cli.options import DEFAULT_STORE, Format, StorePath


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
    seeds: Annotated[str, typer.Option(help="Several seeds at once, such as 42,218,7.")] = "",
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Recipe: embedded or s1.  [default: embedded for the embedded LMs, s1 (the "
            "paper's) for others]"
        ),
    ] = None,
    epochs: Annotated[float | None, typer.Option(help="Instead of the recipe's.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    batch_unit: Annotated[
        str | None,
        typer.Option(
            help="images: a step takes all training questions of --batch-size images; questions: "
            "--batch-size questions. Instead of the recipe's."
        ),
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Instead of the recipe's.")] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            help="Stop early: after so many passes without a lower loss on validation pictures, "
            "asked what training asks; the best pass's projector is kept.  [default: never]"
        ),
    ] = None,
    projector: Annotated[
        str | None,
        typer.Option(help="linear, mlp or resampler, instead of the recipe's."),
    ] = None,
    prefix_tokens: Annotated[
        int | None,
        typer.Option(
            help="Tokens that an image becomes: for linear and mlp a multiple of its patch tokens, "
            "for resampler any number, the queries that attend to them."
        ),
    ] = None,
    prompt: Annotated[str, typer.Option(help="Prompt template: default or s1.")] = "default",
    workers: Annotated[
        int, typer.Option(min=1, help="Runs, or groups of runs, at a time, a process each.")
    ] = 1,
    co_train: Annotated[
        str,
        typer.Option(
            help="Runs that share LM and features and train in one pass of it: auto or a number. "
            "A co-trained run equals the run alone."
        ),
    ] = "auto",
    features: Annotated[
        str | None,
        typer.Option(
            help="Id of a feature set, or its beginning.  [default: the dataset's only one; of "
            "several, or where there is none, what `xmodal features extract` makes unless told "
            "otherwise]",
        ),
    ] = None,
    allow_seen: Annotated[
        bool, typer.Option("--allow-seen", help="Test on pictures the encoder was trained on.")
    ] = False,
    device: Annotated[
        str,
        typer.Option(
            help="cpu (fp32), or cuda, cuda:1, mps (the LM in bf16); auto: a GPU if there is one."
        ),
    ] = "auto",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print parameters, tokens, operations, memory and the expected time, from a few "
            "timed steps, and train nothing.",
        ),
    ] = False,
    fmt: Format = "table",
) -> None:
    """Train a projector from each manifest and seed, score it on all test questions, sync.

    A finished run is not trained again unless its folder lost a file; a stopped one goes on
    where it was.
    """
    from xmodal.pipeline import cost_of, train_manifests
    from xmodal.store.render import chosen_format, emit

    chosen_format(fmt)
    settings: dict[str, Any] = {
        "seeds": [*(seed or []), *listed("seeds", seeds, int)] or [42],
        "lm": lm, "lm_init": lm_init, "revision": revision, "recipe": recipe, "prompt": prompt,
        "co_train": co_train, "features": features, "allow_seen": allow_seen,
        "device": device,
        "changes": {
            "epochs": epochs, "batch_size": batch_size, "batch_unit": batch_unit,
            "learning_rate": learning_rate, "projector": projector,
            "prefix_tokens": prefix_tokens, "patience": patience,
        },
    }  # fmt: skip
    if dry_run:
        emit(cost_of(store, manifest, **settings), fmt)
        return
    for line in train_manifests(store, manifest, workers=workers, **settings):
        typer.echo(line)
