"""From the store's counts to arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from taxonomy.errors import ConfigError
from xmodal.stats.cells import Cells, Group
from xmodal.stats.select import Side
from xmodal.store import Store
from xmodal.store.stats import leaf_answers


def load_cells(store: Store, sides: Sequence[Side]) -> tuple[list[Cells], tuple[int, ...]]:
    """Counts of each side on the same groups and leaves.

    Args:
        store: An open store.
        sides: One or two.

    Returns:
        Of each side the counts, runs in its order; groups that one side was not asked have
        zeros there. And the leaf ids by their places.

    Raises:
        ConfigError: A side has no answers to its question set.
    """
    found = []
    for chosen in sides:
        table = leaf_answers(
            store, chosen.run_ids, image_mode=chosen.image_mode, question_set=chosen.question_set
        )
        if not table.num_rows:
            raise ConfigError(
                f"no answers to {chosen.question_set} questions with image mode "
                f"{chosen.image_mode} are stored of {', '.join(chosen.run_ids[:4])}: choose "
                "another question_set or image_mode, or `xmodal eval --image MODE` asks them"
            )
        found.append(table)
    every = pa.concat_tables(found)
    leaves = np.unique(every["leaf_id"].to_numpy())
    names = {
        row["hypernym_id"]: row["hypernym"]
        for row in every.group_by(["hypernym_id", "hypernym"]).aggregate([]).to_pylist()
    }
    order = sorted(names, key=lambda key: (key is None, key or 0))
    cells = _cells_of(every, order, leaves)
    return [
        Cells(
            tuple(chosen.run_ids),
            len(leaves),
            _filled(table, chosen, order, names, leaves, cells),
        )
        for table, chosen in zip(found, sides, strict=True)
    ], tuple(leaves.tolist())


_Key = tuple[int, bool]


def _cells_of(
    table: pa.Table, order: Sequence[int | None], leaves: np.ndarray
) -> dict[int | None, list[_Key]]:
    """By group, the (leaf id, answer) of its rows, in order."""
    rows = table.group_by(["hypernym_id", "leaf_id", "answer"]).aggregate([]).to_pylist()
    out: dict[int | None, list[_Key]] = {key: [] for key in order}
    for row in rows:
        out[row["hypernym_id"]].append((row["leaf_id"], row["answer"]))
    return {key: sorted(cells) for key, cells in out.items()}


def _filled(
    table: pa.Table,
    chosen: Side,
    order: Sequence[int | None],
    names: dict[int | None, str | None],
    leaves: np.ndarray,
    cells: dict[int | None, list[_Key]],
) -> tuple[Group, ...]:
    column = {run: i for i, run in enumerate(chosen.run_ids)}
    places = {key: {cell: i for i, cell in enumerate(cells[key])} for key in order}
    arrays = {key: np.zeros((2, len(cells[key]), len(column)), dtype=np.float32) for key in order}
    columns = [table[name].to_pylist() for name in table.column_names]
    for run, key, _, leaf, answer, n, right in zip(*columns, strict=True):
        row = places[key][leaf, answer]
        arrays[key][0, row, column[run]] = n
        arrays[key][1, row, column[run]] = right
    return tuple(
        Group(
            names[key] if key is not None else "leaf",  # type: ignore[arg-type]
            np.searchsorted(leaves, [leaf for leaf, _ in cells[key]]),
            np.array([answer for _, answer in cells[key]], dtype=bool),
            arrays[key][0],
            arrays[key][1],
        )
        for key in order
    )
