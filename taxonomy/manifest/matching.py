"""Largest matchings that keep as much as they can of a random one."""

from __future__ import annotations

import numpy as np

from taxonomy.manifest.draws import Bools, Ints


def match(allowed: Bools) -> Ints:
    """Match rows to columns, as many as possible, starting from row i to column i.

    The allowed part of the diagonal is the start; each row left over is then matched along
    a shortest augmenting path. A row without such a path has none later either (Berge), so
    the result is a maximum matching. With rows and columns in random order it is a random
    one.

    Args:
        allowed: bool [R, C].

    Returns:
        int64 [R]: column of each row, -1 where none is left.
    """
    n_rows, n_columns = allowed.shape
    column_of = np.full(n_rows, -1, dtype=np.int64)
    row_of = np.full(n_columns, -1, dtype=np.int64)
    diagonal = np.flatnonzero(allowed.diagonal())
    column_of[diagonal] = row_of[diagonal] = diagonal
    for row in np.flatnonzero(column_of < 0):
        _augment(allowed, int(row), column_of, row_of)
    return column_of


def _augment(allowed: Bools, start: int, column_of: Ints, row_of: Ints) -> None:
    reached_from = np.full(len(row_of), -1, dtype=np.int64)
    unseen = np.ones(len(row_of), dtype=np.bool_)
    queue = [start]
    for row in queue:
        new = np.flatnonzero(allowed[row] & unseen)
        reached_from[new], unseen[new] = row, False
        free = new[row_of[new] < 0]
        if len(free):
            column = int(free[0])
            while column >= 0:
                row = int(reached_from[column])
                row_of[column] = row
                column_of[row], column = column, int(column_of[row])
            return
        queue.extend(row_of[new].tolist())


def as_swaps(image: Ints) -> Ints:
    """Turn the open chains of a partial one-to-one map into swaps of neighbours.

    A maximum matching of a symmetric relation on one set falls into cycles and chains
    v1 -> v2 -> ... -> vk with k odd (an even one could be swapped into a larger matching).
    Swapping v1 with v2, v3 with v4 and so on leaves vk alone: the map is then a bijection
    of the rest onto itself, as large as before.

    Args:
        image: int64 [n], -1 where there is none.

    Returns:
        int64 [n], likewise.
    """
    result = image.copy()
    starts = np.setdiff1d(np.arange(len(image)), image)
    for start in starts.tolist():
        chain = [start]
        while image[chain[-1]] >= 0:
            chain.append(int(image[chain[-1]]))
        if len(chain) % 2 == 0:
            raise AssertionError("an even chain: the matching was not maximal")
        for a, b in zip(chain[0:-1:2], chain[1::2], strict=True):
            result[a], result[b] = b, a
        result[chain[-1]] = -1
    return result
