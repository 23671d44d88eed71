"""What is true of each leaf, and whose labels its pictures carry, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from taxonomy.errors import ConfigError, unknown
from taxonomy.manifest import ManifestBuilder
from taxonomy.manifest.draws import Bools, Ints
from taxonomy.manifest.rows import label_table
from taxonomy.model import RELATION, ManifestConfig, Taxonomy


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Leaves and what may be asked of them beside their own name. L leaves, H targets."""

    leaf_ids: Ints
    """int64 [L], ascending."""
    target_ids: Ints
    """int64 [H], ascending: hypernyms, or the targets of another relation."""
    names: tuple[str, ...]
    """Names of the targets."""
    used: Bools
    """bool [L, H]: a Yes of the dataset."""


def read_truth(taxonomy: Taxonomy, relation: str = RELATION) -> Truth:
    """The used pairs of one relation; dropped concepts are left out.

    Raises:
        ConfigError: The dataset has no pair of this relation.
    """
    concepts = taxonomy.concepts.select(["concept_id", "name", "role", "dropped"]).to_pylist()
    kept = {row["concept_id"]: row for row in concepts if not row["dropped"]}
    pairs = taxonomy.leaf_hypernym.filter(pc.field("used") & (pc.field("relation") == relation))
    found = [
        (leaf, target)
        for leaf, target in zip(
            pairs["leaf_id"].to_pylist(), pairs["hypernym_id"].to_pylist(), strict=True
        )
        if leaf in kept and kept[leaf]["role"] == "leaf" and target in kept
    ]
    if not found:
        there = taxonomy.leaf_hypernym["relation"].unique().to_pylist()
        raise ConfigError(
            unknown("relation", relation, there)
            if relation not in there
            else f"dataset {taxonomy.dataset_id} has no pair of relation {relation!r} to ask about"
        )
    leaves = np.array(sorted(i for i, row in kept.items() if row["role"] == "leaf"), np.int64)
    pair = np.array(found, dtype=np.int64)
    targets = np.unique(pair[:, 1])
    used = np.zeros((len(leaves), len(targets)), dtype=np.bool_)
    used[np.searchsorted(leaves, pair[:, 0]), np.searchsorted(targets, pair[:, 1])] = True
    return Truth(
        leaf_ids=leaves,
        target_ids=targets,
        names=tuple(kept[int(target)]["name"] for target in targets),
        used=used,
    )


def pictures(taxonomy: Taxonomy, truth: Truth, split: str) -> tuple[Ints, Ints]:
    """Pictures of leaves in one split.

    Returns:
        Ids of the images, ascending, and the row in truth of the leaf that each shows;
        int64 [N] each.
    """
    images = taxonomy.images
    chosen = pc.and_(
        pc.equal(images["split"], split),
        pc.is_in(images["concept_id"], value_set=pa.array(truth.leaf_ids, pa.int32())),
    )
    table = images.select(["image_id", "concept_id"]).filter(chosen).sort_by("image_id")
    shown = np.searchsorted(truth.leaf_ids, table["concept_id"].to_numpy())
    return table["image_id"].to_numpy().astype(np.int64), shown.astype(np.int64)


def label_rows(truth: Truth, labels: pa.Table) -> Ints:
    """Row in truth of the leaf whose labels the pictures of each leaf carry.

    Args:
        truth: L leaves.
        labels: taxonomy.tables.LABEL.

    Returns:
        int64 [L]; -1 for a leaf that is in no question.
    """
    known = labels.filter(pc.is_valid(labels["label_leaf_id"]))
    rows = np.full(len(truth.leaf_ids), -1, dtype=np.int64)
    image_leaf = np.searchsorted(truth.leaf_ids, known["image_leaf_id"].to_numpy())
    rows[image_leaf] = np.searchsorted(truth.leaf_ids, known["label_leaf_id"].to_numpy())
    return rows


@dataclass(frozen=True, kw_only=True)
class Shuffle:
    """Whose labels the pictures of each leaf carry, for one relation."""

    kind: str
    shuffle_id: str
    relation: str
    labels: pa.Table
    """taxonomy.tables.LABEL."""

    @property
    def identity(self) -> dict[str, Any]:
        """What tells it from another shuffle of the dataset."""
        return {"shuffle": self.shuffle_id, "relation": self.relation}


def draw_shuffles(
    taxonomy: Taxonomy, kinds: Sequence[str], seed: int, relation: str = RELATION
) -> list[Shuffle]:
    """The shuffles that manifests of this seed have; no manifest need be stored.

    Raises:
        ConfigError: A kind that does not exist.
        ManifestError: A shuffle finds nothing to exchange.
    """
    builder = ManifestBuilder(taxonomy)
    drawn = []
    for kind in dict.fromkeys(kinds):
        config = ManifestConfig(shuffle=kind, seed=seed, relation=relation)
        labels = builder.labels(builder.resolve(config))
        table = label_table(builder.world_of(relation), labels)
        drawn.append(
            Shuffle(kind=kind, shuffle_id=labels.shuffle_id, relation=relation, labels=table)
        )
    return drawn
