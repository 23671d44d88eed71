"""Coherence against all pairs formed one by one."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taxonomy.errors import ConfigError, DataError, StoreError
from taxonomy.model import Taxonomy
from tests.xmodal import tiny
from xmodal.features.coherence import LeafSums, coherence, leaf_sums, measure_coherence
from xmodal.features.extract import FeatureConfig, FeatureSet
from xmodal.features.truth import draw_shuffles, label_rows, pictures, read_truth
from xmodal.pipeline import ensure_features
from xmodal.store import Store

Array = np.ndarray[Any, Any]


def naive(features: Array, leaf: Array, members: set[int]) -> tuple[float | None, float | None]:
    """Mean cosine over all pairs and over pairs of two leaves, pair by pair."""
    means = [token.astype(np.float64).mean(axis=0) for token in features]
    kept = [i for i, m in enumerate(means) if leaf[i] in members and m.any()]
    all_pairs, other = [], []
    for i, j in itertools.combinations(kept, 2):
        a, b = means[i], means[j]
        cosine = float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))
        all_pairs.append(cosine)
        if leaf[i] != leaf[j]:
            other.append(cosine)

    def mean(values: list[float]) -> float | None:
        return sum(values) / len(values) if values else None

    return mean(all_pairs), mean(other)


def sums_of(features: Array, leaf: Array, n_leaves: int, chunk_bytes: int = 1 << 20) -> LeafSums:
    return leaf_sums(lambda: features, np.arange(len(features)), leaf, n_leaves, chunk_bytes)


@given(data=st.data())
def test_sums_give_what_the_pairs_give(data: st.DataObject) -> None:
    n, n_tokens = data.draw(st.integers(0, 12)), data.draw(st.integers(1, 3))
    width = data.draw(st.integers(1, 4))
    # whole numbers, so that some tokens add up to exactly zero
    values = st.integers(-2, 2).map(np.float32)
    features = data.draw(arrays(np.float32, (n, n_tokens, width), elements=values))
    leaf = data.draw(arrays(np.int64, n, elements=st.integers(0, 4)))
    members = data.draw(st.sets(st.integers(0, 4)))
    chunk_bytes = data.draw(st.integers(1, 100))
    sums = sums_of(features, leaf, 5, chunk_bytes)
    found = coherence(sums, np.isin(np.arange(5), list(members)))
    for got, wanted in zip(
        (found.mean, found.other_leaf), naive(features, leaf, members), strict=True
    ):
        assert got is None if wanted is None else got == pytest.approx(wanted, abs=1e-12)
    has_direction = features.astype(np.float64).mean(axis=1).any(axis=1)
    assert sums.n_zero == (~has_direction).sum()
    counted = has_direction & np.isin(leaf, list(members))
    assert found.n_images == counted.sum()
    assert found.n_leaves == len(np.unique(leaf[counted]))


def test_three_pictures_by_hand() -> None:
    # leaf 0: (3, 0) and (0, 2); leaf 1: (1, 1) as two tokens (2, 0) and (0, 2)
    # pairs: 0, sqrt(1/2), sqrt(1/2); of two leaves: the last two
    features = np.array([[[3, 0], [3, 0]], [[0, 2], [0, 2]], [[2, 0], [0, 2]]], dtype=np.float32)
    found = coherence(sums_of(features, np.array([0, 0, 1]), 2), np.array([True, True]))
    assert found.mean == pytest.approx(2 * math.sqrt(0.5) / 3, abs=1e-12)
    assert found.other_leaf == pytest.approx(math.sqrt(0.5), abs=1e-12)
    assert (found.n_images, found.n_leaves) == (3, 2)
    alone = coherence(sums_of(features, np.array([0, 0, 1]), 2), np.array([False, True]))
    assert (alone.mean, alone.other_leaf, alone.n_images) == (None, None, 1)


def test_a_feature_that_is_no_number_is_an_error() -> None:
    features = np.ones((3, 1, 2), dtype=np.float32)
    features[1, 0, 1] = np.nan
    with pytest.raises(
        DataError, match=r"^features of picture 1 are not finite numbers: extract them anew$"
    ):
        sums_of(features, np.zeros(3, dtype=np.int64), 1)


# -- from the store ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Taxonomy, FeatureSet]:
    """A store with the tiny dataset, two manifests that share a shuffle and one that does not."""
    folder = tmp_path_factory.mktemp("coherence")
    taxonomy = tiny.taxonomy(folder / "pictures")
    path = folder / "x.duckdb"
    with Store.open(path) as store:
        store.add_taxonomy(taxonomy)
        for knobs in ({"ratio": 1.0}, {"ratio": 0.5}, {"ratio": 1.0, "shuffle": "across"}):
            store.add_manifest(tiny.manifest(taxonomy, **knobs))
    features, _ = ensure_features(path, tiny.FEATURES)
    return path, taxonomy, features


def test_stored_rows_are_those_of_the_pairs(made: tuple[Path, Taxonomy, FeatureSet]) -> None:
    path, taxonomy, features = made
    measured = measure_coherence(path)
    assert measure_coherence(path).rows.equals(measured.rows)
    with Store.open(path, read_only=True) as store:
        rows = store.query("SELECT * FROM coherence ORDER BY shuffle DESC, hypernym").to_pylist()
    assert [(row["shuffle"], row["hypernym"]) for row in rows] == [
        *(("none", "bird"), ("none", "tool")),
        *(("across", "bird"), ("across", "tool")),
    ]
    truth = read_truth(taxonomy)
    images, shown = pictures(taxonomy, truth, "train")
    assert len(images) == 4 * len(tiny.LEAVES)
    array = features.open()[images]
    for row in rows:
        (shuffle,) = draw_shuffles(taxonomy, [row["shuffle"]], 42)
        label = label_rows(truth, shuffle.labels)
        column = truth.names.index(row["hypernym"])
        members = {i for i in range(5) if label[i] >= 0 and truth.used[label[i], column]}
        wanted = naive(array, shown, members)
        assert row["coherence"] == pytest.approx(wanted[0], abs=1e-9)
        assert row["coherence_other_leaf"] == pytest.approx(wanted[1], abs=1e-9)
        assert row["n_images"] == 4 * len(members)
        assert row["shuffle_id"] == shuffle.shuffle_id
        assert (row["source"], row["dataset"]) == ("own", taxonomy.dataset_id)
        assert (row["feature_set_id"], row["encoder"]) == (features.feature_set_id, "classical")
    assert len({row["coherence_id"] for row in rows}) == 2
    # a bird's labels lie on tools under across, so that the two rows differ from those of none
    assert rows[0]["coherence"] != rows[2]["coherence"]


def test_means_are_over_hypernyms(made: tuple[Path, Taxonomy, FeatureSet]) -> None:
    measured = measure_coherence(made[0], shuffles=["none"])
    bird, tool = (row["coherence"] for row in measured.rows.to_pylist())
    (row,) = measured.by_shuffle().to_pylist()
    assert row["coherence"] == pytest.approx((bird + tool) / 2, abs=1e-12)
    assert (row["shuffle"], row["n_hypernyms"], row["n_hypernyms_without"]) == ("none", 2, 0)


def test_a_drawn_shuffle_is_the_manifest_s(made: tuple[Path, Taxonomy, FeatureSet]) -> None:
    path, taxonomy, _ = made
    manifest = tiny.manifest(taxonomy, ratio=1.0, shuffle="across")
    of_manifest = measure_coherence(path, manifests=[manifest.manifest_id]).rows
    drawn = measure_coherence(path, shuffles=["across"], seed=42).rows
    assert of_manifest.num_rows == 2
    assert drawn.equals(of_manifest)
    assert not measure_coherence(path, shuffles=["across"], seed=7).rows.equals(drawn)


def test_which_features_and_manifests(
    made: tuple[Path, Taxonomy, FeatureSet], tmp_path: Path
) -> None:
    path, taxonomy, features = made
    with pytest.raises(StoreError, match="unknown feature set 'zz'; valid: "):
        measure_coherence(path, features="zz")
    with pytest.raises(StoreError, match="unknown manifest 'zz'; valid: "):
        measure_coherence(path, manifests=["zz"])
    with pytest.raises(ConfigError, match=r"^give manifests or shuffles, not both: "):
        measure_coherence(path, manifests=["a"], shuffles=["none"])
    with pytest.raises(ConfigError, match="unknown relation 'part'; valid: hypernym"):
        measure_coherence(path, shuffles=["none"], relation="part")
    other = tmp_path / "other.duckdb"
    with Store.open(other) as store:
        store.add_taxonomy(taxonomy)
    with pytest.raises(StoreError, match=f"holds no features of dataset {taxonomy.dataset_id}: "):
        measure_coherence(other)
    first = ensure_features(other, FeatureConfig(n_components=4, n_views=1))[0].feature_set_id
    assert measure_coherence(other).rows["feature_set_id"][0].as_py() == first
    second = ensure_features(other, tiny.FEATURES)[0].feature_set_id
    assert second == features.feature_set_id
    with pytest.raises(StoreError, match=f"dataset {taxonomy.dataset_id} has 2 feature sets, "):
        measure_coherence(other)
    found = measure_coherence(other, features=second[:6]).rows
    assert found["feature_set_id"].unique().to_pylist() == [second]
    usual = ensure_features(other, FeatureConfig())[0].feature_set_id
    assert measure_coherence(other).rows["feature_set_id"].unique().to_pylist() == [usual]
