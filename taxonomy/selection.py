"""Which synsets above the leaves are asked about: found in WordNet, or named by the user."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from taxonomy.errors import ConfigError, DataError
from taxonomy.graph import inner_by_synset
from taxonomy.model import TaxonomyConfig
from taxonomy.reading import read_text
from taxonomy.wordnet import WordNet

_DEPTH = re.compile(r"(\d+)(?:-(\d+))?")
_SYNSET = re.compile(r"\S+\.n\.\d+", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The chosen hypernyms, and what the user should know about the choice."""

    hypernyms: Mapping[str, str | None]
    """Synset by word; no word twice."""
    notes: Mapping[str, list[str]] = field(default_factory=dict)


def parse_depth(text: str | None) -> tuple[int | None, int | None]:
    """The two ends of "4-8", or twice 5 for "5"; ConfigError if it is neither."""
    if text is None:
        return None, None
    found = _DEPTH.fullmatch(text.strip())
    if found is None:
        raise ConfigError(f"depth must be a number or two such as 4-8, got {text!r}")
    return int(found[1]), int(found[2] or found[1])


def _below(
    concepts: Mapping[str, str | None], wordnet: WordNet, inner_leaves: str
) -> tuple[dict[str, set[str]], int]:
    """The leaves under each synset, and the number of leaves; own synsets of leaves count too."""
    inner = inner_by_synset(concepts, wordnet) if inner_leaves == "drop" else set()
    leaves = {name: s for name, s in concepts.items() if s is not None and name not in inner}
    below: dict[str, set[str]] = {}
    for name, synset in leaves.items():
        for above in {synset} | wordnet.ancestors(synset):
            below.setdefault(above, set()).add(name)
    return below, len(leaves)


def find_hypernyms(
    config: TaxonomyConfig, concepts: Mapping[str, str | None], wordnet: WordNet
) -> Selection:
    """Synsets above min_leaves leaves or more but not above all, one for each set of leaves.

    Of synsets with the same leaves the one with the most ancestors is taken, then the first by
    name. Of two with one first lemma, that with more leaves is called so, then the first by
    name; the other is called by its next lemma that is free, and left out if it has none.

    Args:
        config: min_leaves, min_depth and max_depth of a hypernym; what becomes of inner leaves.
        concepts: Synset by concept; those without one count for nothing.
        wordnet: The closure.

    Returns:
        The hypernyms; notes merged, renamed and unnamed say who gave way to whom.
    """
    below, n_leaves = _below(concepts, wordnet, config.inner_leaves)
    kept: dict[frozenset[str], str] = {}
    merged = []
    enough = [s for s, under in below.items() if config.min_leaves <= len(under) < n_leaves]
    for synset in sorted(enough, key=lambda s: (-len(wordnet.ancestors(s)), s)):
        if not _in_range(config, wordnet.depth(synset)):
            continue
        first = kept.setdefault(frozenset(below[synset]), synset)
        if first != synset:
            merged.append(f"{synset} in {first}")
    named: dict[str, str | None] = {}
    renamed, unnamed = [], []
    for synset in sorted(kept.values(), key=lambda s: (-len(below[s]), s)):
        words = [lemma.lower() for lemma in wordnet.lemmas(synset)]
        word = next((word for word in words if word not in named), None)
        if word is None:
            unnamed.append(synset)
            continue
        named[word] = synset
        if word != words[0]:
            renamed.append(f"{synset} is {word}, for {words[0]} is {named[words[0]]}")
    return Selection(
        hypernyms=named,
        notes={"merged": sorted(merged), "renamed": renamed, "unnamed": unnamed},
    )


def _in_range(config: TaxonomyConfig, depth: int) -> bool:
    least = config.min_depth if config.min_depth is not None else 0
    return least <= depth and (config.max_depth is None or depth <= config.max_depth)


def read_hypernyms(
    path: Path,
    concepts: Mapping[str, str | None],
    wordnet: WordNet,
    inner_leaves: str,
    known: Mapping[str, str | None] | None = None,
) -> Selection:
    """Hypernyms that the user names, one a line: a word, a synset, or word = synset.

    A word means what it means in known; any other means its sense above most of the leaves,
    the most frequent of several. A synset is called by its first lemma. # starts a comment.

    Args:
        path: The file.
        concepts: Synset by concept.
        wordnet: Where words and synsets are looked up.
        inner_leaves: Whether concepts above others count as leaves: drop or keep.
        known: Synset, or None for none, of words that the source knows itself.

    Returns:
        The hypernyms; the note ambiguous has words with several senses above leaves.

    Raises:
        DataError: Not readable, no line, an unknown word or synset, a word without a sense
            above any leaf, or a word or synset twice.
    """
    counts = Counter({s: len(u) for s, u in _below(concepts, wordnet, inner_leaves)[0].items()})
    chosen: dict[str, str | None] = {}
    ambiguous: list[str] = []
    for where, line in read_lines(path):
        word, synset = _entry(line, known or {}, counts, wordnet, where, ambiguous)
        if word in chosen:
            raise DataError(
                f"{where}: {word!r} is a hypernym already; call this one otherwise with "
                "word = synset"
            )
        other = next((w for w, s in chosen.items() if s is not None and s == synset), None)
        if other is not None:
            raise DataError(f"{where}: {word!r} has the synset {synset} of {other!r}; keep one")
        chosen[word] = synset
    return Selection(hypernyms=chosen, notes={"ambiguous": ambiguous})


def _entry(
    line: str,
    known: Mapping[str, str | None],
    counts: Mapping[str, int],
    wordnet: WordNet,
    where: str,
    ambiguous: list[str],
) -> tuple[str, str | None]:
    """The word and synset of one line."""
    left, equals, right = (part.strip() for part in line.partition("="))
    try:
        if equals:
            word = " ".join(left.lower().split())
            if not (word and right):
                raise DataError(f"must read word = synset, got {line!r}")
            return word, wordnet.name(right)
        if _SYNSET.fullmatch(left):
            synset = wordnet.name(left)
            return wordnet.lemmas(synset)[0].lower(), synset
        word = " ".join(left.lower().split())
        if word in known:
            return word, known[word]
        senses = wordnet.senses(word)
        if not senses:
            raise DataError(wordnet.unknown_word(word, known))
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
    above = [sense for sense in senses if counts[sense]]
    if not above:
        raise DataError(f"{where}: no sense of {word!r} is above a leaf; take it out")
    best = max(above, key=lambda sense: counts[sense])
    if len(above) > 1:
        ambiguous.append(f"{word} = {best} ({len(above)} senses are above leaves)")
    return word, best


def read_lines(path: Path, *, comments: bool = True) -> list[tuple[str, str]]:
    """Lines of a list without blanks and # comments, each with file and line for messages.

    Raises:
        DataError: Not readable, not UTF-8, or nothing in it.
    """
    lines = [
        (f"{path} line {n_line}", (line.partition("#")[0] if comments else line).strip())
        for n_line, line in enumerate(read_text(path).splitlines(), start=1)
    ]
    found = [(where, line) for where, line in lines if line]
    if not found:
        raise DataError(f"{path} has no entries; it needs one a line")
    return found
