"""The bundled emoji source: a hand-made list of concepts, and one of everyday hypernyms."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from taxonomy.errors import DataError, unknown
from taxonomy.sources.source import Picture, Source
from taxonomy.wordnet import WordNet

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Hypernym:
    """One entry of the list of hypernyms."""

    word: str
    synset: str
    leaves_wordnet: frozenset[str]
    """What the list's author found in WordNet 3.0; the closure itself is computed anew."""
    leaves_everyday: frozenset[str]


def read_spec(path: Path, wordnet: WordNet) -> dict[str, str]:
    """Concepts and their synsets from lines `concept=lemma#sense=emoji names`.

    Returns:
        Canonical synset name by concept, in the file's order.

    Raises:
        DataError: A line is malformed, a concept repeats or a synset is unknown.
    """
    synsets: dict[str, str] = {}
    for n_line, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        concept, _, rest = line.partition("=")
        lemma, _, sense = rest.partition("=")[0].partition("#")
        if not (concept and lemma and sense.isdecimal()):
            raise DataError(
                f"{path} line {n_line} must read concept=lemma#sense=emoji names, got {line!r}"
            )
        if concept in synsets:
            raise DataError(f"{path} line {n_line} repeats the concept {concept!r}")
        synsets[concept] = wordnet.name(f"{lemma}.n.{int(sense):02d}")
    return synsets


def read_hypernyms(path: Path) -> list[Hypernym]:
    """The hypernyms with the leaves that WordNet and everyday use give them."""
    entries = json.loads(path.read_text(encoding="utf-8"))
    return [
        Hypernym(
            word=entry["word"],
            synset=entry["synset"],
            leaves_wordnet=frozenset(entry["leaves_wordnet"]),
            leaves_everyday=frozenset(entry["leaves_everyday"]),
        )
        for entry in entries
    ]


def read_emoji(
    wordnet: WordNet, spec_path: Path, hypernyms_path: Path, pictures: pa.Table
) -> Source:
    """Read the emoji source.

    Args:
        wordnet: Where the synsets of the two lists are looked up.
        spec_path: Lines `concept=lemma#sense=emoji names`.
        hypernyms_path: JSON list of hypernyms; the everyday list speaks of every concept.
        pictures: Columns concept, split, style, family, sha256; a row's number is its id.

    Returns:
        The source, checked.

    Raises:
        DataError: A list is malformed, or names something that is not there.
    """
    concepts = read_spec(spec_path, wordnet)
    hypernyms = read_hypernyms(hypernyms_path)
    listed: dict[str, set[str]] = {concept: set() for concept in concepts}
    for hypernym in hypernyms:
        for concept in sorted(hypernym.leaves_everyday):
            if concept not in listed:
                raise DataError(
                    f"{hypernyms_path}, {hypernym.word}: {unknown('concept', concept, concepts)}"
                )
            listed[concept].add(hypernym.word)
    return Source(
        list_name="everyday",
        concepts=concepts,
        hypernyms={hypernym.word: wordnet.name(hypernym.synset) for hypernym in hypernyms},
        listed={concept: frozenset(words) for concept, words in listed.items()},
        edges=[(concept, word) for concept in sorted(listed) for word in sorted(listed[concept])],
        pictures=_pictures(pictures, concepts),
        notes={"moved": _moved(hypernyms, concepts, wordnet)},
    )


def _pictures(table: pa.Table, concepts: Mapping[str, str]) -> list[Picture]:
    found = []
    columns = ("concept", "split", "style", "family", "sha256")
    for i, row in enumerate(table.select(columns).to_pylist()):
        if row["concept"] not in concepts:
            raise DataError(f"picture {i}: {unknown('concept', row['concept'], concepts)}")
        found.append(Picture(uri=f"bundle:{i}", **row))
    return found


def _moved(
    hypernyms: Sequence[Hypernym], concepts: Mapping[str, str], wordnet: WordNet
) -> list[str]:
    """Pairs on which this WordNet and the list's 3.0 differ: a sense number may have moved."""
    above = {concept: wordnet.ancestors(synset) for concept, synset in concepts.items()}
    moved = []
    for hypernym in hypernyms:
        synset = wordnet.name(hypernym.synset)
        closure = {concept for concept in concepts if synset in above[concept]}
        moved += [f"{concept} < {hypernym.word}" for concept in closure ^ hypernym.leaves_wordnet]
    return sorted(moved)
