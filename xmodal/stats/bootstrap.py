"""Weighted bootstrap of leaves: every resample weighs each leaf with all its pictures anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import gammaln

from xmodal.stats.cells import Cells, Floats, group_scores, mean_over_groups, score_of_sums

CHUNK = 256
"""Resamples worked on at a time: their sums stay in the processor's caches."""


@dataclass(frozen=True)
class Resampled:
    """Scores of R runs over the same B resamples of the leaves."""

    estimate: Floats
    """[R] mean over hypernyms, as run_score has it."""
    resamples: NDArray[np.float32]
    """[B, R] the same of each resample."""


def resample_leaves(
    cells: Cells,
    *,
    n_resamples: int,
    seed: int,
    metric: str = "macro_f1",
    random_groups: bool = False,
) -> Resampled:
    """Score every run on the same weighted resamples of the leaves.

    A leaf's weight is drawn from an exponential distribution (Rubin's Bayesian bootstrap, 1981),
    one draw for all its questions under every hypernym and in every run. So no resample loses an
    answer altogether, as whole-number draws would where few leaves carry it. Where n leaves carry
    an answer, weights that are divided by their sum give a mean the variance s^2 / (n + 1) in
    place of s^2 / (n - 1), s^2 that of the n leaves: each weight is stretched, by a power, to the
    variance n / (n - 2), with which gamma-distributed weights have the latter.

    Args:
        cells: Counts of R runs.
        n_resamples: B.
        seed: Of the draws.
        metric: macro_f1 or balanced_accuracy.
        random_groups: Weigh hypernyms anew too, as a sample of hypernyms; else they are fixed.

    Returns:
        Estimates and resamples.
    """
    rng = np.random.default_rng(seed)
    out = np.empty((n_resamples, len(cells.runs)), dtype=np.float32)
    plans = [_Sums.of(group.answers, group.n, group.hits) for group in cells.groups]
    for start in range(0, n_resamples, CHUNK):
        size = min(CHUNK, n_resamples - start)
        draws = rng.standard_exponential((size, cells.n_leaves), dtype=np.float32)
        logs = np.log(np.maximum(draws, np.float32(1e-12)))
        total = np.zeros((size, len(cells.runs)), dtype=np.float32)
        weight = np.zeros_like(total)
        for plan, group in zip(plans, cells.groups, strict=True):
            score = plan.scores(logs[:, group.leaves], metric)
            share = (
                rng.standard_exponential((size, 1), dtype=np.float32)
                if random_groups
                else np.float32(1)
            )
            known = ~np.isnan(score)
            total += share * np.where(known, score, np.float32(0))
            weight += share * known
        with np.errstate(invalid="ignore"):
            out[start : start + size] = total / weight
    return Resampled(mean_over_groups(group_scores(cells, metric)), out)


@dataclass(frozen=True)
class _Sums:
    """What one group's weighted sums need, questions of equal runs counted once."""

    powers: NDArray[np.float32]
    """[N] of the weights, by how many leaves carry the answer."""
    log_means: NDArray[np.float32]
    """[N] logarithm of the mean of the powered weights."""
    yes: NDArray[np.intp]
    no: NDArray[np.intp]
    hits_yes: NDArray[np.float32]
    hits_no: NDArray[np.float32]
    n_yes: NDArray[np.float32]
    n_no: NDArray[np.float32]

    @classmethod
    def of(
        cls, answers: NDArray[np.bool_], n: NDArray[np.float32], hits: NDArray[np.float32]
    ) -> _Sums:
        yes, no = np.flatnonzero(answers), np.flatnonzero(~answers)
        powers = np.ones(len(answers), dtype=np.float32)
        for rows in (yes, no):
            # where runs differ in what they were asked: the mean number of leaves
            carried = (n[rows] > 0).sum(axis=0)
            carried = carried[carried > 0]
            if carried.size:
                powers[rows] = stretch(round(float(carried.mean())))
        same = bool((n == n[:, :1]).all())
        asked = n[:, :1] if same else n
        return cls(
            powers, gammaln(1 + powers.astype(np.float64)).astype(np.float32), yes, no,
            np.ascontiguousarray(hits[yes]), np.ascontiguousarray(hits[no]),
            np.ascontiguousarray(asked[yes]), np.ascontiguousarray(asked[no]),
        )  # fmt: skip

    def scores(self, logs: NDArray[np.float32], metric: str) -> Floats:
        """[B, R] scores from [B, N] logarithms of exponential draws."""
        weights = np.exp(logs * self.powers - self.log_means)
        w_yes, w_no = weights[:, self.yes], weights[:, self.no]
        return score_of_sums(
            w_yes @ self.hits_yes, w_no @ self.hits_no, w_yes @ self.n_yes, w_no @ self.n_no, metric
        )


_KNOWN: dict[int, float] = {}


def stretch(n: int) -> float:
    """The power p for which e ** p / mean(e ** p), e exponential, has variance n / (n - 2).

    Args:
        n: Leaves that carry an answer; fewer than 3 are taken as 3, for one or two leaves tell
            little of variance.
    """
    n = max(n, 3)
    if n not in _KNOWN:
        aim = np.log1p(n / (n - 2))
        _KNOWN[n] = float(brentq(lambda p: gammaln(1 + 2 * p) - 2 * gammaln(1 + p) - aim, 0.5, 5.0))
    return _KNOWN[n]
