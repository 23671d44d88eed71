"""Export and import again: with the sidecar the very manifest, without it what the files show."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taxonomy.interchange import (
    SIDECAR,
    Layout,
    chat_files,
    find_files,
    infer_manifest,
    manifest_of,
    read_sidecar,
    read_turns,
    sidecar,
)
from taxonomy.manifest import exposure, headline
from taxonomy.manifest.world import read_world
from taxonomy.model import Manifest, ManifestConfig, Taxonomy, manifest_id
from tests.taxonomy.manifest.worlds import build, concept, configs, make, taxonomies

SETTINGS = settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
Row = dict[str, Any]


def write(folder: Path, taxonomy: Taxonomy, manifest: Manifest, layout: Layout) -> None:
    for name, value in chat_files(taxonomy, manifest, layout).items():
        (folder / name).write_text(json.dumps(value))
    (folder / SIDECAR).write_text(json.dumps(sidecar(manifest, layout)))


def again(taxonomy: Taxonomy, manifest: Manifest, layout: Layout) -> tuple[Manifest, Manifest]:
    """The manifest as imported with its sidecar, and without."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write(folder, taxonomy, manifest, layout)
        with_it = manifest_of(read_sidecar(folder / SIDECAR), taxonomy, folder)
        (folder / SIDECAR).unlink()
        turns = read_turns(find_files(folder))
        return with_it, infer_manifest(taxonomy, read_world(taxonomy), turns, aliases={})


@SETTINGS
@given(taxonomies(), configs(), st.sampled_from(["question", "image"]), st.booleans())
def test_with_the_sidecar_it_is_the_same_manifest(
    taxonomy: Taxonomy, config: ManifestConfig, per: str, copied: bool
) -> None:
    made = build(taxonomy, config)
    layout = Layout(per=per, images="copy" if copied else "none")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), taxonomy, made, layout)
        found = manifest_of(read_sidecar(Path(folder) / SIDECAR), taxonomy, Path(folder))
    assert found.manifest_id == made.manifest_id
    assert found.rows_sha256 == made.rows_sha256
    assert found.config == made.config
    assert found.shuffle_id == made.shuffle_id
    assert found.summary == json.loads(json.dumps(dict(made.summary)))
    for name in ("cells", "labels", "examples"):
        assert getattr(found, name).equals(getattr(made, name)), name


def asked_rows(manifest: Manifest) -> set[tuple[Any, ...]]:
    """What is exported: every question but those that training leaves out."""
    return {
        (r["image_id"], r["asked_id"], r["split"], r["kind"], r["answer"], r["label_leaf_id"])
        for r in manifest.examples.to_pylist()
        if r["in_training"] or r["split"] != "train"
    }


@st.composite
def plain_worlds(draw: st.DrawFn) -> Taxonomy:
    """Worlds in which no two concepts share a word, so that a question has one meaning."""
    n_hypernyms, n_leaves = draw(st.integers(1, 4)), draw(st.integers(2, 7))
    concepts = [concept(row, "hypernym", f"hypernym {row}") for row in range(n_hypernyms)]
    pairs, images = [], []
    for row in range(n_leaves):
        number = n_hypernyms + row
        concepts.append(concept(number, "leaf", f"leaf {number}"))
        highs = draw(st.sets(st.integers(0, n_hypernyms - 1), max_size=3))
        pairs += [(number, high, True) for high in sorted(highs)]
        images += [(number, "train")] * draw(st.integers(1, 3))
        images += [(number, "test")] * draw(st.integers(1, 2))
    return make(concepts, [(a, b) for a, b, _ in pairs], pairs, images)


def oracle(rows: Iterable[Row], pairs: set[tuple[int, int]]) -> dict[tuple[int, int], bool]:
    """Which asked cells are held out, by the rule as the docs put it."""
    rows = [row for row in rows if row["kind"] == "hypernym"]
    trained = {(r["label_leaf_id"], r["asked_id"]) for r in rows if r["in_training"]}
    leaves, hypernyms = {leaf for leaf, _ in trained}, {high for _, high in trained}
    missing = pairs - trained
    single = {(leaf, high) for leaf, high in missing if leaf in leaves and high in hypernyms}
    by_pair = 2 * len(single) > len(missing)
    held = {}
    for row in rows:
        cell = (row["label_leaf_id"], row["asked_id"])
        whole_leaf = cell[0] not in leaves and cell[0] in {leaf for leaf, _ in pairs}
        whole = whole_leaf or cell[1] not in hypernyms
        held[cell] = cell not in trained and (row["answer"] or by_pair or whole)
    return held


@SETTINGS
@given(
    plain_worlds(),
    st.sampled_from(["none", "random", "systematic"]),
    st.sampled_from(["pair", "leaf"]),
    st.sampled_from([0.3, 0.5, 0.7, 1.0]),
    st.sampled_from(["keep", "drop_all"]),
    st.sampled_from(["matched", "image"]),
    st.sampled_from(["none", "within", "across", "swap"]),
    st.integers(0, 20),
    st.sampled_from(["question", "image"]),
)
def test_without_the_sidecar_questions_labels_and_true_cells_come_back(
    taxonomy: Taxonomy,
    design: str,
    unit: str,
    ratio: float,
    mentions: str,
    negatives: str,
    shuffle: str,
    seed: int,
    per: str,
) -> None:
    config = ManifestConfig(
        design=design,
        unit=unit,
        ratio=ratio,
        n_held_out_hypernyms=1 if design == "systematic" else None,
        mentions=mentions,
        negatives=negatives,
        shuffle=shuffle,
        seed=seed,
    )
    made = build(taxonomy, config)
    with_it, without = again(taxonomy, made, Layout(per=per))
    assert with_it.manifest_id == made.manifest_id
    assert asked_rows(without) == asked_rows(made)
    assert without.examples.num_rows == len(asked_rows(made))
    labels = [
        {r["image_leaf_id"]: r["label_leaf_id"] for r in manifest.labels.to_pylist()}
        for manifest in (made, without)
    ]
    assert labels[0] == labels[1]
    present = set(labels[0].values())
    true = [
        {
            (r["leaf_id"], r["hypernym_id"]): r["held_out"]
            for r in m.cells.to_pylist()
            if r["answer"]
        }
        for m in (made, without)
    ]
    assert true[1] == {cell: held for cell, held in true[0].items() if cell[0] in present}
    rows = without.examples.to_pylist()
    held = oracle(rows, set(true[1]))
    assert all(
        row["held_out"] == held[row["label_leaf_id"], row["asked_id"]]
        for row in rows
        if row["kind"] == "hypernym"
    )
    n_held, n_true = sum(true[1].values()), max(1, len(true[1]))
    assert without.config.design == "imported"
    assert without.config.ratio == pytest.approx(n_held / n_true, abs=1e-12)
    assert without.manifest_id == manifest_id(
        taxonomy.dataset_id, without.config, without.rows_sha256
    )
    assert without.config.shuffle in ("none", "within", "across", "across_s1")
    assert (without.config.shuffle == "none") == (
        all(image == label for image, label in labels[0].items() if label is not None)
    )
    sets = {row["question_set"] for row in rows if row["held_out"]}
    assert sets <= {"held_out"}
    # what was taken out of training is in no file: its share is known at the two ends only
    cells = [row["held_out"] for row in without.cells.to_pylist()]
    share = 0.0 if not any(cells) else 1.0 if all(cells) else None
    assert without.summary["ratio_realised_questions"] == share
    by_split = without.summary["ratio_realised_questions_by_split"]
    assert by_split["train"] == share
    tested = [r for r in rows if r["kind"] == "hypernym" and r["split"] == "test"]
    assert by_split["test"] == sum(r["held_out"] for r in tested) / max(1, len(tested))
    if share is None:
        assert "the share over all splits is not known" in headline(without)
    for row in exposure(taxonomy, without).to_pylist():
        assert row["ratio_questions"] in (None, 0.0, 1.0)


@SETTINGS
@given(
    plain_worlds(),
    st.sampled_from([0.3, 0.5, 0.7]),
    st.sampled_from(["matched", "image"]),
    st.sampled_from(["none", "within", "across"]),
    st.integers(0, 20),
)
def test_without_the_sidecar_s1s_held_out_questions_come_back(
    taxonomy: Taxonomy, ratio: float, negatives: str, shuffle: str, seed: int
) -> None:
    config = ManifestConfig(
        unit="leaf", ratio=ratio, mentions="keep", negatives=negatives, shuffle=shuffle, seed=seed
    )
    made = build(taxonomy, config)
    _, found = again(taxonomy, made, Layout())
    original = {(r["image_id"], r["asked_id"]): r for r in made.examples.to_pylist()}
    trained = {r["asked_id"] for r in original.values() if r["in_training"]}
    for row in found.examples.to_pylist():
        was = original[row["image_id"], row["asked_id"]]["held_out"]
        # a hypernym that no training question happens to ask is left out whole
        assert row["held_out"] == was or (row["held_out"] and row["asked_id"] not in trained)
