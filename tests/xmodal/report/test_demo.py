"""What the demo prints at its end, from a store written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.xmodal.store import world
from tests.xmodal.store.world import BIRD, PARROT, RUBY, SAW
from xmodal.report.demo import closing, reading
from xmodal.store import Store

QUESTIONS = [
    (1, PARROT, BIRD, True, "held_out"),
    (2, RUBY, BIRD, False, "held_out"),
    (3, SAW, SAW, True, "leaf"),
    (4, SAW, RUBY, False, "leaf"),
]
RIGHT = [(1, True), (2, False), (3, True), (4, False)]
ALL_NO = [(i, False) for i in range(1, 5)]


def row(
    hypernym_f1: float | None, accuracy: float | None = 0.75, mean_image: float | None = None
) -> dict[str, Any]:
    return {
        "hypernym_f1": hypernym_f1,
        "blind_f1": 0.33,
        "hypernym_accuracy": accuracy,
        "mean_image_f1": mean_image,
    }


def test_closing_tells_the_store_s_numbers(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    of = world.manifest(QUESTIONS)
    with Store.open(path) as store:
        store.add_taxonomy(world.taxonomy())
        store.add_manifest(of)
        world.run_folder(tmp_path / "runs", "a", of, RIGHT)
        world.run_folder(tmp_path / "runs", "b", of, ALL_NO, lm_init="random")
        # of the store, but not of the demo
        world.run_folder(tmp_path / "runs", "c", of, ALL_NO, lm_init="random", recipe="other")
        swapped = [("parrot", "bird", False), ("ruby", "bird", True)]
        pairs = [dict(zip(("leaf", "hypernym", "answer"), p, strict=True)) for p in swapped]
        store.add_lm_pairs("lm1", pa.Table.from_pylist(pairs))
        world.run_folder(tmp_path / "runs", "d", of, RIGHT, lm_init="scrambled")
        assert store.sync(tmp_path / "runs").rejected == ()
        assert store.analysis("scrambled")["taught_mean"].to_pylist() == [0.0]
    labels = {"pretrained, all removed": {"a"}, "random weights, all removed": {"b"}}
    text = "\n".join(closing(path, labels))
    lines = [line.split() for line in text.splitlines()]
    assert [
        *["pretrained,", "all", "removed"],
        "1.000",
        "0.333",
        "-",
        "1.000",
        "1.000",
        "1",
    ] in lines
    assert [
        *["random", "weights,", "all", "removed"],
        "0.333",
        "0.333",
        "-",
        "0.500",
        "0.333",
        "1",
    ] in lines
    assert text.count("all removed ") == 2
    assert (
        "answers them clearly above guessing, by balanced accuracy (1.00, where any guess has 0.50 "
        "on average) and by macro-F1 (1.00, where the better of always Yes and always No has 0.33)."
    ) in text
    assert "0.33 with random LM weights." in text
    assert (tmp_path / "conditions.png").read_bytes().startswith(b"\x89PNG")
    svg = (tmp_path / "conditions.svg").read_text()
    assert svg.startswith("<svg")
    for label in labels:
        assert label in svg
    assert text.count(f"--store {path}") == 3
    assert "follow that one" not in text


@pytest.mark.parametrize(
    ("score", "accuracy", "mean_image", "said"),
    [
        (
            *(0.74, 0.75, 0.33),
            "removed, the projector of the pretrained LM answers them clearly above guessing, by "
            "balanced accuracy (0.75, where any guess has 0.50 on average) and by macro-F1 (0.74, "
            "where the better of always Yes and always No has 0.33).",
        ),
        (
            *(0.35, 0.75, None),
            "does not answer them clearly above guessing: it does by balanced accuracy (0.75, "
            "where any guess has 0.50 on average), but not by macro-F1 (0.35, where the better of "
            "always Yes and always No has 0.33).",
        ),
        # a guess that varies: better F1 than a constant one, no better accuracy
        (
            *(0.49, 0.52, None),
            "does not answer them clearly above guessing: it does not by balanced accuracy (0.52, "
            "where any guess has 0.50 on average); its macro-F1 (0.49, where the better of always "
            "Yes and always No has 0.33) proves nothing, for answers that vary at random beat "
            "constant ones there.",
        ),
        # the best of the blindfolded ones counts
        (
            *(0.49, 0.52, 0.47),
            "does not answer them clearly above guessing, neither by balanced accuracy (0.52, "
            "where any guess has 0.50 on average) nor by macro-F1 (0.49, where the same projector "
            "shown the mean picture has 0.47).",
        ),
    ],
)
def test_the_reading_says_by_which_measure(
    score: float, accuracy: float, mean_image: float | None, said: str
) -> None:
    text = reading({"pretrained, all removed": row(score, accuracy, mean_image)}, [])
    assert text.endswith(said)


def test_the_reading_tells_controls_and_the_scrambled_lm() -> None:
    rows = {
        "pretrained, all removed": row(0.7),
        "random weights, all removed": row(0.31),
        "shuffled within categories, all removed": row(None),
        "shuffled across categories, all removed": row(0.4),
    }
    shares = [{"taught_mean": 0.8}, {"taught_mean": None}, {"taught_mean": 0.6}]
    text = reading(rows, shares)
    assert text.endswith(
        "The same questions come out at 0.31 with random LM weights, 0.40 with labels shuffled "
        "across categories; where an LM was taught a scrambled taxonomy, 70% of its answers "
        "follow that one against the true one."
    )
    assert reading({}, shares) == ""
    assert reading({"pretrained, all removed": row(None)}, shares) == ""
