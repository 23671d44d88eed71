"""`xmodal features`: image features, extracted once and kept."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, Dataset, StorePath

app = typer.Typer(help="Image features, extracted once and kept.", no_args_is_help=True)


@app.command("extract")
@user_errors
def extract(
    store: StorePath = DEFAULT_STORE,
    dataset: Dataset = None,
    encoder: Annotated[
        str,
        typer.Option(
            help="classical: oriented gradients, colour and coverage of patches; embedded-ssl: "
            "those and what a small net learnt from the training pictures without labels."
        ),
    ] = "classical",
    pooling: Annotated[
        str,
        typer.Option(
            help="pca: one vector, principal components fitted on the training pictures without "
            "labels; patches: the patch tokens as they are."
        ),
    ] = "pca",
    n_components: Annotated[int, typer.Option(help="Width after pca.")] = 256,
    n_views: Annotated[
        int, typer.Option(help="Views of a training picture: itself and augmented ones.")
    ] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the augmentation and of the pca.")] = 0,
) -> None:
    """Extract the features of every image of a dataset; a second call does nothing."""
    from xmodal.features.extract import FeatureConfig
    from xmodal.pipeline import ensure_features
    from xmodal.progress import counter

    config = FeatureConfig(
        encoder=encoder, pooling=pooling, n_components=n_components, n_views=n_views, seed=seed
    )
    with counter("pictures") as progress:
        features, made = ensure_features(store, config, dataset, progress)
    typer.echo(f"{features.feature_set_id} {'extracted' if made else 'is there'}: {features.path}")
