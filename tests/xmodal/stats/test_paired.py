"""Permutation against every swap there is, McNemar against its textbook form."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.stats import norm

from tests.xmodal.stats import grids
from xmodal.stats.cells import Cells, group_scores
from xmodal.stats.paired import mcnemar, permutation, standardised


def beside(cells: Cells, seed: int, p: float) -> Cells:
    """Other answers to the same questions."""
    rng = np.random.default_rng(seed)
    return replace(
        cells,
        groups=tuple(
            replace(g, hits=rng.binomial(g.n.astype(int), p).astype(np.float32))
            for g in cells.groups
        ),
    )


def swapped(a: Cells, b: Cells, leaves: tuple[int, ...]) -> tuple[Cells, Cells]:
    groups = ([], [])
    for x, y in zip(a.groups, b.groups, strict=True):
        flip = np.isin(x.leaves, leaves)[:, None]
        groups[0].append(
            replace(x, n=np.where(flip, y.n, x.n), hits=np.where(flip, y.hits, x.hits))
        )
        groups[1].append(
            replace(y, n=np.where(flip, x.n, y.n), hits=np.where(flip, x.hits, y.hits))
        )
    return replace(a, groups=tuple(groups[0])), replace(b, groups=tuple(groups[1]))


@pytest.mark.parametrize(("seed", "p"), [(1, 0.7), (2, 0.3), (4, 0.9)])
def test_p_is_the_share_of_all_swaps_as_far_apart(seed: int, p: float) -> None:
    a = grids.cells(np.random.default_rng(seed), n_leaves=6)
    b = beside(a, seed, p)

    def gap(x: Cells, y: Cells) -> float:
        return float(group_scores(x).mean() - group_scores(y).mean())

    observed = abs(gap(a, b))
    every = [
        abs(gap(*swapped(a, b, tuple(np.flatnonzero(flips)))))
        for flips in product((0, 1), repeat=6)
    ]
    exact = np.mean([g >= observed - 1e-6 for g in every])
    got = permutation(a, b, n_permutations=4000, seed=0)
    assert got == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 4000) + 3e-4)


def test_questions_swap_with_their_answers() -> None:
    # one side was asked twice as often about each leaf: swapping n too leaves scores in [0, 1]
    a = grids.cells(np.random.default_rng(5), n_leaves=6)
    b = replace(a, groups=tuple(replace(g, n=g.n * 2, hits=g.hits * 2) for g in a.groups))
    # the same shares: every swap that mixes n is as far apart as chance has it, none is refused
    assert 0 < permutation(a, b, n_permutations=500, seed=0) <= 1


def test_equal_sides_do_not_differ() -> None:
    a = grids.cells(np.random.default_rng(5))
    assert permutation(a, a, n_permutations=200, seed=0) == 1.0
    assert np.isnan(standardised(a, a))


def test_mcnemar_with_one_question_a_leaf_is_the_textbooks() -> None:
    # 9 leaves right on a alone, 2 on b alone: z = (9 - 2) / sqrt(11)
    only_a = np.array([1] * 9 + [0] * 5)
    only_b = np.array([0] * 9 + [1, 1, 0, 0, 0])
    got = mcnemar(14, only_a, only_b)
    assert got.z == pytest.approx(7 / np.sqrt(11))
    assert got.p == pytest.approx(2 * norm.sf(7 / np.sqrt(11)))
    assert (got.odds_ratio, got.difference) == (4.5, 0.5)


def test_mcnemar_counts_a_leaf_once_however_many_its_questions() -> None:
    # ten questions of one leaf all lean to a: one leaf cannot tell more than z = 1
    got = mcnemar(10, np.array([10]), np.array([0]))
    assert got.z == 1.0
    assert got.odds_ratio == float("inf")


def test_mcnemar_without_a_lean() -> None:
    got = mcnemar(4, np.array([1, 0]), np.array([1, 0]))
    assert got.p == 1.0
    assert np.isnan(got.z)
    assert np.isnan(mcnemar(4, np.array([0]), np.array([0])).odds_ratio)


def test_effect_is_the_mean_gap_by_its_spread_over_leaves() -> None:
    base = grids.cells(np.random.default_rng(0), n_leaves=4, n_runs=1, n_groups=1)
    group = base.groups[0]
    n = np.full_like(group.n, 2)
    all_right = replace(base, groups=(replace(group, n=n, hits=n),))
    some = n.copy()
    some[0] = 0  # one leaf wrong on the other side
    other = replace(base, groups=(replace(group, n=n, hits=some),))
    gaps = np.zeros(len(group.leaves))
    gaps[0] = 1
    assert standardised(all_right, other) == pytest.approx(gaps.mean() / gaps.std(ddof=1))
