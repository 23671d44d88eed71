"""The ceiling: answers from features alone, against plain counting."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taxonomy.errors import ConfigError, ManifestError
from taxonomy.model import Manifest, Taxonomy
from tests.xmodal import tiny
from xmodal.features.ceiling import METHODS, Answerer, by_label, measure_ceiling, nearest
from xmodal.features.classifier import (
    TEMPERATURES,
    Discriminant,
    Pictures,
    leaf_posterior,
    pooled,
    temperature,
)
from xmodal.features.extract import FeatureSet
from xmodal.features.questions import Asked, macro_f1, read_asked, score_table, scores
from xmodal.features.truth import Truth, pictures, read_truth
from xmodal.pipeline import ensure_features
from xmodal.store import Store

Array = np.ndarray[Any, Any]

TRUTH = Truth(
    leaf_ids=np.array([10, 11, 12]),
    target_ids=np.array([20, 21]),
    names=("bird", "pet"),
    used=np.array([[True, False], [True, True], [False, False]]),
)


def asked_of(rows: list[tuple[int, int, int, bool, str]]) -> Asked:
    """Questions of (image, leaf row, target column, answer, question set)."""
    image, leaf, target, answer, sets = zip(*rows, strict=True)
    return Asked(
        example_id=np.arange(len(rows)),
        image=np.array(image),
        leaf=np.array(leaf),
        target=np.array(target),
        answer=np.array(answer),
        question_set=np.array(sets),
    )


def test_scores_by_hand() -> None:
    mass = np.array([[0.2, 0.3, 0.5], [0.0, 0.0, 1.0]])
    share = np.array([0.1, 0.2, 0.7])
    asked = asked_of(
        [
            (5, 1, -1, True, "leaf"),
            (5, -1, 0, True, "seen"),
            (9, -1, 0, False, "seen"),
            (9, 2, -1, True, "leaf"),
        ]
    )
    # picture 5, leaf 1: p = .3, s = .2 -> .24 / (.24 + .14)
    # picture 5, bird:   p = .5, s = .3 -> .35 / (.35 + .15)
    # picture 9, bird:   p = 0; picture 9, leaf 2: p = 1
    found = scores(mass, share, TRUTH, asked)
    assert found == pytest.approx([0.24 / 0.38, 0.7, 0.0, 1.0], abs=1e-12)


@given(data=st.data())
def test_yes_is_said_where_the_picture_speaks_for_it(data: st.DataObject) -> None:
    weights = st.floats(0, 1, allow_subnormal=False).map(lambda w: round(w, 3))
    mass = data.draw(arrays(np.float64, (4, 3), elements=weights))
    mass[:, 2] += 1e-3
    mass /= mass.sum(axis=1, keepdims=True)
    counts = data.draw(arrays(np.int64, 3, elements=st.integers(0, 9)))
    counts[2] += 1
    share = counts / counts.sum()
    asked = asked_of([(i, -1, target, True, "seen") for i in range(4) for target in (0, 1)])
    found = scores(mass, share, TRUTH, asked)
    assert ((found >= 0) & (found <= 1)).all()
    for score, image, target in zip(found, asked.image, asked.target, strict=True):
        p = sum(mass[image, leaf] for leaf in range(3) if TRUTH.used[leaf, target])
        s = sum(share[leaf] for leaf in range(3) if TRUTH.used[leaf, target])
        if abs(p - s) > 1e-9:
            assert (score > 0.5) == (p > s)


@given(
    answer=arrays(np.bool_, 6),
    said=arrays(np.bool_, 6),
)
def test_macro_f1_is_the_mean_of_two_f1(answer: Array, said: Array) -> None:
    found = macro_f1(answer, said)
    if len(set(answer.tolist())) < 2:
        assert found is None
        return
    both = []
    for cls in (True, False):
        hit = sum(a == cls and b == cls for a, b in zip(answer, said, strict=True))
        precision = hit / max(1, sum(b == cls for b in said))
        recall = hit / sum(a == cls for a in answer)
        both.append(2 * precision * recall / (precision + recall) if hit else 0.0)
    assert found == pytest.approx(sum(both) / 2, abs=1e-12)


@given(data=st.data())
def test_posteriors_follow_the_labels(data: st.DataObject) -> None:
    mass = data.draw(arrays(np.float64, (3, 4), elements=st.floats(0, 1)))
    labels = data.draw(arrays(np.int64, 4, elements=st.integers(-1, 3)))
    moved = by_label(mass, labels)
    for image in range(3):
        for label in range(4):
            wanted = sum(mass[image, leaf] for leaf in range(4) if labels[leaf] == label)
            assert moved[image, label] == pytest.approx(wanted, abs=1e-12)


@given(data=st.data())
def test_neighbours_are_those_of_a_plain_search(data: st.DataObject) -> None:
    values = st.integers(-3, 3).map(np.float32)
    shown = data.draw(arrays(np.float32, (9, 2), elements=values))
    train = Pictures(np.array([0, 2, 3, 5, 8]), np.array([1, 0, 2, 1, 0]))
    images = np.array([1, 4, 6])
    found = nearest(torch.from_numpy(shown), images, train)
    k, warmth = data.draw(st.integers(1, 5)), data.draw(st.sampled_from([0.02, 0.1]))
    mass = found.mass(k, warmth, 4)

    def cosine(a: Array, b: Array) -> float:
        size = math.sqrt(float(a @ a) * float(b @ b))
        return float(a @ b) / size if size else 0.0

    for row, image in enumerate(images):
        near = sorted(
            (-round(cosine(shown[image], shown[of]), 9), of) for of in train.images.tolist()
        )
        assert found.cosine[row] == pytest.approx([-c for c, _ in near], abs=1e-6)
        cosines = [-c for c, _ in near]
        if k < 5 and cosines[k - 1] - cosines[k] < 1e-6:
            continue  # equal ones: rounding says who comes first
        votes = dict.fromkeys(range(4), 0.0)
        for c, of in near[:k]:
            votes[int(train.classes[train.images == of][0])] += math.exp(-c / warmth)
        for leaf, vote in votes.items():
            assert mass[row, leaf] == pytest.approx(vote / sum(votes.values()), rel=1e-4, abs=1e-6)


# -- the tiny dataset -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Taxonomy, FeatureSet]:
    folder = tmp_path_factory.mktemp("ceiling")
    taxonomy = tiny.taxonomy(folder / "pictures")
    path = folder / "x.duckdb"
    with Store.open(path) as store:
        store.add_taxonomy(taxonomy)
        for knobs in ({"ratio": 1.0}, {"ratio": 0.5, "shuffle": "across"}):
            store.add_manifest(tiny.manifest(taxonomy, **knobs))
    features, _ = ensure_features(path, tiny.FEATURES)
    return path, taxonomy, features


def split_of(features: FeatureSet, taxonomy: Taxonomy, split: str) -> Pictures:
    return Pictures(*pictures(taxonomy, read_truth(taxonomy), split))


def test_the_discriminant_is_that_of_the_textbook(
    made: tuple[Path, Taxonomy, FeatureSet],
) -> None:
    _, taxonomy, features = made
    train = split_of(features, taxonomy, "train")
    shown = pooled(features)
    rows = np.concatenate(
        [features.rows(train.images, np.full(len(train.images), v)) for v in (0, 1)]
    )
    x, y = shown.numpy()[rows].astype(np.float64), np.tile(train.classes, 2)
    means = np.array([x[y == c].mean(axis=0) for c in range(5)])
    off = x - means[y]
    covariance = off.T @ off / len(x)
    shrunk = 0.7 * covariance + 0.3 * np.trace(covariance) / 8 * np.eye(8)
    wanted = np.zeros((features.n_images, 5))
    for image in range(features.n_images):
        for c in range(5):
            d = shown.numpy()[image].astype(np.float64) - means[c]
            wanted[image, c] = -d @ np.linalg.inv(shrunk) @ d / 2 + math.log((y == c).mean())
    found = Discriminant(shown, features, train, 5).logits(shown[: features.n_images], 0.3).numpy()
    found, wanted = (of - of.max(axis=1, keepdims=True) for of in (found, wanted))
    assert np.abs(found - wanted).max() < 1e-6 * np.abs(wanted).max()


def test_the_temperature_is_the_likeliest() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(400, 3, generator=generator).double()
    drawn = torch.multinomial(logits.softmax(1), 1, generator=generator)[:, 0]
    # logits that say three times too much are divided by about three
    assert 2 < temperature(3 * logits, drawn) < 4.5
    assert temperature(3 * logits, drawn) in TEMPERATURES


def test_the_choice_sees_no_test_picture(
    made: tuple[Path, Taxonomy, FeatureSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, taxonomy, features = made
    manifest = tiny.manifest(taxonomy, ratio=1.0)
    before = [Answerer(taxonomy, features).answer(manifest, method) for method in METHODS]
    test_answers = manifest.examples["split"].to_numpy(zero_copy_only=False) == "test"
    flipped = manifest.examples["answer"].to_numpy(zero_copy_only=False) ^ test_answers
    column = manifest.examples.column_names.index("answer")
    wrong = replace(
        manifest,
        examples=manifest.examples.set_column(
            column, manifest.examples.schema.field("answer"), pa.array(flipped)
        ),
    )
    for method, (asked, answers) in zip(METHODS, before, strict=True):
        other, again = Answerer(taxonomy, features).answer(wrong, method)
        assert (other.answer != asked.answer).all()
        assert again.scores.tobytes() == answers.scores.tobytes()
        assert again.settings == answers.settings
        assert not math.isnan(answers.scores.sum())


def test_it_recognises_what_is_easy(made: tuple[Path, Taxonomy, FeatureSet]) -> None:
    _, taxonomy, features = made
    for knobs in ({"ratio": 1.0}, {"ratio": 0.5, "shuffle": "across"}):
        manifest = tiny.manifest(taxonomy, **knobs)
        for method in METHODS:
            asked, answers = Answerer(taxonomy, features).answer(manifest, method)
            # pictures of a leaf are noisy copies: everything is there to be had
            assert (answers.predicted == asked.answer).mean() > 0.9
            assert 0 < answers.predicted.mean() < 1


def test_answers_are_stored_under_their_examples(
    made: tuple[Path, Taxonomy, FeatureSet],
) -> None:
    path, _, features = made
    printed = measure_ceiling(path)
    with Store.open(path, read_only=True) as store:
        first = store.query("SELECT * FROM ceiling_prediction ORDER BY ceiling_id, example_id")
        # macro-F1 as the store's views define it
        stored = store.query(
            """
            WITH answered AS (
                SELECT manifest_id, method, question_set,
                    CASE WHEN kind = 'hypernym' THEN asked_id END AS hypernym_id,
                    count(*) FILTER (answer AND predicted) AS tp,
                    count(*) FILTER (NOT answer AND predicted) AS fp,
                    count(*) FILTER (answer AND NOT predicted) AS fn,
                    count(*) FILTER (NOT answer AND NOT predicted) AS tn
                FROM ceiling_prediction
                JOIN ceiling USING (ceiling_id)
                JOIN example USING (manifest_id, example_id)
                WHERE split = 'test'
                GROUP BY ALL
            )
            SELECT manifest_id, method, question_set,
                avg(CASE WHEN tp + fn > 0 AND tn + fp > 0 THEN
                    (2 * tp / (2 * tp + fp + fn) + 2 * tn / (2 * tn + fp + fn)) / 2 END
                ) AS macro_f1,
                sum(tp + fp + fn + tn)::BIGINT AS n_questions
            FROM answered GROUP BY ALL
            """
        ).to_pylist()
        asked = store.query("SELECT count(*) AS n FROM example WHERE split = 'test'").to_pylist()
        about = store.query("SELECT * FROM ceiling").to_pylist()
    assert first.num_rows == 2 * asked[0]["n"] > 0
    shown = {(r["manifest_id"], r["method"], r["question_set"]): r for r in printed.to_pylist()}
    assert len(shown) == len(stored) > 4
    for row in stored:
        same = shown[row["manifest_id"], row["method"], row["question_set"]]
        assert same["n_questions"] == row["n_questions"]
        assert same["macro_f1"] == pytest.approx(row["macro_f1"], abs=1e-12)
    assert {row["method"] for row in about} == set(METHODS)
    assert {row["feature_set_id"] for row in about} == {features.feature_set_id}
    for row in about:
        said = json.loads(row["settings_json"])
        assert {"validation_accuracy", "validation_leaf_accuracy"} & said.keys()
    # measured again: the same rows, replaced
    torch.manual_seed(5)
    measure_ceiling(path)
    with Store.open(path, read_only=True) as store:
        again = store.query("SELECT * FROM ceiling_prediction ORDER BY ceiling_id, example_id")
    assert again.equals(first)


def test_a_single_class_hypernym_is_counted_and_a_zero_is_kept() -> None:
    # bird: tp 0, fp 1, fn 1, tn 0 -> 0; pet: Yes only -> left out
    asked = asked_of(
        [(1, -1, 0, True, "held_out"), (2, -1, 0, False, "held_out"), (1, -1, 1, True, "held_out")]
    )
    manifest = Manifest(
        manifest_id="m", dataset_id="d", config=tiny.ManifestConfig(), shuffle_id="none",
        cells=None, labels=None, examples=None, rows_sha256="",
    )  # fmt: skip
    (row,) = score_table(manifest, "leaf-lookup", asked, np.array([False, True, True])).to_pylist()
    assert (row["macro_f1"], row["n_hypernyms"], row["n_single_class"]) == (0.0, 1, 1)
    assert row["n_questions"] == 3


def test_without_validation_nothing_is_chosen(made: tuple[Path, Taxonomy, FeatureSet]) -> None:
    _, taxonomy, features = made
    splits = taxonomy.images["split"].to_pylist()
    column = taxonomy.images.column_names.index("split")
    bare = replace(
        taxonomy,
        images=taxonomy.images.set_column(
            column,
            taxonomy.images.schema.field("split"),
            pa.array(["train" if split == "validation" else split for split in splits]),
        ),
    )
    manifest = tiny.manifest(bare, ratio=1.0)
    with pytest.raises(ManifestError, match="needs validation pictures of leaves"):
        Answerer(bare, features).answer(manifest, METHODS[0])
    with pytest.raises(ManifestError, match="has no validation question to choose"):
        Answerer(bare, features).answer(manifest, METHODS[1])


def test_bad_choices(made: tuple[Path, Taxonomy, FeatureSet]) -> None:
    path, taxonomy, features = made
    with pytest.raises(ConfigError, match="method must be one of leaf-lookup, hypernym-neighb"):
        measure_ceiling(path, methods=["guess"])
    with pytest.raises(ConfigError, match="give one method or more of leaf-lookup, "):
        measure_ceiling(path, methods=[])
    truth = read_truth(taxonomy)
    manifest = tiny.manifest(taxonomy, ratio=1.0)
    bird = replace(truth, target_ids=truth.target_ids[1:], names=truth.names[1:])
    with pytest.raises(ManifestError, match=f"asks concept {truth.target_ids[0]}, of which the"):
        read_asked(manifest, bird, "test")
    none = Pictures(np.empty(0, np.int64), np.empty(0, np.int64))
    with pytest.raises(ManifestError, match="needs training pictures"):
        leaf_posterior(pooled(features), features, none, none, 5, 0)
