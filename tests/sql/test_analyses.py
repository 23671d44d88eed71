"""Golden numbers a reader can redo, one for each analysis."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import sql
from taxonomy.tables import CONCEPT, EXAMPLE
from tests.sql.golden import rows
from tests.xmodal.store import world
from tests.xmodal.store.empty import empty_store
from tests.xmodal.store.world import BIRD, GEM, PARROT, RUBY, SAW, TOOL
from xmodal.store import Store
from xmodal.store.analyses import CHOICES, Analysis, all_analyses

ANALYSES = [analysis.name for analysis in all_analyses()]


@pytest.fixture
def store() -> Iterator[Store]:
    with empty_store() as opened:
        opened.add_taxonomy(world.taxonomy())
        yield opened


def header_params(text: str) -> set[str]:
    header = [line for line in text.splitlines() if line.startswith("--")]
    params = " ".join(header).split("Params:")[1]
    return {word[1:] for word in params.split() if word.startswith("$")}


@pytest.mark.parametrize("name", ANALYSES)
def test_one_statement_with_a_header_that_names_its_params(name: str) -> None:
    text = sql.read("analyses", name)
    (statement,) = duckdb.extract_statements(text)
    assert statement.type.name == "SELECT"
    assert set(statement.named_parameters) == header_params(text) == Analysis.load(name).params
    assert text.startswith("-- ")
    assert "-- Grain: " in text
    empty = Analysis.load(name).empty
    assert empty
    assert not empty.endswith(".")


@pytest.mark.parametrize("param", sorted(CHOICES))
def test_headers_say_what_a_parameter_may_be(param: str) -> None:
    takes = [analysis for analysis in all_analyses() if param in analysis.params]
    assert takes
    if param != "question_set":  # analyses say which of them they have
        for analysis in takes:
            said = analysis.text.split("-- Params:")[1].split("WITH")[0]
            said = said.split(f"${param} ")[1].split("$")[0]
            assert [one for one in CHOICES[param] if one not in said] == [], analysis.name


@pytest.mark.parametrize("name", ANALYSES)
def test_an_empty_store_gives_no_rows(name: str) -> None:
    with empty_store() as empty:
        assert empty.analysis(name).num_rows == 0


MAIN_COLUMNS = [
    *("source", "dataset", "relation", "lm", "lm_init", "encoder", "recipe", "prompt"),
    *("design", "unit", "ratio", "n_held_out_hypernyms", "mentions", "negatives", "shuffle"),
    *("question_set", "macro_f1", "blind_f1", "n_hypernyms", "n_single_class", "n_runs"),
    "averaged_over",
]


def test_main_results(store: Store, tmp_path: Path) -> None:
    questions = [
        (1, PARROT, BIRD, True, "held_out"),
        (2, PARROT, BIRD, True, "held_out"),
        (3, RUBY, BIRD, False, "held_out"),
        (4, RUBY, GEM, True, "held_out"),
        (5, SAW, SAW, True, "leaf"),
        (6, SAW, RUBY, False, "leaf"),
    ]
    of = world.manifest(questions)
    store.add_manifest(of)
    # bird: tp=1 fn=1 tn=1 fp=0 -> F1(Yes) = 2/3, F1(No) = 2/3 -> 2/3
    # gem: its one answer is Yes -> no F1, counted in n_single_class
    # leaf: both right -> 1
    world.run_folder(
        tmp_path, "a", of, [(1, True), (2, False), (3, False), (4, True), (5, True), (6, False)]
    )
    # bird: all No: tp=0 fn=2 tn=1 fp=0 -> F1(Yes) = 0, F1(No) = 2/4 -> 1/4
    # leaf: all No -> (0 + 2/3) / 2 = 1/3
    world.run_folder(tmp_path, "b", of, [(i, False) for i in range(1, 7)], seed_init=7)
    assert store.sync(tmp_path).rejected == ()
    held_out, leaf = rows(store, "main-results")
    assert list(held_out) == MAIN_COLUMNS
    assert held_out["question_set"] == "held_out"
    assert held_out["macro_f1"] == pytest.approx((2 / 3 + 1 / 4) / 2, abs=1e-12)
    # the better constant on bird is Yes: F1(Yes) = 4/5 -> (4/5 + 0) / 2
    assert held_out["blind_f1"] == pytest.approx(2 / 5, abs=1e-12)
    assert (held_out["n_hypernyms"], held_out["n_single_class"], held_out["n_runs"]) == (1, 2, 2)
    assert (held_out["ratio"], held_out["lm_init"], held_out["dataset"]) == (
        1.0,
        "pretrained",
        "d1",
    )
    assert leaf["question_set"] == "leaf"
    assert leaf["macro_f1"] == pytest.approx((1 + 1 / 3) / 2, abs=1e-12)
    assert leaf["blind_f1"] == pytest.approx(1 / 3, abs=1e-12)
    assert (leaf["n_hypernyms"], leaf["n_single_class"], leaf["n_runs"]) == (None, 0, 2)


def test_main_results_keeps_conditions_without_any_score(store: Store, tmp_path: Path) -> None:
    of = world.manifest([(1, RUBY, GEM, True, "held_out")])
    store.add_manifest(of)
    world.run_folder(tmp_path, "a", of, [(1, True)])
    store.sync(tmp_path)
    (row,) = rows(store, "main-results")
    assert (row["macro_f1"], row["blind_f1"]) == (None, None)
    assert (row["n_hypernyms"], row["n_single_class"], row["n_runs"]) == (0, 1, 0)


def test_main_results_keeps_hidden_settings_apart(store: Store, tmp_path: Path) -> None:
    questions = [(1, PARROT, BIRD, True, "held_out"), (2, RUBY, BIRD, False, "held_out")]
    for name, n_negatives in (("a", 1), ("b", 2)):
        of = world.manifest(questions, train_leaf_negatives=n_negatives)
        store.add_manifest(of)
        world.run_folder(tmp_path, name, of, [(1, name == "a"), (2, False)])
    store.sync(tmp_path)
    # a: both right -> 1; b: all No -> (0 + 2/3) / 2
    got = sorted(row["macro_f1"] for row in rows(store, "main-results"))
    assert got == pytest.approx([1 / 3, 1.0], abs=1e-12)


@pytest.mark.parametrize(
    ("change", "n_conditions"),
    [
        ({"seed_init": 7, "seed_order": 8, "seconds": 2.0, "n_train_questions": 9}, 1),
        ({"recipe_json": '{"threads": 2, "lr": 0.01}'}, 1),
        ({"recipe_json": '{"lr": 0.01, "packed": false, "attention": null}'}, 1),
        ({"recipe_json": '{"lr": 0.01, "packed": true, "attention": "dense"}'}, 1),
        ({"recipe_json": '{"lr": 0.02}'}, 2),
        ({"lm_hash": "lm2"}, 2),
        ({"n_prefix_tokens": 3}, 2),
    ],
)
def test_what_makes_a_condition(
    store: Store, tmp_path: Path, change: dict[str, Any], n_conditions: int
) -> None:
    of = world.manifest([(1, PARROT, BIRD, True, "held_out"), (2, RUBY, BIRD, False, "held_out")])
    store.add_manifest(of)
    world.run_folder(tmp_path, "a", of, [(1, True), (2, False)])
    world.run_folder(tmp_path, "b", of, [(1, True), (2, False)], **change)
    store.sync(tmp_path)
    assert store.analysis("main-results").num_rows == n_conditions
    assert store.analysis("image-blind").num_rows == n_conditions


def test_weights_drawn_by_another_seed_are_the_same_condition(store: Store, tmp_path: Path) -> None:
    of = world.manifest([(1, PARROT, BIRD, True, "held_out"), (2, RUBY, BIRD, False, "held_out")])
    store.add_manifest(of)
    for name in ("a", "b"):
        answers = [(1, True), (2, False)]
        world.run_folder(tmp_path, name, of, answers, lm_init="random", lm_hash=name)
    store.sync(tmp_path)
    assert [row["n_runs"] for row in rows(store, "main-results")] == [2]


def test_only_test_questions_of_the_runs_own_manifest_count(store: Store, tmp_path: Path) -> None:
    questions = [(1, PARROT, BIRD, True, "held_out"), (2, RUBY, BIRD, False, "held_out")]
    of = world.manifest(questions)
    learned = (3, 0, "train", SAW, BIRD, "hypernym", False, True, "held_out", True)
    examples = pa.concat_tables([of.examples, world.table(EXAMPLE, [learned])])
    of = replace(of, examples=examples)
    # the same examples are seen, not held out, under another ratio
    other = world.manifest([(*question[:4], "seen") for question in questions], ratio=0.0)
    store.add_manifest(of)
    store.add_manifest(other)
    world.run_folder(tmp_path, "a", of, [(1, True), (2, False), (3, True)])
    assert store.sync(tmp_path).rejected == ()
    (row,) = rows(store, "hypernym-f1")
    assert (row["question_set"], row["macro_f1"], row["n_yes"], row["n_no"]) == (
        "held_out",
        1,
        1,
        1,
    )


def test_hypernym_f1(store: Store, tmp_path: Path) -> None:
    questions = [
        (1, PARROT, BIRD, True, "held_out"),
        (2, RUBY, BIRD, False, "held_out"),
        (3, RUBY, GEM, True, "seen"),
        (4, SAW, SAW, True, "leaf"),
    ]
    of = world.manifest(questions)
    store.add_manifest(of)
    world.run_folder(tmp_path, "a", of, [(1, True), (2, True), (3, True), (4, True)])
    store.sync(tmp_path)
    bird, gem = rows(store, "hypernym-f1", run="a")
    # bird: tp=1 fp=1 -> F1(Yes) = 2/3, F1(No) = 0 -> 1/3; the best constant gets 1/3 too
    assert (bird["hypernym"], bird["question_set"], bird["tp"], bird["fp"]) == (
        "bird",
        "held_out",
        1,
        1,
    )
    assert bird["macro_f1"] == pytest.approx(1 / 3, abs=1e-12)
    assert bird["blind_f1"] == pytest.approx(1 / 3, abs=1e-12)
    # all Yes right, no No right
    assert (bird["balanced_accuracy"], gem["balanced_accuracy"]) == (0.5, None)
    assert (gem["hypernym"], gem["macro_f1"], gem["n_yes"], gem["n_no"]) == ("gem", None, 1, 0)
    assert rows(store, "hypernym-f1", run="other") == []
    assert rows(store, "hypernym-f1", question_set="seen") == [gem]


def test_image_blind(store: Store, tmp_path: Path) -> None:
    of = world.manifest([(1, PARROT, BIRD, True, "held_out"), (2, RUBY, BIRD, False, "held_out")])
    store.add_manifest(of)
    # real: both right -> 1. mean: both Yes -> (2/3 + 0) / 2 = 1/3
    answers = [
        world.predictions([(1, True), (2, False)]),
        world.predictions([(1, True), (2, True)], "mean"),
    ]
    world.run_folder(tmp_path, "a", of, pa.concat_tables(answers))
    store.sync(tmp_path)
    (row,) = rows(store, "image-blind")
    assert row["real"] == 1.0
    assert row["mean"] == pytest.approx(1 / 3, abs=1e-12)
    assert row["blind_f1"] == pytest.approx(1 / 3, abs=1e-12)
    assert (row["zero"], row["noise"], row["other_leaf"], row["n_runs"]) == (None, None, None, 1)


def test_conditions(store: Store, tmp_path: Path) -> None:
    questions = [
        (1, PARROT, BIRD, True, "held_out"),
        (2, RUBY, BIRD, False, "held_out"),
        (3, RUBY, GEM, True, "seen"),
        (4, PARROT, GEM, False, "seen"),
        (5, SAW, SAW, True, "leaf"),
        (6, SAW, RUBY, False, "leaf"),
    ]
    half = world.manifest(questions, ratio=0.5)
    nothing = world.manifest(
        [(*q[:4], "leaf" if q[4] == "leaf" else "seen") for q in questions],
        design="none",
        ratio=0.0,
    )
    for of in (half, nothing):
        store.add_manifest(of)
    # a: bird right -> 1, gem wrong but seen is not asked for here; leaf all No -> (0 + 2/3) / 2.
    # Before the mean picture bird is all Yes -> (2/3 + 0) / 2.
    answers = [
        world.predictions([(1, True), (2, False), (3, False), (4, True), (5, False), (6, False)]),
        world.predictions([(i, True) for i in range(1, 7)], "mean"),
    ]
    world.run_folder(tmp_path, "a", half, pa.concat_tables(answers))
    # b, another seed, no mean picture: bird all No -> (0 + 2/3) / 2; leaf right -> 1
    world.run_folder(
        *(tmp_path, "b", half, [(1, False), (2, False), (5, True), (6, False)]), seed_init=7
    )
    # c holds nothing out: bird and gem are seen, bird right and gem all Yes -> (1 + 1/3) / 2
    world.run_folder(tmp_path, "c", nothing, [(1, True), (2, False), (3, True), (4, True)])
    # d: random weights are another condition; it answered nothing about hypernyms
    world.run_folder(tmp_path, "d", half, [(5, True), (6, False)], lm_init="random")
    assert store.sync(tmp_path).rejected == ()
    found = {tuple(row["run_ids"]): row for row in rows(store, "conditions")}
    assert sorted(found) == [("a", "b"), ("c",), ("d",)]
    both, seen, random = found["a", "b"], found["c",], found["d",]
    names = ("hypernym_f1", "hypernym_min", "hypernym_max", "blind_f1", "mean_image_f1")
    # the better constant on one Yes and one No: (2/3 + 0) / 2
    assert [both[n] for n in names] == pytest.approx([2 / 3, 1 / 3, 1, 1 / 3, 1 / 3], abs=1e-12)
    names = ("leaf_f1", "leaf_min", "leaf_max", "leaf_blind_f1")
    assert [both[n] for n in names] == pytest.approx([2 / 3, 1 / 3, 1, 1 / 3], abs=1e-12)
    # a has all right, b says No throughout
    assert both["hypernym_accuracy"] == (1 + 1 / 2) / 2
    assert (both["hypernym_set"], both["n_runs"], both["ratio"]) == ("held_out", 2, 0.5)
    assert (seen["hypernym_set"], seen["n_runs"]) == ("seen", 1)
    assert seen["hypernym_f1"] == pytest.approx(2 / 3, abs=1e-12)
    assert (seen["leaf_f1"], seen["mean_image_f1"]) == (None, None)
    assert (random["hypernym_f1"], random["blind_f1"], random["leaf_f1"]) == (None, None, 1)


def test_scrambled(store: Store, tmp_path: Path) -> None:
    questions = [
        (1, PARROT, GEM, False, "held_out"),
        (2, RUBY, BIRD, False, "held_out"),
        (3, PARROT, BIRD, True, "held_out"),
        (4, SAW, TOOL, True, "held_out"),
        (5, RUBY, GEM, True, "seen"),
    ]
    of = world.manifest(questions)
    store.add_manifest(of)
    # taught: parrot and ruby swap hypernyms; saw is taught as it is
    taught = [
        ("parrot", "gem", True),
        ("ruby", "bird", True),
        ("parrot", "bird", False),
        ("ruby", "gem", False),
        ("saw", "tool", True),
    ]
    columns = ("leaf", "hypernym", "answer")
    store.add_lm_pairs(
        "lm1", pa.Table.from_pylist([dict(zip(columns, t, strict=True)) for t in taught])
    )
    other_lm = pa.table({"leaf": ["parrot"], "hypernym": ["gem"], "answer": [True]})
    store.add_lm_pairs("lm2", other_lm)
    # taught Yes against the truth: 1 followed, 2 not -> 1/2. taught No: 3 followed -> 1.
    # 4 agrees with the truth and 5 is not held out: in neither.
    answers = [(1, True), (2, False), (3, False), (4, True), (5, False)]
    world.run_folder(tmp_path, "a", of, answers, lm_init="scrambled")
    world.run_folder(tmp_path, "b", of, answers)
    store.sync(tmp_path)
    (row,) = rows(store, "scrambled")
    assert (row["run_id"], row["n_taught_yes"], row["n_taught_no"]) == ("a", 2, 1)
    assert (row["taught_yes"], row["taught_no"], row["taught_mean"]) == (0.5, 1.0, 0.75)


def test_scrambled_has_no_mean_with_one_direction_only(store: Store, tmp_path: Path) -> None:
    of = world.manifest([(1, PARROT, GEM, False, "held_out")])
    store.add_manifest(of)
    store.add_lm_pairs("lm1", pa.table({"leaf": ["parrot"], "hypernym": ["gem"], "answer": [True]}))
    world.run_folder(tmp_path, "a", of, [(1, True)], lm_init="scrambled")
    store.sync(tmp_path)
    (row,) = rows(store, "scrambled")
    assert (row["taught_yes"], row["taught_no"], row["taught_mean"]) == (1.0, None, None)


def test_loss_curve(store: Store, tmp_path: Path) -> None:
    of = world.manifest([(1, PARROT, BIRD, True, "held_out")])
    store.add_manifest(of)
    world.run_folder(tmp_path, "a", of, [(1, True)])
    store.sync(tmp_path)
    got = [(r["step"], r["value"]) for r in rows(store, "loss-curve", run="a", name="loss")]
    assert got == [(0, 2.5), (10, 0.5)]
    assert rows(store, "loss-curve", name="accuracy") == []


def test_runs_overview(store: Store, tmp_path: Path) -> None:
    of = world.manifest([(1, PARROT, BIRD, True, "held_out"), (2, RUBY, BIRD, False, "held_out")])
    store.add_manifest(of)
    world.run_folder(tmp_path, "a", of, [(1, True), (2, False)])
    store.sync(tmp_path)
    (row,) = rows(store, "runs-overview")
    assert (row["run_id"], row["status"], row["held_out_f1"]) == ("a", "finished", 1.0)
    assert (row["seen_f1"], row["leaf_f1"], row["seconds"]) == (None, None, 1.5)


def test_exposure(store: Store) -> None:
    of = world.manifest([])
    # tool has no question and no cell. "a gem saw" holds "gem" as a whole word.
    concepts = world.taxonomy().concepts.to_pylist()
    concepts[SAW]["phrase"] = "a gem saw"
    named = replace(world.taxonomy("d2"), concepts=pa.Table.from_pylist(concepts, schema=CONCEPT))
    examples = [
        (1, 0, "train", PARROT, BIRD, "hypernym", True, False, "seen", True),
        (2, 0, "train", PARROT, BIRD, "hypernym", True, True, "held_out", False),
        (3, 0, "test", PARROT, BIRD, "hypernym", True, True, "held_out", False),
        (4, 0, "train", RUBY, GEM, "hypernym", False, False, "seen", True),
        (5, 0, "train", SAW, SAW, "leaf", True, None, "leaf", True),
        (6, 0, "train", SAW, SAW, "leaf", True, None, "leaf", True),
    ]
    of = replace(of, manifest_id="m2", dataset_id="d2", examples=world.table(EXAMPLE, examples))
    store.add_taxonomy(named)
    store.add_manifest(of)
    assert rows(store, "exposure", manifest="m3") == []
    bird, gem, tool = rows(store, "exposure", manifest="m2")
    # bird: 1 of its 3 questions kept for training, 2 of 3 held out; its one test question is Yes
    assert (bird["n_yes"], bird["n_no"], bird["n_word"], bird["n_questions"]) == (1, 0, 1, 3)
    assert bird["ratio_questions"] == pytest.approx(2 / 3, abs=1e-12)
    assert (bird["n_cells"], bird["ratio_cells"], bird["held_out_single_class"]) == (1, 1.0, True)
    # gem: asked once, and in the text of both saw questions
    assert (gem["n_yes"], gem["n_no"], gem["n_word"]) == (0, 1, 3)
    assert (gem["ratio_cells"], gem["ratio_questions"], gem["held_out_single_class"]) == (
        0,
        0,
        False,
    )
    assert (tool["n_yes"], tool["n_no"], tool["n_word"], tool["n_cells"]) == (0, 0, 0, 0)
    assert (tool["ratio_cells"], tool["ratio_questions"]) == (None, None)
