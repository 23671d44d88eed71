"""What is offered in place of an unknown name."""

from __future__ import annotations

import pytest

from taxonomy.errors import unknown

NAMES = ["across", "aardvark", "apple", "arm", "axe", "bag", "ball", "bat", "shuffles", "within"]
IDS = ["03f1c2d4e5a6b798", "1b9d6bcd4bf95a32", "a7c41f00d2e9b863", "a9e8d7c6b5f40312"] + [
    f"0{n:x}00000000000000" for n in range(5, 14)
]


@pytest.mark.parametrize(
    ("got", "names", "first"),
    [
        ("shufles", NAMES, "shuffles"),
        ("WITHIN", NAMES, "within"),
        ("wihtin", NAMES, "within"),
        # an id with a slip, whole and by its beginning
        ("a7c41f00d2e9b836", IDS, "a7c41f00d2e9b863"),
        ("a7d4", IDS, "a7c41f00d2e9b863"),
        ("a9e7d", IDS, "a9e8d7c6b5f40312"),
    ],
)
def test_the_nearest_come_first(got: str, names: list[str], first: str) -> None:
    said = unknown("thing", got, names)
    assert said.startswith(f"unknown thing {got!r}; valid: {first}")
    assert said.endswith(f" (of {len(names)})")


def test_where_none_is_near_the_first_few_are_listed() -> None:
    assert unknown("thing", "zzz", NAMES) == (
        "unknown thing 'zzz'; valid: aardvark, across, apple, arm, axe, bag, ball, bat (of 10)"
    )
    assert unknown("thing", "", ["b", "a"]) == "unknown thing ''; valid: a, b"
    assert unknown("thing", "x", []) == "unknown thing 'x'; valid: none are there"
