"""Golden numbers of the analyses that hold own runs against what is measured beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from taxonomy.tables import EXAMPLE
from tests.sql import released
from tests.sql.golden import rows
from tests.sql.released import add_own
from tests.xmodal.store import world
from tests.xmodal.store.empty import empty_store
from tests.xmodal.store.world import BIRD, GEM, PARROT, RUBY, SAW, TOOL
from xmodal.store import Store
from xmodal.store.findings import (
    ALIGNMENT,
    CEILING_PREDICTION,
    COHERENCE,
    TEXT_PROBE_ANSWER,
    replace_alignment,
    replace_ceiling,
    replace_coherence,
    replace_probe,
)
from xmodal.store.rows import CeilingRow, TextProbeRow

# bird and gem with a Yes and a No each, tool with a Yes only
QUESTIONS = [
    (1, PARROT, BIRD, True, "held_out"),
    (2, RUBY, BIRD, False, "held_out"),
    (3, RUBY, GEM, True, "held_out"),
    (4, PARROT, GEM, False, "held_out"),
    (5, SAW, TOOL, True, "held_out"),
]


@pytest.fixture
def store() -> Iterator[Store]:
    with empty_store() as opened:
        opened.add_taxonomy(world.taxonomy())
        yield opened


def approx(*values: float) -> Any:
    return pytest.approx(list(values), abs=1e-12)


def test_pretrained_vs_random_of_own_runs(store: Store) -> None:
    of = world.manifest(QUESTIONS)
    store.add_manifest(of)
    add_own(store, "a", of, [(1, True), (2, False), (3, True), (4, False)])
    # all No: (0 + 2/3) / 2 = 1/3; the random LM's own settings do not part it from the other
    changes = {
        "recipe_json": '{"lr": 0.01, "random_std": 0.3}',
        "lm_hash": "r",
        "lm_init": "random",
    }
    add_own(store, "b", of, [(i, False) for i in range(1, 5)], **changes)
    # another learning rate has no partner
    add_own(store, "c", of, [(1, False)], lm_init="random", recipe_json='{"lr": 0.5}')
    (row,) = rows(store, "pretrained-vs-random")
    assert [row["pretrained_f1"], row["other_f1"], row["difference"]] == approx(1, 1 / 3, 2 / 3)
    assert (row["n_hypernyms"], row["n_better"], row["source"]) == (2, 2, "own")


def test_features_of_another_layer_are_another_condition(store: Store) -> None:
    of = world.manifest(QUESTIONS)
    store.add_manifest(of)
    store.add_feature_set(world.feature_set())
    store.add_feature_set(world.feature_set(feature_set_id="f2", layer="first"))
    for name, features in (("a", "f1"), ("b", "f2"), ("c", "f2")):
        add_own(store, name, of, [(1, True), (2, False)], feature_set_id=features)
    assert sorted(row["n_runs"] for row in rows(store, "main-results")) == [1, 2]


def test_single_class_and_kappa_of_own_runs(store: Store) -> None:
    of = world.manifest([*QUESTIONS, (6, PARROT, BIRD, True, "held_out")])
    store.add_manifest(of)
    # bird: Yes right and missed, No right: tp 1 fn 1 tn 1 -> F1 2/3, 2/3. gem: all right.
    # tool: its Yes missed: F1(Yes) = 0 and F1(No) = 0, as No was given -> 0
    answers = [(1, True), (6, False), (2, False), (3, True), (4, False), (5, False)]
    add_own(store, "a", of, answers)
    (row,) = rows(store, "single-class")
    assert (row["n_groups"], row["n_single_class"], row["hypernyms"]) == (3, 1, "tool")
    assert [row["macro_f1"], row["macro_f1_s1"]] == approx(5 / 6, 5 / 9)
    # blind: bird Yes always (4/5 + 0) / 2, gem 1/3, tool 1
    assert [row["blind_f1"], row["blind_f1_s1"]] == approx(11 / 30, (11 / 15 + 1) / 3)
    (row,) = rows(store, "chance-adjusted")
    # bird: 2 of 3 agree; by chance 2/3 x 1/3 + 1/3 x 2/3 = 4/9 -> (6/9 - 4/9) / (5/9) = 2/5
    assert row["kappa"] == pytest.approx((2 / 5 + 1) / 2, abs=1e-12)
    assert row["adjusted_f1"] == pytest.approx((5 / 6 - 11 / 30) / (19 / 30), abs=1e-12)
    # (2/3 - 2/5) / (3/5) = 4/9 and (1 - 1/3) / (2/3) = 1
    assert row["adjusted_by_hypernym"] == pytest.approx((4 / 9 + 1) / 2, abs=1e-12)
    # a single Yes answered Yes is F1 1 with no No in sight
    add_own(store, "b", of, [(5, True)], lm="other")
    (row,) = [r for r in rows(store, "single-class") if r["lm"] == "other"]
    assert (row["macro_f1"], row["macro_f1_s1"], row["blind_f1_s1"]) == (None, 1.0, 1.0)


def test_baselines_of_own_runs(store: Store) -> None:
    of = world.manifest(QUESTIONS[:2])
    store.add_manifest(of)
    add_own(store, "a", of, [(1, True), (2, False)])
    # the mean picture: all Yes -> 1/3; zeros: all wrong -> 0
    text = "INSERT INTO prediction VALUES ('a', $mode, $id, 0, 0, $yes)"
    with store.transaction():
        for mode, example_id, yes in (("mean", 1, True), ("mean", 2, True), ("zero", 1, False)):
            store.execute(text, {"mode": mode, "id": example_id, "yes": yes})
        store.execute(text, {"mode": "zero", "id": 2, "yes": True})
    (row,) = rows(store, "baselines")
    names = ("macro_f1", "blind_f1", "mean_image_f1", "above_blind", "above_blindfold")
    assert [row[n] for n in names] == approx(1, 1 / 3, 1 / 3, 2 / 3, 2 / 3)
    assert (row["zero_f1"], row["noise_f1"], row["averaged_over"]) == (0.0, None, "hypernyms")


def test_given_leaf(store: Store) -> None:
    # image 0: leaf Yes and No right; 1: the Yes missed; 2: no leaf question; 3: Yes right, but so
    # is any other leaf; 4: a leaf Yes without a No, which says nothing.
    examples = [
        (1, 0, "test", PARROT, PARROT, "leaf", True, None, "leaf", False),
        (9, 0, "test", PARROT, SAW, "leaf", False, None, "leaf", False),
        (2, 1, "test", RUBY, RUBY, "leaf", True, None, "leaf", False),
        (3, 1, "test", RUBY, SAW, "leaf", False, None, "leaf", False),
        (10, 3, "test", RUBY, RUBY, "leaf", True, None, "leaf", False),
        (11, 3, "test", RUBY, SAW, "leaf", False, None, "leaf", False),
        (12, 4, "test", RUBY, RUBY, "leaf", True, None, "leaf", False),
        (4, 0, "test", PARROT, BIRD, "hypernym", True, True, "held_out", False),
        (5, 0, "test", PARROT, BIRD, "hypernym", False, True, "held_out", False),
        (6, 1, "test", RUBY, BIRD, "hypernym", False, True, "held_out", False),
        (7, 2, "test", RUBY, BIRD, "hypernym", False, True, "held_out", False),
        (13, 3, "test", RUBY, BIRD, "hypernym", False, True, "held_out", False),
        (14, 4, "test", RUBY, BIRD, "hypernym", False, True, "held_out", False),
        (8, 0, "train", PARROT, BIRD, "hypernym", False, True, "held_out", False),
    ]
    of = replace(world.manifest([]), examples=world.table(EXAMPLE, examples))
    store.add_manifest(of)
    yes = {1, 4, 5, 7, 8, 10, 11, 12, 13}
    said = {example[0]: example[0] in yes for example in examples}
    add_own(store, "a", of, said.items())
    wrong, right, neither = rows(store, "given-leaf")
    # a Yes and a No, both answered Yes: (2/3 + 0) / 2; one of two right
    assert [right["macro_f1"], right["blind_f1"], right["accuracy"]] == approx(1 / 3, 1 / 3, 1 / 2)
    assert (right["leaf_right"], right["n_questions"], right["n_hypernyms"]) == (True, 2, 1)
    # 6 right, 13 wrong; two No
    assert (wrong["leaf_right"], wrong["accuracy"], wrong["macro_f1"]) == (False, 0.5, None)
    assert (wrong["n_single_class"], wrong["n_hypernyms"], wrong["n_questions"]) == (1, 0, 2)
    # 7 wrong, 14 right
    assert (neither["leaf_right"], neither["accuracy"]) == (None, 0.5)
    assert neither["n_questions"] == 2


def ceiling(store: Store, ceiling_id: str, answers: list[tuple[int, bool]], **changes: Any) -> None:
    row = {
        "ceiling_id": ceiling_id,
        "dataset_id": "d1",
        "manifest_id": world.manifest(QUESTIONS).manifest_id,
        "feature_set_id": "f1",
        "encoder": "classical",
        "method": "leaf-lookup",
        "settings_json": "{}",
        "created_at": "2026-01-02",
    }
    predictions = [{"example_id": i, "score": 0.5, "predicted": yes} for i, yes in answers]
    replace_ceiling(
        store, CeilingRow(**(row | changes)), released.rows(CEILING_PREDICTION, predictions)
    )


def test_ceiling(store: Store) -> None:
    of = world.manifest(QUESTIONS)
    store.add_manifest(of)
    # bird right -> 1, gem all Yes -> (2/3 + 0) / 2 = 1/3: mean 2/3
    add_own(store, "a", of, [(1, True), (2, False), (3, True), (4, True), (5, True)])
    right = [(1, True), (2, False), (3, True), (4, False), (5, True)]
    ceiling(store, "old", [(i, False) for i in range(1, 6)], created_at="2026-01-01")
    ceiling(store, "new", right)
    # all No: 1/3 for bird and gem
    ceiling(store, "near", [(i, False) for i in range(1, 6)], method="hypernym-neighbours")
    ceiling(store, "other", right[:2], feature_set_id="f2")
    (row,) = rows(store, "ceiling")
    names = ("macro_f1", "leaf_lookup_f1", "hypernym_neighbours_f1", "blind_f1", "lookup_gap")
    assert [row[n] for n in names] == approx(2 / 3, 1, 1 / 3, 1 / 3, 1 / 3)
    # (2/3 - 1/3) / (1 - 1/3)
    assert row["above_blind"] == pytest.approx(1 / 2, abs=1e-12)
    assert (row["n_lookup_runs"], row["n_neighbours_runs"], row["n_runs"]) == (1, 1, 1)
    # a ceiling of fewer questions is none
    ceiling(store, "new", right[:2])
    (row,) = rows(store, "ceiling")
    assert (row["leaf_lookup_f1"], row["above_blind"], row["n_lookup_runs"]) == (None, None, 0)


def test_alignment(store: Store) -> None:
    # a parrot is asked about as well: its answers are of one class, so that it is no point
    more = [(6, PARROT, TOOL, False, "held_out"), (7, PARROT, PARROT, True, "held_out")]
    of = world.manifest([*QUESTIONS, *more])
    store.add_manifest(of)
    # F1: bird 1, gem 1/3 (all Yes), tool 0 (both wrong)
    answers = [(1, True), (2, False), (3, True), (4, True), (5, False), (6, True), (7, True)]
    add_own(store, "a", of, answers)
    knn = {"bird": 0.9, "gem": 0.5, "tool": 0.1, "parrot": 0.3}
    common = {
        "alignment_id": "a1",
        "dataset": "d1",
        "feature_set_id": "f1",
        "encoder": "classical",
        "relation": "hypernym",
        "lm": "bundle",
        "lm_hash": "lm1",
        "lm_init": "pretrained",
        "layer": -1,
        "shuffle": "none",
        "n_leaves": 5,
        "k": 2,
    }
    measured = [common | {"hypernym": name, "mutual_knn": value} for name, value in knn.items()]
    # of all leaves, and of another LM: not of this run's hypernyms
    measured += [common | {"mutual_knn": 0.7}]
    measured += [common | {"lm_hash": "lm2", "hypernym": "bird", "mutual_knn": 0.0}]
    replace_alignment(store, "a1", released.rows(ALIGNMENT, measured))
    (row,) = rows(store, "alignment")
    assert (row["predictor"], row["n_hypernyms"], row["k"]) == ("mutual_knn", 3, 2)
    assert row["n_left_out"] == 1
    # x deviates by 0.4, 0, -0.4; Sxy = 0.4 x 1 - 0.4 x 0 = 0.4; Sxx = 0.32;
    # Syy = 1 + 1/9 - (4/3)^2 / 3 = 14/27
    assert row["pearson"] == pytest.approx(0.4 / (0.32 * 14 / 27) ** 0.5, abs=1e-12)
    assert [row["spearman"], row["mean"]] == approx(1, 0.5)
    # coherence of bird and gem only: both predictors are held against these two
    own = {"source": "own", "dataset": "d1", "feature_set_id": "f1", "encoder": "classical"}
    coherent = [
        released.coherence("bird", 0.1, **own, shuffle_id="none"),
        released.coherence("gem", 0.2, **own, shuffle_id="none"),
        released.coherence("tool", 0.3, **own, shuffle_id="another", shuffle="across"),
    ]
    replace_coherence(store, "c1", released.rows(COHERENCE, coherent))
    by_coherence, by_knn = rows(store, "alignment")
    assert [by_coherence["pearson"], by_knn["pearson"]] == approx(-1, 1)
    assert (by_coherence["n_hypernyms"], by_knn["n_hypernyms"]) == (2, 2)
    assert (by_coherence["n_left_out"], by_knn["n_left_out"]) == (2, 2)
    (row,) = rows(store, "coherence-f1")
    # (1/3 - 1) / (0.2 - 0.1)
    assert row["slope"] == pytest.approx(-20 / 3, abs=1e-12)
    assert (row["shuffle_set"], row["coherence_encoder"]) == ("none", "classical")


def probe(store: Store, answers: list[dict[str, Any]], **changes: Any) -> None:
    row = {
        "probe_id": "p1",
        "dataset_id": "d1",
        "relation": "hypernym",
        "lm": "bundle",
        "lm_revision": None,
        "lm_hash": "lm1",
        "lm_init": "pretrained",
        "seed": 0,
        "task": "yes_no",
        "phrasing": 1,
        "template": "t",
        "chat": False,
        "forms_json": "{}",
        "n_pairs": 2,
        "versions_json": "{}",
        "created_at": "2026-01-02",
    }
    scores = {"score_yes": 0.0, "score_no": 0.0}
    table = released.rows(TEXT_PROBE_ANSWER, [answer | scores for answer in answers])
    replace_probe(store, TextProbeRow(**(row | changes)), table)


def said(
    *of: int, answer: bool, predicted: bool, rank: int | None = None, drawn: bool = True
) -> Any:
    leaf, hypernym = of
    return {
        "leaf_id": leaf,
        "hypernym_id": hypernym,
        "answer": answer,
        "predicted": predicted,
        "rank": rank,
        "drawn": drawn,
    }


def test_probe_and_vlm(store: Store) -> None:
    asked = [*QUESTIONS[:4], (6, PARROT, BIRD, True, "held_out")]
    of = world.manifest(asked)
    store.add_manifest(of)
    # bird: 1 right, 2 right, 6 wrong; gem: 3 right, 4 wrong
    add_own(store, "a", of, [(1, True), (2, False), (6, False), (3, True), (4, True)])
    # bird: parrot wrong, ruby and saw right: all No -> 4/5 / 2; gem: its pairs right, no foil
    parrot = said(PARROT, BIRD, answer=True, predicted=False)
    foil, saw = (said(leaf, BIRD, answer=False, predicted=False) for leaf in (RUBY, SAW))
    ruby = said(RUBY, GEM, answer=True, predicted=True)
    # a probe that takes a parrot for a gem asks something else than question 4
    other = said(PARROT, GEM, answer=True, predicted=True)
    probe(store, [parrot, foil, saw, ruby, other])
    ranked = said(PARROT, BIRD, answer=True, predicted=True, rank=1)
    third = said(RUBY, GEM, answer=True, predicted=False, rank=3)
    probe(store, [ranked, third, foil], probe_id="p2", task="choice")
    choice, yes_no = rows(store, "probe")
    # bird: 2 of 3 right, gem: 2 of 2; of the five answers two are Yes
    scores = ("macro_f1", "blind_f1", "accuracy", "hypernym_accuracy", "yes_ratio")
    assert [yes_no[n] for n in scores] == approx(2 / 5, 2 / 5, 4 / 5, 5 / 6, 2 / 5)
    assert (yes_no["n_hypernyms"], yes_no["n_single_class"], yes_no["mean_rank"]) == (2, 1, None)
    # ranks 1 and 3 are two of bird (foil aside) and gem
    assert [choice[n] for n in ("mean_rank", "mrr")] == approx(2, 2 / 3)
    assert (choice["macro_f1"], choice["n_questions"]) == (None, 3)
    _, _, bird, gem = rows(store, "probe-vlm-hypernym")
    # 1: VLM right, probe wrong; 6: both wrong; 2: both right
    names = ("vlm_accuracy", "probe_accuracy", "agreement", "both_right", "either_right")
    counts = ("n_yes", "n_no", "n_not_asked")
    assert [bird[n] for n in names] == approx(2 / 3, 1 / 3, 2 / 3, 1 / 3, 2 / 3)
    assert (bird["hypernym"], bird["task"]) == ("bird", "yes_no")
    # of two Yes the VLM has one and the probe none, of one No both have it
    assert [bird[n] for n in counts] == [2, 1, 0]
    assert [bird["vlm_balanced"], bird["probe_balanced"]] == approx(3 / 4, 1 / 2)
    # bird: tp 1 fn 1 tn 1 -> 2/3
    assert [bird["vlm_f1"], bird["probe_f1"]] == approx(2 / 3, 2 / 5)
    # no foil of gem was asked of the LM: one question is compared, both right, and one is not
    assert [gem[n] for n in names] == approx(1, 1, 1, 1, 1)
    assert ([gem[n] for n in counts], gem["probe_f1"]) == ([1, 0, 1], None)
    assert (gem["vlm_balanced"], gem["probe_balanced"]) == (None, None)
    _, row = rows(store, "probe-vlm")
    assert [row[n] for n in names] == approx(5 / 6, 2 / 3, 5 / 6, 2 / 3, 5 / 6)
    assert (row["n_compared"], row["n_hypernyms"], row["pearson"]) == (2, 1, None)
    assert ([row[n] for n in counts], row["n_balanced"]) == ([3, 1, 1], 1)


def test_a_probe_that_asked_what_the_test_questions_ask(store: Store) -> None:
    of = world.manifest(QUESTIONS[:4])
    store.add_manifest(of)
    # bird: its Yes right, its No wrong; gem: both right
    add_own(store, "a", of, [(1, True), (2, True), (3, True), (4, False)])
    drawn = [
        said(PARROT, BIRD, answer=True, predicted=True),
        said(SAW, BIRD, answer=False, predicted=False),
        said(RUBY, GEM, answer=True, predicted=True),
        said(SAW, GEM, answer=False, predicted=False),
    ]
    probe(store, drawn)
    before, (alone,) = rows(store, "probe"), rows(store, "probe-vlm")
    # the foils were drawn elsewhere: all that is compared is a Yes, and everything agrees
    assert [alone[n] for n in ("n_yes", "n_no", "n_not_asked")] == [2, 0, 2]
    assert [alone["vlm_accuracy"], alone["agreement"]] == approx(1, 1)
    beside = [
        said(RUBY, BIRD, answer=False, predicted=False, drawn=False),
        said(PARROT, GEM, answer=False, predicted=True, drawn=False),
    ]
    probe(store, drawn + beside)
    # no score of the probe moves
    assert rows(store, "probe") == before
    (row,) = rows(store, "probe-vlm")
    # 2: VLM wrong, probe right; 4: VLM right, probe wrong
    names = ("vlm_accuracy", "probe_accuracy", "agreement", "both_right", "either_right")
    assert [row[n] for n in names] == approx(3 / 4, 3 / 4, 1 / 2, 1 / 2, 1)
    assert [row[n] for n in ("n_yes", "n_no", "n_not_asked", "n_balanced")] == [2, 2, 0, 2]
    # bird: (1 + 0) / 2 and (1 + 1) / 2; gem the other way round
    assert [row["vlm_balanced"], row["probe_balanced"]] == approx(3 / 4, 3 / 4)
    assert (row["probe_f1"], alone["probe_f1"]) == (1.0, 1.0)


def test_negative_only_and_realised_ratio(store: Store) -> None:
    examples = [
        (1, 0, "train", PARROT, BIRD, "hypernym", False, False, "seen", True),
        (2, 0, "train", RUBY, BIRD, "hypernym", False, False, "seen", True),
        (3, 0, "train", PARROT, BIRD, "hypernym", True, True, "held_out", False),
        (4, 0, "train", RUBY, GEM, "hypernym", True, False, "seen", True),
        (5, 0, "test", PARROT, BIRD, "hypernym", True, True, "held_out", False),
        (6, 0, "test", RUBY, BIRD, "hypernym", False, True, "held_out", False),
        (7, 0, "test", RUBY, GEM, "hypernym", True, True, "held_out", False),
        (8, 0, "test", RUBY, GEM, "hypernym", True, False, "seen", False),
        (9, 0, "train", SAW, SAW, "leaf", False, None, "leaf", True),
    ]
    of = replace(world.manifest([]), examples=world.table(EXAMPLE, examples))
    store.add_manifest(of)
    add_own(store, "a", of, [(5, True), (6, True), (7, True), (8, True)])
    add_own(store, "b", of, [(5, True), (6, False)], lm_init="random")
    (row,) = rows(store, "negative-only")
    # gem is affirmed once, saw is a leaf
    assert (row["hypernym"], row["n_no"], row["n_train"], row["n_runs"]) == ("bird", 2, 3, 1)
    # all Yes on a Yes and a No
    assert [row["held_out_f1"], row["held_out_blind_f1"]] == approx(1 / 3, 1 / 3)
    assert rows(store, "negative-only", manifest="zz") == []
    (row,) = rows(store, "realised-ratio")
    assert (row["ratio_nominal"], row["ratio_cells"], row["ratio_questions"]) == (1.0, 0.5, 0.25)
    # bird is held out whole; gem has a Yes that is not
    assert (row["ratio_test"], row["n_held_out"], row["n_about_held_out"]) == (0.75, 3, 2)
    assert (row["n_test"], row["n_runs"]) == (4, 2)
