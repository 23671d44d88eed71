"""Visual coherence: how alike the pictures of a hypernym are to the encoder.

The coherence of a hypernym is the mean cosine of all pairs of its training pictures, labels as
the shuffle has them. A picture stands as the mean of its encoder tokens, the row that training
uses for its first view, neither centred nor scaled. No pair is ever formed: with unit vectors u
of n pictures the mean is (|sum u|^2 - n) / (n (n - 1)), and labels follow leaves, so that one
pass over the features gives a sum a leaf, from which every shuffle follows.

S1's released coherences are of other features and another order of the images than its training
used, and count same-leaf pairs; these are of the features that training used. A shuffle that
deranges leaves with equal hypernyms (within) shows each hypernym the same pictures as before, so
that its coherence is that of none; S1's own one also mixed leaves that are not so alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from taxonomy.errors import DataError
from taxonomy.hashing import content_id
from taxonomy.manifest.draws import Bools, Floats, Ints
from taxonomy.model import RELATION, Taxonomy
from xmodal.features.feature_set import FeatureSet, Rows
from xmodal.features.skipped import shown_pictures
from xmodal.features.stored import SHUFFLE_SEED, choose_shuffles, load_stored
from xmodal.features.truth import Shuffle, Truth, label_rows, pictures, read_truth
from xmodal.store import Store
from xmodal.store.findings import COHERENCE, replace_coherence

VERSION = 1
CHUNK_BYTES = 1 << 24
"""Features read at a time. Memory in use is a few times this, and 8 bytes a leaf and channel."""


@dataclass(frozen=True)
class LeafSums:
    """Unit vectors of training pictures, added up by the leaf shown. L leaves, Dv channels."""

    total: Floats
    """float64 [L, Dv]."""
    n_images: Ints
    """int64 [L]: pictures in the sum."""
    n_zero: int
    """Pictures left out because their tokens have a mean of zero, which has no direction."""

    @property
    def mean(self) -> Floats:
        """float64 [L, Dv]: mean unit vector of each leaf; zero for a leaf without pictures."""
        mean: Floats = self.total / np.maximum(self.n_images, 1)[:, None]
        return mean


def leaf_sums(
    open_features: Callable[[], Rows],
    rows: Ints,
    leaf: Ints,
    n_leaves: int,
    chunk_bytes: int = CHUNK_BYTES,
) -> LeafSums:
    """Add up the unit vectors of pictures in one pass over their features.

    The file is mapped anew for each chunk: the pages of an open map count as the process's own
    for as long as it is open.

    Args:
        open_features: Gives the rows, float32 [n_rows, P, Dv].
        rows: int64 [N], rows of the pictures in the array, ascending.
        leaf: int64 [N], the leaf that each shows, 0 to n_leaves - 1.
        n_leaves: L.
        chunk_bytes: Features read at a time.

    Raises:
        DataError: A feature is not a finite number.
    """
    first = open_features()
    n_tokens, width = first.shape[1:]
    per_chunk = max(1, chunk_bytes // (first.itemsize * n_tokens * width))
    del first
    total = np.zeros((n_leaves, width))
    n_images = np.zeros(n_leaves, dtype=np.int64)
    for start in range(0, len(rows), per_chunk):
        chunk = slice(start, start + per_chunk)
        mean = open_features()[rows[chunk]].mean(axis=1, dtype=np.float64)
        norm = np.sqrt(np.einsum("ij,ij->i", mean, mean))
        if not np.isfinite(norm).all():
            bad = int(rows[chunk][~np.isfinite(norm)][0])
            raise DataError(f"features of picture {bad} are not finite numbers: extract them anew")
        kept = np.flatnonzero(norm)
        order = kept[np.argsort(leaf[chunk][kept], kind="stable")]
        if not len(order):
            continue
        of, begin, n = np.unique(leaf[chunk][order], return_index=True, return_counts=True)
        total[of] += np.add.reduceat(mean[order] / norm[order, None], begin, axis=0)
        n_images[of] += n
    return LeafSums(total, n_images, len(rows) - int(n_images.sum()))


@dataclass(frozen=True)
class Coherence:
    """Of the pictures of some leaves together. Cosines in [-1, 1]."""

    mean: float | None
    """Over all pairs of pictures; None with fewer than two."""
    other_leaf: float | None
    """Over pairs that show two leaves; None with pictures of one leaf only."""
    n_images: int
    n_leaves: int
    """Leaves shown."""


def coherence(sums: LeafSums, members: Bools) -> Coherence:
    """Mean cosine of the pictures that show the member leaves.

    Args:
        sums: L leaves.
        members: bool [L], over leaves as the pictures show them. Pictures of one leaf are alike
            whatever their labels say; other_leaf is without such pairs.
    """
    rows = np.flatnonzero(members & (sums.n_images > 0))
    counts = [int(n) for n in sums.n_images[rows]]
    n = sum(counts)
    together = float((sums.total[rows].sum(axis=0) ** 2).sum())
    apart = float((sums.total[rows] ** 2).sum())
    n_other = n * n - sum(count * count for count in counts)
    return Coherence(
        mean=(together - n) / (n * (n - 1)) if n > 1 else None,
        other_leaf=(together - apart) / n_other if n_other else None,
        n_images=n,
        n_leaves=len(rows),
    )


def training_sums(taxonomy: Taxonomy, features: FeatureSet, truth: Truth) -> LeafSums:
    """The sums over a dataset's training pictures that have features, first view."""
    images, shown = pictures(shown_pictures(taxonomy, features), truth, "train")
    return leaf_sums(features.open, images, shown, len(truth.leaf_ids))


def coherence_id(features: FeatureSet, shuffle: Shuffle) -> str:
    """Identity of one measurement: manifests that share a shuffle share it."""
    said = {"version": VERSION, "features": features.feature_set_id, **shuffle.identity}
    return content_id({"finding": "coherence", "dataset": features.dataset_id, **said})


def coherence_table(
    features: FeatureSet, shuffle: Shuffle, truth: Truth, sums: LeafSums
) -> pa.Table:
    """Rows of COHERENCE, one a hypernym, in the order of truth."""
    label = label_rows(truth, shuffle.labels)
    of_label = truth.used[label] & (label >= 0)[:, None]
    rows: list[dict[str, Any]] = []
    for column, name in enumerate(truth.names):
        found = coherence(sums, of_label[:, column])
        rows.append(
            {
                "coherence_id": coherence_id(features, shuffle),
                "source": "own",
                "dataset": features.dataset_id,
                "feature_set_id": features.feature_set_id,
                "encoder": features.config.encoder,
                "relation": shuffle.relation,
                "shuffle": shuffle.kind,
                "shuffle_id": shuffle.shuffle_id,
                "hypernym": name,
                "coherence": found.mean,
                "coherence_other_leaf": found.other_leaf,
                "n_images": found.n_images,
                "n_leaves": found.n_leaves,
            }
        )
    return pa.Table.from_pylist(rows, schema=COHERENCE)


@dataclass(frozen=True)
class Measured:
    """What `xmodal coherence` stored."""

    rows: pa.Table
    """COHERENCE rows of all shuffles."""
    n_zero: int
    """Training pictures left out for want of a direction."""

    def by_shuffle(self) -> pa.Table:
        """Means over hypernyms, one row a shuffle; a hypernym without a value is left out."""
        groups: dict[str, list[dict[str, Any]]] = {}
        for row in self.rows.to_pylist():
            groups.setdefault(row["coherence_id"], []).append(row)
        return pa.Table.from_pylist([_mean_row(group) for group in groups.values()])


def _mean_row(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    known = [row["coherence"] for row in rows if row["coherence"] is not None]
    other = [r["coherence_other_leaf"] for r in rows if r["coherence_other_leaf"] is not None]
    return {
        "relation": rows[0]["relation"],
        "shuffle": rows[0]["shuffle"],
        "shuffle_id": rows[0]["shuffle_id"],
        "coherence": sum(known) / len(known) if known else None,
        "coherence_other_leaf": sum(other) / len(other) if other else None,
        "n_hypernyms": len(known),
        "n_hypernyms_without": len(rows) - len(known),
    }


def measure_coherence(
    store: Path,
    *,
    features: str | None = None,
    dataset: str | None = None,
    manifests: Sequence[str] | None = None,
    shuffles: Sequence[str] | None = None,
    seed: int = SHUFFLE_SEED,
    relation: str = RELATION,
) -> Measured:
    """Measure the coherence of every hypernym under some shuffles and store it.

    Args:
        store: The DuckDB file; open only to read what is needed and to write the result.
        features: Id of a feature set or its beginning; see load_stored for None.
        dataset: Id of a dataset or its beginning; that of the features, or the latest, if None.
        manifests: Manifests whose shuffles are measured; all of the dataset if None.
        shuffles: Kinds of shuffle to measure instead; they need no manifest.
        seed: Seed of those shuffles.
        relation: Whose targets take the place of hypernyms under those shuffles.

    Raises:
        StoreError: Something is not in the store, or the choice is not clear.
        ConfigError: Manifests and shuffles together, or a value that does not exist.
        DataError: The features cannot be read.
    """
    with Store.open(store, read_only=True) as opened:
        taxonomy, found = load_stored(opened, features, dataset)
        chosen = choose_shuffles(
            opened, taxonomy, manifests=manifests, kinds=shuffles, seed=seed, relation=relation
        )
    truths = {one.relation: read_truth(taxonomy, one.relation) for one in chosen}
    # the leaves are the same for every relation
    sums = training_sums(taxonomy, found, next(iter(truths.values())))
    tables = [coherence_table(found, one, truths[one.relation], sums) for one in chosen]
    with Store.open(store) as opened:
        for table in tables:
            replace_coherence(opened, table["coherence_id"][0].as_py(), table)
    return Measured(pa.concat_tables(tables), sums.n_zero)
