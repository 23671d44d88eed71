"""Intervals where their answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from xmodal.stats.intervals import Part, Spread, Units, holm, spread


def part(estimate: list[float], resamples: np.ndarray, designs: object = None) -> Part:
    n = len(estimate)
    return Part(np.array(estimate), resamples, Units(tuple(designs or range(n)), tuple(range(n))))


def test_seeds_alone_give_students_interval() -> None:
    estimate = [0.5, 0.6, 0.75]
    got = spread([part(estimate, np.zeros((200_000, 3)))], 0)
    mean, sd = np.mean(estimate), np.std(estimate, ddof=1)
    half = t.ppf(0.975, 2) * sd / np.sqrt(3)
    assert got.estimate == pytest.approx(mean)
    assert got.interval(0.95) == pytest.approx((mean - half, mean + half), rel=0.02)


def test_leaves_alone_give_the_bootstraps_interval() -> None:
    rng = np.random.default_rng(0)
    both = rng.standard_normal((20_000, 1)) * 0.02
    got = spread([part([0.5, 0.5], np.repeat(0.5 + both, 2, axis=1))], 0)
    low, high = np.quantile(both, (0.025, 0.975))
    assert got.interval(0.95) == pytest.approx((0.5 + low, 0.5 + high), abs=1e-3)


def test_what_leaves_make_seeds_differ_by_is_not_counted_twice() -> None:
    # ten runs without a part of their own: they differ as their answers about leaves do; counted
    # twice, intervals would be 1.41 times as wide
    rng = np.random.default_rng(1)
    widths = []
    for _ in range(60):
        resamples = 0.5 + rng.standard_normal((1000, 10)) * 0.03
        got = spread([part((0.5 + rng.standard_normal(10) * 0.03).tolist(), resamples)], 0)
        low, high = got.interval(0.95)
        widths.append(high - low)
    honest = 2 * 1.96 * 0.03 / np.sqrt(10)
    assert honest < np.mean(widths) < 1.25 * honest


def test_one_run_has_no_seeds() -> None:
    got = spread([part([0.5], np.full((1000, 1), 0.5))], 0)
    assert got.interval(0.95) == (0.5, 0.5)


def test_two_parts_add_up() -> None:
    a, b = np.full((50_000, 3), 0.8), np.full((50_000, 3), -0.5)
    got = spread([part([0.7, 0.8, 0.9], a), part([-0.4, -0.5, -0.6], b)], 0)
    assert got.estimate == pytest.approx(0.3)
    alone = spread([part([0.7, 0.8, 0.9], a)], 0)
    low, high = got.interval(0.95)
    assert high - low > alone.interval(0.95)[1] - alone.interval(0.95)[0]


@pytest.mark.parametrize(
    ("designs", "inits", "factors"),
    [
        ((1, 2, 3), (4, 5, 6), [(1, 2, 3)]),  # together: one factor
        ((1, 1, 2, 2), (4, 5, 4, 5), [(1, 1, 2, 2), (4, 5, 4, 5)]),  # crossed: two
        ((1, 1, 2), (4, 5, 4), [(1, 1, 2), (4, 5, 4)]),  # crossed but for one run: two
        ((1, 1, 2, 2), (4, 5, 6, 7), [(1, 1, 2, 2)]),  # nested: designs
        ((1, 2, 3), (4, 4, 4), [(1, 2, 3)]),  # one seed on several designs
        ((1, 1, 1), (4, 5, 6), [(4, 5, 6)]),
        ((1,), (4,), []),
    ],
)
def test_factors(designs: tuple[int, ...], inits: tuple[int, ...], factors: object) -> None:
    assert Units(designs, inits).factors() == factors


def test_designs_count_as_levels_not_their_runs() -> None:
    # two designs of fifty runs each: the interval is that of two values
    estimate = [0.4] * 50 + [0.6] * 50
    units = Units((1,) * 50 + (2,) * 50, tuple(range(100)))
    got = spread([Part(np.array(estimate), np.zeros((50_000, 100)), units)], 0)
    half = t.ppf(0.9, 1) * np.std([0.4, 0.6], ddof=1) / np.sqrt(2)
    assert got.interval(0.8) == pytest.approx((0.5 - half, 0.5 + half), abs=0.01)


def test_p_values() -> None:
    draws = np.linspace(-0.01, 0.99, 1001)[1:]  # 10 of 1000 at or below 0
    got = Spread(0.5, draws)
    assert got.p_above(0.0) == pytest.approx(11 / 1001)
    assert got.p_differs() == pytest.approx(22 / 1001)
    assert got.p_below(0.0) == pytest.approx(992 / 1001)  # the draw at 0 is on both sides
    assert got.p_equivalent(0.5) == got.p_below(0.5)
    assert Spread(0.0, draws - 0.49).p_equivalent(0.6) == pytest.approx(1 / 1001)


def test_holm_golden() -> None:
    # smallest times 3, next times 2, largest times 1, never falling
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_never_below_p_nor_above_bonferroni(p: list[float]) -> None:
    corrected = holm(p)
    for one, made in zip(p, corrected, strict=True):
        assert one <= made <= min(1.0, len(p) * max(p))
        assert made >= min(1.0, one)
    ordered = [made for _, made in sorted(zip(p, corrected, strict=True))]
    assert ordered == sorted(ordered)
