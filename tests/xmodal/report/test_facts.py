"""Rows for pages, from a store written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from taxonomy.errors import ConfigError, StoreError
from tests.xmodal.report import pages
from tests.xmodal.store import world
from tests.xmodal.store.empty import empty_store
from tests.xmodal.store.world import BIRD
from xmodal.report.answer import answers as in_words
from xmodal.report.facts.conditions import choose, featured, label
from xmodal.report.facts.dataset import datasets, hypernyms, images, tree
from xmodal.report.facts.runs import answers, runs, sampled
from xmodal.report.pictures import small_copy, thumbnail
from xmodal.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with empty_store() as opened:
        pages.fill(opened, tmp_path)
        yield opened


class TestConditions:
    def test_labels_are_those_of_the_demo(self, store: Store) -> None:
        chosen = choose(store)
        assert [row["label"] for row in chosen.own] == [
            "pretrained, all removed",
            "random weights, all removed",
        ]
        assert chosen.run_ids == {"aaa1", "bbb1"}

    def test_a_run_stands_for_its_whole_condition(self, store: Store, tmp_path: Path) -> None:
        of = pages.manifest(design="random", ratio=1.0, seed=9)
        store.add_manifest(of)
        world.run_folder(tmp_path / "runs", "aaa2", of, [(n, True) for n in range(1, 5)])
        store.sync(tmp_path / "runs")
        assert choose(store, runs=["aaa2"]).run_ids == {"aaa1", "aaa2"}
        (row,) = featured(store, choose(store, where={"lm_init": "pretrained"}).own)
        assert (row["run_id"], row["manifest_seed"]) == ("aaa2", 9)

    def test_what_tells_equal_labels_apart_is_added(self, store: Store, tmp_path: Path) -> None:
        of = pages.manifest(design="random", ratio=1.0)
        world.run_folder(tmp_path / "runs", "ccc1", of, [(1, True)], encoder="other")
        world.run_folder(tmp_path / "runs", "ddd1", of, [(1, True)], recipe_json='{"lr": 9}')
        store.sync(tmp_path / "runs")
        labels = [row["label"] for row in choose(store, where={"lm_init": "pretrained"}).own]
        assert len(set(labels)) == 3
        assert "pretrained, all removed · encoder other" in labels

    def test_unknown_choices_are_refused(self, store: Store) -> None:
        with pytest.raises(ConfigError, match=r"^unknown column 'lm_inti'; valid: .*lm_init"):
            choose(store, where={"lm_inti": "random"})
        with pytest.raises(ConfigError, match=r"^no run with lm_init=randm: unknown value"):
            choose(store, where={"lm_init": "randm"})
        with pytest.raises(StoreError, match=r"^unknown run 'zzz'"):
            choose(store, runs=["zzz"])

    def test_labels_of_other_designs(self) -> None:
        row = {
            "lm_init": "random", "shuffle": "across", "ratio": 0.3, "design": "random",
            "n_held_out_hypernyms": None, "relation": "hypernym",
        }  # fmt: skip
        assert label(row) == "random weights, shuffled across categories, 30 % removed"
        whole = row | {"design": "systematic", "n_held_out_hypernyms": 1, "shuffle": "none"}
        assert label(whole) == "random weights, all of 1 hypernym removed"


class TestAnswerInWords:
    def test_it_says_what_the_numbers_say(self, store: Store) -> None:
        # pretrained: both right -> 1; always No: (0 + 2/3) / 2 = 1/3, which the better constant has
        (text,) = in_words(choose(store).own, [], [])
        assert "macro-F1 (1.00, where the better of always Yes and always No has 0.33)" in text
        assert text.endswith("The same questions come out at 0.33 with random LM weights.")

    def test_two_possible_controls_are_none(self, store: Store, tmp_path: Path) -> None:
        of = pages.manifest(design="random", ratio=1.0)
        world.run_folder(
            tmp_path / "runs", "bbb2", of, [(1, True), (2, False)], lm_init="random",
            recipe_json='{"lr": 9}',
        )  # fmt: skip
        store.sync(tmp_path / "runs")
        (text,) = in_words(choose(store).own, [], [])
        assert "random LM weights" not in text

    def test_without_a_condition_nothing_is_said(self) -> None:
        assert in_words([], [], []) == []


class TestDataset:
    def test_samples_are_of_the_hypernym_s_leaves(self, store: Store) -> None:
        found = {row["concept_id"]: row["sample_ids"] for row in hypernyms(store, "d1")}
        assert found == {0: [0], 1: [1], 2: []}

    def test_samples_take_every_leaf_before_a_second_picture(self) -> None:
        with empty_store() as store:
            store.add_taxonomy(world.with_images(world.taxonomy(), 5))
            (bird, *_) = hypernyms(store, "d1", 3)
            assert len(set(bird["sample_ids"])) == 3
            assert bird["sample_ids"] == hypernyms(store, "d1", 5)[0]["sample_ids"][:3]

    def test_tree_is_an_outline(self, store: Store) -> None:
        lines = [
            (node.depth, node.name, node.n_leaves, node.n_images) for node in tree(store, "d1")
        ]
        assert lines == [
            (0, pages.EVIL, 1, 1), (1, "parrot", 0, 1),
            (0, "gem", 1, 1), (1, "ruby", 0, 1),
            (0, "tool", 1, 0), (1, "saw", 0, 0),
        ]  # fmt: skip

    def test_datasets_count(self, store: Store) -> None:
        (row,) = datasets(store)
        assert (row["n_images"], row["n_leaves"], row["n_manifests"], row["n_runs"]) == (2, 3, 1, 2)


class TestRuns:
    def test_scores_stand_beside_sources(self, store: Store) -> None:
        first, second = runs(store, ["aaa1", "bbb1"])
        assert (first["run_id"], first["held_out_f1"]) == ("aaa1", pytest.approx(1.0))
        assert (second["run_id"], second["held_out_f1"]) == ("bbb1", pytest.approx(1 / 3))

    def test_answers_of_one_run_alone(self, store: Store) -> None:
        found = answers(store, "bbb1", "held_out")
        assert [(row["example_id"], row["is_right"]) for row in found] == [(1, False), (2, True)]
        assert {row["hypernym_id"] for row in found} == {BIRD}

    def test_a_sample_is_nested_and_balanced(self) -> None:
        rows = [{"example_id": n, "answer": n % 3 == 0} for n in range(30)]
        four = sampled(rows, 4)
        assert sorted(row["answer"] for row in four) == [False, False, True, True]
        assert four == sampled(rows[::-1], 4)
        assert all(row in sampled(rows, 6) for row in four)
        only_yes = [row for row in rows if row["answer"]]
        assert len(sampled(only_yes, 4)) == 4
        assert sampled(rows, 0) == []


class TestPictures:
    def test_a_picture_is_made_small(self, store: Store) -> None:
        content = thumbnail(store, "d1", 0).content
        assert content is not None
        assert content[:4] + content[8:12] == b"RIFFWEBP"

    def test_what_is_gone_says_so_without_its_place(self, store: Store) -> None:
        found = thumbnail(store, "d1", 1)
        assert (found.content, found.reason) == (None, "No such file or directory")

    def test_another_file_is_not_shown(self, store: Store, tmp_path: Path) -> None:
        pages.picture(tmp_path / "parrot.png", "red")
        found = thumbnail(store, "d1", 0)
        assert (found.content, "not the one" in found.reason) == (None, True)

    def test_pictures_that_are_none(self, store: Store, tmp_path: Path) -> None:
        (tmp_path / "bad.png").write_bytes(b"no picture")
        assert small_copy(str(tmp_path / "bad.png"), "").content is None
        assert small_copy("bundle:99999999", "").reason == "the package has no such picture"
        assert thumbnail(store, "d1", 77).reason == "the dataset has no such picture"
        assert images(store, "d1", [77]) == {}
