"""Chat files without their sidecar: what is read off single questions, and what is counted."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from taxonomy.errors import DataError
from taxonomy.interchange import find_files, infer_manifest, read_turns
from taxonomy.manifest.world import read_world
from taxonomy.model import Manifest, Taxonomy
from tests.taxonomy.manifest.worlds import concept, make

Row = dict[str, Any]


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


def test_questions_that_may_be_of_the_other_kind_are_counted() -> None:
    made = imported(
        bird_world(),
        train=[
            ("0.png", "a bat", "Yes"),
            ("0.png", "a bird", "No"),  # the leaf or the hypernym: unsure
            ("2.png", "a bat", "Yes"),
            ("2.png", "a bird", "No"),  # both are asked: one is each
            ("2.png", "a bird", "No"),
            ("4.png", "a bird", "Yes"),  # a leaf that is not under the hypernym bird
        ],
        test=[("7.png", "a bird", "Yes")],  # the owl is not called bird
    )
    assert made.summary["imported"]["n_kind_unsure"] == 1
    assert made.summary["imported"]["n_repeated"] == 0
    assert (
        "may be of the other kind 1 (Yes is taken for the leaf, No for the hypernym)"
        in (made.summary["imported_line"])
    )


def test_a_leaf_under_a_hypernym_of_its_word_is_asked_twice() -> None:
    concepts = [
        concept(0, "hypernym", "vegetable", key="hypernym/vegetable"),
        concept(1, "leaf", "vegetable", key="leaf/vegetable"),
        concept(2, "leaf", "leek", key="leaf/leek"),
    ]
    pairs = [(1, 0, True), (2, 0, True)]
    images = [(leaf, split) for leaf in (1, 2) for split in ("train", "test")]
    world = make(concepts, [(1, 0), (2, 0)], pairs, images)
    once, twice = [("0.png", "a vegetable", "Yes")], [("1.png", "a vegetable", "Yes")] * 2
    made = imported(world, train=once, test=twice)
    asked = {(r["image_id"], r["kind"]): r["held_out"] for r in made.examples.to_pylist()}
    assert asked == {(100, "leaf"): None, (101, "leaf"): None, (101, "hypernym"): True}
    # in training it may have been the hypernym
    counts = made.summary["imported"]
    assert (counts["n_kind_unsure"], counts["n_repeated"]) == (1, 0)


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
