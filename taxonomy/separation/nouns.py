"""All of WordNet's noun hypernyms at once, and where the classes of a dataset lie in them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import networkx as nx

from taxonomy.errors import DataError
from taxonomy.reading import unreadable
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
            raise _unfit(folder, offset)
        name = f"{first}.n.{senses[first].index(offset) + 1:02d}"
        names[offset], above[name] = name, parents
        lemmas[name] = tuple(word.replace("_", " ") for word in words)
    for up in above.values():
        if gone := [offset for offset in up if offset not in names]:
            raise _unfit(folder, gone[0])
    return Nouns(
        above={name: tuple(sorted(names[p] for p in set(up))) for name, up in above.items()},
        lemmas=lemmas,
        irregular=_irregular(folder / "noun.exc"),
        version=version,
    )


def _unfit(folder: Path, offset: str) -> DataError:
    return DataError(
        f"data.noun and index.noun in {folder} do not fit each other at byte {offset} "
        "(damaged, changed line ends or two versions); copy both anew from one release"
    )


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """File and line, and the fields, of the lines of a WordNet file without the licence."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                if not line.startswith("  "):
                    yield f"{path} line {number}", line.partition(" | ")[0].split()
    except OSError as error:
        raise unreadable(path, error) from error


def _senses(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Each lemma of index.noun and the offsets of its synsets, most frequent first."""
    for where, fields in _lines(path):
        n = _number(fields, 2, 10, where)
        if n > len(fields) - 3:
            raise _no_line(where)
        yield fields[0], fields[len(fields) - n :]


def _synsets(path: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Offset, words and offsets of the direct hypernyms of each line of data.noun."""
    for where, fields in _lines(path):
        n_words = _number(fields, 3, 16, where)
        end = 4 + 2 * n_words
        n_pointers = _number(fields, end, 10, where)
        pointers = fields[end + 1 : end + 1 + 4 * n_pointers]
        if not n_words or len(pointers) != 4 * n_pointers:
            raise _no_line(where)
        parents = [
            target
            for kind, target, part in zip(
                pointers[::4], pointers[1::4], pointers[2::4], strict=True
            )
            if kind in _ABOVE and part == "n"
        ]
        yield fields[0], fields[4:end:2], parents


def _number(fields: list[str], at: int, base: int, where: str) -> int:
    """A count among the fields of a line.

    Raises:
        DataError: It is not there, or no number of some digits.
    """
    text = fields[at] if at < len(fields) else ""
    if not re.fullmatch("[0-9]{1,5}" if base == 10 else "[0-9a-fA-F]{1,4}", text):
        raise _no_line(where)
    return int(text, base)


def _no_line(where: str) -> DataError:
    return DataError(f"{where} is none of WordNet's (damaged); copy the files anew")


def _irregular(path: Path) -> dict[str, tuple[str, ...]]:
    """Singulars by plural of noun.exc; none if the folder has no such file."""
    if not path.is_file():
        return {}
    rows = (fields for _, fields in _lines(path) if not any("_" in field for field in fields))
    return {fields[0]: tuple(fields[1:]) for fields in rows if len(fields) > 1}
