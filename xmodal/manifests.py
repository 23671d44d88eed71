"""Manifests of a stored dataset: build into the store, read back, report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from taxonomy.manifest import ManifestBuilder, exposure, headline
from taxonomy.model import Manifest, ManifestConfig
from xmodal.store import Store

OVERVIEW = (
    "manifest_id",
    "dataset_id",
    "design",
    "unit",
    "ratio",
    "n_held_out_hypernyms",
    "closure",
    "mentions",
    "negatives",
    "shuffle",
    "seed",
    "shuffle_seed",
    "train_leaf_negatives",
    "ratio_realised_cells",
    "ratio_realised_questions",
)


def build_into(
    path: Path, configs: Iterable[ManifestConfig], dataset_id: str | None = None
) -> Iterator[Manifest]:
    """Build manifests of a stored dataset and store each; known ones stay as they are.

    All designs are checked before the first manifest is written.

    Args:
        path: The store.
        configs: What to build.
        dataset_id: Id or unique prefix; the latest dataset if None.

    Raises:
        StoreError: No such store or dataset.
        ManifestError: A design that this dataset does not allow.
    """
    with Store.open(path, read_only=True) as store:
        builder = ManifestBuilder(store.load_taxonomy(dataset_id))
    wanted = list(dict.fromkeys(builder.resolve(config) for config in configs))
    for config in wanted:
        builder.labels(config)
    with Store.open(path) as store:
        for config in wanted:
            manifest = builder.build(config)
            store.add_manifest(manifest)
            yield manifest


def overview(path: Path) -> pa.Table:
    """One row a stored manifest, oldest first: its settings and realised ratios."""
    with Store.open(path, read_only=True) as store:
        return store.manifests().select(list(OVERVIEW))


def record(path: Path, manifest_id: str) -> dict[str, Any]:
    """Everything stored about one manifest but its rows."""
    with Store.open(path, read_only=True) as store:
        manifest = store.load_manifest(manifest_id)
    return {
        "manifest_id": manifest.manifest_id,
        "dataset_id": manifest.dataset_id,
        "shuffle_id": manifest.shuffle_id,
        **manifest.config.as_dict(),
        "rows_sha256": manifest.rows_sha256,
        "summary": dict(manifest.summary),
    }


def report(path: Path, manifest_id: str) -> tuple[str, pa.Table]:
    """What training sees under a manifest: a few lines, and one row a hypernym."""
    with Store.open(path, read_only=True) as store:
        manifest = store.load_manifest(manifest_id)
        taxonomy = store.load_taxonomy(manifest.dataset_id)
    return headline(manifest), exposure(taxonomy, manifest)
