"""All of WordNet's noun hypernyms at once, and where the classes of a dataset lie in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import networkx as nx

from taxonomy.errors import DataError
from taxonomy.wordnet import WordNet

_ABOVE = ("@", "@i")


@dataclass(frozen=True, kw_only=True)
class Nouns:
    """A hypernym graph with the words of its nodes: WordNet's, or any other."""

    above: Mapping[str, tuple[str, ...]]
    """Direct hypernyms of every node, instance hypernyms included."""
    lemmas: Mapping[str, tuple[str, ...]]
    """The words of a node that has any, spaces for underscores."""
    irregular: Mapping[str, tuple[str, ...]]
    """Singulars by irregular plural: mouse of mice."""
    version: str
    """Of WordNet."""

    @cached_property
    def below(self) -> Mapping[str, tuple[str, ...]]:
        """Direct hyponyms."""
        found: dict[str, list[str]] = defaultdict(list)
        for node, parents in self.above.items():
            for parent in parents:
                found[parent].append(node)
        return {node: tuple(nodes) for node, nodes in found.items()}

    @cached_property
    def graph(self) -> nx.DiGraph:
        """Every node; hyponym -> hypernym."""
        found = nx.DiGraph()
        for node, parents in self.above.items():
            found.add_node(node)
            found.add_edges_from((node, parent) for parent in parents)
        return found

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Every word that is a lemma by itself, lower case."""
        return frozenset(
            lemma.casefold()
            for words in self.lemmas.values()
            for lemma in words
            if " " not in lemma
        )

    def closure(self, nodes: Iterable[str], *, down: bool) -> set[str]:
        """The nodes and all that is below them, or above them."""
        step = self.below if down else self.above
        found, stack = set[str](), list(nodes)
        while stack:
            node = stack.pop()
            if node not in found:
                found.add(node)
                stack.extend(step.get(node, ()))
        return found

    def with_nodes(self, above: Mapping[str, tuple[str, ...]]) -> Nouns:
        """The same with more nodes, which hang below those given."""
        if not above:
            return self
        return Nouns(
            above={**self.above, **above},
            lemmas=self.lemmas,
            irregular=self.irregular,
            version=self.version,
        )


def read_nouns(wordnet: WordNet) -> Nouns:
    """Every noun synset by NLTK's name, read from the files in one pass, once in a process.

    Raises:
        DataError: data.noun and index.noun do not fit each other.
    """
    return _read(wordnet.folder, wordnet.version)


@lru_cache(maxsize=2)
def _read(folder: Path, version: str) -> Nouns:
    senses = dict(_senses(folder / "index.noun"))
    names: dict[str, str] = {}
    above: dict[str, list[str]] = {}
    lemmas: dict[str, tuple[str, ...]] = {}
    for offset, words, parents in _synsets(folder / "data.noun"):
        first = words[0].lower()
        if offset not in senses.get(first, ()):
            raise DataError(
                f"data.noun and index.noun in {folder} do not fit each other at byte {offset} "
                "(damaged, changed line ends or two versions); copy both anew from one release"
            )
        name = f"{first}.n.{senses[first].index(offset) + 1:02d}"
        names[offset], above[name] = name, parents
        lemmas[name] = tuple(word.replace("_", " ") for word in words)
    return Nouns(
        above={name: tuple(sorted(names[p] for p in set(up))) for name, up in above.items()},
        lemmas=lemmas,
        irregular=_irregular(folder / "noun.exc"),
        version=version,
    )


def _lines(path: Path) -> Iterator[str]:
    """Lines of a WordNet file without the licence at its top."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.startswith("  "):
                yield line


def _senses(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Each lemma of index.noun and the offsets of its synsets, most frequent first."""
    for line in _lines(path):
        fields = line.split()
        yield fields[0], fields[len(fields) - int(fields[2]) :]


def _synsets(path: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Offset, words and offsets of the direct hypernyms of each line of data.noun."""
    for line in _lines(path):
        fields = line.partition(" | ")[0].split()
        n_words = int(fields[3], 16)
        end = 4 + 2 * n_words
        pointers = fields[end + 1 : end + 1 + 4 * int(fields[end])]
        parents = [
            target
            for kind, target, part in zip(
                pointers[::4], pointers[1::4], pointers[2::4], strict=True
            )
            if kind in _ABOVE and part == "n"
        ]
        yield fields[0], fields[4:end:2], parents


def _irregular(path: Path) -> dict[str, tuple[str, ...]]:
    """Singulars by plural of noun.exc; none if the folder has no such file."""
    if not path.is_file():
        return {}
    rows = (line.replace("_", " ").split() for line in _lines(path) if "_" not in line)
    return {fields[0]: tuple(fields[1:]) for fields in rows if len(fields) > 1}
