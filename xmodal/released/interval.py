"""The 95 % t interval, without a statistics library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from statistics import stdev


def half_width(values: Sequence[float]) -> float:
    """Half the width of the 95 % t interval around the mean of independent values.

    Args:
        values: Two or more.

    Returns:
        t(0.975, n - 1) s / sqrt(n); NaN for fewer than two values.
    """
    n = len(values)
    if n < 2:
        return math.nan
    return t_quantile(0.975, n - 1) * stdev(values) / math.sqrt(n)


@cache
def t_quantile(p: float, df: int) -> float:
    """Quantile of Student's t, to about 1e-9.

    Args:
        p: Probability in [0.5, 1).
        df: Degrees of freedom, 1 or more.
    """
    low, high = 0.0, 1.0
    while _t_mass(high, df) < p - 0.5:
        high *= 2.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _t_mass(middle, df) < p - 0.5 else (low, middle)
    return (low + high) / 2.0


def _t_mass(t: float, df: int, n_steps: int = 400) -> float:
    """Probability between 0 and t. With t = sqrt(df) tan(a) it is a smooth integral of cos."""
    end = math.atan(t / math.sqrt(df))
    log_scale = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(math.pi)
    step = end / n_steps
    heights = [math.cos(i * step) ** (df - 1) for i in range(n_steps + 1)]
    simpson = heights[0] + heights[-1] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2])
    return math.exp(log_scale) * simpson * step / 3.0
