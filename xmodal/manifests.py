"""Manifests of a stored dataset: build into the store, read back, report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from taxonomy.manifest import (
    ManifestBuilder,
    check_size,
    exposure,
    headline,
    semantics,
    strided_exposure,
)
from taxonomy.manifest.images import check_listed
from taxonomy.manifest.strided import Strided
from taxonomy.model import STRIDED, Manifest, ManifestConfig
from xmodal.store import Store

OVERVIEW = (
    "manifest_id",
    "dataset_id",
    "relation",
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
    "semantics",
    "ratio_realised_cells",
    "ratio_realised_questions",
)
SEMANTICS = "semantics"
"""Column that is not stored: s1 where unit, negatives and mentions are those of S1's code."""

Tell = Callable[[str], None]
"""Called with a line for the user."""


def build_into(
    path: Path,
    configs: Iterable[ManifestConfig],
    dataset_id: str | None = None,
    *,
    paper: str | None = None,
    tell: Tell | None = None,
) -> Iterator[Manifest | Strided]:
    """Build manifests of a stored dataset and store each; known ones stay as they are.

    All designs are checked before the first manifest is written.

    Args:
        path: The store.
        configs: What to build.
        dataset_id: Id or unique prefix; the latest dataset if None.
        paper: Whose grid the configs are, if anybody's.
        tell: Told once of each design that is built under another name.

    Raises:
        StoreError: No such store or dataset.
        ManifestError: A design that this dataset does not allow, or a dataset too small for
            the paper's grid.
    """
    with Store.open(path, read_only=True) as store:
        taxonomy = store.load_taxonomy(dataset_id, lean=True)
    builder, configs = ManifestBuilder(taxonomy), list(configs)
    for config in configs:
        if config.negatives != STRIDED:
            check_listed(config, taxonomy)
    if paper is not None:
        for relation in dict.fromkeys(config.relation for config in configs):
            check_size(paper, len(builder.world_of(relation).hypernyms))
    resolved = [(config, builder.resolve(config)) for config in configs]
    if tell is not None:
        for line in dict.fromkeys(_renamed(*pair) for pair in resolved if pair[0] != pair[1]):
            if line:
                tell(line)
    wanted = list(dict.fromkeys(config for _, config in resolved))
    for config in wanted:
        builder.labels(config)
    with Store.open(path) as store:
        for config in wanted:
            manifest: Manifest | Strided
            if config.negatives == STRIDED:
                manifest = builder.derive(config)
                places = builder.places(config.relation)
                store.add_strided(manifest, places.table(builder.world_of(config.relation)))
            else:
                manifest = builder.build(config)
                store.add_manifest(manifest)
            yield manifest


def _renamed(config: ManifestConfig, resolved: ManifestConfig) -> str | None:
    if config.design == resolved.design:
        return None
    return (
        f"n_held_out_hypernyms {config.n_held_out_hypernyms} is every hypernym of this dataset: "
        f"built as design {resolved.design}, ratio {resolved.ratio:g}"
    )


def overview(path: Path) -> pa.Table:
    """One row a stored manifest, oldest first: its settings, whose semantics, realised ratios."""
    with Store.open(path, read_only=True) as store:
        stored = store.manifests()
    names = [field.name for field in fields(ManifestConfig)]
    configs = [ManifestConfig(**row) for row in stored.select(names).to_pylist()]
    whose = pa.array([semantics(config) for config in configs], pa.string())
    return stored.append_column(SEMANTICS, whose).select(list(OVERVIEW))


def record(path: Path, manifest_id: str) -> dict[str, Any]:
    """Everything stored about one manifest but its rows."""
    with Store.open(path, read_only=True) as store:
        manifest = _of_any_kind(store, manifest_id)
    return {
        "manifest_id": manifest.manifest_id,
        "dataset_id": manifest.dataset_id,
        "shuffle_id": manifest.shuffle_id,
        **manifest.config.as_dict(),
        SEMANTICS: semantics(manifest.config),
        "rows_sha256": manifest.rows_sha256,
        "summary": dict(manifest.summary),
    }


def report(path: Path, manifest_id: str) -> tuple[str, pa.Table]:
    """What training sees under a manifest: a few lines, and one row a hypernym."""
    with Store.open(path, read_only=True) as store:
        manifest = _of_any_kind(store, manifest_id)
        taxonomy = store.load_taxonomy(manifest.dataset_id, lean=True)
    if isinstance(manifest, Strided):
        return headline(manifest), strided_exposure(taxonomy, manifest)
    return headline(manifest), exposure(taxonomy, manifest)


def _of_any_kind(store: Store, manifest_id: str) -> Manifest | Strided:
    if store.lists_questions(manifest_id):
        return store.load_manifest(manifest_id)
    return store.load_strided(manifest_id)
