"""Points of figures: golden numbers, and plain Python beside them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from taxonomy.tables import LEAF_HYPERNYM
from tests.sql.golden import close, picked, rows
from tests.xmodal.report import plotted
from tests.xmodal.report.plotted import stat
from tests.xmodal.store import world
from tests.xmodal.store.empty import empty_store
from tests.xmodal.store.world import BIRD, GEM, NAMES, PARROT, RUBY, SAW, TOOL
from xmodal.store import METRIC, Store
from xmodal.store.rows import RunRow
from xmodal.store.stats import add_stats

LEAVES, HYPERNYMS = (PARROT, RUBY, SAW), (BIRD, GEM, TOOL)
SETS = ("held_out", "seen", "unasked")


@pytest.fixture
def store() -> Iterator[Store]:
    with empty_store() as opened:
        plotted.fill(opened)
        yield opened


def point(store: Store, **params: Any) -> dict[str, Any]:
    """Held-out questions of the own pretrained runs."""
    (row,) = [
        row
        for row in rows(store, "score-points", **params)
        if (row["source"], row["lm_init"], row["question_set"]) == ("own", "pretrained", "held_out")
    ]
    return row


def test_score_points(store: Store) -> None:
    row = point(store)
    # a: bird 1, gem 1; b: bird 1, gem all wrong: 0 -> (1 + 1/2) / 2
    assert row["macro_f1"] == close(0.75)
    # one Yes and one No each: the better constant has (2/3 + 0) / 2
    assert row["blind_f1"] == close(1 / 3)
    assert (row["run_ids"], row["run_f1s"]) == (["a", "b"], [1.0, 0.5])
    # 4 of 6 hypernym questions, as @realised-ratio has it
    (same,) = {r["ratio_test"] for r in rows(store, "realised-ratio") if r["source"] == "own"}
    assert row["ratio_test"] == close(4 / 6) == close(same)
    assert picked(row, "n_hypernyms", "n_questions", "n_runs") == [2, 4, 2]
    assert picked(row, "low", "high", "confidence", "stat_id", "hypernyms") == [
        *(0.25, 0.9, 0.95, "level", "fixed")
    ]
    (random,) = [r for r in rows(store, "score-points") if r["lm_init"] == "random"
                 and r["question_set"] == "held_out"]  # fmt: skip
    assert picked(random, "macro_f1", "low") == [0.0, None]
    released = {r["shuffle"]: r for r in rows(store, "score-points", runs="s-none,s-across")
                if r["question_set"] == "held_out_s1"}  # fmt: skip
    assert picked(released["none"], "macro_f1", "blind_f1", "ratio_test") == [0.8, 0.4, 6 / 8]
    means = {
        tuple(picked(r, "source", "lm_init", "shuffle", "question_set")): r["macro_f1"]
        for r in rows(store, "main-results")
    }
    for row in rows(store, "score-points"):
        key = tuple(picked(row, "source", "lm_init", "shuffle", "question_set"))
        if row["question_set"] != "held_out" or row["source"] == "own":
            assert row["macro_f1"] == close(means[key])


def test_points_of_chosen_runs_are_of_these_alone(store: Store) -> None:
    row = point(store, runs="b,r")
    assert picked(row, "macro_f1", "run_ids", "low") == [0.5, ["b"], None]
    gem = [r for r in rows(store, "hypernym-points", runs="b") if r["hypernym"] == "gem"]
    assert {r["question_set"]: r["macro_f1"] for r in gem} == {"held_out": 0.0, "seen": 1.0}
    assert {tuple(r["run_ids"]) for r in rows(store, "confusion", runs="b")} == {("b",)}


FITS: list[tuple[dict[str, Any], str]] = [
    ({"created_at": "2026-01-02"}, "new"),
    ({"created_at": "2025-12-31"}, "level"),
    ({"runs": ["a"]}, "level"),
    ({"estimate": 0.7}, "level"),
    ({"method": "mixed"}, "level"),
    ({"metric": "balanced_accuracy"}, "level"),
    ({"sides_json": '{"a": {"question_set": "seen"}}'}, "level"),
    ({"sides_json": '{"a": {"question_set": "held_out", "image_mode": "real"}}'}, "new"),
]
"""What a newer result has in other ways, and whose interval is then taken."""


def test_an_interval_is_the_latest_of_these_runs_and_questions(store: Store) -> None:
    usual: dict[str, Any] = {"runs": ["a", "b"], "estimate": 0.75, "created_at": "2026-01-03"}
    for change, stat_id in FITS:
        add_stats(store, [stat("new", **(usual | change))])
        assert point(store)["stat_id"] == stat_id, change


def test_hypernym_points(store: Store) -> None:
    found = {
        (r["source"], r["lm_init"], r["shuffle"], r["question_set"], r["hypernym"]): r
        for r in rows(store, "hypernym-points")
    }
    gem = found["own", "pretrained", "none", "held_out", "gem"]
    assert picked(gem, "macro_f1", "run_ids", "run_f1s") == [0.5, ["a", "b"], [1.0, 0.0]]
    assert picked(gem, "coherence", "probe_f1", "depth", "n_questions") == [-0.05, None, None, 2]
    assert gem["blind_f1"] == close(1 / 3)
    bird = found["s1", "pretrained", "across_s1", "held_out_s1", "bird"]
    assert picked(bird, "macro_f1", "blind_f1", "coherence", "probe_f1", "depth") == [
        *(0.8, 0.4, 0.1, 0.7, 8)
    ]


def test_confusion(store: Store) -> None:
    found = {
        (r["true_hypernym"], r["asked_hypernym"]): r
        for r in rows(store, "confusion")
        if (r["lm_init"], r["question_set"]) == ("pretrained", "held_out")
    }
    names = ("yes_rate", "answer_rate", "n_questions", "n_runs")
    # parrot is a bird: a and b say so; is it a gem? b says Yes, wrongly
    assert picked(found["bird", "bird"], *names) == [1.0, 1.0, 1.0, 2]
    assert picked(found["bird", "gem"], *names) == [0.5, 0.0, 1.0, 2]
    assert picked(found["gem", "gem"], *names) == [0.5, 1.0, 1.0, 2]
    assert picked(found["gem", "bird"], *names) == [0.0, 0.0, 1.0, 2]


def test_confusion_matches_plain_python() -> None:
    rng = random.Random(5)
    asked = [
        (rng.choice(LEAVES), rng.choice((*HYPERNYMS, None)), rng.random() < 0.5, rng.choice(SETS))
        for _ in range(80)
    ]
    asked = [(*q[:3], "leaf") if q[1] is None else q for q in asked]
    runs = [
        (lm_init, mode, [rng.random() < 0.4 for _ in asked])
        for lm_init, mode in (
            *[("pretrained", "real")] * 3, ("random", "real"), ("pretrained", "mean"),
        )
    ]  # fmt: skip
    used = {(PARROT, BIRD), (PARROT, GEM), (RUBY, GEM)}
    unused = {(RUBY, TOOL), (SAW, TOOL)}
    pairs = [(leaf, above, None, None, True, "hypernym") for leaf, above in sorted(used)]
    pairs += [(leaf, above, None, None, False, "hypernym") for leaf, above in sorted(unused)]
    pairs += [(PARROT, SAW, None, None, True, "part"), (RUBY, SAW, None, None, True, "part")]
    of = world.manifest([(n, leaf, SAW if above is None else above, answer, kind)
                         for n, (leaf, above, answer, kind) in enumerate(asked)])  # fmt: skip
    with empty_store() as store:
        taxonomy = world.taxonomy()
        store.add_taxonomy(replace(taxonomy, leaf_hypernym=world.table(LEAF_HYPERNYM, pairs)))
        store.add_manifest(of)
        for number, (lm_init, mode, answers) in enumerate(runs):
            record = world.record(f"run{number}", of, lm_init=lm_init)
            told = world.predictions(enumerate(answers), mode)
            with store.transaction():
                store.replace_runs(
                    [(RunRow(**record, content_hash="x"), METRIC.empty_table(), told)]
                )
        got = {
            tuple(picked(r, "lm_init", "question_set", "true_hypernym", "asked_hypernym")): r
            for r in rows(store, "confusion")
        }
    want: dict[Any, list[list[bool]]] = defaultdict(list)
    for lm_init, mode, answers in runs:
        of_run: dict[Any, list[bool]] = defaultdict(list)
        for (leaf, above, _, kind), said in zip(asked, answers, strict=True):
            for shown in {pair[1] for pair in used if pair[0] == leaf and above is not None}:
                of_run[lm_init, kind, NAMES[shown], NAMES[above]].append(said)
        for key, said_of in of_run.items() if mode == "real" else ():
            want[key].append(said_of)
    assert set(got) == set(want)
    for key, by_run in want.items():
        shares = [sum(said) / len(said) for said in by_run]
        assert got[key]["yes_rate"] == close(sum(shares) / len(shares))
        assert picked(got[key], "n_runs", "n_questions") == [len(by_run), len(by_run[0])]
