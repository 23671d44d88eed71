"""How questions about pictures are laid out in the rows of an LM's batch.

A row is one picture's prefix and some of the questions about it. One question a row is the plain
layout; all of a picture's questions in one row saves the most prefixes, but pads the other rows
where one picture has many. Between them the rows are cut where it costs least.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Rows:
    """Where Q questions stand in R rows. S text tokens of the longest row."""

    image: Ints
    """[R], the picture whose prefix begins the row."""
    row: Ints
    """[Q], the row of each question."""
    start: Ints
    """[Q], the place of its first token in the row's text."""
    n_text: int
    """S."""

    def __len__(self) -> int:
        return len(self.image)

    @property
    def packed(self) -> bool:
        """Whether some questions share a prefix."""
        return len(self.image) < len(self.row)


def lay_out(image: Ints, lengths: Ints, most: int) -> Rows:
    """Rows with at most so many questions, those of a picture spread evenly over its rows.

    Args:
        image: int64 [Q], ascending, the picture each question is about.
        lengths: int64 [Q], tokens of each question.
        most: Questions a row, at least 1.
    """
    shown, first, counts = np.unique(image, return_index=True, return_counts=True)
    n_rows = -(-counts // most)
    of = np.repeat(np.arange(len(shown)), counts)
    rank = np.arange(len(image)) - first[of]
    row = (np.cumsum(n_rows) - n_rows)[of] + rank * n_rows[of] // counts[of]
    before = np.cumsum(lengths) - lengths
    begins = np.flatnonzero(np.diff(row, prepend=-1))
    start = before - before[begins][row]
    return Rows(np.repeat(shown, n_rows), row, start, int((start + lengths).max()))


def cost(rows: Rows, n_prefix: int, width: int) -> float:
    """What a decoder layer has to compute, in multiplications up to a constant factor.

    A token costs about 12 width squared in the weights and 2 width for each token that it is
    held against: half of its row under the causal kernel, all of it under a mask.

    Args:
        rows: The layout.
        n_prefix: Tokens before the questions.
        width: Of the LM.
    """
    length = n_prefix + rows.n_text
    return len(rows) * length * (6 * width + length * (1.0 if rows.packed else 0.5))


def cheapest(image: Ints, lengths: Ints, n_prefix: int, width: int) -> Rows:
    """The layout that costs least, from one question a row to one row a picture.

    Args:
        image: int64 [Q], ascending, the picture each question is about.
        lengths: int64 [Q], tokens of each question.
        n_prefix: Tokens before the questions.
        width: Of the LM.
    """
    # another size cuts no picture into another number of rows; ascending, so that the plain layout
    # wins a tie
    counts = {int(count) for count in np.bincount(image) if count}
    sizes = sorted({-(-count // n) for count in counts for n in range(1, count + 1)})
    layouts = (lay_out(image, lengths, size) for size in sizes)
    return min(layouts, key=lambda rows: cost(rows, n_prefix, width))
