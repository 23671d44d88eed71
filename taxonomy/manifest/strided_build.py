"""One strided manifest put together: its tables, its hash and its counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from taxonomy import tables
from taxonomy.manifest.draws import Bools, Ints
from taxonomy.manifest.questions import TRAIN
from taxonomy.manifest.rows import label_table, tables_sha256
from taxonomy.manifest.shuffle import Labels
from taxonomy.manifest.strided import (
    N_SPLITS,
    Asked,
    Counts,
    Held,
    LeafNo,
    Places,
    Strided,
    count_draws,
    count_leaf_no,
    hold_out,
    leaf_no,
    training_asks,
)
from taxonomy.manifest.strides import id_mask
from taxonomy.manifest.summary import summary_of
from taxonomy.manifest.world import World
from taxonomy.model import SPLITS, ManifestConfig, manifest_id

_SORT_KEYS = {
    "label": ("image_leaf_id",),
    "strided_cell": ("leaf_id", "hypernym_id"),
    "strided_leaf": ("leaf_id",),
    "strided_hypernym": ("hypernym_id",),
    "strided_draw": ("hypernym_id", "split"),
}


def strided_sha256(**named: pa.Table) -> str:
    """Hash of the rows of a strided manifest's tables, by their names in the store."""
    return tables_sha256((name, keys, named[name]) for name, keys in _SORT_KEYS.items())


def hash_of(manifest: Strided) -> str:
    """The rows_sha256 that a manifest's tables have."""
    return strided_sha256(
        label=manifest.labels,
        strided_cell=manifest.cells,
        strided_leaf=manifest.leaves,
        strided_hypernym=manifest.hypernyms,
        strided_draw=manifest.draws,
    )


@dataclass(frozen=True, kw_only=True)
class _Leaves:
    """Leaf questions: how they are drawn, and what they ask in training, int64 [L] each."""

    no: LeafNo
    n_yes: Ints
    n_no: Ints


def derive(world: World, config: ManifestConfig, labels: Labels, places: Places) -> Strided:
    """Build one strided manifest.

    Args:
        world: The dataset.
        config: Resolved.
        labels: Its shuffle.
        places: The order of the images.
    """
    used, false = np.ascontiguousarray(world.used.T), np.ascontiguousarray(world.false.T)
    n_leaves = len(world.leaves)
    # the row of no leaf stands for images that are in no question
    label_of = np.append(labels.label_of, -1)
    label_of[label_of < 0] = n_leaves
    small = np.int16 if n_leaves < 2**15 else np.int32
    label_at = [label_of.astype(small)[leaf] for leaf in places.leaf]
    held = hold_out(world, config, used, false)
    mask = held.mask(used, false)
    counts = count_draws(world, labels, label_at, used, false, mask)
    asked = training_asks(world, config.mentions, counts)
    per_label = np.stack([np.bincount(at, minlength=n_leaves + 1)[:-1] for at in label_at])
    shown = np.flatnonzero(per_label.any(axis=0))
    no = leaf_no(world, labels, shown)
    leaves = _Leaves(
        no=no,
        n_yes=per_label[TRAIN],
        n_no=count_leaf_no(no, label_at[TRAIN], config.train_leaf_negatives),
    )
    _check(world, config, labels, asked, leaves)
    made = {
        "label": label_table(world, labels),
        "strided_cell": _cell_table(world),
        "strided_leaf": _leaf_table(world, held, leaves, asked),
        "strided_hypernym": _hypernym_table(world, held, asked, used | false, mask),
        "strided_draw": _draw_table(world, counts, [len(at) for at in label_at]),
    }
    questions = _questions(config, counts, asked, leaves, per_label)
    return Strided(
        manifest_id=manifest_id(world.dataset_id, config),
        dataset_id=world.dataset_id,
        config=config,
        shuffle_id=labels.shuffle_id,
        id_mask=id_mask(world.dataset_id, labels.shuffle_id),
        labels=made["label"],
        cells=made["strided_cell"],
        leaves=made["strided_leaf"],
        hypernyms=made["strided_hypernym"],
        draws=made["strided_draw"],
        rows_sha256=strided_sha256(**made),
        summary=summary_of(world, config, labels, mask.T, questions),
    )


def _cell_table(world: World) -> pa.Table:
    leaf, hypernym = np.nonzero(~world.false)
    columns = world.leaves.ids[leaf], world.hypernyms.ids[hypernym], world.used[leaf, hypernym]
    return _table(columns, tables.STRIDED_CELL)


def _leaf_table(world: World, held: Held, leaves: _Leaves, asked: Asked) -> pa.Table:
    no = leaves.no
    hidden = no.place < 0
    jumps = [None if none else jump for none, jump in zip(hidden, no.jumps, strict=True)]
    drawn = (no.n_eligible, no.start, no.stride, no.step)
    columns = (
        *(world.leaves.ids, held.x, held.leaves),
        *(pa.array(no.place, mask=hidden), jumps, *(pa.array(one, mask=hidden) for one in drawn)),
        *(asked.leaves, leaves.n_yes, leaves.n_no),
    )
    return _table(columns, tables.STRIDED_LEAF)


def _hypernym_table(world: World, held: Held, asked: Asked, cells: Bools, mask: Bools) -> pa.Table:
    columns = (
        *(world.hypernyms.ids, held.a, held.b, held.below[1], held.below[0]),
        *(asked.taught, asked.hypernyms, cells.sum(axis=1), mask.sum(axis=1)),
    )
    return _table(columns, tables.STRIDED_HYPERNYM)


def _draw_table(world: World, counts: Counts, n_images: list[int]) -> pa.Table:
    n = len(world.hypernyms)
    numbers = (
        *(np.tile(n_images, (n, 1)), counts.start, counts.stride, counts.n_draws),
        *(counts.yes, counts.no, counts.yes_held, counts.no_held),
    )
    columns = (
        np.repeat(world.hypernyms.ids, N_SPLITS),
        pa.array(list(SPLITS) * n, pa.string()),
        *(number.ravel() for number in numbers),
    )
    return _table(columns, tables.STRIDED_DRAW)


def _table(columns: tuple[Any, ...], schema: pa.Schema) -> pa.Table:
    arrays = [
        pa.array(column).cast(field.type) for column, field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def trained(counts: Any, mentions: str, asked: Bools) -> tuple[Ints, Ints]:
    """Training questions that ask each hypernym, by answer.

    Args:
        counts: yes, no, yes_held and no_held of the training split, int64 [H] each.
        mentions: The policy.
        asked: bool [H], training may ask it.
    """
    yes, no, yes_held, no_held = counts
    kept_no = no if mentions == "drop_positives" else no - no_held
    return (yes - yes_held) * asked, kept_no * asked


def _questions(
    config: ManifestConfig, counts: Counts, asked: Asked, leaves: _Leaves, per_label: Ints
) -> dict[str, Any]:
    """The part of the summary that counts questions."""
    drawn = (counts.yes + counts.no).sum(axis=0)
    in_cell = (counts.yes_held + counts.no_held).sum(axis=0)
    wanted = [config.train_leaf_negatives if row == TRAIN else 1 for row in range(N_SPLITS)]
    no_of = [
        int((n * np.minimum(k, leaves.no.n_eligible)).sum())
        for n, k in zip(per_label, wanted, strict=True)
    ]
    n_shown = per_label.sum(axis=1)
    of_training = (counts.yes, counts.no, counts.yes_held, counts.no_held)
    train = [one[:, TRAIN] for one in of_training]
    n_training = sum(int(one.sum()) for one in trained(train, config.mentions, asked.hypernyms))
    leaf_questions = leaves.n_yes + leaves.n_no
    return {
        "ratio_realised_questions": int(in_cell.sum()) / max(1, int(drawn.sum())),
        "ratio_realised_questions_by_split": {
            name: int(in_cell[row]) / max(1, int(drawn[row])) for row, name in enumerate(SPLITS)
        },
        "n_missing_negatives": {
            "leaf_no": int((n_shown * wanted).sum()) - sum(no_of),
            "hypernym_no": int((counts.yes - counts.no).sum()),
        },
        "n_questions": {
            name: int(drawn[row] + n_shown[row]) + no_of[row] for row, name in enumerate(SPLITS)
        },
        "n_training_questions": n_training + int(leaf_questions[asked.leaves].sum()),
        "n_training_leaf_questions_dropped": int(leaf_questions[~asked.leaves].sum()),
        "n_rebalance_added": 0,
        "n_rebalance_missing": 0,
    }


def _check(
    world: World, config: ManifestConfig, labels: Labels, asked: Asked, leaves: _Leaves
) -> None:
    """Raise AssertionError where a promise is broken that does not hold by construction."""
    label = labels.label_of[labels.label_of >= 0]
    if len(np.unique(label)) != len(label):
        raise AssertionError("manifest builder: two leaves carry the labels of one")
    if not (leaves.no.n_eligible >= 0).all() or leaves.n_no.sum() > (
        config.train_leaf_negatives * leaves.n_yes.sum()
    ):
        raise AssertionError("manifest builder: more leaf No than were to be drawn")
    if config.mentions in ("drop_all", "drop_words"):
        words = np.array(world.hypernyms.words)
        if set(words[~asked.taught]) & set(words[asked.hypernyms]):
            raise AssertionError("manifest builder: training asks a hypernym without a Yes")
