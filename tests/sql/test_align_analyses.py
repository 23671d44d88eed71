"""Golden numbers of the analyses of trained alignments, and what they must not mix."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sql.align_rows import (
    ANSWER,
    COMPOSITION,
    MLP,
    NONE,
    add,
    add_all,
    answers,
    evaluation,
    insert,
    recipe,
    run,
    text_set,
)
from tests.xmodal.store.empty import empty_store
from xmodal.store import Store
from xmodal.store.rows import CapabilityRow

FILLED = ("align_run", "align_evaluation", "align_answer", "align_composition", "lm_capability")


@pytest.fixture(scope="module")
def opened() -> Iterator[Store]:
    with empty_store() as store:
        yield store


@pytest.fixture
def store(opened: Store) -> Store:
    """Empty: making the tables anew for each test would take longer than the tests."""
    with opened.transaction():
        for table in (*FILLED, "text_feature_set", "metric"):
            opened.execute(f"DELETE FROM {table}", {})  # noqa: S608 -- the names above
    return opened


def rows(store: Store, name: str, /, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = store.analysis(name, **params).to_pylist()
    return found


def close(want: Any) -> Any:
    return pytest.approx(want, abs=1e-9)


# class 1: 1 of 2 right, class 2: 4 of 4, class 3: 0 of 1 (but among the first five)
RANKS = {1: [1, 7], 2: [1, 1, 1, 1], 3: [5]}


def test_zero_shot_is_a_mean_over_classes(store: Store) -> None:
    add(store, "a", RANKS)
    (row,) = rows(store, "zero-shot")
    # (1/2 + 1 + 0) / 3; sd of 0.5, 1, 0 is 0.5; t of 2 degrees of freedom is 4.3026527297
    half = 4.3026527297 * 0.5 / math.sqrt(3)
    assert [row[n] for n in ("top1", "low", "high")] == close([0.5, 0.5 - half, 0.5 + half])
    # (1/2 + 1 + 1) / 3; 5 of 7 pictures; 6 of 7
    assert [row[n] for n in ("top5", "micro1", "micro5")] == close([2.5 / 3, 5 / 7, 6 / 7])
    assert (row["chance"], row["n_classes"], row["n_pictures"], row["n_runs"]) == (0.25, 3, 7, 1)
    assert rows(store, "zero-shot", run="b") == []
    assert rows(store, "zero-shot", run="a", task="zero-shot", level="branch") == [row]


def test_seeds_are_averaged_class_by_class(store: Store) -> None:
    add(store, "a", {1: [1, 2], 2: [1, 1]})
    add(store, "b", {1: [1, 1], 2: [2, 2]}, seed_init=1, seed_order=2, seconds=9.0, n_steps=3)
    (row,) = rows(store, "zero-shot")
    # classes: (1/2 + 1) / 2 and (1 + 0) / 2: sd = 0.25 / sqrt(2), t of 1 is 12.7062047362
    half = 12.7062047362 * 0.25 / math.sqrt(2) / math.sqrt(2)
    assert [row[n] for n in ("top1", "low", "high")] == close([0.625, 0.625 - half, 0.625 + half])
    assert (row["n_runs"], row["n_classes"], row["n_pictures"]) == (2, 2, 4)
    one, two = rows(store, "zero-shot-classes")
    assert [(r["class_id"], r["top1"], r["n_runs"]) for r in (one, two)] == [
        (2, 0.5, 2),
        (1, 0.75, 2),
    ]
    # of one run's conditions, not of the run alone
    assert rows(store, "zero-shot", run="b") == [row]


def test_one_class_has_no_interval(store: Store) -> None:
    add(store, "a", {1: [1, 2]})
    (row,) = rows(store, "zero-shot")
    assert (row["top1"], row["low"], row["high"]) == (0.5, None, None)


def test_a_run_evaluated_twice_in_one_way_counts_once(store: Store) -> None:
    add(store, "a", {1: [1, 1]})
    add(store, "b", {1: [2, 2]}, seed_init=1)
    with store.transaction():
        store.insert_rows("align_evaluation", [evaluation("a2", run("a"), created_at="2027")])
    insert(store, "align_answer", ANSWER, answers("a2", {1: [1, 2]}))
    (row,) = rows(store, "zero-shot")
    # run a: (1 + 1/2) / 2, run b: 0
    assert (row["top1"], row["n_runs"]) == (0.375, 2)


OTHER: dict[str, dict[str, Any]] = {
    "recipe_json": {"recipe_json": recipe(learning_rate=0.01)},
    "recipe": {"recipe": "s2 (x)"},
    "dropout": {"recipe_json": recipe(text=MLP | {"dropout": 0.5})},
    "templates": {"templates_json": '["photo"]'},
    "layer": {"lm_layer": "penultimate"},
    "feature set": {"feature_set_id": "f2"},
    "separation": {"separation_id": "s2"},
    "no separation": {"separation_id": None, "level": None, "arm": None},
    "dataset": {"dataset_id": "d2"},
    "captions": {"dataset_id": None, "caption_set_id": "c1"},
    "pairs": {"n_pairs": 99},
    "validation": {"validation": "classes"},
    "validation pairs": {"n_validation_pairs": 6},
    "batch": {"batch_size": 8},
    "classes": {"n_classes": 9},
    "names": {"asked": {"names": "zh"}},
    "class list": {"asked": {"class_list": "birds"}},
    "split": {"asked": {"split": "train"}},
    "asked dataset": {"asked": {"dataset_id": "d2"}},
    "asked features": {"asked": {"feature_set_id": "f3"}},
}
"""Settings that two runs may differ in, none of them a column of every analysis."""


def test_runs_that_differ_in_a_setting_are_not_averaged(store: Store) -> None:
    changes: list[dict[str, Any]] = [
        {},
        *OTHER.values(),
        {"n_params": 999},
        {"lm_hash": "h2"},
        {"lm_revision": "r"},
        {"lm_pooling": "mean"},
        {"encoder": "clip"},
        {"level": "none"},
        {"arm": "control"},
        {"side": "image"},
        {"depth": 2},
        {"text_feature_set_id": "t2"},
        {"asked": {"text_feature_set_id": "t2"}},
    ]
    made = []
    for n, change in enumerate(changes):
        given = {key: value for key, value in change.items() if key != "asked"}
        of = run(f"r{n}", **given)
        made.append((of, change.get("asked", {}), answers(of.run_id, {1: [1] * n + [2]})))
    add_all(store, made)
    for name, score in (("zero-shot", "top1"), ("visual-generalization", "score")):
        found = rows(store, name)
        want = [n / (n + 1) for n in range(len(changes))]
        assert sorted(row[score] for row in found) == close(want)
        assert {row["n_runs"] for row in found} == {1}


def test_machine_and_time_are_no_settings(store: Store) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"device": "cuda", "versions_json": '{"torch": "2"}', "command": "x", "git_commit": "g"},
        {"recipe_json": recipe(threads=2, rows=64, offload=True)},
        # of a decoder the same vectors
        {"lm_pooling": "s2"},
        {"best_step": 3, "started_at": "2027"},
    ]
    made = [run(f"r{n}", **change) for n, change in enumerate(changes)]
    add_all(store, [(of, {}, answers(of.run_id, {1: [1], 2: [2]})) for of in made])
    assert [(row["top1"], row["n_runs"]) for row in rows(store, "zero-shot")] == [(0.5, 5)]


def test_random_weights_are_a_seed(store: Store) -> None:
    for run_id in ("a", "b"):
        given = {"lm_hash": run_id, "text_feature_set_id": f"t{run_id}"}
        add(store, run_id, {1: [1]}, lm_init="random", **given)
    assert [row["n_runs"] for row in rows(store, "zero-shot")] == [2]


def test_align_runs(store: Store) -> None:
    add(store, "a", {1: [1, 2], 2: [1, 1]})
    add(store, "b", rows=answers("b", {1: [1]}, "seen"), started_at="2025", n_pairs=7)
    with store.transaction():
        asked = evaluation("z", run("a"), class_list="birds", created_at="2025")
        store.insert_rows("align_evaluation", [asked])
        store.execute(
            "INSERT INTO metric (run_id, step, name, value) VALUES ('a', 5, 'validation_loss', 2), "
            "('a', 10, 'validation_loss', 1.5), ('a', 10, 'train_loss', 9)",
            {},
        )
    insert(store, "align_answer", ANSWER, answers("z", {1: [2]}))
    b, a = rows(store, "align-runs")
    assert (b["run_id"], b["zero_shot"], b["chance"], b["scored_on"]) == ("b", None, None, None)
    assert (b["n_pairs"], b["validation_loss"], b["n_evaluations"]) == (7, None, 1)
    assert (a["run_id"], a["zero_shot"], a["chance"], a["class_list"]) == ("a", 0.75, 0.25, None)
    assert (a["trained_on"], a["validation_loss"], a["n_evaluations"]) == ("d1", 1.5, 2)
    assert rows(store, "align-runs", run="b") == [b]


def test_generalised(store: Store) -> None:
    unseen = answers("a", {1: [1, 2], 2: [2, 2]}, "generalised", n_candidates=10)
    seen = answers("a", {5: [1], 6: [1, 1], 7: [3]}, "generalised", n_candidates=10, unseen=False)
    add(store, "a", rows=unseen + seen + answers("a", {1: [1, 1], 2: [2, 1]}))
    (row,) = rows(store, "generalised")
    # U = (1/2 + 0) / 2, S = (1 + 1 + 0) / 3, H = 2 U S / (U + S)
    assert [row[n] for n in ("unseen", "seen", "alone", "chance")] == close(
        [1 / 4, 2 / 3, 3 / 4, 0.1]
    )
    assert row["harmonic"] == close(2 * (1 / 4) * (2 / 3) / (1 / 4 + 2 / 3))
    # sd of 0.5 and 0 over sqrt(2) is 1/4
    assert row["unseen_high"] == close(1 / 4 + 12.7062047362 / 4)
    assert row["seen_low"] == close(2 / 3 - 4.3026527297 * math.sqrt(1 / 3) / math.sqrt(3))
    assert (row["n_unseen_classes"], row["n_seen_classes"], row["n_pictures"]) == (2, 3, 8)


def test_generalised_without_any_right_or_a_part(store: Store) -> None:
    none = answers("a", {1: [2]}, "generalised") + answers(
        "a", {2: [2]}, "generalised", unseen=False
    )
    add(store, "a", rows=none)
    add(store, "b", rows=answers("b", {1: [1]}, "generalised"), n_pairs=9)
    one, two = rows(store, "generalised")
    assert (one["n_pairs"], one["harmonic"], one["seen"]) == (9, None, None)
    assert (two["harmonic"], two["unseen"], two["seen"]) == (0, 0, 0)


def test_retrieval(store: Store) -> None:
    texts = {"class_id": None, "unseen": None, "n_candidates": 50}
    add(
        store,
        "a",
        rows=answers("a", {1: [1, 4, 9, 30]}, "image-to-text", **texts, n_right=5)
        + answers("a", {1: [1], 2: [3]}, "text-to-image", n_candidates=20, n_right=2),
    )
    add(store, "b", rows=answers("b", {1: [1, 1, 2, 3]}, "image-to-text", **texts), seed_init=1)
    image, text = rows(store, "retrieval")
    # recall at 1: 1/4 and 2/4; at 5: 2/4 and 1; at 10: 3/4 and 1
    assert [image[n] for n in ("recall1", "recall5", "recall10")] == close([0.375, 0.75, 0.875])
    # medians: between 4 and 9, between 1 and 2; chance: (5 + 1) / 2 right ones of 50
    assert (image["median_rank"], image["chance"]) == ((6.5 + 1.5) / 2, close(0.06))
    # queries over runs: 1, 1/2, 0, 0, whose variance is 0.6875 / 3; t of 3 is 3.1824463053
    half = 3.1824463053 * math.sqrt(0.6875 / 3) / 2
    assert (image["low"], image["high"]) == close((0.375 - half, 0.375 + half))
    assert (image["n_queries"], image["n_runs"], image["unseen"]) == (4, 2, None)
    assert (text["task"], text["recall1"], text["recall5"], text["unseen"]) == (
        *("text-to-image", 0.5, 1.0),
        True,
    )
    assert (text["median_rank"], text["chance"], text["n_runs"]) == (2, close(0.1), 1)


def test_hierarchical(store: Store) -> None:
    given = [(1, 0), (2, 2), (2, 3), (3, 4), (9, 5), (2, None), (1, None)]
    made = answers("a", {1: [rank for rank, _ in given]})
    for answer, (_, edges) in zip(made, given, strict=True):
        answer["edges"] = edges
    add(store, "a", rows=made)
    (row,) = rows(store, "hierarchical")
    # 0 + 2 + 3 + 4 + 5 over five; without the right one over four; 2 is within 2, 2 3 4 within 4
    assert [row[n] for n in ("edges", "wrong_edges", "within2", "within4")] == close(
        [14 / 5, 14 / 4, 1 / 4, 3 / 4]
    )
    assert (row["n_pictures"], row["n_wrong"], row["n_unplaced"]) == (7, 4, 2)


def test_hierarchical_without_any_edges(store: Store) -> None:
    add(store, "a", {1: [1, 2]})
    (row,) = rows(store, "hierarchical")
    assert [row[n] for n in ("edges", "wrong_edges", "within2", "within4")] == [None] * 4


def test_winoground(store: Store) -> None:
    cosines = [
        # text right and image right
        ("swap", 0.9, 0.1, 0.2, 0.8),
        # text right only: 0.5 > 0.4 and 0.9 > 0.7, but caption 0 is nearer to picture 1
        ("swap", 0.5, 0.4, 0.7, 0.9),
        # image right only: caption 0: 0.6 > 0.5, caption 1: 0.8 > 0.7; picture 0 is nearer to 1
        (None, 0.6, 0.7, 0.5, 0.8),
        # all equal: nothing is larger
        ("tie", 0.5, 0.5, 0.5, 0.5),
        # picture 1 is as near to both captions: image right only
        (None, 0.9, 0.1, 0.5, 0.5),
        # caption 1 is as near to both pictures: text right only
        (None, 0.9, 0.5, 0.2, 0.5),
    ]
    names = COMPOSITION.names
    made = [dict(zip(names, ("a", n, *one), strict=True)) for n, one in enumerate(cosines)]
    add(store, "a", rows=answers("a", {1: [1]}), asked={"dataset_id": None})
    insert(store, "align_composition", COMPOSITION, made)
    everything, swap, tie = rows(store, "winoground")
    scores = ("text_score", "image_score", "group_score")
    assert [everything[n] for n in scores] == close([0.5, 0.5, 1 / 6])
    assert (everything["tag"], everything["n_examples"]) == (None, 6)
    assert (swap["tag"], *(swap[n] for n in scores)) == ("swap", 1.0, 0.5, 0.5)
    assert (tie["tag"], *(tie[n] for n in scores)) == ("tie", 0.0, 0.0, 0.0)
    # Wilson of 0 of 1 and of 1 of 2: z^2 = 3.841458821
    assert (tie["group_low"], tie["group_high"]) == close((0, 3.841458821 / 4.841458821))
    root = 1.959963985 * math.sqrt(0.25 / 2 + 3.841458821 / 16)
    middle, over = 0.5 + 3.841458821 / 4, 1 + 3.841458821 / 2
    assert (swap["image_low"], swap["image_high"]) == close(
        ((middle - root) / over, (middle + root) / over)
    )


def test_visual_generalization(store: Store) -> None:
    add(store, "a", {1: [1], 2: [2]}, lm="bert", lm_kind="encoder", lm_pooling="mean")
    add(store, "b", {1: [1], 2: [1]})
    add(store, "c", {1: [2], 2: [2]}, level="none")
    got = [(r["level"], r["lm"], r["score"]) for r in rows(store, "visual-generalization")]
    assert got == [("none", "qwen", 0), ("branch", "qwen", 1), ("branch", "bert", 0.5)]
    assert len(rows(store, "visual-generalization", level="none", arm="separated")) == 1


# -- one setting against another --------------------------------------------------------------

BERT = {
    "lm": "bert",
    "lm_kind": "encoder",
    "lm_pooling": "mean",
    "lm_hash": "hb",
    "n_lm_parameters": 120,
    "text_feature_set_id": "tb",
}
RANDOM = {"lm_init": "random", "lm_hash": "hr", "text_feature_set_id": "tr"}
WORDS = {
    "lm": "words",
    "lm_kind": "words",
    "lm_pooling": "mean",
    "lm_layer": "none",
    "lm_hash": "hw",
    "n_lm_parameters": 0,
    "text_feature_set_id": "tw",
}
IMAGE = {"side": "image", "recipe": "s2 (side=image)", "n_params": 900}
IMAGE |= {"recipe_json": recipe("s2 (side=image)", NONE, MLP)}
BOTH = {"side": "both", "recipe": "b", "recipe_json": recipe("b", MLP, MLP), "n_params": 1900}
PAIRED: dict[str, tuple[dict[str, Any], str, str]] = {
    "encoder-vs-decoder": (BERT, "encoder", "decoder"),
    "align-encoders": ({"encoder": "clip", "feature_set_id": "fc"}, "a", "b"),
    "text-controls": (RANDOM, "control", "lm"),
    "sides": (BOTH, "b", "a"),
}
"""By analysis what a run has otherwise, and the columns of that run and of the plain one."""


@pytest.mark.parametrize("name", PAIRED)
def test_pairs_are_by_class(store: Store, name: str) -> None:
    change, other, plain = PAIRED[name]
    add(store, "a", {1: [1], 2: [1, 2], 3: [2]}, **change)
    add(store, "p", {1: [1], 2: [1, 1], 3: [1]})
    (row,) = rows(store, name)
    assert (row[f"top1_{other}"], row[f"top1_{plain}"]) == (0.5, 1.0)
    # plain minus other by class: 0, 1/2, 1; sd 1/2
    sign, half = 1 if name != "sides" else -1, 4.3026527297 * 0.5 / math.sqrt(3)
    assert row["difference"] == close(0.5 * sign)
    assert (row["low"], row["high"]) == close((0.5 * sign - half, 0.5 * sign + half))
    names = (f"n_runs_{other}", f"n_runs_{plain}", "n_classes", "chance")
    assert tuple(row[n] for n in names) == (1, 1, 3, 0.25)
    if name == "sides":
        assert rows(store, name, level="none") == rows(store, name, task="seen") == []


GOES_WITH = {
    "sides": {"recipe"},
    "align-encoders": {"feature set", "asked features"},
}
"""What differs where the thing compared does."""


def test_runs_that_differ_in_more_are_no_pair(store: Store) -> None:
    whats = OTHER | {"n_candidates": {}, "level": {"level": "none"}, "arm": {"arm": "control"}}
    made = [(run("plain"), {}, answers("plain", {1: [1], 2: [1]}))]
    for name, (change, _, _) in PAIRED.items():
        for what, more in whats.items():
            if what in GOES_WITH.get(name, ()):
                continue
            given = change | {k: v for k, v in more.items() if k not in ("asked", "recipe_json")}
            if "recipe_json" in more:
                inner = {"learning_rate": 0.01} if what == "recipe_json" else {}
                shape = MLP | {"dropout": 0.5} if what == "dropout" else MLP
                image = shape if change is BOTH else NONE
                given["recipe_json"] = recipe(given.get("recipe", "s2"), shape, image, **inner)
            of = run(f"{name}, {what}", **given)
            n_candidates = 5 if what == "n_candidates" else 4
            said = answers(of.run_id, {1: [1], 2: [2]}, n_candidates=n_candidates)
            made.append((of, more.get("asked", {}), said))
    add_all(store, made)
    assert {name: rows(store, name) for name in PAIRED} == {name: [] for name in PAIRED}


def test_sizes_of_encoder_and_decoder_are_alike(store: Store) -> None:
    add(store, "a", {1: [1]}, **(BERT | {"n_lm_parameters": 151}))
    add(store, "b", {1: [1]})
    assert rows(store, "encoder-vs-decoder") == []
    (row,) = rows(store, "encoder-vs-decoder", ratio=1.51)
    assert (row["ratio"], row["encoder_lm"], row["decoder_lm"]) == (1.51, "bert", "qwen")
    assert (row["encoder_pooling"], row["decoder_pooling"]) == ("mean", "last")


def test_texts_of_a_pair_are_the_same_and_cut_at_the_same(store: Store) -> None:
    changes: dict[str, dict[str, Any]] = {
        "same": {},
        "shorter, nothing cut": {"longest": 77},
        "shorter, some cut": {"longest": 77, "n_cut": 1},
        "names": {"names": "zh"},
        "templates": {"templates_json": "[]"},
        "rows": {"n_rows": 9},
    }
    with store.transaction():
        sets = [text_set(name, **change) for name, change in changes.items()]
        store.insert_rows("text_feature_set", [text_set("t1"), *sets])
    made = [run(name, **(BERT | {"lm": name, "text_feature_set_id": name})) for name in changes]
    add_all(store, [(of, {}, answers(of.run_id, {1: [1]})) for of in [run("plain"), *made]])
    found = [row["encoder_lm"] for row in rows(store, "encoder-vs-decoder")]
    assert found == ["same", "shorter, nothing cut"]


def test_text_controls_name_the_control(store: Store) -> None:
    add(store, "p", {1: [1], 2: [1]})
    add(store, "r", {1: [1], 2: [2]}, **RANDOM)
    add(store, "w", {1: [2], 2: [2]}, **WORDS)
    # of another LM, no control of this one
    add(store, "b", {1: [2], 2: [2]}, **(BERT | {"lm_init": "random"}))
    found = rows(store, "text-controls")
    got = [(r["lm"], r["lm_init"], r["control"], r["control_lm"], r["difference"]) for r in found]
    # all ranks are among the first five
    assert {(r["top5_lm"], r["top5_control"], r["difference5"]) for r in found} == {(1, 1, 0)}
    assert got == [
        ("bert", "random", "words", "words", 0),
        ("qwen", "pretrained", "random", "qwen", 0.5),
        ("qwen", "pretrained", "words", "words", 1),
        ("qwen", "random", "words", "words", 0.5),
    ]


def test_sides(store: Store) -> None:
    add(store, "t", {1: [1], 2: [1]})
    add(store, "i", {1: [1], 2: [2]}, **IMAGE)
    add(store, "b", {1: [2], 2: [2]}, **BOTH)
    # two shapes, so neither text nor image alone is like it
    mixed = recipe("m", MLP, MLP | {"width": 32})
    add(store, "m", {1: [1], 2: [1]}, **(BOTH | {"recipe": "m", "recipe_json": mixed}))
    got = [(r["side_a"], r["side_b"], r["difference"]) for r in rows(store, "sides")]
    assert got == [("image", "both", -0.5), ("text", "both", -1), ("text", "image", -0.5)]


def test_separation_effect(store: Store) -> None:
    add(store, "n", {1: [1], 2: [1]}, level="none", n_pairs=120)
    add(store, "s", {1: [1, 2], 2: [2, 2]}, n_pairs=80)
    add(store, "c", {1: [1, 1], 2: [2, 1]}, arm="control", n_pairs=90)
    # another recipe has no none to fall from
    add(store, "o", {1: [1], 2: [1]}, recipe="o", recipe_json=recipe("o", learning_rate=0.1))
    other, none, branch = rows(store, "separation-effect")
    assert (other["recipe"], other["drop_separated"], other["top1_control"]) == ("o", None, None)
    assert (none["level"], none["top1_separated"], none["drop_separated"]) == ("none", 1, None)
    assert (none["difference"], none["n_pairs_separated"]) == (None, 120)
    assert (branch["top1_separated"], branch["top1_control"]) == (0.25, 0.75)
    # separated - control by class: -1/2, -1/2: no spread
    assert [branch[n] for n in ("difference", "low", "high")] == close([-0.5] * 3)
    # none - separated: 1/2 and 1; its standard error 1/4
    names = ("drop_separated", "drop_separated_low", "drop_separated_high")
    half = 12.7062047362 / 4
    assert [branch[n] for n in names] == close([0.75, 0.75 - half, 0.75 + half])
    assert branch["drop_control"] == close(0.25)
    assert (branch["n_pairs_separated"], branch["n_pairs_control"]) == (80, 90)
    assert rows(store, "separation-effect", level="branch") == [other, branch]


def test_a_fall_is_from_the_same_arm_where_it_was_trained(store: Store) -> None:
    add(store, "n", {1: [1]}, level="none")
    add(store, "m", {1: [1, 2]}, level="none", arm="control")
    add(store, "s", {1: [2]})
    add(store, "c", {1: [2]}, arm="control")
    none, branch = rows(store, "separation-effect")
    assert none["difference"] == 0.5
    assert (branch["drop_separated"], branch["drop_control"]) == (1, 0.5)


def test_pairs_curve(store: Store) -> None:
    add(store, "a", {1: [1], 2: [1]})
    less = {"recipe": "s2 (n_pairs=20)", "recipe_json": recipe("s2 (n_pairs=20)", n_pairs=20)}
    add(store, "b", {1: [2], 2: [1]}, n_pairs=20, n_images=20, batch_size=8, **less)
    add(store, "c", {1: [2], 2: [2]}, n_pairs=20, validation="none")
    add(store, "d", {1: [2], 2: [2]}, n_pairs=30, recipe_json=recipe(learning_rate=0.1))
    got = [
        (r["curve"], r["n_pairs"], r["batch_size"], r["top1"]) for r in rows(store, "pairs-curve")
    ]
    assert got == [(1, 20, 8, 0.5), (1, 100, 16, 1)]


def test_projection_grid(store: Store) -> None:
    add(store, "a", {1: [1], 2: [1]})
    shapes = [("w", {"width": 128}), ("l", {"kind": "linear"}), ("g", {"activation": "gelu"})]
    ranks = {"w": [1], "l": [2], "g": [2]}
    for name, shape in shapes:
        columns = {key: value for key, value in shape.items() if key != "kind"}
        if name == "l":
            columns = {"projection": "linear", "depth": 1, "width": None, "activation": None}
        said = recipe(name, MLP | shape)
        add(
            store,
            name,
            {1: ranks[name], 2: [1]},
            recipe=name,
            recipe_json=said,
            n_params=2,
            **columns,
        )
    # not of the grid: another dropout, another learning rate
    add(
        store,
        "d",
        {1: [1]},
        recipe="d",
        recipe_json=recipe("d", MLP | {"dropout": 0.0, "width": 1}),
    )
    add(
        store,
        "r",
        {1: [1]},
        recipe="r",
        recipe_json=recipe("r", MLP | {"width": 1}, learning_rate=1),
    )
    names = ("grid", "place", "projection", "depth", "width", "activation", "top1")
    assert [tuple(r[n] for n in names) for r in rows(store, "projection-grid")] == [
        (1, 1, "mlp", 4, 64, "relu", 1),
        (1, 1, "mlp", 4, 128, "relu", 1),
        (1, 3, "linear", 1, None, None, 0.5),
        (1, 3, "mlp", 4, 64, "gelu", 0.5),
    ]


# -- capabilities -----------------------------------------------------------------------------


def capabilities(store: Store, values: dict[str, float], name: str = "mmlu") -> None:
    store.add_capabilities(
        [CapabilityRow(lm=lm, capability=name, value=v, source=None) for lm, v in values.items()]
    )


def lms(store: Store, right: dict[str, int], **changes: Any) -> None:
    """Decoders with so many of ten pictures right."""
    for lm, n in right.items():
        given = {"lm": lm, "lm_hash": lm, "text_feature_set_id": lm} | changes
        add(store, f"{lm}{sorted(changes)}", {1: [1] * n + [2] * (10 - n)}, **given)


def test_capability(store: Store) -> None:
    lms(store, {"a": 1, "b": 2, "c": 3, "d": 6, "e": 5})
    lms(store, {"a": 9}, lm_init="random")
    lms(store, {"f": 9}, lm_kind="words")
    capabilities(store, {"a": 10, "b": 20, "c": 30, "d": 40, "e": 50, "f": 60})
    (row,) = rows(store, "capability")
    # x - 30 = -20 -10 0 10 20; y - 3.4 = -2.4 -1.4 -0.4 2.6 1.6 tenths: sums 120, 1000, 17.2
    r = 120 / math.sqrt(1000 * 17.2)
    # ranks 1 2 3 5 4: d^2 sums to 2
    rho = 1 - 6 * 2 / (5 * 24)
    assert (row["pearson"], row["spearman"], row["n_lms"]) == (close(r), close(rho), 5)
    z = 1.959963985 / math.sqrt(2)
    assert row["pearson_low"] == close(math.tanh(math.atanh(r) - z))
    assert row["pearson_high"] == close(math.tanh(math.atanh(r) + z))
    wide = 1.959963985 * math.sqrt((1 + rho**2 / 2) / 2)
    assert row["spearman_low"] == close(math.tanh(math.atanh(rho) - wide))
    assert row["spearman_high"] == close(math.tanh(math.atanh(rho) + wide))
    assert (row["reading"], row["capability"], row["n_left_out"]) == ("sound", "mmlu", 0)
    assert rows(store, "capability", capability="x") == []


def test_capability_of_few_lms_has_no_interval(store: Store) -> None:
    lms(store, {"a": 1, "b": 2, "c": 5})
    capabilities(store, {"a": 1, "b": 2, "c": 3})
    (row,) = rows(store, "capability")
    assert row["pearson"] == close(4 / math.sqrt(2 * (26 / 3)))
    assert (row["spearman"], row["pearson_low"], row["spearman_high"]) == (close(1), None, None)
    lms(store, {"d": 7})
    capabilities(store, {"d": 4})
    (row,) = rows(store, "capability")
    # in perfect order: the z of 1 is infinite
    assert row["pearson_low"] is not None
    assert (row["n_lms"], row["spearman"], row["spearman_low"]) == (4, close(1), None)


def test_capability_by_reading(store: Store) -> None:
    lms(store, {"a": 1, "b": 2})
    lms(store, {"e": 3}, lm_kind="encoder", lm_pooling="mean")
    lms(store, {"e": 4}, lm_kind="encoder", lm_pooling="s2", text_feature_set_id="es2")
    capabilities(store, {"a": 1, "b": 2, "e": 3})
    found = {row["reading"]: row for row in rows(store, "capability")}
    assert {name: row["n_lms"] for name, row in found.items()} == {"sound": 3, "s2": 3}
    # scores 1 2 3 against 1 2 4
    assert found["sound"]["pearson"] == close(1)
    assert found["s2"]["pearson"] == close(3 / math.sqrt(2 * (14 / 3)))
    # another revision of b: which of the two is meant is not known
    lms(store, {"b": 9}, lm_revision="r")
    found = {row["reading"]: row for row in rows(store, "capability")}
    assert (found["sound"]["n_lms"], found["sound"]["n_left_out"]) == (2, 1)


def test_lms_of_other_conditions_are_correlated_apart(store: Store) -> None:
    lms(store, {"a": 1, "b": 2})
    made = []
    for what, change in OTHER.items():
        given = {k: v for k, v in change.items() if k != "asked"}
        of = run(what, lm=what, lm_hash=what, text_feature_set_id=what, **given)
        made.append((of, change.get("asked", {}), answers(what, {1: [1]})))
    add_all(store, made)
    capabilities(store, {"a": 1, "b": 2} | dict.fromkeys(OTHER, 3))
    n_lms = sorted(row["n_lms"] for row in rows(store, "capability"))
    assert n_lms == [1] * len(OTHER) + [2]


def test_names_of_two_files_are_not_averaged_for_random_weights(store: Store) -> None:
    for name, texts in (("a", "x"), ("b", "y"), ("c", "x")):
        store.add_text_feature_set(
            text_set(f"t-{name}", names="de", texts_sha256=texts, lm_init="random", lm_hash=name)
        )
        add(
            store,
            name,
            {1: [1], 2: [2]},
            text_feature_set_id=f"t-{name}",
            lm_init="random",
            lm_hash=name,
        )
    assert sorted(row["n_runs"] for row in rows(store, "zero-shot")) == [1, 2]
