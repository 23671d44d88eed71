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

from taxonomy.errors import DataError
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


def bird_world() -> Taxonomy:
    """Two bats, a bird that is a leaf too, and two hypernyms, one of them called bird."""
    concepts = [
        concept(0, "hypernym", "bird", key="hypernym/bird"),
        concept(1, "hypernym", "sports equipment", phrase="a piece of sports equipment"),
        concept(2, "leaf", "bat", key="leaf/bat1"),
        concept(3, "leaf", "bat", key="leaf/bat2"),
        concept(4, "leaf", "bird", key="leaf/bird"),
        concept(5, "leaf", "owl", phrase="an owl", key="leaf/owl"),
    ]
    pairs = [(3, 1, True), (5, 0, True)]
    images = [(leaf, split) for leaf in (2, 3, 4, 5) for split in ("train", "test")]
    return make(concepts, [(a, b) for a, b, _ in pairs], pairs, images)


def imported(taxonomy: Taxonomy, **files: list[tuple[str, str, str]]) -> Manifest:
    """From (image, phrase, answer) by file: train, validation, test."""
    names = {"train": "chat.json", "validation": "validation.json", "test": "test.json"}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for split, rows in files.items():
            entries = [entry(*row) for row in rows]
            (folder / names[split]).write_text(json.dumps(entries))
        turns = read_turns(find_files(folder))
        aliases = {"sport item": "sports equipment"}
        return infer_manifest(taxonomy, read_world(taxonomy), turns, aliases=aliases, seed=3)


def entry(image: str, phrase: str, answer: str) -> Row:
    human = {"from": "human", "value": f"<image>\nIs there {phrase} in the image?"}
    return {"id": "x", "image": image, "conversations": [human, {"from": "gpt", "value": answer}]}


# images of bird_world: 0.png and 1.png bat1, 2.png and 3.png bat2, 4.png and 5.png bird, 6.png and
# 7.png owl; the first of each two to train, ids from 100
def test_homonyms_leaves_named_as_hypernyms_and_aliases() -> None:
    made = imported(
        bird_world(),
        train=[
            ("0.png", "a bat", "Yes"),
            ("2.png", "a bat", "Yes"),
            ("2.png", "a sport item", "Yes"),
            ("4.png", "a bird", "Yes"),
            ("4.png", "an owl", "No"),
            ("6.png", "an owl", "yes"),
            ("6.png", "a bird", "Yes"),
            ("6.png", "a bird", "Yes"),
            ("0.png", "bird", "no."),
        ],
        test=[
            ("7.png", "a bird", "Yes"),
            ("3.png", "a piece of sports equipment", "Yes"),
            ("1.png", "sports equipment", "No"),
        ],
    )
    rows = {(r["image_id"], r["asked_id"]): r for r in made.examples.to_pylist()}
    kinds = {key: (r["kind"], r["answer"], r["label_leaf_id"]) for key, r in rows.items()}
    assert kinds == {
        (100, 2): ("leaf", True, 2),
        (100, 0): ("hypernym", False, 2),
        (102, 3): ("leaf", True, 3),
        (102, 1): ("hypernym", True, 3),
        (104, 4): ("leaf", True, 4),
        (104, 5): ("leaf", False, 4),
        (106, 5): ("leaf", True, 5),
        (106, 0): ("hypernym", True, 5),
        (107, 0): ("hypernym", True, 5),
        (103, 1): ("hypernym", True, 3),
        (101, 1): ("hypernym", False, 2),
    }
    assert made.summary["imported"]["n_repeated"] == 1
    # (bat1, sports equipment) is asked in test only; its leaf and its hypernym are trained, and no
    # true cell is left out: a No that was never drawn counts as kept
    assert rows[101, 1]["held_out"] is False
    assert rows[107, 0]["question_set"] == "seen"
    assert (made.config.ratio, made.config.seed, made.config.shuffle) == (0.0, 3, "none")
    assert made.summary["imported_line"].startswith("imported without manifest.json: unit pair")


def test_a_label_that_is_not_the_pictures_is_a_shuffle() -> None:
    # owls are called bird and birds owl: every bird Yes may be about the hypernym, but only the
    # leaf bird can carry nothing else
    made = imported(
        bird_world(),
        train=[("4.png", "an owl", "Yes"), ("4.png", "a bird", "Yes"), ("2.png", "a bat", "Yes")],
        test=[("3.png", "a bat", "Yes"), ("0.png", "a bat", "Yes")],
    )
    labels = {r["image_leaf_id"]: r["label_leaf_id"] for r in made.labels.to_pylist()}
    assert labels == {2: 2, 3: 3, 4: 5, 5: None}
    status = {r["image_leaf_id"]: r["status"] for r in made.labels.to_pylist()}
    assert status == {2: "stayed", 3: "stayed", 4: "moved", 5: "dropped"}
    rows = {(r["image_id"], r["asked_id"]): r for r in made.examples.to_pylist()}
    assert (rows[104, 0]["kind"], rows[104, 0]["label_leaf_id"]) == ("hypernym", 5)
    assert made.config.shuffle == "across"


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (
            [("0.png", "a bat", "Yes")],
            [("1.png", "a parot", "No")],
            "test.json entry 0: unknown concept in a question 'a parot'; valid: ",
        ),
        (
            [("0.png", "a bat", "Yes")],
            [("9.png", "a bat", "No")],
            "test.json entry 0: image '9.png' is none of the dataset's, neither by its path nor by "
            "the bytes of such a file",
        ),
        (
            [("0.png", "a bat", "Yes")],
            [("1.png", "a bat", "Perhaps")],
            "test.json entry 0: an answer must be Yes or No, got 'perhaps'",
        ),
        (
            [("0.png", "a bat", "Yes")],
            [("0.png", "an owl", "No")],
            "test.json entry 0: image '0.png' is in test here and in train in chat.json entry 0; "
            "no image may be in two splits",
        ),
        (
            [("6.png", "an owl", "Yes"), ("6.png", "a bat", "Yes")],
            [("7.png", "an owl", "Yes")],
            "chat.json entry 1: 'Is there a bat in the image?' and 'Is there an owl in the image?' "
            "(chat.json entry 0) are both Yes about images of leaf/owl; the images of a leaf carry "
            "one leaf's labels",
        ),
        (
            [("6.png", "an owl", "Yes"), ("6.png", "an owl", "No")],
            [("7.png", "an owl", "Yes")],
            "chat.json entry 1: 'Is there an owl in the image?' is answered No about an image that "
            "carries the label 'owl' elsewhere",
        ),
        (
            [("6.png", "sports equipment", "Yes"), ("6.png", "sports equipment", "No")],
            [("7.png", "an owl", "Yes")],
            "chat.json entry 1: 'Is there sports equipment in the image?' is answered Yes and No "
            "about one image",
        ),
        (
            [("6.png", "sports equipment", "Yes")],
            [("7.png", "sports equipment", "No")],
            "the files answer both Yes and No to 'sports equipment' about images with the label "
            "'owl'; a cell has one answer",
        ),
    ],
)
def test_contradictions_name_the_first_entry(
    train: list[tuple[str, str, str]], test: list[tuple[str, str, str]], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        imported(bird_world(), train=train, test=test)
    assert str(caught.value).startswith(message)


def test_what_the_dataset_does_not_say_is_counted() -> None:
    made = imported(
        bird_world(),
        train=[("6.png", "sports equipment", "Yes"), ("2.png", "a bat", "Yes")],
        test=[("7.png", "a bird", "No"), ("5.png", "a bird", "Yes")],
    )
    # an owl is no sports equipment and is a bird, says the dataset
    assert made.summary["imported"]["n_cells_answered_otherwise"] == 2
