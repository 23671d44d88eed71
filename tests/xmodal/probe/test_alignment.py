"""Alignment against brute force, and at the ends of its range."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from taxonomy.errors import ConfigError
from taxonomy.model import Taxonomy
from tests.xmodal import tiny
from xmodal.features.coherence import LeafSums
from xmodal.features.truth import draw_shuffles, label_rows, pictures, read_truth
from xmodal.lms.causal import load_lm
from xmodal.pipeline import ensure_features
from xmodal.probe.alignment import (
    FRAME,
    alignment_rows,
    cka,
    concept_states,
    nearest_leaves,
    picture_side,
    run_alignment,
    shared_neighbours,
    unit_rows,
)
from xmodal.probe.config import AlignmentConfig, LmChoice, ProbeConfig
from xmodal.store import Store

Array = np.ndarray[Any, Any]


def normal(seed: int, n: int, width: int) -> Array:
    return np.random.default_rng(seed).standard_normal((n, width))


def naive_shared(x: Array, y: Array, k: int) -> Array:
    """Overlap of the sets of nearest rows, row by row."""

    def nearest(z: Array, i: int) -> set[int]:
        unit = [row / np.sqrt((row * row).sum()) for row in z]
        others = sorted((-float(unit[i] @ unit[j]), j) for j in range(len(z)) if j != i)
        return {j for _, j in others[:k]}

    return np.array([len(nearest(x, i) & nearest(y, i)) / k for i in range(len(x))])


def naive_cka(x: Array, y: Array) -> float:
    """From n x n kernels, doubly centred off the diagonal."""

    def centred(z: Array) -> Array:
        unit = z / np.sqrt((z * z).sum(axis=1, keepdims=True))
        kernel, n = unit @ unit.T, len(z)
        np.fill_diagonal(kernel, 0)
        rows = kernel.sum(axis=0, keepdims=True) / (n - 2)
        kernel = kernel - rows - rows.T + kernel.sum() / ((n - 1) * (n - 2))
        np.fill_diagonal(kernel, 0)
        return kernel

    a, b = centred(x), centred(y)
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


@given(seed=st.integers(0, 999), n=st.integers(4, 14), data=st.data())
def test_both_measures_against_brute_force(seed: int, n: int, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, n - 1))
    shift = data.draw(st.sampled_from([0.0, 3.0]))
    x, y = normal(seed, n, 3) + shift, normal(seed + 1000, n, 5)
    assert shared_neighbours(x, y, k) == pytest.approx(naive_shared(x, y, k), abs=1e-12)
    assert cka(x, y) == pytest.approx(naive_cka(x, y), abs=1e-9)
    assert abs(naive_cka(x, y)) <= 1 + 1e-9


@given(axes=arrays(np.int64, 7, elements=st.integers(0, 3)))
def test_of_equals_the_earlier_row_is_nearer(axes: Array) -> None:
    x = np.array([[1.0, 0], [0, 2.0], [-1.0, 0], [0, 0]])[axes]  # cosines are exact
    assert nearest_leaves(x, 6).tolist() == [
        sorted(
            (j for j in range(7) if j != i),
            key=lambda j: (-float(np.sign(x[i]) @ np.sign(x[j])), j),
        )
        for i in range(7)
    ]


def test_one_space_is_aligned_with_itself_however_turned() -> None:
    x = normal(0, 40, 6)
    turn, _ = np.linalg.qr(normal(1, 6, 6))
    for y in (x, x @ turn, 7 * x):
        assert shared_neighbours(x, y, 10).mean() == 1
        assert cka(x, y) == pytest.approx(1, abs=1e-12)
    assert cka(x, normal(2, 40, 6) @ turn) == pytest.approx(cka(x, normal(2, 40, 6)), abs=1e-12)


def test_unrelated_spaces_are_at_chance() -> None:
    # more channels than rows: the plain estimate of CKA would say 0.6 or more
    n, k = 60, 10
    x = normal(0, n, 200)
    found = [
        (float(shared_neighbours(x, normal(seed, n, 200), k).mean()), cka(x, normal(seed, n, 200)))
        for seed in range(1, 41)
    ]
    knn, kernel = (np.array(of, dtype=float) for of in zip(*found, strict=True))
    assert abs(knn.mean() - k / (n - 1)) < 4 * knn.std() / np.sqrt(40)
    assert abs(kernel.mean()) < 4 * kernel.std() / np.sqrt(40)
    assert knn.std() < 0.03


@pytest.mark.parametrize("n", [4, 6, 12])
def test_the_estimate_of_few_leaves_is_unbiased_and_as_noisy_as_said(n: int) -> None:
    found = np.array(
        [cka(normal(seed, n, 64), normal(seed + 9999, n, 64)) for seed in range(800)], dtype=float
    )
    noise = 1 / np.sqrt(n * (n - 3) / 2)
    assert abs(found.mean()) < 4 * noise / np.sqrt(800)
    assert found.std() == pytest.approx(noise, rel=0.1)


def test_related_spaces_beat_their_permutations() -> None:
    rng = np.random.default_rng(0)
    x = normal(0, 80, 5)
    y = np.hstack([x, normal(1, 80, 5)])
    seen = shared_neighbours(x, y, 10).mean(), cka(x, y)
    orders = [rng.permutation(80) for _ in range(99)]
    shuffled = [(shared_neighbours(x, y[o], 10).mean(), cka(x, y[o])) for o in orders]
    assert seen[0] > max(knn for knn, _ in shuffled) + 0.1
    assert seen[1] > max(kernel for _, kernel in shuffled) + 0.1
    assert np.mean([knn for knn, _ in shuffled]) == pytest.approx(10 / 79, abs=0.01)


def test_a_side_without_spread_has_no_cka() -> None:
    assert cka(normal(0, 3, 2), normal(1, 3, 2)) is None
    assert cka(np.ones((6, 2)), normal(1, 6, 2)) is None


def test_rows_of_hypernyms() -> None:
    x, y = normal(0, 9, 4), normal(1, 9, 4)
    under = np.zeros((9, 3), dtype=np.bool_)
    under[:4, 0] = under[[0, 8], 1] = True
    rows = alignment_rows(x, y, under, ["bird", "pet", "rock"], 3)
    shared = naive_shared(x, y, 3)
    assert [row["hypernym"] for row in rows] == [None, "bird", "pet", "rock"]
    assert [row["n_leaves"] for row in rows] == [9, 4, 2, 0]
    # a hypernym's leaves have their neighbours among all nine: chance is 3 / 8 for each row
    assert [row["mutual_knn_chance"] for row in rows] == [0.375] * 4
    assert [row["mutual_knn"] for row in rows[:3]] == pytest.approx(
        [shared.mean(), shared[:4].mean(), shared[[0, 8]].mean()], abs=1e-12
    )
    assert rows[3]["mutual_knn"] is None
    # four leaves are enough, however many neighbours are looked at
    assert [row["cka"] for row in rows[:2]] == pytest.approx(
        [naive_cka(x, y), naive_cka(x[:4], y[:4])], abs=1e-9
    )
    assert (rows[2]["cka"], rows[3]["cka"]) == (None, None)
    with pytest.raises(ConfigError, match=r"^k must be at most 7 with 9 leaves, got 8$"):
        alignment_rows(x, y, under, ["bird", "pet", "rock"], 8)


def test_pictures_follow_the_labels() -> None:
    sums = LeafSums(np.array([[2.0, 0], [0, 3.0], [1.0, 1.0], [0, 0]]), np.array([2, 3, 4, 0]), 0)
    # leaf 0 and 1 change labels, leaf 2 is in no question, leaf 3 has no pictures
    rows, means = picture_side(sums, np.array([1, 0, -1, 3]))
    assert rows.tolist() == [0, 1]
    assert means.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES)
def test_states_are_those_of_each_text_alone(architecture: str, tmp_path: Path) -> None:
    lm = load_lm(str(tiny.save_lm(tmp_path, architecture, bos=architecture == "llama")))
    phrases = ["an owl", "a parrot", "an owl", "a bird in the image", "an ox"]
    for layer, depth in ((-1, 2), (0, 0), (1, 1)):
        states, n_unknown = concept_states(lm, phrases, layer)
        assert (states.shape, n_unknown) == ((5, 16), 0)
        for phrase, state in zip(phrases, states, strict=True):
            text = lm.tokenizer(FRAME.format(phrase=phrase), return_tensors="pt")["input_ids"]
            with torch.no_grad():
                said = lm.model.base_model(input_ids=text, output_hidden_states=True)
            alone = said.hidden_states[depth][0, -1].double().numpy()
            assert np.abs(state - alone).max() < 1e-5
    with pytest.raises(ConfigError, match=r"layer must be from -3 to 2 for lm .*, got 3"):
        concept_states(lm, phrases, 3)


# -- from the store ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Taxonomy, Path]:
    folder = tmp_path_factory.mktemp("alignment")
    taxonomy = tiny.taxonomy(folder / "pictures")
    path = folder / "x.duckdb"
    with Store.open(path) as store:
        store.add_taxonomy(taxonomy)
        store.add_manifest(tiny.manifest(taxonomy, ratio=1.0))
    ensure_features(path, tiny.FEATURES)
    return path, taxonomy, tiny.save_lm(folder / "lm")


def test_stored_rows_are_those_of_brute_force(made: tuple[Path, Taxonomy, Path]) -> None:
    path, taxonomy, folder = made
    choice, config = LmChoice(str(folder)), ProbeConfig()
    asked = AlignmentConfig(k=2, shuffles=("none", "across"))
    probed = run_alignment(path, asked, config, choice)
    run_alignment(path, asked, config, choice)  # replaces
    assert probed.summary["shuffle"].to_pylist() == ["none", "across"]
    with Store.open(path, read_only=True) as store:
        rows = store.query("SELECT * FROM alignment ORDER BY rowid").to_pylist()
    assert rows == probed.answers.to_pylist()
    truth, lm = read_truth(taxonomy), load_lm(str(folder))
    images, shown = pictures(taxonomy, truth, "train")
    features, _ = ensure_features(path, tiny.FEATURES)
    unit = unit_rows(features.open()[images].mean(axis=1).astype(np.float64))
    names = dict(
        zip(*taxonomy.concepts.select(["concept_id", "phrase"]).to_pydict().values(), strict=True)
    )
    words = [names[int(leaf)] for leaf in truth.leaf_ids]
    concept, _ = concept_states(lm, words, -1)
    for kind, found in (("none", rows[:3]), ("across", rows[3:])):
        (shuffle,) = draw_shuffles(taxonomy, [kind], 42)
        label = label_rows(truth, shuffle.labels)
        pairs = sorted((label[leaf], leaf) for leaf in range(5) if label[leaf] >= 0)
        x = np.array([unit[shown == leaf].mean(axis=0) for _, leaf in pairs])
        y = np.array([concept[of] for of, _ in pairs])
        (all_leaves,) = (row for row in found if row["hypernym"] is None)
        assert all_leaves["n_leaves"] == len(pairs) == {"none": 5, "across": 4}[kind]
        assert all_leaves["mutual_knn"] == pytest.approx(naive_shared(x, y, 2).mean(), abs=1e-12)
        assert all_leaves["cka"] == pytest.approx(naive_cka(x, y), abs=1e-6)
        assert (all_leaves["layer"], all_leaves["lm_hash"]) == (2, lm.sha256)
    assert len({row["alignment_id"] for row in rows}) == 2


def test_what_does_not_go_together(made: tuple[Path, Taxonomy, Path]) -> None:
    path, _, folder = made
    with pytest.raises(ConfigError, match=r"^k must be at least 1, got 0$"):
        AlignmentConfig(k=0)
    with pytest.raises(ConfigError, match=r"^--alignment asks nothing: leave out --task, "):
        run_alignment(path, AlignmentConfig(), ProbeConfig(task="choice"), LmChoice(str(folder)))
    with pytest.raises(ConfigError, match=r"^--features, .* go with --alignment: add it$"):
        AlignmentConfig(k=5).check(False, {})
    with pytest.raises(ConfigError, match=r"^--run does not go with --alignment: "):
        AlignmentConfig().check(True, {"--pairs": None, "--run": "r"})
    AlignmentConfig().check(False, {"--run": "r"})
