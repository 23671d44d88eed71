"""A WordNet of a few nouns, in files whose offsets fit."""

from __future__ import annotations

from collections.abc import Mapping

NOTICE = (
    "  1 This software and database is being provided to you, the LICENSEE  \n  2 WordNet 3.0  \n"
)
# synset and what is above it
NOUNS: Mapping[str, str | None] = {
    "entity": None, "animal": "entity", "bird": "animal", "gem": "entity", "tool": "entity",
    "parrot": "bird", "owl": "bird", "ruby": "gem", "saw": "tool", "axe": "tool",
}  # fmt: skip


def files() -> dict[str, bytes]:
    """data.noun and index.noun."""
    offsets, at = {}, len(NOTICE)
    for noun in NOUNS:
        offsets[noun] = at
        at += len(_line(noun, dict.fromkeys(NOUNS, 0)))
    data = NOTICE + "".join(_line(noun, offsets) for noun in NOUNS)
    index = NOTICE + "".join(
        f"{noun} n 1 1 @ 1 0 {offsets[noun]:08d}  \n" for noun in sorted(NOUNS)
    )
    return {"data.noun": data.encode(), "index.noun": index.encode()}


def _line(noun: str, offsets: Mapping[str, int]) -> str:
    above = NOUNS[noun]
    pointers = [("@", above)] if above else []
    pointers += [("~", below) for below, parent in NOUNS.items() if parent == noun]
    text = "".join(f" {kind} {offsets[other]:08d} n 0000" for kind, other in pointers)
    return f"{offsets[noun]:08d} 03 n 01 {noun} 0 {len(pointers):03d}{text} | what a {noun} is  \n"
