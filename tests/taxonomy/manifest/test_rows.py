"""Manifests as rows: equal bytes everywhere, hashes, and the builder's own check."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxonomy import tables
from taxonomy.errors import ConfigError, ManifestError
from taxonomy.hashing import hash63, keyed_order
from taxonomy.manifest import ManifestBuilder, grid, rows_sha256
from taxonomy.manifest.check import check
from taxonomy.manifest.draws import ids63, keys64, take_distinct
from taxonomy.manifest.mentions import question_held_out, training_set
from taxonomy.manifest.questions import NegativeOrder, draw_questions
from taxonomy.manifest.shuffle import draw_labels
from taxonomy.model import ManifestConfig, Taxonomy
from tests.taxonomy.manifest.worlds import build, configs, make, taxonomies, things_like
from tests.taxonomy.manifest.worlds import concept as row

ROWS_OF_SEVERAL_DESIGNS = """
from hashlib import sha256
from taxonomy.manifest import build_manifests, grid
from tests.taxonomy.manifest.worlds import things_like

configs = []
for mentions, negatives, unit in (
    ("drop_all", "matched", "pair"),
    ("rebalance", "image", "pair"),
    ("drop_words", "matched", "leaf"),
):
    configs += grid(
        ["random", "systematic"], [0.3], [3],
        ["none", "within", "across", "across_s1", "swap"], [42],
        mentions=mentions, negatives=negatives, unit=unit, train_leaf_negatives=2,
    )
for manifest in build_manifests(things_like(40, 9, 400), configs):
    digest = sha256()
    for table in (manifest.cells, manifest.labels, manifest.examples):
        digest.update(repr(table.to_pylist()).encode())
    print(manifest.manifest_id, manifest.rows_sha256, digest.hexdigest(), manifest.summary)
"""


def test_two_processes_with_other_hash_seeds_draw_the_same_bytes() -> None:
    outputs = [
        subprocess.run(
            [sys.executable, "-c", ROWS_OF_SEVERAL_DESIGNS],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=Path(__file__).parents[3],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert len(set(outputs[0].splitlines())) == 30


@given(taxonomies(), configs())
def test_tables_follow_their_schemas_and_hash_in_any_order(
    taxonomy: Taxonomy, config: ManifestConfig
) -> None:
    manifest = build(taxonomy, config)
    parts = [manifest.cells, manifest.labels, manifest.examples]
    assert [part.schema for part in parts] == [tables.CELL, tables.LABEL, tables.EXAMPLE]
    for part in parts:
        part.validate(full=True)
    backwards = [part.take(np.arange(len(part))[::-1]) for part in parts]
    assert rows_sha256(*backwards) == manifest.rows_sha256


@given(taxonomies(), configs(), st.data())
def test_any_changed_value_changes_the_hash(
    taxonomy: Taxonomy, config: ManifestConfig, data: st.DataObject
) -> None:
    manifest = build(taxonomy, config)
    parts = {"cells": manifest.cells, "labels": manifest.labels, "examples": manifest.examples}
    name = data.draw(st.sampled_from([name for name, part in parts.items() if len(part)]))
    part = parts[name]
    rows = part.to_pylist()
    number = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.sampled_from(part.column_names))
    value = rows[number][column]
    if isinstance(value, bool) or value is None:
        new = not value
    else:
        new = f"{value}x" if isinstance(value, str) else value + 1
    if part.schema.field(column).type == pa.int32() and value is None:
        new = 1
    rows[number] = {**rows[number], column: new}
    parts[name] = pa.Table.from_pylist(rows, schema=part.schema)
    assert rows_sha256(**parts) != manifest.rows_sha256


def test_no_answer_is_another_hash_than_false() -> None:
    manifest = ManifestBuilder(small()).build(ManifestConfig())
    rows = [{**r, "held_out": r["held_out"] or False} for r in manifest.examples.to_pylist()]
    filled = pa.Table.from_pylist(rows, schema=tables.EXAMPLE)
    assert rows_sha256(manifest.cells, manifest.labels, filled) != manifest.rows_sha256


@given(st.lists(st.text(), unique=True), st.integers(), st.text())
def test_keys_give_the_keyed_order(items: list[str], seed: int, purpose: str) -> None:
    order = np.argsort(keys64(seed, purpose, items), kind="stable")
    assert [items[i] for i in order] == keyed_order(items, seed, purpose)


@given(st.lists(st.tuples(st.integers(), st.integers())), st.text())
def test_ids_are_hash63(pairs: list[tuple[int, int]], seed: str) -> None:
    assert ids63(seed, pairs).tolist() == [hash63(seed, a, b) for a, b in pairs]


@given(
    st.lists(st.lists(st.integers(0, 2**64 - 1), min_size=4, max_size=4), min_size=1, max_size=5),
    st.integers(4, 7),
)
def test_distinct_positions_pick_from_what_is_left(draws: list[list[int]], n: int) -> None:
    picked = take_distinct(np.array(draws, dtype=np.uint64), n)
    for numbers, positions in zip(draws, picked.tolist(), strict=True):
        left = list(range(n))
        assert positions == [left.pop(number % len(left)) for number in numbers]


def small() -> Taxonomy:
    """Two hypernyms of two leaves each; the third leaf is called like a hypernym."""
    concepts = [
        row(0, "hypernym", "bird"),
        row(1, "hypernym", "farm animal"),
        row(2, "leaf", "duck"),
        row(3, "leaf", "parrot"),
        row(4, "leaf", "cow"),
        row(5, "leaf", "bird"),
        row(6, "leaf", "toy bird"),
    ]
    pairs = [(2, 0, True), (3, 0, True), (4, 1, True), (2, 1, False), (6, 1, True)]
    images = [(leaf, split) for leaf in range(2, 7) for split in ("train", "test")]
    return make(concepts, [], pairs, images)


def test_a_leaf_word_that_is_a_wholly_held_out_hypernym_is_not_asked() -> None:
    # both hypernyms are held out, so no training question asks "bird", leaf or hypernym:
    # 10 leaf questions on 5 training images, less the Yes and the No about "bird"
    config = ManifestConfig(ratio=1.0)
    manifest = ManifestBuilder(small()).build(config)
    trained = manifest.examples.filter(manifest.examples["in_training"])
    assert {0, 1, 5}.isdisjoint(trained["asked_id"].to_pylist())
    assert 6 in trained["asked_id"].to_pylist()
    words = ManifestBuilder(small()).build(dataclasses.replace(config, mentions="drop_words"))
    asked = words.examples.filter(words.examples["in_training"])["asked_id"].to_pylist()
    assert {0, 1, 5, 6}.isdisjoint(asked)


def test_a_claim_of_another_source_is_neither_yes_nor_no() -> None:
    manifest = ManifestBuilder(small()).build(ManifestConfig())
    cells = {(r["leaf_id"], r["hypernym_id"]): r["answer"] for r in manifest.cells.to_pylist()}
    # duck is called a farm animal by one source; bird the leaf and bird the hypernym clash
    assert (2, 1) not in cells
    assert (5, 0) not in cells
    assert cells == {
        (2, 0): True,
        (3, 0): True,
        (3, 1): False,
        (4, 0): False,
        (4, 1): True,
        (5, 1): False,
        (6, 0): False,
        (6, 1): True,
    }


def test_a_shuffle_that_can_move_nothing_is_one_clear_line() -> None:
    concepts = [row(0, "hypernym", "bird"), row(1, "leaf", "duck"), row(2, "leaf", "hen")]
    images = [(leaf, split) for leaf in (1, 2) for split in ("train", "test")]
    one = make(concepts, [], [(1, 0, True), (2, 0, True)], images)
    with pytest.raises(ManifestError) as caught:
        ManifestBuilder(one).build(ManifestConfig(shuffle="across"))
    assert str(caught.value) == (
        "shuffle across finds no labels for any of the 2 leaves: every two of them share a "
        "hypernym, or no two hypernyms of similar size are without a common leaf; choose "
        "another shuffle"
    )


@pytest.mark.parametrize("mentions", ["drop_all", "keep", "drop_positives"])
def test_the_check_sees_a_held_out_cell_in_training(mentions: str) -> None:
    builder = ManifestBuilder(small())
    config = builder.resolve(ManifestConfig(ratio=0.5, mentions=mentions))
    world, labels = builder.world, draw_labels(builder.world, config)
    order = NegativeOrder(world, labels.draw_id)
    questions = draw_questions(world, labels, order, negatives="matched", train_leaf_negatives=1)
    held = world.used.copy()
    in_training = training_set(world, questions, labels.label_of, held, mentions, order).in_training
    check(world, config, labels, held, questions, in_training)
    leaked = in_training | (
        question_held_out(questions, held) & (world.image_split[questions.image] == 0)
    )
    with pytest.raises(AssertionError, match="a held-out cell is in training"):
        check(world, config, labels, held, questions, leaked)
    with pytest.raises(AssertionError, match="a test question is in training"):
        check(world, config, labels, held, questions, np.ones_like(in_training))


def test_a_grid_is_every_combination_that_means_something() -> None:
    configs = grid(
        ["none", "random", "systematic"],
        [0.0, 0.5],
        [10, 20],
        ["none", "within"],
        [42, 7],
        mentions="keep",
    )
    assert len(configs) == len(set(configs)) == (1 + 2 + 2) * 2 * 2
    assert {c.mentions for c in configs} == {"keep"}
    assert {c.ratio for c in configs if c.design == "random"} == {0.0, 0.5}
    assert {c.n_held_out_hypernyms for c in configs if c.design == "systematic"} == {10, 20}
    assert grid(["random", "random"], [0.5, 0.5], [], ["none"], [1, 1]) == [
        ManifestConfig(ratio=0.5, seed=1)
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (["systematic"], [0.5], [], ["none"], [1]),
            "design systematic in a grid needs n_held_out_hypernyms, got none",
        ),
        ((["random"], [], [3], ["none"], [1]), "design random in a grid needs ratios, got none"),
        (
            (["odd"], [0.5], [3], ["none"], [1]),
            "design must be one of none, random, systematic, got 'odd'",
        ),
        ((["random"], [30.0], [], ["none"], [1]), "ratio must be in [0, 1], got 30.0"),
    ],
)
def test_a_grid_of_bad_values_is_one_clear_line(
    arguments: tuple[list[str], ...], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        grid(*arguments)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_things_in_small_keeps_every_negative() -> None:
    manifest = ManifestBuilder(things_like(60, 10, 1200)).build(ManifestConfig(ratio=0.5))
    assert manifest.summary["n_missing_negatives"] == {"leaf_no": 0, "hypernym_no": 0}
    about = manifest.examples.filter(pa.compute.equal(manifest.examples["kind"], "hypernym"))
    assert sum(about["answer"].to_pylist()) * 2 == len(about)
