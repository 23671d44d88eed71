"""xmodal ceiling: test questions answered without an LM."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.coherence import Features
from cli.errors import user_errors
from cli.lists import listed
from cli.options import DEFAULT_STORE, Dataset, Format, StorePath


@user_errors
def ceiling(
    store: StorePath = DEFAULT_STORE,
    manifest: Annotated[
        list[str] | None,
        typer.Option(help="A manifest to answer. Repeat as needed; all of the dataset if none."),
    ] = None,
    dataset: Dataset = None,
    features: Features = None,
    methods: Annotated[
        str,
        typer.Option(
            help="leaf-lookup: a leaf classifier, then the taxonomy; hypernym-neighbours: the "
            "nearest training pictures with all their labels. Commas between."
        ),
    ] = "leaf-lookup,hypernym-neighbours",
    seed: Annotated[int, typer.Option(help="Seed of the leaf classifier.")] = 0,
    fmt: Format = "table",
) -> None:
    """Answer a manifest's test questions from the features alone: how far recognition goes.

    Settings are chosen on validation pictures. The answers are stored; printed is macro-F1 by
    question set.
    """
    from xmodal.features.ceiling import measure_ceiling
    from xmodal.store.render import chosen_format, emit

    chosen_format(fmt)
    table = measure_ceiling(
        store, manifests=manifest, features=features, dataset=dataset,
        methods=listed("methods", methods, str), seed=seed,
    )  # fmt: skip
    emit(table, fmt)
