"""What measures of features read from a store: a dataset, its features, its shuffles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from taxonomy.errors import ConfigError, StoreError
from taxonomy.model import RELATION, Taxonomy
from taxonomy.tables import LABEL
from xmodal.features.extract import FeatureConfig, FeatureSet, feature_set_id, load_features
from xmodal.features.truth import Shuffle, draw_shuffles
from xmodal.store import Store
from xmodal.store.store import resolve_id

SHUFFLE_SEED = 42
"""Seed of shuffles that are drawn without a manifest: the default of a manifest."""


def load_stored(
    store: Store, features: str | None = None, dataset: str | None = None
) -> tuple[Taxonomy, FeatureSet]:
    """A dataset and a feature set of it.

    Args:
        store: Open, to read.
        features: Id of a feature set or its beginning. None: the dataset's only one, or of
            several the one that `xmodal features extract` makes unless told otherwise.
        dataset: Id of a dataset or its beginning. None: that of the features, or the latest.

    Raises:
        StoreError: There is no such thing, or the choice is not clear.
        DataError: The feature set's folder is not whole.
    """
    rows = store.query("SELECT * FROM feature_set ORDER BY feature_set_id").to_pylist()
    if features is not None:
        chosen = resolve_id("feature set", features, [row["feature_set_id"] for row in rows])
        (row,) = [row for row in rows if row["feature_set_id"] == chosen]
        taxonomy = store.load_taxonomy(row["dataset_id"] if dataset is None else dataset)
        if taxonomy.dataset_id != row["dataset_id"]:
            raise StoreError(
                f"feature set {chosen} is of dataset {row['dataset_id']}, got dataset "
                f"{taxonomy.dataset_id}; leave one of the two out"
            )
    else:
        taxonomy = store.load_taxonomy(dataset)
        row = _only(store, taxonomy.dataset_id, rows)
    return taxonomy, load_features(Path(store.path).parent / row["path"])


def _only(store: Store, dataset_id: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The dataset's feature set, where no id is given."""
    own = [row for row in rows if row["dataset_id"] == dataset_id]
    usual = feature_set_id(dataset_id, FeatureConfig())
    if len(own) > 1:
        own = [row for row in own if row["feature_set_id"] == usual] or own
    if not own:
        raise StoreError(
            f"{store.path} holds no features of dataset {dataset_id}: "
            f"`xmodal features extract --store {store.path} --dataset {dataset_id}` makes them"
        )
    if len(own) > 1:
        ids = ", ".join(row["feature_set_id"] for row in own)
        raise StoreError(f"dataset {dataset_id} has {len(own)} feature sets, give one of {ids}")
    return own[0]


def stored_shuffles(
    store: Store, dataset_id: str, manifests: Sequence[str] | None = None
) -> list[Shuffle]:
    """The shuffles of stored manifests, each once: manifests that share one share its labels.

    Args:
        store: Open, to read.
        dataset_id: Whose manifests.
        manifests: Their ids, or beginnings; None for all of the dataset.

    Raises:
        StoreError: An id that is unknown, ambiguous or of another dataset.
    """
    rows = store.manifests().to_pylist()
    own = [row for row in rows if row["dataset_id"] == dataset_id]
    if manifests is not None:
        ids = [
            resolve_id("manifest", given, [r["manifest_id"] for r in rows]) for given in manifests
        ]
        chosen = {row["manifest_id"]: row for row in own}
        if foreign := [one for one in ids if one not in chosen]:
            raise StoreError(
                f"manifest {foreign[0]} is not of dataset {dataset_id}; measure it by itself"
            )
        own = [chosen[one] for one in ids]
    first = {(row["shuffle_id"], row["relation"]): row for row in reversed(own)}
    text = "SELECT * FROM manifest_label WHERE manifest_id = $id ORDER BY image_leaf_id"
    return [
        Shuffle(
            kind=row["shuffle"],
            shuffle_id=row["shuffle_id"],
            relation=row["relation"],
            labels=store.query(text, {"id": row["manifest_id"]}).select(LABEL.names),
        )
        for row in reversed(first.values())
    ]


def choose_shuffles(
    store: Store,
    taxonomy: Taxonomy,
    *,
    manifests: Sequence[str] | None = None,
    kinds: Sequence[str] | None = None,
    seed: int = SHUFFLE_SEED,
    relation: str = RELATION,
) -> list[Shuffle]:
    """The shuffles to measure: of manifests, of kinds and a seed, or all there are.

    Args:
        store: Open, to read.
        taxonomy: The dataset.
        manifests: Ids of manifests, or their beginnings.
        kinds: Kinds of shuffle to draw; goes without manifests.
        seed: Of the drawn shuffles.
        relation: Of the drawn shuffles; manifests have their own.

    Raises:
        ConfigError: Manifests and kinds together, or a kind that does not exist.
        StoreError: A manifest that is unknown, ambiguous or of another dataset.
    """
    if manifests and kinds:
        raise ConfigError("give manifests or shuffles, not both: a manifest has its own shuffle")
    if kinds:
        return draw_shuffles(taxonomy, kinds, seed, relation)
    found = stored_shuffles(store, taxonomy.dataset_id, manifests or None)
    return found or draw_shuffles(taxonomy, ["none"], seed, relation)
