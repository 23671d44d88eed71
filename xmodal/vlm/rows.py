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


class _Questions:
    """Questions grouped by picture, and what every layout of them shares."""

    def __init__(self, image: Ints, lengths: Ints) -> None:
        self.shown, first, self.counts = np.unique(image, return_index=True, return_counts=True)
        self.of = np.repeat(np.arange(len(first)), self.counts)
        self.rank = np.arange(len(image)) - first[self.of]
        self.lengths = lengths

    def rows(self, most: int) -> tuple[Ints, Ints, Ints]:
        """Rows of each picture, row of each question, first question of each row."""
        n_rows = -(-self.counts // most)
        before = (np.cumsum(n_rows) - n_rows)[self.of]
        row = before + self.rank * n_rows[self.of] // self.counts[self.of]
        return n_rows, row, np.flatnonzero(np.diff(row, prepend=-1))

    def lay_out(self, most: int) -> Rows:
        n_rows, row, begins = self.rows(most)
        before = np.cumsum(self.lengths) - self.lengths
        start = before - before[begins][row]
        n_text = int((start + self.lengths).max())
        return Rows(np.repeat(self.shown, n_rows), row, start, n_text)

    def cost(self, most: int, n_prefix: int, width: int) -> float:
        begins = self.rows(most)[2]
        n_text = int(np.add.reduceat(self.lengths, begins).max())
        packed = len(begins) < len(self.lengths)
        return work(len(begins), n_prefix + n_text, width, masked=packed)


def lay_out(image: Ints, lengths: Ints, most: int) -> Rows:
    """Rows with at most so many questions, those of a picture spread evenly over its rows.

    Args:
        image: int64 [Q], ascending, the picture each question is about.
        lengths: int64 [Q], tokens of each question.
        most: Questions a row, at least 1.
    """
    return _Questions(image, lengths).lay_out(most)


def work(n_rows: int, length: int, width: int, *, masked: bool) -> float:
    """What a decoder layer has to compute, in multiplications up to a constant factor.

    A token costs about 12 width squared in the weights and 2 width for each token that it is
    held against: half of its row under the causal kernel, all of it under a mask.

    Args:
        n_rows: Of the batch.
        length: Of a row, in tokens.
        width: Of the LM.
        masked: Whether rows are packed.
    """
    return n_rows * length * (6 * width + length * (1.0 if masked else 0.5))


def cheapest(image: Ints, lengths: Ints, n_prefix: int, width: int) -> Rows:
    """The layout that costs least, from one question a row to one row a picture.

    Args:
        image: int64 [Q], ascending, the picture each question is about.
        lengths: int64 [Q], tokens of each question.
        n_prefix: Tokens before the questions.
        width: Of the LM.
    """
    questions = _Questions(image, lengths)
    # another size cuts no picture into another number of rows; ascending, so that the plain layout
    # wins a tie
    counts = set(questions.counts.tolist())
    sizes = sorted({-(-count // n) for count in counts for n in range(1, count + 1)})
    return questions.lay_out(min(sizes, key=lambda n: questions.cost(n, n_prefix, width)))
