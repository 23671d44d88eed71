"""Two conditions in a store, held against each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from taxonomy.errors import ConfigError
from tests.xmodal.stats import grids
from tests.xmodal.store import world
from tests.xmodal.store.empty import empty_store
from xmodal.stats.compare import Comparison, Settings, compare, level
from xmodal.stats.results import Contrast, stat_rows
from xmodal.stats.select import Side, side
from xmodal.store import METRIC, Store
from xmodal.store.rows import RunRow
from xmodal.store.stats import add_stats, run_units

QUICK = Settings(n_resamples=400, margin=0.05)


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store.in_memory() as opened:  # of its own: it lives as long as the module's tests
        grids.fill(opened, grids.by_chance({"pretrained": 0.6, "random": 0.4}))
        yield opened


def sides(store: Store, a: dict[str, str] | None = None) -> tuple[Side, Side]:
    units = run_units(store)
    return (
        side(units, {"lm_init": "pretrained"} | (a or {})),
        side(units, {"lm_init": "random"}),
    )


def found(store: Store, a: dict[str, str] | None = None, **changes: object) -> Comparison:
    return compare(store, *sides(store, a), Settings(**{"n_resamples": 400} | changes))  # type: ignore[arg-type]


def run_scores(store: Store) -> dict[str, float]:
    rows = store.query("FROM run_score WHERE question_set = 'held_out'").to_pylist()
    return {row["run_id"]: row["macro_f1"] for row in rows}


def test_estimates_are_means_of_run_score(store: Store) -> None:
    got, scores = found(store), run_scores(store)
    a, b = (
        np.mean([v for run, v in scores.items() if run.startswith(name)])
        for name in ("pretrained", "random")
    )
    assert got.a.spread.estimate == pytest.approx(a, abs=1e-12)
    assert got.b.spread.estimate == pytest.approx(b, abs=1e-12)
    assert got.difference.estimate == pytest.approx(a - b, abs=1e-12)
    assert got.paired
    assert (got.a.n_questions, got.n_leaves, got.n_hypernyms, got.left_out) == (144, 12, 3, 0)
    low, high = got.difference.interval(0.95)
    assert low < a - b < high


def test_level_alone_is_the_same_as_beside_another(store: Store) -> None:
    a, _ = sides(store)
    alone = level(store, a, Settings(n_resamples=400)).spread
    beside = found(store).a.spread
    assert alone.estimate == beside.estimate
    assert alone.interval(0.95) == pytest.approx(beside.interval(0.95), abs=0.01)


def test_discordant_answers_are_counted_by_pairs_of_seeds(store: Store) -> None:
    right = grids.by_chance({"pretrained": 0.6, "random": 0.4})
    only = [0, 0]
    for init in (1, 2, 3):
        for _, image, leaf, h, answer in grids.questions():
            a, b = (right(c, 1, init, leaf, h, answer, image) for c in ("pretrained", "random"))
            only[0] += a and not b
            only[1] += b and not a
    got = found(store).mcnemar
    assert got is not None
    assert [got.n_only_a, got.n_only_b, got.n] == [*only, 144]


def test_runs_with_other_seeds_are_not_paired(store: Store) -> None:
    got = found(store, {"run": "pretrained-1-1,pretrained-1-2"})
    assert not got.paired
    assert got.permutation_p is got.mcnemar is None
    assert got.why_not == "no paired tests: the two sides' runs have other seeds"
    scores = run_scores(store)
    a = np.mean([scores["pretrained-1-1"], scores["pretrained-1-2"]])
    b = np.mean([v for run, v in scores.items() if run.startswith("random")])
    assert got.difference.estimate == pytest.approx(a - b, abs=1e-12)


def test_no_answers_of_a_kind(store: Store) -> None:
    with pytest.raises(ConfigError, match="no answers to leaf questions with image mode real"):
        found(store, {"question_set": "leaf"})
    with pytest.raises(ConfigError, match="no answers to held_out questions with image mode zero"):
        found(store, {"image_mode": "zero"})


def test_two_datasets_are_not_compared(store: Store) -> None:
    a, b = sides(store)
    other = replace(b, runs=tuple({**run, "dataset": "d2"} for run in b.runs))
    with pytest.raises(ConfigError, match="a is of dataset d1 and b of d2: leaves of two datasets"):
        compare(store, a, other, QUICK)


def test_only_common_cells_are_compared() -> None:
    """The second manifest holds out the first six leaves alone."""
    with empty_store() as store:
        grids.fill(store, grids.by_chance({"pretrained": 0.7}), conditions=("pretrained",))
        rows = [
            (n, image, "test", leaf, h, "hypernym", answer, True, "held_out", False)
            for n, image, leaf, h, answer in grids.questions()
            if leaf < 106
        ]
        half = replace(
            world.manifest([], ratio=0.5, seed=1), examples=world.table(world.EXAMPLE, rows)
        )
        store.add_manifest(half)
        for init in (1, 2, 3):
            record = world.record(f"half-{init}", half, seed_init=init, seed_order=init)
            with store.transaction():
                store.replace_runs(
                    [
                        (
                            RunRow(**record, content_hash=f"h{init}"),
                            METRIC.empty_table(),
                            world.predictions([(row[0], row[6]) for row in rows]),  # all right
                        )
                    ]
                )
        units = run_units(store)
        a, b = side(units, {"ratio": "1"}), side(units, {"ratio": "0.5"})
        common = compare(store, a, b, QUICK)
        own = compare(store, a, b, Settings(n_resamples=400, questions="own"))
        whole = level(store, a, QUICK)
    assert common.common
    assert (common.a.n_questions, common.b.n_questions, common.left_out) == (72, 72, 72)
    assert common.n_leaves == 6
    assert common.b.spread.estimate == 1.0
    assert own.a.spread.estimate == pytest.approx(whole.spread.estimate)
    assert common.a.spread.estimate != pytest.approx(whole.spread.estimate)
    assert common.permutation_p is not None
    assert own.permutation_p is None
    assert own.why_not == ("no paired tests: the two sides were asked other (leaf, hypernym) pairs")


def test_rows_of_a_comparison(store: Store) -> None:
    a, b = sides(store)
    rows = stat_rows(store, [Contrast(a, b, QUICK)])
    assert [(row.kind, row.method) for row in rows] == [
        ("level", "bootstrap"),
        ("level", "bootstrap"),
        ("difference", "bootstrap"),
        ("difference", "permutation"),
        ("difference", "mcnemar"),
        ("difference", "tost"),
    ]
    assert len({row.family for row in rows}) == 1
    assert all(not row.confirmatory for row in rows)
    gap, tost = rows[2], rows[5]
    assert gap.note == "one draw of the manifest: the interval is about this draw"
    assert gap.p == gap.p_holm  # one test of its method
    assert (tost.margin, tost.confidence) == (0.05, pytest.approx(0.9))
    assert gap.low is not None
    assert tost.low is not None
    assert gap.low < tost.low


def test_a_family_is_corrected_and_a_repeat_takes_its_place(store: Store) -> None:
    a, b = sides(store)
    one = side(run_units(store), {"run": "random-1-1,random-1-2,random-1-3", "lm_init": "random"})
    contrasts = [Contrast(a, b, QUICK), Contrast(b, a, QUICK)]
    rows = stat_rows(store, contrasts)
    tests = [row for row in rows if row.method == "bootstrap" and row.kind == "difference"]
    assert len(tests) == 2
    low, high = sorted((row.p, row.p_holm) for row in tests)  # type: ignore[type-var]
    assert low[1] == pytest.approx(2 * low[0])
    assert high[1] == pytest.approx(max(2 * low[0], high[0]))
    add_stats(store, rows)
    add_stats(store, stat_rows(store, contrasts))
    assert store.query("SELECT count(*) AS n FROM stat").to_pylist() == [{"n": len(rows)}]
    other = stat_rows(store, [Contrast(a, one, QUICK)])
    assert {row.stat_id for row in other}.isdisjoint({row.stat_id for row in rows})
    shown = store.analysis("stats").to_pylist()
    assert {row["stat_id"] for row in shown} == {row.stat_id for row in rows}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "f1"}, "metric must be one of macro_f1, balanced_accuracy, got 'f1'"),
        ({"n_resamples": 10}, "resamples must be from 100 to 1000000, got 10"),
        ({"seed": -1}, "seed must be 0 or more, got -1"),
        ({"confidence": 95.0}, "confidence must be in [0.5, 1), got 95"),
        ({"margin": 0.0}, "margin must be above 0 and below 1, got 0"),
        ({"hypernyms": "all"}, "hypernyms must be one of fixed, random, got 'all'"),
        ({"questions": "all"}, "questions must be one of auto, common, own, got 'all'"),
    ],
)
def test_wrong_settings(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings(**changes)  # type: ignore[arg-type]
    assert str(caught.value) == message
