"""Counts and scores against the store's own view."""

from __future__ import annotations

import numpy as np
import pytest

from taxonomy.errors import ConfigError
from tests.xmodal.stats import grids
from tests.xmodal.store.empty import empty_store
from xmodal.stats.cells import group_scores, score_of_sums
from xmodal.stats.load import load_cells
from xmodal.stats.select import side
from xmodal.store.stats import run_units


@pytest.mark.parametrize("metric", ["macro_f1", "balanced_accuracy"])
def test_scores_of_loaded_counts_are_those_of_hypernym_score(metric: str) -> None:
    with empty_store() as store:
        grids.fill(store, grids.by_chance({"pretrained": 0.6, "random": 0.4}))
        units = run_units(store)
        sides = [side(units, {"lm_init": init}) for init in ("pretrained", "random")]
        loaded = load_cells(store, sides)
        want = {
            (row["run_id"], row["hypernym"]): row[metric]
            for row in store.query("FROM hypernym_score").to_pylist()
        }
    for cells in loaded:
        got = group_scores(cells, metric)
        assert got.shape == (3, 3)
        for g, group in enumerate(cells.groups):
            for r, run in enumerate(cells.runs):
                assert got[g, r] == pytest.approx(want[run, group.name], abs=1e-12)


def test_counts_of_a_cell_are_of_its_questions() -> None:
    with empty_store() as store:
        # of leaf 100's two pictures the first alone is answered right
        grids.fill(
            store, lambda *of: of[3] != 100 or of[6] == 1000, conditions=("pretrained",), inits=(1,)
        )
        (cells,) = load_cells(store, [side(run_units(store), {"lm_init": "pretrained"})])
    bird = next(g for g in cells.groups if g.name == "bird")
    place = grids.LEAVES.index(100)
    (row,) = np.flatnonzero((bird.leaves == place) & bird.answers)
    assert (bird.n[row, 0], bird.hits[row, 0]) == (2, 1)
    others = np.delete(np.arange(len(bird.leaves)), row)
    assert (bird.n[others] == 2).all()
    assert (bird.hits[others] == 2).all()
    assert cells.n_questions() == 48
    assert cells.asked_leaves() == 12


def test_golden_score() -> None:
    # 3 Yes, 2 right; 2 No, 1 right: F1(Yes) = 4 / (4 + 1 + 1), F1(No) = 2 / (2 + 1 + 1)
    one = (np.array([x], dtype=np.float64) for x in (2, 1, 3, 2))
    assert score_of_sums(*one, metric="macro_f1")[0] == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_questions_of_one_answer_have_no_score() -> None:
    zero, two = np.array([0.0]), np.array([2.0])
    assert np.isnan(score_of_sums(two, zero, two, zero, "macro_f1"))[0]
    assert np.isnan(score_of_sums(zero, two, zero, two, "balanced_accuracy"))[0]


def test_unknown_metric() -> None:
    one = np.ones(1)
    with pytest.raises(
        ConfigError, match="metric must be one of macro_f1, balanced_accuracy, got 'f1'"
    ):
        score_of_sums(one, one, one, one, "f1")
