"""`xmodal features`: image features, extracted once and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, Dataset, StorePath

app = typer.Typer(help="Image features, extracted once and kept.", no_args_is_help=True)

Dtype = Annotated[str, typer.Option(help="Numbers on disk: float32 or bfloat16.")]


@app.command("extract")
@user_errors
def extract(
    store: StorePath = DEFAULT_STORE,
    dataset: Dataset = None,
    encoder: Annotated[
        str,
        typer.Option(
            help="embedded-ssl: oriented gradients, colour and coverage of patches, and what a "
            "small net learnt from the bundled training pictures without labels; classical: "
            "without the latter; "
            "or a vision model of transformers (DINOv2, DINOv3, SigLIP, CLIP, ViT), by local "
            "folder or hub name."
        ),
    ] = "embedded-ssl",
    pooling: Annotated[
        str | None,
        typer.Option(
            "--pool",
            "--pooling",
            help="patches: the patch tokens as they are; mean: their mean; cls: the class token; "
            "pca: one vector, principal components fitted on the training pictures without "
            "labels.  [default: pca for encoders of the package, else patches]",
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(
            help="Of a transformers model: penultimate or N, the state behind the last block but "
            "one or behind block N, without the final layernorm; last: what the model returns.  "
            "[default: penultimate]"
        ),
    ] = None,
    resize: Annotated[
        int | None,
        typer.Option(
            help="Side of the square that a transformers model sees, pixels.  "
            "[default: its image processor's]"
        ),
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option(
            help="How a picture becomes that square. crop: shortest side resized, centre cut out; "
            "square: both sides resized; pad: whole, on white.  [default: as its image processor]"
        ),
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Revision of a hub model.")] = None,
    n_components: Annotated[int | None, typer.Option(help="Width after pca.  [default: 256]")] = (
        None
    ),
    n_views: Annotated[
        int | None,
        typer.Option(
            help="Views of a training picture: itself and augmented ones.  "
            "[default: 5 for encoders of the package, else 1]"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the augmentation and of the pca.")] = 0,
    dtype: Dtype = "float32",
    precision: Annotated[
        str | None,
        typer.Option(
            help="What a transformers model computes in: float32 or bfloat16.  "
            "[default: bfloat16 on a GPU, else float32]"
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="Where it computes: cpu, cuda, cuda:1, mps.")] = "cpu",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes that decode, and on a CPU encode.  [default: one a core, of encoders "
            "of the package at most one for 2,048 rows]",
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Pictures at once.  [default: as suits the encoder]")
    ] = None,
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad", help="Leave out pictures that cannot be decoded, and their questions."
        ),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Make part I of N only, 1/N to N/N, on any machines that see the store's folder. "
            "Whichever ends last puts the parts together, and fits a pca on all of them: until "
            "then they keep the tokens of every view.",
        ),
    ] = None,
) -> None:
    """Extract the features of every image of a dataset; a second call does nothing.

    What was stopped goes on where it was; what parts (--shard) hold is taken from them.
    """
    from xmodal.features.encoders.load import config_for
    from xmodal.features.extract import Part, Work
    from xmodal.pipeline import ensure_features, ensure_part
    from xmodal.progress import counter

    part = Part.read(shard) if shard is not None else None

    config = config_for(
        encoder, device, pooling=pooling, layer=layer, side=resize, fit=fit, revision=revision,
        n_components=n_components, n_views=n_views, seed=seed, dtype=dtype, precision=precision,
    )  # fmt: skip
    work = Work(
        device=device,
        workers=workers,
        batch_size=batch_size,
        skip_bad=skip_bad,
    )
    made = False
    with counter("pictures") as progress:
        if part is None:
            features, made = ensure_features(store, config, dataset, progress, work)
        else:
            given = {"progress": progress, "work": work, "say": typer.echo}
            found = ensure_part(store, config, part, dataset, **given)
            if found is None:
                return
            features = found
    skipped = f", {len(features.skipped)} pictures skipped" if features.skipped else ""
    said = "extracted" if made else "is there"
    typer.echo(f"{features.feature_set_id} {said}{skipped}: {features.path}")


@app.command("import")
@user_errors
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.npz|FILE.safetensors",
            help="With an array `features`, [N, width] or [N, tokens, width].",
        ),
    ],
    name: Annotated[str, typer.Option(help="What to call their encoder.")],
    store: StorePath = DEFAULT_STORE,
    dataset: Dataset = None,
    ids: Annotated[
        Path | None,
        typer.Option(
            help="Text file, one id a line in the order of the rows.  [default: `ids` in the file]"
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            help="What the ids are of the dataset's pictures: sha256, uri or name (of the file).  "
            "[default: the first of these that knows the first id]"
        ),
    ] = None,
    dtype: Dtype = "float32",
    trained_on: Annotated[
        Path | None,
        typer.Option(help="Text file with the sha256 of each picture their encoder learnt from."),
    ] = None,
) -> None:
    """Take features of any encoder or modality, one row for each picture of a dataset."""
    from xmodal.pipeline import take_features

    features, made, known_by = take_features(
        store, file, dataset, name=name, ids=ids, by=by, dtype=dtype, trained_on=trained_on
    )
    said = f"imported by {known_by}" if made else "is there"
    typer.echo(f"{features.feature_set_id} {said}: {features.path}")


@app.command("list")
@user_errors
def list_(store: StorePath = DEFAULT_STORE) -> None:
    """List the feature sets of a store."""
    from xmodal.store import Store
    from xmodal.store.render import emit

    with Store.open(store, read_only=True) as opened:
        emit(opened.analysis("feature-sets"))
