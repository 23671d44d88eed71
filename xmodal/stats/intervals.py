"""From resampled leaves and repeated seeds to intervals and p values."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from xmodal.stats.cells import Floats


@dataclass(frozen=True)
class Units:
    """What is repeated: runs of a condition, or pairs of runs of two with equal seeds."""

    designs: tuple[Hashable, ...]
    """Of each unit, the seed that drew its manifest."""
    inits: tuple[Hashable, ...]
    """Of each unit, the seed of its projector and data order."""

    @property
    def n_designs(self) -> int:
        """Draws of the manifest."""
        return len(set(self.designs))

    @property
    def n_inits(self) -> int:
        """Seeds of projectors."""
        return len(set(self.inits))

    def factors(self) -> list[tuple[Hashable, ...]]:
        """What the units vary over, a level for each unit: none where there is but one unit.

        Manifests and projectors that vary together, or projectors within manifests, are one
        factor, whose levels are the manifests; where projectors' seeds come again on other
        manifests, on all of them or on some, they are two.
        """
        if self.n_designs == 1:
            return [self.inits] if self.n_inits > 1 else []
        pairs = set(zip(self.designs, self.inits, strict=True))
        again = len(pairs) > self.n_inits and len(pairs) > self.n_designs
        return [self.designs, self.inits] if again and self.n_inits > 1 else [self.designs]


@dataclass(frozen=True)
class Spread:
    """An estimate, and draws of where the truth may lie around it."""

    estimate: float
    draws: Floats
    """[B]"""

    @property
    def se(self) -> float:
        """Half the width of the middle 68.27 % of the draws: few seeds have draws without an SD."""
        low, high = np.quantile(self.draws, (0.158655, 0.841345))
        return float(high - low) / 2

    def interval(self, confidence: float) -> tuple[float, float]:
        """Limits with equal shares of the draws beyond them.

        Args:
            confidence: Share between them, such as 0.95.
        """
        low, high = np.quantile(self.draws, ((1 - confidence) / 2, (1 + confidence) / 2))
        return float(low), float(high)

    def p_above(self, value: float) -> float:
        """One-sided p of "the truth is not above `value`"."""
        return float((np.count_nonzero(self.draws <= value) + 1) / (len(self.draws) + 1))

    def p_below(self, value: float) -> float:
        """One-sided p of "the truth is not below `value`"."""
        return float((np.count_nonzero(self.draws >= value) + 1) / (len(self.draws) + 1))

    def p_differs(self, value: float = 0.0) -> float:
        """Two-sided p of "the truth is `value`"."""
        return min(1.0, 2 * min(self.p_above(value), self.p_below(value)))

    def p_equivalent(self, margin: float) -> float:
        """p of "the truth is `margin` or more from 0": two one-sided tests (Schuirmann 1987)."""
        return max(self.p_above(-margin), self.p_below(margin))


@dataclass(frozen=True)
class Part:
    """Units whose mean is one summand of what is estimated."""

    estimate: Floats
    """[U] score, or difference of scores, of each unit."""
    resamples: Floats
    """[B, U] the same of each resample of the leaves, one draw of leaves for all parts."""
    units: Units


def spread(parts: Sequence[Part], seed: int) -> Spread:
    """Sum of the parts' means, with the leaves' and the seeds' share in its uncertainty.

    Leaves: deviations of the resampled sum. Seeds: the variance s^2 between K levels of a factor
    has K - 1 degrees of freedom, so a draw of the truth's is s^2 (K - 1) / chi^2; what leaves
    alone make levels differ by, known from the resamples, is taken off; the rest / K is the
    variance of a normal draw that is added. With negligible leaf noise that is Student's interval
    with K - 1 degrees of freedom; with negligible seeds it is the leaves' bootstrap.

    Args:
        parts: One for paired runs, or one a side with other seeds.
        seed: Of the draws.

    Returns:
        Estimate and B draws.
    """
    rng = np.random.default_rng([seed, 1])
    estimate = float(sum(part.estimate.mean() for part in parts))
    n = len(parts[0].resamples)
    draws = np.full(n, estimate)
    for part in parts:
        centred = part.resamples.astype(np.float64)
        centred -= centred.mean(axis=0)
        draws += centred.mean(axis=1)
        for levels in part.units.factors():
            means, moved = _by_level(part.estimate, levels), _by_level(centred, levels)
            k = len(means)
            noise = float(moved.var(axis=1, ddof=1).mean())
            total = means.var(ddof=1) * (k - 1) / rng.chisquare(k - 1, size=n)
            draws += rng.standard_normal(n) * np.sqrt(np.maximum(0.0, total - noise) / k)
    return Spread(estimate, draws)


def _by_level(values: Floats, levels: Sequence[Hashable]) -> Floats:
    """Means of the last axis over units of one level."""
    names = list(dict.fromkeys(levels))
    places = np.array([names.index(level) for level in levels])
    return np.stack([values[..., places == i].mean(axis=-1) for i in range(len(names))], axis=-1)


def holm(p: Sequence[float]) -> list[float]:
    """p values corrected for the size of their family (Holm 1979).

    Args:
        p: Of the family's tests.

    Returns:
        As many, in the same order, at most 1.
    """
    order = sorted(range(len(p)), key=lambda i: p[i])
    out, worst = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        worst = max(worst, (len(p) - rank) * p[i])
        out[i] = min(1.0, worst)
    return out
