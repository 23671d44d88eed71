"""What a result reads as."""

from __future__ import annotations

from typing import Any

import pytest

from xmodal.stats.words import standing, statement

BASE: dict[str, Any] = {
    "kind": "difference", "method": "bootstrap", "metric": "macro_f1", "a": "shuffle within",
    "b": "shuffle none", "estimate": 0.0028, "low": -0.0624, "high": 0.0719, "confidence": 0.95,
    "p": 0.8901, "p_holm": 0.8901, "effect": 0.02, "margin": None, "term": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            "shuffle within against shuffle none: macro-F1 differs by +0.003 "
            "(95 % interval -0.062 to 0.072), p = 0.890",
        ),
        (
            {"p": 0.0004, "p_holm": 0.0008},
            "shuffle within against shuffle none: macro-F1 differs by +0.003 "
            "(95 % interval -0.062 to 0.072), p < 0.001, Holm-corrected < 0.001",
        ),
        (
            {"kind": "level", "estimate": 0.8, "low": 0.75, "high": 0.85, "p": None},
            "macro-F1 of shuffle within: 0.800 (95 % interval 0.750 to 0.850)",
        ),
        (
            {"method": "tost", "p": 0.04, "p_holm": 0.04, "margin": 0.05, "confidence": 0.9},
            "shuffle within is equivalent to shuffle none within 0.05 macro-F1: difference +0.003 "
            "(90 % interval -0.062 to 0.072), p = 0.040",
        ),
        (
            # the corrected p decides
            {"method": "tost", "p": 0.04, "p_holm": 0.08, "margin": 0.05, "confidence": 0.9},
            "shuffle within is not shown to be equivalent to shuffle none within 0.05 macro-F1: "
            "difference +0.003 (90 % interval -0.062 to 0.072), p = 0.040, Holm-corrected = 0.080",
        ),
        (
            {"method": "mcnemar", "effect": 1.5, "low": None},
            "shuffle within against shuffle none, McNemar's test by leaf: odds ratio 1.50, "
            "p = 0.890",
        ),
        (
            {"method": "mcnemar", "effect": None, "low": None},
            "shuffle within against shuffle none, McNemar's test by leaf: p = 0.890",
        ),
        (
            {"kind": "coefficient", "method": "mixed", "term": "coherence", "p_holm": None},
            "mixed model, coherence: +0.003 (95 % interval -0.062 to 0.072), p = 0.890",
        ),
    ],
)
def test_statement(changes: dict[str, Any], words: str) -> None:
    assert statement(BASE | changes) == words


def test_standing() -> None:
    assert standing({"confirmatory": True}) == "confirmatory"
    late = {"confirmatory": False, "plan_id": "p", "exploratory_because": "3 of its runs"}
    assert standing(late) == "exploratory: 3 of its runs"
    assert standing(late | {"plan_id": None}) == "exploratory"
