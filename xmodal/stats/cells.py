"""What runs answered, as counts by hypernym and leaf: all that scores and resamples need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taxonomy.errors import ConfigError

Floats = NDArray[np.floating[Any]]
METRICS = ("macro_f1", "balanced_accuracy")


@dataclass(frozen=True)
class Group:
    """The questions about one hypernym; leaf questions are one group of their own.

    N leaves, R runs. A leaf is under the hypernym or is not, so that all its questions have one
    answer. A run that was not asked a leaf's questions has zeros there.
    """

    name: str
    """The hypernym's word, or "leaf"."""
    leaves: NDArray[np.int64]
    """[N] places among the leaves of all groups."""
    answers: NDArray[np.bool_]
    """[N] the true answer to the leaf's questions."""
    n: NDArray[np.float32]
    """[N, R] questions asked."""
    hits: NDArray[np.float32]
    """[N, R] questions answered right."""


@dataclass(frozen=True)
class Cells:
    """Counts of several runs on one taxonomy."""

    runs: tuple[str, ...]
    """R run ids, in the order of the columns of every group."""
    n_leaves: int
    """Leaves over all groups."""
    groups: tuple[Group, ...]

    def of(self, columns: Sequence[int]) -> Cells:
        """The same for some of the runs.

        Args:
            columns: Places in `runs`.
        """
        picked = list(columns)
        groups = tuple(
            Group(g.name, g.leaves, g.answers, g.n[:, picked], g.hits[:, picked])
            for g in self.groups
        )
        return Cells(tuple(self.runs[i] for i in picked), self.n_leaves, groups)

    def asked_leaves(self) -> int:
        """Leaves about which some run was asked something."""
        asked = [g.leaves[g.n.any(axis=1)] for g in self.groups]
        return len(np.unique(np.concatenate(asked))) if asked else 0

    def n_questions(self) -> int:
        """Questions of all runs together, each as often as it was answered."""
        return int(sum(g.n.sum(dtype=np.float64) for g in self.groups))


def group_scores(cells: Cells, metric: str = "macro_f1") -> Floats:
    """Score of each run on each group, as the view hypernym_score has it.

    Args:
        cells: Counts of R runs in G groups.
        metric: macro_f1 or balanced_accuracy.

    Returns:
        float64 [G, R] in [0, 1]; NaN where a run was asked questions of one answer only.

    Raises:
        ConfigError: An unknown metric.
    """
    rows = [_group_score(group, metric) for group in cells.groups]
    return np.stack(rows) if rows else np.zeros((0, len(cells.runs)))


def _group_score(group: Group, metric: str) -> Floats:
    """[R] scores of one group."""
    yes, no = group.answers, ~group.answers
    hits, n = group.hits.astype(np.float64), group.n.astype(np.float64)
    return score_of_sums(
        hits[yes].sum(axis=0), hits[no].sum(axis=0), n[yes].sum(axis=0), n[no].sum(axis=0), metric
    )


def mean_over_groups(scores: Floats) -> Floats:
    """Mean over the first axis of the groups that have a score; NaN where none has."""
    known = ~np.isnan(scores)
    with np.errstate(invalid="ignore"):
        means: Floats = np.where(known, scores, 0).sum(axis=0) / known.sum(axis=0)
    return means


def score_of_sums(tp: Floats, tn: Floats, n_yes: Floats, n_no: Floats, metric: str) -> Floats:
    """Score from sums over questions, which may be weighted.

    macro_f1: with T questions and D = tp - tn, F1 of Yes is 2 tp / (T + D) and that of No
    2 tn / (T - D); their mean. balanced_accuracy: mean of tp / n_yes and tn / n_no.

    Args:
        tp: Questions with answer Yes answered right; any shape.
        tn: The same with answer No; the same shape.
        n_yes: Questions with answer Yes; broadcast against tp.
        n_no: Questions with answer No; broadcast against tp.
        metric: macro_f1 or balanced_accuracy.

    Returns:
        The scores in the dtype of tp; NaN where n_yes or n_no is 0.

    Raises:
        ConfigError: An unknown metric.
    """
    if metric not in METRICS:
        raise ConfigError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}")
    one_class = (n_yes <= 0) | (n_no <= 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        if metric == "macro_f1":
            total, lean = n_yes + n_no, tp - tn
            score = tp / (total + lean) + tn / (total - lean)
        else:
            score = (tp / n_yes + tn / n_no) / 2
    return np.where(one_class, np.asarray(np.nan, score.dtype), score)
