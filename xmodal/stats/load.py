"""From the store's counts to arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from taxonomy.errors import ConfigError
from xmodal.stats.cells import Cells, Group
from xmodal.stats.select import Side
from xmodal.store import Store
from xmodal.store.stats import leaf_answers

Ints = NDArray[np.int64]
LEAF = "leaf"
"""Name of the one group of leaf questions."""


def load_cells(store: Store, sides: Sequence[Side]) -> list[Cells]:
    """Counts of each side on the same groups and leaves.

    Args:
        store: An open store.
        sides: One or two.

    Returns:
        Of each side the counts, runs in its order; groups that one side was not asked have
        zeros there.

    Raises:
        ConfigError: A side has no answers to its question set.
    """
    tables = [_answers(store, chosen) for chosen in sides]
    every = pa.concat_tables(tables)
    hypernyms = np.unique(_hypernyms(every))
    leaves = np.unique(every["leaf_id"].to_numpy())
    keys = [_keys(table, hypernyms, leaves) for table in tables]
    cells = np.unique(np.concatenate(keys))
    names = _names(every)
    starts = np.searchsorted(cells // (2 * len(leaves)), np.arange(len(hypernyms) + 1))
    out = []
    for table, key, chosen in zip(tables, keys, sides, strict=True):
        column = _columns(table, chosen.run_ids)
        n, hits = (_matrix(table[name], np.searchsorted(cells, key), column, len(cells), chosen)
                   for name in ("n", "n_right"))  # fmt: skip
        groups = tuple(
            Group(
                names[int(hypernym)],
                cells[low:high] // 2 % len(leaves),
                cells[low:high] % 2 == 1,
                n[low:high],
                hits[low:high],
            )
            for hypernym, low, high in zip(hypernyms, starts[:-1], starts[1:], strict=True)
        )
        out.append(Cells(tuple(chosen.run_ids), len(leaves), groups))
    return out


def _answers(store: Store, chosen: Side) -> pa.Table:
    table = leaf_answers(
        store, chosen.run_ids, image_mode=chosen.image_mode, question_set=chosen.question_set
    )
    if not table.num_rows:
        raise ConfigError(
            f"no answers to {chosen.question_set} questions with image mode {chosen.image_mode} "
            f"are stored of {', '.join(chosen.run_ids[:4])}: choose another question_set or "
            "image_mode, or `xmodal eval --image MODE` asks them"
        )
    return table


def _hypernyms(table: pa.Table) -> Ints:
    """Of each row; -1 for a leaf question."""
    ids: Ints = pc.fill_null(table["hypernym_id"].cast(pa.int64()), -1).to_numpy()
    return ids


def _keys(table: pa.Table, hypernyms: Ints, leaves: Ints) -> Ints:
    """One number a cell, in the order of hypernym, leaf and answer."""
    group = np.searchsorted(hypernyms, _hypernyms(table))
    leaf = np.searchsorted(leaves, table["leaf_id"].to_numpy())
    answer = table["answer"].to_numpy(zero_copy_only=False).astype(np.int64)
    keys: Ints = (group * len(leaves) + leaf) * 2 + answer
    return keys


def _names(table: pa.Table) -> dict[int, str]:
    pairs = table.select(["hypernym_id", "hypernym"]).group_by(["hypernym_id", "hypernym"])
    rows = pairs.aggregate([]).to_pylist()
    return {
        -1 if row["hypernym_id"] is None else row["hypernym_id"]: row["hypernym"] or LEAF
        for row in rows
    }


def _columns(table: pa.Table, run_ids: Sequence[str]) -> Ints:
    """Of each row, the place of its run."""
    order = pa.array(run_ids, type=pa.string())
    found: Ints = pc.index_in(table["run_id"], value_set=order).to_numpy()
    return found


def _matrix(
    values: pa.ChunkedArray, rows: Ints, columns: Ints, n_rows: int, chosen: Side
) -> NDArray[np.float32]:
    out = np.zeros((n_rows, len(chosen.runs)), dtype=np.float32)
    out[rows, columns] = values.to_numpy()
    return out
