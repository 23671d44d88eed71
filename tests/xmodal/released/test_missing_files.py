"""The audit of a release that lacks a file: a number is the same or not known, never another."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from taxonomy.errors import DataError
from tests.xmodal.released.release import FIXTURE, copy_to
from xmodal.released import read_s1
from xmodal.released.audit import Audit, audit
from xmodal.released.audit_text import render
from xmodal.released.page import write_audit

OPTIONAL = (
    "all_unseen_evals.csv",
    "all_seen_f1_scores.csv",
    "all_seen_counts.csv",
    "all_seen_evals.csv",
    "all_leaf_f1_scores.csv",
    "all_leaf_counts.csv",
    "all_hyp_guess_f1_scores.csv",
    "all_leaf_guess_f1_scores.csv",
    "visual_coherence_results.csv",
    "coherence_backbone.csv",
)
KEYS = ("lm", "lm_init", "shuffle", "design", "n", "n_categories", "question_set", "nominal_ratio")
BLIND = {
    "systematic": (
        "f1_others blind_ablated always_no always_no_when_all_are n_cells_always_no n_no_only "
        "contained"
    ),
    "single_class": "n_single_class f1_without blind_published blind_without",
    "scores": "f1_two_class blind_two_class adjusted f1_seen",
}
"""What needs the blind guess on hypernym questions, by section."""


def audit_without(folder: Path, *names: str) -> Audit:
    root = copy_to(folder)
    for name in names:
        (path,) = root.rglob(name)
        path.unlink()
    return audit(read_s1(root).release)


def numbers(found: Audit) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every value of the audit by its section, row and name."""
    for section, rows in found.as_dict().items():
        for row in rows if isinstance(rows, list) else []:
            key = tuple(row.get(name) for name in KEYS)
            for name, value in row.items():
                yield (section, key, name), repr(value)  # so that NaN is NaN


@pytest.fixture(scope="module")
def whole() -> dict[Any, Any]:
    return dict(numbers(audit(read_s1(FIXTURE).release)))


@pytest.mark.parametrize(
    "names", [*((name,) for name in OPTIONAL), *combinations(OPTIONAL[1:8], 2)], ids="+".join
)
def test_no_number_changes_without_a_file(
    whole: dict[Any, Any], tmp_path: Path, names: tuple[str, ...]
) -> None:
    found = audit_without(tmp_path, *names)
    got = dict(numbers(found))
    assert got.keys() <= whole.keys()
    other = {key: value for key, value in got.items() if value not in (whole[key], "None")}
    assert other == {}
    for fmt in ("table", "json", "markdown"):
        render(found, fmt)


def test_what_needs_the_blind_guess_is_unknown_without_it(tmp_path: Path) -> None:
    found = audit_without(tmp_path, "all_hyp_guess_f1_scores.csv")
    for section, names in BLIND.items():
        rows = getattr(found, section)
        assert rows
        for row in rows:
            assert {name: getattr(row, name) for name in names.split()} == dict.fromkeys(
                names.split()
            )
    text = render(found, "table")
    assert "of 9" not in text  # cells of No
    one_class = text.split("One-class cells")[1].split("Chance-adjusted")[0]
    assert "systematic 10" in one_class  # a row with its published F1, the rest -
    assert " - " in one_class


def test_counts_and_guesses_of_leaves_are_unknown_without_them(tmp_path: Path) -> None:
    found = audit_without(tmp_path, "all_leaf_counts.csv", "all_leaf_guess_f1_scores.csv")
    assert [(row.n_leaves, row.without_count, row.n_single_class) for row in found.leaves] == [
        (5, None, None)
    ] * len(found.leaves)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("all_hyp_guess_f1_scores.csv", "the blind guesses on hypernym questions"),
        ("all_seen_counts.csv", "the F1, numbers and blind guesses of seen questions"),
        ("all_leaf_counts.csv", "the numbers and blind guesses of leaf questions"),
    ],
)
def test_the_page_is_not_written_with_holes(tmp_path: Path, name: str, what: str) -> None:
    found = audit_without(tmp_path, name)
    with pytest.raises(DataError, match=f"the page states {what}, which the release lacks"):
        write_audit(found, None, tmp_path / "a.md")
    assert not (tmp_path / "a.md").exists()
