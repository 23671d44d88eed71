"""Golden numbers of the analyses that pages are made from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from taxonomy.tables import IMAGE
from tests.sql.golden import picked, rows
from tests.xmodal.store import world
from tests.xmodal.store.world import BIRD, GEM, PARROT, RUBY
from xmodal.store import Store

# bird: parrot, shown in two test pictures and one of training; gem: ruby, in one picture
IMAGES = [
    (0, PARROT, "test", "noto", "noto", "aa", "a.png"),
    (1, PARROT, "test", "noto", "noto", "bb", "b.png"),
    (2, PARROT, "train", "noto", "noto", "cc", "c.png"),
    (3, RUBY, "validation", "noto", "noto", "dd", "d.png"),
]


def test_hypernyms_count_the_pictures_of_their_leaves(store: Store) -> None:
    of = world.taxonomy()
    store.add_taxonomy(replace(of, images=world.table(IMAGE, IMAGES)))
    names = ("hypernym", "n_leaves", "n_images", "n_train", "n_validation", "n_test")
    assert [picked(row, *names) for row in rows(store, "hypernyms")] == [
        ["bird", 1, 3, 1, 0, 2],
        ["gem", 1, 1, 0, 1, 0],
        ["tool", 1, 0, 0, 0, 0],
    ]
    assert rows(store, "hypernyms", dataset="d2") == []


def test_answers_tell_truth_from_what_was_said(store: Store, tmp_path: Path) -> None:
    store.add_taxonomy(world.taxonomy())
    of = world.manifest(
        [
            (1, PARROT, BIRD, True, "held_out"),
            (2, RUBY, BIRD, False, "held_out"),
            (3, RUBY, GEM, True, "seen"),
            (4, RUBY, PARROT, False, "leaf"),
        ]
    )
    store.add_manifest(of)
    # logits are 1 and 0 for Yes, 0 and 1 for No
    world.run_folder(tmp_path, "a", of, [(1, True), (2, True), (3, False), (4, False)])
    store.sync(tmp_path)
    names = ("example_id", "hypernym", "leaf", "label_leaf", "answer", "predicted", "is_right")
    found = rows(store, "answers")
    # all pictures are image 0, a parrot; leaf questions are left out
    assert [picked(row, *names, "margin") for row in found] == [
        [1, "bird", "parrot", "parrot", True, True, True, 1.0],
        [2, "bird", "parrot", "ruby", False, True, False, 1.0],
        [3, "gem", "parrot", "ruby", True, False, False, -1.0],
    ]
    assert [row["example_id"] for row in rows(store, "answers", question_set="seen")] == [3]
    assert [row["example_id"] for row in rows(store, "answers", hypernym="bird")] == [1, 2]
    assert rows(store, "answers", run="b") == []


def test_sources_say_where_a_run_comes_from(store: Store, tmp_path: Path) -> None:
    store.add_taxonomy(world.taxonomy())
    store.add_feature_set(world.feature_set())
    of = world.manifest([(1, PARROT, BIRD, True, "held_out")], seed=5)
    store.add_manifest(of)
    world.run_folder(tmp_path, "a", of, [(1, True)], seed_init=7, git_commit="c0ffee")
    store.sync(tmp_path)
    (row,) = rows(store, "sources")
    names = ("run_id", "manifest_id", "manifest_sha256", "seed", "seed_init", "seed_order")
    assert picked(row, *names) == ["a", of.manifest_id, "f" * 64, 5, 7, 42]
    assert picked(row, "features_sha256", "lm_hash", "git_commit", "device") == [
        "0" * 64, "lm1", "c0ffee", "cpu",
    ]  # fmt: skip
