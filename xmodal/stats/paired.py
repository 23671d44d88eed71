"""Tests of two conditions on the same questions: leaf by leaf permutation and McNemar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from xmodal.stats.cells import Cells, Floats, Group, group_scores, mean_over_groups, score_of_sums

CHUNK = 256


def permutation(
    a: Cells, b: Cells, *, n_permutations: int, seed: int, metric: str = "macro_f1"
) -> float:
    """Paired permutation of leaves: all answers about a leaf change sides together.

    Runs are taken as they are: it asks whether these runs answer alike, not whether other seeds
    would.

    Args:
        a: Counts of R runs.
        b: Counts of R others on the same groups and leaves, run by run asked the same cells.
        n_permutations: Random swaps.
        seed: Of them.
        metric: macro_f1 or balanced_accuracy.

    Returns:
        The two-sided p of the difference of the means over runs, at least 1 / (swaps + 1).
    """
    rng = np.random.default_rng([seed, 2])
    first, second = _mean(group_scores(a, metric)), _mean(group_scores(b, metric))
    observed = float(first - second)
    far = 0
    sides = [_Swapped.of(x, y) for x, y in zip(a.groups, b.groups, strict=True)]
    for start in range(0, n_permutations, CHUNK):
        size = min(CHUNK, n_permutations - start)
        signs = rng.integers(0, 2, (size, a.n_leaves)).astype(np.float32) * 2 - 1
        scores = [side.scores(signs, metric) for side in sides]
        gap = _mean(np.stack([s[0] for s in scores])) - _mean(np.stack([s[1] for s in scores]))
        # sums of float32 differ in their last bits: equal is as far
        far += int(np.count_nonzero(np.abs(gap) >= abs(observed) - 1e-6))
    return (far + 1) / (n_permutations + 1)


@dataclass(frozen=True)
class _Swapped:
    """One group's counts as what both sides share and what a swap of a leaf moves."""

    leaves: NDArray[np.int64]
    rows: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    """Of Yes and of No."""
    middle: tuple[Floats, Floats]
    """[N, R] means of both sides: hits, questions."""
    half: tuple[Floats, Floats]
    """[N, R] half of what a has more than b: hits, questions."""

    @classmethod
    def of(cls, a: Group, b: Group) -> _Swapped:
        middle = ((a.hits + b.hits) / 2, (a.n + b.n) / 2)
        half = ((a.hits - b.hits) / 2, (a.n - b.n) / 2)
        return cls(a.leaves, (a.answers, ~a.answers), middle, half)

    def scores(self, signs: Floats, metric: str) -> tuple[Floats, Floats]:
        """[S, R] scores of both sides where leaves with sign -1 [S, L] changed sides."""
        own = signs[:, self.leaves]
        sums = [  # of hits for Yes and No, then of questions: what is shared, what moves
            (part[0][rows].sum(axis=0), own[:, rows] @ part[1][rows])
            for part in zip(self.middle, self.half, strict=True)
            for rows in self.rows
        ]
        first, second = ([b + way * m for b, m in sums] for way in (np.float32(1), np.float32(-1)))
        return _of_four(first, metric), _of_four(second, metric)


def _of_four(sums: list[Floats], metric: str) -> Floats:
    hits_yes, hits_no, n_yes, n_no = sums
    return score_of_sums(hits_yes, hits_no, n_yes, n_no, metric)


def _mean(scores: Floats) -> Floats:
    """Over groups (first axis) that have a score, then over runs (last)."""
    out: Floats = mean_over_groups(scores).mean(axis=-1)
    return out


@dataclass(frozen=True)
class McNemar:
    """Questions answered right on one side alone."""

    n: int
    """Pairs of answers to one question."""
    n_only_a: int
    n_only_b: int
    z: float
    """NaN where no leaf leans to a side."""
    p: float
    """Two-sided; 1 where no leaf leans to a side."""

    @property
    def difference(self) -> float:
        """Accuracy of a less that of b."""
        return (self.n_only_a - self.n_only_b) / self.n

    @property
    def odds_ratio(self) -> float:
        """n_only_a / n_only_b; NaN or infinite where n_only_b is 0."""
        if self.n_only_b:
            return self.n_only_a / self.n_only_b
        return float("inf") if self.n_only_a else float("nan")


def mcnemar(n: int, only_a: Floats, only_b: Floats) -> McNemar:
    """McNemar's test where questions about one leaf depend on each other.

    Sums of each leaf's lean d = only_a - only_b have, if neither side is better, mean 0 and the
    variance sum(d^2): z = sum(d) / sqrt(sum(d^2)) (Yang, Sun and Hardin 2010). With one question
    a leaf it is McNemar's own.

    Args:
        n: Pairs of answers to one question, above 0.
        only_a: [L] by leaf, questions that a alone answered right, all runs together.
        only_b: [L] the same of b.
    """
    lean = np.asarray(only_a, dtype=np.float64) - np.asarray(only_b, dtype=np.float64)
    size = float(np.sqrt((lean**2).sum()))
    z = float(lean.sum()) / size if size else float("nan")
    p = float(2 * norm.sf(abs(z))) if size else 1.0
    return McNemar(n, int(np.sum(only_a)), int(np.sum(only_b)), z, p)


def standardised(a: Cells, b: Cells) -> float:
    """Effect size: mean over leaves of the difference in accuracy, by its SD over leaves.

    Runs are averaged first. NaN with fewer than two leaves or where all differ alike.

    Args:
        a: Counts of runs.
        b: Counts of others on the same leaves.
    """
    first, second = _accuracy(a), _accuracy(b)
    both = ~np.isnan(first) & ~np.isnan(second)
    gap = first[both] - second[both]
    if len(gap) < 2 or not gap.std(ddof=1):
        return float("nan")
    return float(gap.mean() / gap.std(ddof=1))


def _accuracy(cells: Cells) -> Floats:
    """[L] share of right answers about each leaf over all runs; NaN where nothing was asked."""
    asked, right = np.zeros(cells.n_leaves), np.zeros(cells.n_leaves)
    group: Group
    for group in cells.groups:
        np.add.at(asked, group.leaves, group.n.sum(axis=1, dtype=np.float64))
        np.add.at(right, group.leaves, group.hits.sum(axis=1, dtype=np.float64))
    with np.errstate(invalid="ignore"):
        return right / asked
