"""What the demo of alignments says of what is in the store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from taxonomy.errors import StoreError
from tests.sql import align_rows
from tests.sql.test_align import separation
from tests.xmodal.store import world
from xmodal.report.align_demo import closing
from xmodal.report.figure import level_chart
from xmodal.store import Store

NAMES = {
    ("embedded", "pretrained"): "pretrained LM",
    ("embedded", "random"): "random weights",
    ("bag-of-words", "none"): "bag of words",
}
RIGHT = {1: [1, 1], 2: [1, 1], 3: [1, 2]}
WRONG = {1: [3, 3], 2: [2, 2], 3: [1, 4]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two levels; the pretrained LM is better, and the control worse."""
    found = tmp_path / "x.duckdb"
    with Store.open(found) as store:
        store.add_taxonomy(world.taxonomy())
        made = separation()
        store.add_separation(made, {})
        for lm, init in NAMES:
            kind = "words" if lm == "bag-of-words" else "decoder"
            of: dict[str, Any] = {"lm": lm, "lm_init": init, "lm_kind": kind, "lm_hash": init}
            ranks = RIGHT if init == "pretrained" else WRONG
            texts = f"t-{init}"
            store.add_text_feature_set(
                align_rows.text_set(texts, **{k: v for k, v in of.items() if k != "lm_pooling"})
            )
            for level, arm in (
                ("none", "separated"),
                ("branch", "separated"),
                ("branch", "control"),
            ):
                if arm == "separated" or init == "pretrained":
                    align_rows.add(
                        store,
                        f"{init}-{level}-{arm}",
                        WRONG if arm == "control" else ranks,
                        text_feature_set_id=texts,
                        separation_id=made.separation_id,
                        level=level,
                        arm=arm,
                        **of,
                    )
    return found


def test_the_table_and_its_reading(path: Path) -> None:
    said = "\n".join(closing(path, "s1", "s2", NAMES))
    lines = [line.split() for line in said.splitlines()]
    # five of six pictures, class by class 1, 1, 0.5; guesses are right with a quarter
    none, none5 = (line for line in lines if line[:1] == ["none"])
    branch, branch5 = (line for line in lines if line[:1] == ["branch"])
    assert none == [
        "none",
        "3",
        "0.833",
        "±",
        "0.717",
        *["0.167", "±", "0.717"] * 2,
        "-",
        "0.250",
        "1",
    ]
    # of four candidates, all are among the first five
    assert (none5[2:5], none5[-2]) == (["1.000", "±", "0.000"], "1.000")
    assert branch5[2:5] == ["1.000", "±", "0.000"]
    assert branch[2:5] == ["0.833", "±", "0.717"]
    assert branch[-5:] == ["0.167", "±", "0.717", "0.250", "1"]
    assert (
        "the pretrained LM names 83.3% of the pictures; a guess has 25.0%, which is within" in said
    )
    first, five = "+66.7 (-76.8 to 210.1, zero within)", "+0.0 (0.0 to 0.0, zero within)"
    apart = f"{first}; among the nearest five {five}."
    for reader in ("random weights", "bag of words"):
        assert f"Against {reader}, in points: {apart}" in said
    assert (path.parent / "levels.png").read_bytes().startswith(b"\x89PNG")
    assert (path.parent / "levels.svg").read_text().startswith("<svg")


def test_other_recipes_and_splits_are_no_part_of_it(path: Path) -> None:
    before = list(closing(path, "s1", "s2", NAMES))
    with Store.open(path) as store:
        more: dict[str, Any] = {"lm": "embedded", "lm_hash": "pretrained", "separation_id": "s1"}
        align_rows.add(store, "other", WRONG, text_feature_set_id="t-pretrained",
                       recipe="s2 (depth=2)", recipe_json=json.dumps({"name": "other"}),
                       **more)  # fmt: skip
        align_rows.add(store, "split", WRONG, text_feature_set_id="t-pretrained",
                       asked={"split": "validation"}, seed_init=3, **more)  # fmt: skip
    assert list(closing(path, "s1", "s2", NAMES)) == before


def test_what_was_asked_otherwise_is_no_part_of_it(path: Path) -> None:
    before = list(closing(path, "s1", "s2", NAMES))
    of: dict[str, Any] = {"lm": "embedded", "lm_hash": "pretrained", "separation_id": "s1"}
    of |= {"text_feature_set_id": "t-pretrained"}
    with Store.open(path) as store:
        align_rows.add(store, "few", WRONG, n_pairs=50, **of)
        align_rows.add(store, "names", WRONG, asked={"names": "de"}, **of)
        align_rows.add(store, "elsewhere", WRONG, asked={"dataset_id": "d2"}, **of)
    assert list(closing(path, "s1", "s2", NAMES)) == before


@pytest.mark.parametrize("lm", NAMES)
def test_two_scores_of_one_cell_are_refused(path: Path, lm: tuple[str, str]) -> None:
    kind = "words" if lm[1] == "none" else "decoder"
    of: dict[str, Any] = {"lm": lm[0], "lm_init": lm[1], "lm_hash": lm[1], "lm_kind": kind}
    with Store.open(path) as store:
        align_rows.add(store, "looked otherwise", WRONG, text_feature_set_id=f"t-{lm[1]}",
                       separation_id="s1", validation="none", **of)  # fmt: skip
    with pytest.raises(StoreError, match=f"several scores of {NAMES[lm]} at level branch"):
        list(closing(path, "s1", "s2", NAMES))


def test_the_chart_has_each_point_and_where_guessing_lies() -> None:
    points = [
        {
            "series": series,
            "level": level,
            "measure": measure,
            "score": 0.5,
            "low": 0.4,
            "high": 0.6,
            "chance": 0.01,
        }
        for series in ("a", "b")
        for level in ("branch", "none")
        for measure in ("first", "five")
    ]
    spec = level_chart(points).to_dict()
    assert [(one["title"], len(one["layer"])) for one in spec["hconcat"]] == [
        ("first", 4),
        ("five", 4),
    ]
    text = json.dumps(spec)
    assert '"sort": ["none", "branch"]' in text
    assert '"domain": ["a", "b"]' in text
