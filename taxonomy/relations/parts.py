"""Parts: WordNet's part meronyms, with the hand-made list of the bundled pictures or alone.

A leaf has the parts of its synset and of every synset above it. Parts go by word: the wing of a
bird and the wing of an airplane are two synsets and one question.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from taxonomy.errors import DataError, unknown
from taxonomy.model import Taxonomy
from taxonomy.phrases import phrase
from taxonomy.relations.relation import PART, Relation
from taxonomy.wordnet import WordNet


class PartWords:
    """Words of the parts of synsets, their own and inherited; each synset is read once."""

    def __init__(self, wordnet: WordNet) -> None:
        self._wordnet = wordnet
        self._own: dict[str, tuple[tuple[str, ...], ...]] = {}

    def _parts(self, synset: str) -> list[tuple[str, ...]]:
        """The words of each part meronym of a synset and of the synsets above it."""
        found: list[tuple[str, ...]] = []
        for above in {self._wordnet.name(synset)} | self._wordnet.ancestors(synset):
            if above not in self._own:
                parts = self._wordnet.synset(above).part_meronyms()
                self._own[above] = tuple(
                    tuple(word.lower() for word in self._wordnet.lemmas(part.name()))
                    for part in parts
                )
            found += self._own[above]
        return found

    def of(self, synset: str) -> frozenset[str]:
        """Every word of every part, lower case."""
        return frozenset(word for words in self._parts(synset) for word in words)

    def first(self, synset: str) -> frozenset[str]:
        """The first word of each part, so that synonyms are not asked twice."""
        return frozenset(words[0] for words in self._parts(synset))


def _synsets(taxonomy: Taxonomy) -> dict[str, str]:
    """Synset of each leaf that has one, by key."""
    table = taxonomy.concepts.select(["key", "role", "synset"]).to_pydict()
    return {
        key: synset
        for key, role, synset in zip(*table.values(), strict=True)
        if role == "leaf" and synset is not None
    }


def wordnet_parts(taxonomy: Taxonomy, wordnet: WordNet) -> Relation:
    """The relation part from WordNet alone, for sources without a list of parts.

    Args:
        taxonomy: Its leaves with a synset are those WordNet speaks of.
        wordnet: The nouns.

    Returns:
        A target for the first word of each part synset; the leaves of all its senses count.
        Targets with fewer leaves than min_leaves are left out here, not flagged: WordNet has
        hundreds of them.

    Raises:
        DataError: No part has enough leaves.
    """
    parts, synsets = PartWords(wordnet), _synsets(taxonomy)
    asked: frozenset[str] = frozenset().union(*(parts.first(s) for s in synsets.values()))
    strict = {leaf: parts.of(s) & asked for leaf, s in synsets.items()}
    counts = Counter(word for words in strict.values() for word in words)
    kept = {word for word, n in counts.items() if n >= taxonomy.config.min_leaves}
    if not kept:
        raise DataError(
            f"relation part: WordNet gives no part to min_leaves = {taxonomy.config.min_leaves} "
            "leaves of this source; lower min_leaves, or give a table with --relations"
        )
    return Relation(
        name=PART,
        phrases={word: phrase(word) for word in kept},
        strict={leaf: words & kept for leaf, words in strict.items()},
    )


def listed_parts(taxonomy: Taxonomy, wordnet: WordNet, path: Path) -> Relation:
    """The relation part of a hand-made list, each pair held against WordNet.

    Args:
        taxonomy: Built from the source that the list was made for.
        wordnet: The nouns; what the file says of WordNet is computed anew.
        path: JSON: word, leaves_everyday and leaves_unclear (leaf names), and phrase where the
            rules of taxonomy.phrases do not give it. The list speaks of every leaf but of the
            unclear ones.

    Raises:
        DataError: The list names a leaf that is not there.
    """
    parts = PartWords(wordnet)
    keys = {key.partition("/")[2]: key for key in _leaf_keys(taxonomy)}
    entries = json.loads(path.read_text(encoding="utf-8"))
    words = frozenset(entry["word"] for entry in entries)
    said: dict[str, dict[str, set[str]]] = {}
    for column in ("leaves_everyday", "leaves_unclear"):
        said[column] = {key: set() for key in keys.values()}
        for entry in entries:
            for name in entry.get(column, ()):
                if name not in keys:
                    raise DataError(f"{path}, {entry['word']}: {unknown('leaf', name, keys)}")
                said[column][keys[name]].add(entry["word"])
    return Relation(
        name=PART,
        phrases={entry["word"]: entry.get("phrase") or phrase(entry["word"]) for entry in entries},
        strict={leaf: parts.of(s) & words for leaf, s in _synsets(taxonomy).items()},
        listed=_frozen(said["leaves_everyday"]),
        unclear=_frozen(said["leaves_unclear"]),
    )


def _leaf_keys(taxonomy: Taxonomy) -> list[str]:
    table = taxonomy.concepts.select(["key", "role"]).to_pydict()
    return [key for key, role in zip(*table.values(), strict=True) if role == "leaf"]


def _frozen(sets: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {key: frozenset(words) for key, words in sets.items()}
