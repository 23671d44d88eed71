"""What the demo of binding says of its numbers."""

from __future__ import annotations

from typing import Any

import pytest

from xmodal.report.binding_demo import by_place


def rows(positional: float) -> list[dict[str, Any]]:
    """Two layers of two object counts; the query itself and larger counts do not count."""
    return [
        {"n_objects": n, "layer": layer, "positional_rate": rate}
        for n, layer, rate in ((4, 0, 1.0), (4, 1, positional), (4, 2, 0.01), (8, 1, 0.9))
    ]


@pytest.mark.parametrize(("positional", "by_key"), [(0.02, True), (0.3, False)])
def test_by_place_is_said_as_it_is(positional: float, by_key: bool) -> None:
    said = by_place({"text-trained": rows(0.02), "more text": rows(positional)})
    assert said.startswith(
        "With 4 objects a patch of the last token is answered by place in at most "
        f"2.0% (text-trained), {positional:.1%} (more text), at whichever layer."
    )
    assert ("bind by key" in said) == by_key
