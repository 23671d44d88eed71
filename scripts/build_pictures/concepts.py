"""The concepts of spec.txt and their place in WordNet, by a reader of our own.

This reader is kept apart from the package's (which goes through NLTK), so that one
checks the other: tests compare the synset and inner-node columns it wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Concept:
    """One line of spec.txt."""

    name: str
    glyphs: tuple[str, ...]
    synset: str
    offset: int
    inner: bool
    """True if another concept's synset lies under this one's."""


class Nouns:
    """data.noun and index.noun of a WordNet folder."""

    def __init__(self, folder: Path) -> None:
        self._data = (folder / "data.noun").read_bytes()
        self._senses: dict[str, list[int]] = {}
        for line in (folder / "index.noun").read_text().splitlines():
            if not line.startswith(" "):
                fields = line.split()
                n_pointers = int(fields[3])
                self._senses[fields[0]] = [int(o) for o in fields[6 + n_pointers :]]

    def offset(self, lemma: str, sense: int) -> int:
        """The synset offset of the numbered sense of a lemma."""
        return self._senses[lemma][sense - 1]

    def name(self, offset: int) -> str:
        """NLTK's name: first lemma, part of speech, number of that lemma's sense."""
        lemma = self._fields(offset)[4].lower()
        return f"{lemma}.n.{self._senses[lemma].index(offset) + 1:02d}"

    def ancestors(self, offset: int) -> set[int]:
        """All offsets over this one, by hypernyms and instance hypernyms."""
        found: set[int] = set()
        waiting = [offset]
        while waiting:
            for parent in self._hypernyms(waiting.pop()):
                if parent not in found:
                    found.add(parent)
                    waiting.append(parent)
        return found

    def _hypernyms(self, offset: int) -> list[int]:
        fields = self._fields(offset)
        start = 4 + 2 * int(fields[3], 16)
        pointers = fields[start + 1 : start + 1 + 4 * int(fields[start])]
        return [
            int(target)
            for symbol, target in zip(pointers[::4], pointers[1::4], strict=True)
            if symbol in ("@", "@i")
        ]

    def _fields(self, offset: int) -> list[str]:
        end = self._data.index(b"|", offset)
        return self._data[offset:end].decode().split()


def read_concepts(spec: Path, nouns: Nouns) -> list[Concept]:
    """The concepts of spec.txt, in the order of its lines."""
    rows = []
    for line in spec.read_text().splitlines():
        name, sense, glyphs = line.split("=")
        lemma, number = sense.rsplit("#", 1)
        offset = nouns.offset(lemma, int(number))
        rows.append((name, tuple(glyphs.split("|")), offset))
    over = set().union(*(nouns.ancestors(offset) for _, _, offset in rows))
    return [
        Concept(
            name=name, glyphs=glyphs, synset=nouns.name(offset), offset=offset, inner=offset in over
        )
        for name, glyphs, offset in rows
    ]
