"""Whole separations: arms, counts, ids; golden numbers of the embedded dataset."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxonomy import tables
from taxonomy.errors import ConfigError, ManifestError
from taxonomy.model import Taxonomy
from taxonomy.separation import (
    LEVELS,
    Classes,
    SeparationConfig,
    build_separation,
    separate,
)
from taxonomy.separation.levels import removed_at
from taxonomy.wordnet import WordNet
from tests.taxonomy.separation.worlds import SETTINGS, drawn, worlds


@SETTINGS
@given(worlds(), st.integers(1, 3), st.integers(1, 4), st.integers(1, 3), st.integers(0, 3))
def test_arms_of_every_level(
    classes: Classes, n_unseen: int, distance: int, min_training: int, seed: int
) -> None:
    config = SeparationConfig(
        n_unseen=n_unseen, max_branch=4, distance=distance, min_training=min_training, seed=seed
    )
    unseen = {classes.ids[row] for row in drawn(classes, n_unseen, 4, seed)}
    everyone = set(classes.ids)
    try:
        made = separate("d", classes, config)
    except ManifestError as error:
        levels = removed_at(classes, classes.rows(unseen), config)
        left = {k: len(everyone) - len(ties) - len(unseen) for k, ties in levels.items()}
        left["none"] = len(everyone)
        first = next(level for level, n in left.items() if n < min_training)
        if not str(error).startswith(f"level {first} leaves {left[first]} of {len(everyone)} "):
            raise
        return
    assert set(made.unseen) == unseen
    assert made.removed["none"].separated == made.removed["none"].control == ()
    before: dict[str, set[int]] = {"separated": set(), "control": set()}
    for level in LEVELS:
        arms = made.removed[level]
        assert len(arms.separated) == len(arms.control) == len(set(arms.control))
        for arm in before:
            removed = set(arms.of(arm))
            assert list(arms.of(arm)) == sorted(removed)
            assert before[arm] <= removed <= everyone
            assert len(everyone - removed) >= min_training
            assert unseen <= removed or level == "none"
            before[arm] = removed
    rows = made.classes.to_pylist()
    assert made.classes.schema == tables.SEPARATION
    assert len(rows) == len(LEVELS) * 2 * len(classes)
    for row in rows:
        removed = set(made.removed[row["level"]].of(row["arm"]))
        assert row["in_training"] == (row["class_id"] not in removed)
        is_unseen = row["class_id"] in unseen
        assert row["status"] == (
            "unseen" if is_unseen else "seen" if row["in_training"] else "removed"
        )
        assert (row["reason"] is not None) == (row["status"] == "removed")
        assert (row["reason"] == "random") == (
            row["status"] == "removed" and row["arm"] == "control"
        )
        assert (row["unseen_id"] in unseen) == (row["reason"] not in (None, "random"))
    for level, counts in made.summary["levels"].items():
        status = Counter(
            r["status"] for r in rows if (r["level"], r["arm"]) == (level, "separated")
        )
        got = (counts["n_unseen"], counts["n_seen"], counts["n_removed"])
        assert got == (status["unseen"], status["seen"], status["removed"])
        assert sum(counts["n_removed_by_reason"].values()) == counts["n_removed"]


# n_seen at none, lemma, synset, subtree, branch; n_unseen 100, max_branch 20, seed 0. 518 leaves.
GOLDEN = {
    1: (418, 416, 410, 404, 404),
    2: (418, 416, 410, 404, 401),
    3: (418, 416, 410, 404, 374),
    4: (418, 416, 410, 404, 307),
}


@pytest.mark.parametrize("distance", sorted(GOLDEN))
def test_what_remains_of_the_embedded_dataset(embedded_classes: Classes, distance: int) -> None:
    made = separate("embedded", embedded_classes, SeparationConfig(distance=distance))
    levels = made.summary["levels"]
    assert tuple(counts["n_seen"] for counts in levels.values()) == GOLDEN[distance]
    assert len(made.roots) == 21
    reasons = levels["subtree"]["n_removed_by_reason"]
    assert reasons == {"hyponym_lemma": 6, "lemma": 5, "name": 3}


def test_names_that_hold_an_unseen_name_go_with_it(embedded_classes: Classes) -> None:
    made = separate("embedded", embedded_classes, SeparationConfig())
    names = dict(zip(embedded_classes.ids, embedded_classes.names, strict=True))
    lemma = [
        (names[row["class_id"]], row["reason"], names[row["unseen_id"]], row["detail"])
        for row in made.classes.to_pylist()
        if (row["level"], row["arm"], row["status"]) == ("lemma", "separated", "removed")
    ]
    assert lemma == [
        ("ballet shoe", "name", "shoe", "shoe"),
        ("cherry blossom", "name", "cherry", "cherry"),
    ]


def test_unseen_classes_stay_whatever_the_levels_and_the_distance(
    embedded_classes: Classes,
) -> None:
    whole = separate("embedded", embedded_classes, SeparationConfig())
    for changes in ({"levels": ("lemma", "branch")}, {"distance": 1}, {"min_training": 3}):
        other = separate("embedded", embedded_classes, replace(SeparationConfig(), **changes))
        assert (other.unseen, other.roots) == (whole.unseen, whole.roots)
        assert other.separation_id != whole.separation_id
        assert other.removed["lemma"] == whole.removed["lemma"]
    assert separate("other", embedded_classes, SeparationConfig()).separation_id != (
        whole.separation_id
    )


def test_features_make_a_level_after_branch(embedded_classes: Classes) -> None:
    features = np.random.default_rng(0).standard_normal((518, 8)).astype(np.float32)
    config = SeparationConfig(max_cosine=0.9)
    made = separate("embedded", embedded_classes, config, features=features)
    without = separate("embedded", embedded_classes, SeparationConfig())
    assert made.levels == (*LEVELS, "similar")
    assert made.removed["branch"] == without.removed["branch"]
    more = set(made.removed["similar"].separated) - set(made.removed["branch"].separated)
    assert len(more) == made.summary["levels"]["similar"]["n_removed_by_reason"]["cosine"] > 0
    features[0, 0] += 1e-3
    again = separate("embedded", embedded_classes, config, features=features)
    assert again.separation_id != made.separation_id


def test_too_few_classes_in_training_are_refused(embedded_classes: Classes) -> None:
    with pytest.raises(ManifestError) as caught:
        separate("embedded", embedded_classes, SeparationConfig(n_unseen=419))
    assert str(caught.value) == (
        "level lemma leaves 99 of 518 classes in training (419 unseen, 0 too near to them), fewer "
        "than min_training 100; take fewer unseen, or leave the level out"
    )
    config = SeparationConfig(distance=12)
    with pytest.raises(ManifestError) as caught:
        separate("embedded", embedded_classes, config)
    assert str(caught.value) == (
        "level branch leaves 0 of 518 classes in training (100 unseen, 418 too near to them), "
        "fewer than min_training 100; take fewer unseen, a smaller distance, or leave the level out"
    )
    made = separate("embedded", embedded_classes, replace(config, levels=LEVELS[:-1]))
    assert made.levels == LEVELS[:-1]


def test_features_and_max_cosine_go_together(embedded_classes: Classes) -> None:
    with pytest.raises(ConfigError) as caught:
        separate("embedded", embedded_classes, SeparationConfig(max_cosine=0.5))
    assert str(caught.value) == (
        "features and max_cosine go together, got max_cosine 0.5 and no features; give both or "
        "neither"
    )
    with pytest.raises(ConfigError) as caught:
        separate("embedded", embedded_classes, SeparationConfig(), features=np.ones((518, 2)))
    assert str(caught.value) == (
        "features and max_cosine go together, got max_cosine None and features; give both or "
        "neither"
    )


def test_a_dataset_is_separated_by_its_own_id(embedded: Taxonomy, wordnet: WordNet) -> None:
    made = build_separation(embedded, SeparationConfig(), wordnet)
    assert made.dataset_id == embedded.dataset_id
    assert made.summary["wordnet_version"] == "3.0"
    assert made.summary["n_unplaced"] == 0
    assert made.separation_id == "66c09f623e36b2d1"


SEPARATIONS = """
from taxonomy.hashing import hash63
from taxonomy.separation import Classes, Nouns, SeparationConfig, separate
above = {f"n{i}": tuple(sorted({f"n{hash63(i, k) % i}" for k in range(1 + i % 2)})) if i else ()
         for i in range(400)}
lemmas = {node: (f"word{hash63(node) % 300}", f"other{hash63(node, 1) % 300}") for node in above}
nouns = Nouns(above=above, lemmas=lemmas, irregular={}, version="none")
nodes = tuple(sorted(n for n in above if n not in nouns.below))
classes = Classes(
    ids=tuple(range(len(nodes))), keys=nodes, nodes=nodes, nouns=nouns,
    names=tuple(lemmas[node][0] for node in nodes),
)
for seed in range(3):
    config = SeparationConfig(n_unseen=20, distance=2, min_training=1, seed=seed)
    made = separate("d", classes, config)
    print(made.separation_id, made.unseen, made.roots, made.classes.to_pylist())
"""


def test_two_processes_with_other_hash_seeds_draw_the_same() -> None:
    outputs = [
        subprocess.run(
            [sys.executable, "-c", SEPARATIONS],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=Path(__file__).parents[3],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]
    assert len(set(outputs[0].splitlines())) == 3
