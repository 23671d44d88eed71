"""What every source hands to the builder: names, synsets, a list of pairs, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One picture of a concept."""

    concept: str
    sha256: str
    uri: str
    split: str | None = None
    """train, validation or test; None for pictures of inner nodes."""
    style: str | None = None
    family: str | None = None
    """The group that must not cross splits within a leaf."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source as read and checked, before ids: concepts are pictured, hypernyms are asked."""

    list_name: str
    """What edges of the hand-made list are called: everyday, csv or categories."""
    concepts: Mapping[str, str | None]
    """Each pictured concept and its synset, where it has one."""
    hypernyms: Mapping[str, str | None]
    """Each hypernym word and its synset, where it has one."""
    listed: Mapping[str, frozenset[str]]
    """The hypernyms that the list gives a concept. The list says nothing of one not in here."""
    edges: Sequence[tuple[str, str]]
    """(hyponym, hypernym) of the list; a hyponym that is a hypernym word means that word."""
    pictures: Sequence[Picture]
    """In the order of their image ids; none at all if the source is not pictured."""
    inner: frozenset[str] = frozenset()
    """Concepts that the source itself puts above others; WordNet may add more."""
    words: Mapping[str, str] = field(default_factory=dict)
    """The surface form by concept, for all of them, where names are keys: bat of "bat1"."""
    phrases: Mapping[str, str] = field(default_factory=dict)
    """The asked form by surface form, where taxonomy.phrases has no good one."""
    spoken_of: frozenset[str] | None = None
    """The hypernyms that the list speaks of; None: all of them."""
    pictured: bool = True
    """False: concepts and pairs only, enough for whatever asks no images."""
    notes: Mapping[str, Any] = field(default_factory=dict)

    def word(self, concept: str) -> str:
        """The surface form of a concept; several concepts may share one."""
        return self.words.get(concept, concept)
