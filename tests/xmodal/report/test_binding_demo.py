"""What the demo of binding says of its numbers."""

from __future__ import annotations

from typing import Any

import pytest

from xmodal.report.binding_demo import _least, _reading, by_place, by_shift


def rows(positional: float, symbolic: float = 0.95) -> list[dict[str, Any]]:
    """Two layers of two object counts; the query itself and larger counts do not count."""
    return [
        {"n_objects": n, "layer": layer, "positional_rate": rate, "symbolic_rate": by_key}
        for n, layer, rate, by_key in (
            (4, 0, 1.0, 1.0), (4, 1, positional, symbolic), (4, 2, 0.01, 0.0), (8, 1, 0.9, 1.0),
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("positional", "symbolic", "by_key"),
    [(0.02, 0.95, True), (0.3, 0.95, False), (0.02, 0.0, False)],
)
def test_by_place_is_said_as_it_is(positional: float, symbolic: float, by_key: bool) -> None:
    looks = {"text-trained": rows(0.02), "more text": rows(positional, symbolic)}
    assert by_place(looks) == (
        "With 4 objects a patch of the last token is answered by place in at most "
        f"2.0% (text-trained), {positional:.1%} (more text), at whichever layer."
    )
    said = by_shift(looks, {"text-trained": 0.25, "more text": 1.0})
    assert ("bind by key" in said) == by_key
    assert "shifted by one, nothing else changed: 25.0% (text-trained), 100.0% (more text)" in said


def accurate(*accuracies: float) -> list[dict[str, Any]]:
    """With 2, 3, ... objects."""
    return [{"n_objects": n, "accuracy": one} for n, one in enumerate(accuracies, start=2)]


def test_the_reading_says_means_over_object_counts() -> None:
    # up to 3 objects (1 + 0.98) / 2; above (0.5 + 0.3) / 2, (0.6 + 0.2) / 2 and (0.4 + 0.3) / 2
    said = _reading(
        {
            "text-trained": accurate(1.0, 0.98, 0.5, 0.3),
            "more text": accurate(1.0, 1.0, 0.6, 0.2),
            "text with noise tokens": accurate(1.0, 1.0, 0.4, 0.3),
        },
        {"lift": -0.05, "low": -0.07, "high": -0.03, "n": 3},
        2,
        3,
        15,
    )
    assert "text with up to 3 objects trains the first 15 of them" in said
    assert "answer 99.0% right with 2 to 3 objects and 40.0% with 4 to 5" in said
    assert "the same text leave 40.0%" in said
    assert "are never seen, 35.0%: -5.0 points (95 % interval over 3 seeds -7.0 to -3.0) at" in said


def test_nothing_is_said_of_what_was_not_asked() -> None:
    conditions = ("text-trained", "more text", "text with noise tokens")
    one = {"lift": 0.1, "low": None, "high": None, "n": 1}
    said = _reading({name: accurate(1.0, 0.5) for name in conditions}, one, 2, 3)
    assert said.strip() == (
        "The text-trained decoders answer 75.0% right with 2 to 3 objects; nothing was asked about "
        "more, see n_most."
    )


def test_mechanism_is_shown_where_it_was_looked_for() -> None:
    """Training with up to 3 objects is looked into with 4 and 8."""
    found = [{"n_objects": n, "layer": layer} for n in (8, 4) for layer in (0, 1)]
    assert _least(found) == [{"n_objects": 4, "layer": 0}, {"n_objects": 4, "layer": 1}]


def test_one_seed_has_no_interval() -> None:
    rows = {
        name: accurate(1.0, 0.5) for name in ("text-trained", "more text", "text with noise tokens")
    }
    said = _reading(rows, {"lift": 0.1, "low": None, "high": None, "n": 1}, 2, 2)
    assert "+10.0 points at equal steps" in said
