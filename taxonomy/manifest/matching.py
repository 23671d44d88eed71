"""Largest matchings that keep as much as they can of a random one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from taxonomy.manifest.draws import Bools, Ints


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """Which of C columns each of R rows may be matched to: by their kinds, but for equal words."""

    row_kind: Ints
    column_kind: Ints
    apart: Bools
    """bool [row kinds, column kinds]."""
    row_word: Ints
    column_word: Ints

    @classmethod
    def of(cls, matrix: Bools) -> Allowed:
        """From bool [R, C]."""
        rows, columns = (np.arange(n) for n in matrix.shape)
        return cls(
            row_kind=rows,
            column_kind=columns,
            apart=matrix,
            row_word=np.zeros_like(rows),
            column_word=np.ones_like(columns),
        )

    def diagonal(self) -> Bools:
        """Whether row i may be matched to column i, bool [min(R, C)]."""
        n = min(len(self.row_kind), len(self.column_kind))
        differ: Bools = self.row_word[:n] != self.column_word[:n]
        return self.apart[self.row_kind[:n], self.column_kind[:n]] & differ


def match(allowed: Allowed) -> Ints:
    """Match rows to columns, as many as possible, starting from row i to column i.

    The allowed part of the diagonal is the start; each row left over is then matched along
    a shortest augmenting path. A row without such a path has none later either (Berge), so
    the result is a maximum matching. With rows and columns in random order it is a random
    one. Columns that a search reached in vain lead nowhere later: searches pass them over.

    Returns:
        int64 [R]: column of each row, -1 where none is left.
    """
    search = _Search(allowed)
    for row in np.flatnonzero(search.column_of < 0).tolist():
        search.augment(row)
    return search.column_of


class _Search:
    """A matching that grows, and what makes its searches short."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed
        self.column_of = np.full(len(allowed.row_kind), -1, dtype=np.int64)
        self._row_of = np.full(len(allowed.column_kind), -1, dtype=np.int64)
        diagonal = np.flatnonzero(allowed.diagonal())
        self.column_of[diagonal] = self._row_of[diagonal] = diagonal
        self._alive = np.ones(len(self._row_of), dtype=np.bool_)
        free = np.bincount(allowed.column_kind[self._row_of < 0], minlength=allowed.apart.shape[1])
        # of each kind of row the free columns that are apart from it, of whatever word
        self._n_free = allowed.apart @ free

    def augment(self, start: int) -> None:
        """Match one more row, if there is a path; columns are tried in order, level by level."""
        reached_from = np.full(len(self._row_of), -1, dtype=np.int64)
        unseen = np.flatnonzero(self._alive)
        # what an earlier row of a kind has left unseen: columns of its own word
        left: dict[int, Ints] = {}
        level = np.array([start])
        while len(level):
            row, column = self._to_free(level)
            if row >= 0:
                self._take(row, column, reached_from)
                return
            found = []
            for row in level.tolist():
                kind = int(self._allowed.row_kind[row])
                columns = left.get(kind)
                if columns is None:
                    apart = self._allowed.apart[kind][self._allowed.column_kind[unseen]]
                    columns = unseen[apart]
                if len(columns):
                    columns = columns[reached_from[columns] < 0]
                    own = self._allowed.column_word[columns] == self._allowed.row_word[row]
                    new, columns = columns[~own], columns[own]
                    reached_from[new] = row
                    unseen = unseen[reached_from[unseen] < 0] if len(new) else unseen
                    found.append(new)
                left[kind] = columns
            level = self._row_of[np.concatenate(found)] if found else level[:0]
        self._alive &= reached_from < 0

    def _to_free(self, level: Ints) -> tuple[int, int]:
        """The first row of a level with an allowed free column, and the first such; else -1."""
        kinds = self._allowed.row_kind[level]
        for row in level[self._n_free[kinds] > 0].tolist():
            free = np.flatnonzero(self._row_of < 0)
            apart = self._allowed.apart[self._allowed.row_kind[row]]
            fits = apart[self._allowed.column_kind[free]]
            fits &= self._allowed.column_word[free] != self._allowed.row_word[row]
            if fits.any():
                return row, int(free[np.argmax(fits)])
        return -1, -1

    def _take(self, row: int, column: int, reached_from: Ints) -> None:
        """Match along the path that ends with a row and a free column."""
        self._n_free -= self._allowed.apart[:, self._allowed.column_kind[column]]
        while True:
            self._row_of[column] = row
            self.column_of[row], column = column, int(self.column_of[row])
            if column < 0:
                return
            row = int(reached_from[column])


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
