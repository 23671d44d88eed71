"""xmodal coherence: how alike the pictures of a hypernym are to the encoder."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import user_errors
from cli.lists import listed
from cli.options import DEFAULT_STORE, Dataset, Format, StorePath

Features = Annotated[
    str | None,
    typer.Option(help="Id of a feature set, or its beginning; the dataset's own if not given."),
]
Shuffles = Annotated[
    str,
    typer.Option(
        "--shuffle", help="Kinds of shuffle, with commas between, in place of manifests'."
    ),
]


@user_errors
def coherence(
    store: StorePath = DEFAULT_STORE,
    dataset: Dataset = None,
    features: Features = None,
    manifest: Annotated[
        list[str] | None,
        typer.Option(help="A manifest whose shuffle is measured. Repeat as needed; all if none."),
    ] = None,
    shuffle: Shuffles = "",
    seed: Annotated[int, typer.Option(help="Seed of the shuffles of --shuffle.")] = 42,
    relation: Annotated[
        str, typer.Option(help="For --shuffle: whose targets stand for hypernyms.")
    ] = "hypernym",
    by_hypernym: Annotated[
        bool, typer.Option("--by-hypernym", help="Print every hypernym, not means by shuffle.")
    ] = False,
    fmt: Format = "table",
) -> None:
    """Mean cosine of a hypernym's training pictures under each shuffle, measured and stored.

    Features are taken as they are, a picture's tokens averaged. Those of the embedded dataset
    are principal components, which have no mean: their cosines lie around 0.
    """
    from xmodal.features.coherence import measure_coherence
    from xmodal.store.render import chosen_format, emit

    chosen_format(fmt)
    kinds = listed("shuffle", shuffle, str)
    measured = measure_coherence(
        store, features=features, dataset=dataset, manifests=manifest, shuffles=kinds, seed=seed,
        relation=relation,
    )  # fmt: skip
    if measured.n_zero:
        typer.echo(f"{measured.n_zero} pictures without a direction left out", err=True)
    emit(measured.rows if by_hypernym else measured.by_shuffle(), fmt)
