"""The weighted bootstrap against one that is written out, and against known variances."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.xmodal.stats import grids
from xmodal.stats.bootstrap import resample_leaves, stretch
from xmodal.stats.cells import Cells, Group, group_scores


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_resample_is_the_score_of_weighted_questions(seed: int) -> None:
    cells = grids.cells(np.random.default_rng(seed))
    got = resample_leaves(cells, n_resamples=3, seed=seed)
    draws = np.random.default_rng(seed).standard_exponential((3, cells.n_leaves), dtype=np.float32)
    for b in range(3):
        for r in range(len(cells.runs)):
            scores = []
            for group in cells.groups:
                weighted = {}
                for yes in (True, False):
                    power = stretch(int((group.answers == yes).sum()))
                    mean = math.gamma(1 + power)
                    rows = [k for k in range(len(group.leaves)) if group.answers[k] == yes]
                    weights = [float(draws[b, group.leaves[k]]) ** power / mean for k in rows]
                    weighted[yes] = [
                        sum(w * part[k, r] for w, k in zip(weights, rows, strict=True))
                        for part in (group.hits, group.n)
                    ]
                (tp, n_yes), (tn, n_no) = weighted[True], weighted[False]
                fp, fn = n_no - tn, n_yes - tp
                f1 = [2 * hit / (2 * hit + fp + fn) if hit else 0.0 for hit in (tp, tn)]
                scores.append(sum(f1) / 2)
            assert got.resamples[b, r] == pytest.approx(np.mean(scores), abs=2e-5)
    assert got.estimate == pytest.approx(group_scores(cells).mean(axis=0), abs=1e-12)


@pytest.mark.parametrize("n", [3, 4, 10, 400])
def test_weights_have_the_variance_that_makes_up_for_few_leaves(n: int) -> None:
    p = stretch(n)
    variance = math.gamma(1 + 2 * p) / math.gamma(1 + p) ** 2 - 1
    assert variance == pytest.approx(n / (n - 2), rel=1e-9)


def test_one_or_two_leaves_count_as_three() -> None:
    assert stretch(1) == stretch(2) == stretch(3)


def test_spread_of_a_mean_is_its_standard_error() -> None:
    # balanced accuracy of one run: the mean of two means over 40 leaves of one question each
    rng = np.random.default_rng(3)
    n = 40
    hits = rng.integers(0, 2, (2 * n, 1)).astype(np.float32)
    group = Group(
        "bird", np.arange(2 * n), np.arange(2 * n) < n, np.ones((2 * n, 1), np.float32), hits
    )
    got = resample_leaves(
        Cells(("r",), 2 * n, (group,)), n_resamples=20_000, seed=1, metric="balanced_accuracy"
    )
    parts = [hits[:n, 0], hits[n:, 0]]
    want = math.sqrt(sum(float(part.var(ddof=1)) / n for part in parts)) / 2
    # weights are stretched to first order: the ratio of sums takes off a little at n = 40
    assert float(got.resamples.std()) == pytest.approx(want, rel=0.04)


def test_equal_runs_have_equal_resamples() -> None:
    cells = grids.cells(np.random.default_rng(0), n_runs=1)
    twice = replace(
        cells,
        runs=("a", "b"),
        groups=tuple(
            replace(g, n=np.repeat(g.n, 2, 1), hits=np.repeat(g.hits, 2, 1)) for g in cells.groups
        ),
    )
    got = resample_leaves(twice, n_resamples=300, seed=5)
    assert got.resamples[:, 0] == pytest.approx(got.resamples[:, 1], abs=1e-6)
    assert got.resamples[:, 0].std() > 0


def test_a_run_without_a_group_is_the_mean_of_the_others() -> None:
    cells = grids.cells(np.random.default_rng(0))
    empty = replace(cells.groups[0], n=cells.groups[0].n * 0, hits=cells.groups[0].hits * 0)
    less = replace(cells, groups=(empty, *cells.groups[1:]))
    got = resample_leaves(less, n_resamples=10, seed=0)
    assert got.estimate == pytest.approx(group_scores(cells)[1:].mean(axis=0))
    assert not np.isnan(got.resamples).any()


def test_seed_and_nothing_else_decides() -> None:
    cells = grids.cells(np.random.default_rng(0))
    first, again, other = (
        resample_leaves(cells, n_resamples=50, seed=s).resamples for s in (1, 1, 2)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_random_hypernyms_spread_further() -> None:
    # two groups, all right in one and all wrong in the other: leaves tell nothing, groups all
    leaves, answers, n = (
        np.arange(4),
        np.array([True, True, False, False]),
        np.ones((4, 1), np.float32),
    )
    groups = (Group("a", leaves, answers, n, n), Group("b", leaves, answers, n, n * 0))
    cells = Cells(("r",), 4, groups)
    fixed = resample_leaves(cells, n_resamples=400, seed=0)
    random = resample_leaves(cells, n_resamples=400, seed=0, random_groups=True)
    assert fixed.resamples.std() == pytest.approx(0, abs=1e-6)
    assert random.resamples.std() > 0.15
