"""WordNet's nouns, read through NLTK from a folder that the user names."""

from __future__ import annotations

import difflib
import io
import re
import warnings
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import networkx as nx
import nltk
from nltk.corpus.reader.wordnet import WordNetCorpusReader, WordNetError

from taxonomy.errors import DataError, unknown
from taxonomy.reading import unreadable

OLDEST = 3.0
_NOUN = re.compile(r"(?P<lemma>.+)\.n\.(?P<sense>\d+)", re.IGNORECASE)
_VERSION = re.compile(r"wordnet\D{0,12}(\d+(?:\.\d+)?)", re.IGNORECASE)
# NLTK wants the names of the 45 lexicographer files, which Debian's package leaves out;
# nothing here asks for them, so numbers stand in.
_LEXNAMES = "".join(f"{i:02d}\tlexname.{i:02d}\t0\n" for i in range(45))


_DAMAGE = (WordNetError, ValueError, LookupError, StopIteration, AssertionError)


class _NounReader(WordNetCorpusReader):  # type: ignore[misc]
    """NLTK's reader, kept to the two files that nouns need: any layout is then the same."""

    def __init__(self, folder: Path) -> None:
        # NLTK refuses a folder outside its data path; allow this one for the moment it asks.
        allowed = str(folder.parent)
        nltk.data.path.append(allowed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "multilingual functions are not available"
                super().__init__(str(folder), None)
        finally:
            nltk.data.path.remove(allowed)

    def open(self, file: str) -> Any:
        if file in ("data.noun", "index.noun"):
            # newline="\n" keeps the byte offsets of the index valid
            path = Path(str(self._root)) / file
            return path.open(encoding="utf-8", errors="replace", newline="\n")
        return io.StringIO(_LEXNAMES if file == "lexnames" else "")

    def synset_from_pos_and_offset(self, pos: str, offset: int) -> Any:
        """NLTK's, but a damaged line is an error instead of a warning and None."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                synset = super().synset_from_pos_and_offset(pos, offset)
        except _DAMAGE:
            synset = None
        if synset is None:
            raise DataError(
                f"data.noun and index.noun in {self._root} do not fit each other at byte {offset} "
                "(damaged, changed line ends or two versions); copy both anew from one release"
            )
        return synset

    def map_wn(self, version: str = "wordnet") -> None:
        """No mapping to another version: that needs the sense index."""


def find_folder(folder: Path) -> Path:
    """The folder with data.noun and index.noun at or below a folder in a known layout.

    Args:
        folder: The noun files themselves (Debian, Princeton's dict), or a folder above
            them (nltk_data, WordNet-3.0).

    Returns:
        The folder that holds both files.

    Raises:
        DataError: Nothing is there, or what is there is not WordNet.
    """
    if not folder.exists():
        raise DataError(f"WordNet folder {folder} does not exist; name one with data.noun in it")
    below = (".", "dict", "wordnet", "corpora/wordnet")
    for candidate in (folder / part for part in below):
        if (candidate / "data.noun").is_file() and (candidate / "index.noun").is_file():
            return candidate.resolve()
    for candidate in (folder / part for part in ("wordnet.zip", "corpora/wordnet.zip")):
        if candidate.is_file():
            raise DataError(f"{candidate} is packed; unzip it and name the folder it makes")
    raise DataError(
        f"{folder} is not a WordNet folder: it must hold data.noun and index.noun, at its top "
        "or in dict, wordnet or corpora/wordnet"
    )


def _version(folder: Path) -> str:
    """The version that data.noun states in its header; DataError if none or too old."""
    try:
        with (folder / "data.noun").open("rb") as file:
            head = file.read(4096).decode("utf-8", "replace")
    except OSError as error:
        raise unreadable(folder / "data.noun", error) from error
    notice = " ".join(line for line in head.splitlines() if line.startswith("  "))
    found = _VERSION.search(notice)
    if found is None:
        raise DataError(f"{folder}/data.noun has no WordNet notice at its top; it must be WordNet")
    if float(found[1]) < OLDEST:
        raise DataError(f"{folder} holds WordNet {found[1]}; it must be {OLDEST} or later")
    return found[1]


class WordNet:
    """Noun synsets by NLTK's names ("parrot.n.01"), and the hypernym graph over them."""

    def __init__(self, folder: Path) -> None:
        """Read the index; synsets are read when asked for. Use WordNet.open."""
        self.folder = folder
        self.version = _version(folder)
        try:
            self._reader = _NounReader(folder)
        except (*_DAMAGE, OSError) as error:
            raise DataError(f"{folder}/index.noun cannot be read as WordNet: {error}") from error
        if not self._offsets("entity"):
            raise DataError(f"{folder}/index.noun has no noun entity; it must be WordNet")
        self._at(self._offsets("entity")[0])
        self._synsets: dict[str, Any] = {}
        self._parents: dict[str, tuple[str, ...]] = {}
        self._ancestors: dict[str, frozenset[str]] = {}

    @classmethod
    def open(cls, folder: Path) -> WordNet:
        """Open a folder in Debian or NLTK layout, version 3.0 or later.

        The same unchanged folder is read once in a process.

        Raises:
            DataError: The folder is missing, foreign, damaged or too old.
        """
        found = find_folder(Path(folder))
        stamp = tuple((found / name).stat().st_mtime_ns for name in ("data.noun", "index.noun"))
        return _open_cached(found, stamp)

    def synset(self, name: str) -> Any:
        """NLTK's Synset of a name; DataError with the nearest names if there is none."""
        if name not in self._synsets:
            found = self._find(name)
            if found is None:
                raise DataError(self._unknown(name))
            self._synsets[name] = found
        return self._synsets[name]

    def exists(self, name: str) -> bool:
        """Whether the name is a noun synset, by its first lemma or another one."""
        return name in self._synsets or self._find(name) is not None

    def name(self, name: str) -> str:
        """The canonical name: "elk.n.01" and "moose.n.01" are one synset."""
        return str(self.synset(name).name())

    def senses(self, lemma: str) -> list[str]:
        """Canonical names of a noun's senses, most frequent first; empty if unknown."""
        lemma = lemma.strip().lower().replace(" ", "_")
        count = len(self._offsets(lemma))
        return [self.name(f"{lemma}.n.{i:02d}") for i in range(1, count + 1)]

    def offset(self, name: str) -> int:
        """Byte offset of the synset in data.noun."""
        return int(self.synset(name).offset())

    def at_offset(self, offset: int) -> str:
        """The canonical name of the synset at a byte offset of data.noun.

        Raises:
            DataError: No synset begins there; the message has the nearest before and after.
        """
        place = bisect_left(self._starts, offset)
        if self._starts[place : place + 1] != [offset]:
            near = self._starts[max(0, place - 1) : place + 1]
            words = ", ".join(f"{n:08d} ({self._at(n)})" for n in near)
            raise DataError(
                f"no noun of WordNet {self.version} is at offset {offset:08d}; nearest: {words}"
            )
        return self._at(offset)

    def _at(self, offset: int) -> str:
        return str(self._reader.synset_from_pos_and_offset("n", offset).name())

    @cached_property
    def _starts(self) -> list[int]:
        """The offsets of all noun synsets, ascending."""
        known = self._reader._lemma_pos_offset_map.values()
        return sorted({offset for by_pos in known for offset in by_pos.get("n", ())})

    def gloss(self, name: str) -> str:
        """The definition, without examples."""
        return str(self.synset(name).definition())

    def lemmas(self, name: str) -> list[str]:
        """The words of the synset, spaces for underscores, in WordNet's order."""
        return [str(lemma).replace("_", " ") for lemma in self.synset(name).lemma_names()]

    def depth(self, name: str) -> int:
        """Edges of the shortest hypernym path to the root."""
        level, depth = {self.name(name)}, 0
        seen = set(level)
        while level:
            if any(not self.parents(one) for one in level):
                return depth
            level = {parent for one in level for parent in self.parents(one)} - seen
            seen |= level
            depth += 1
        raise DataError(f"data.noun in {self.folder} has a ring of hypernyms above {name}")

    def parents(self, name: str) -> tuple[str, ...]:
        """Direct hypernyms, instance hypernyms included, sorted."""
        if name not in self._parents:
            synset = self.synset(name)
            above = synset.hypernyms() + synset.instance_hypernyms()
            self._parents[name] = tuple(sorted({str(parent.name()) for parent in above}))
        return self._parents[name]

    def ancestors(self, name: str) -> frozenset[str]:
        """Strict closure: every synset above this one, itself left out."""
        if name not in self._ancestors:
            self._ancestors[name] = frozenset(_reach(self.name(name), self.parents))
        return self._ancestors[name]

    def hyponym_closure(self, name: str) -> set[str]:
        """Every synset below this one, instances included, itself left out."""

        def children(above: str) -> Iterator[str]:
            synset = self.synset(above)
            return (str(child.name()) for child in synset.hyponyms() + synset.instance_hyponyms())

        return _reach(self.name(name), children)

    def graph(self, names: Iterable[str]) -> nx.DiGraph:
        """The names and all their ancestors, with hyponym -> hypernym edges."""
        graph = nx.DiGraph()
        for name in sorted({self.name(name) for name in names}):
            graph.add_node(name)
            for node in sorted({name} | self.ancestors(name)):
                graph.add_edges_from((node, parent) for parent in self.parents(node))
        return graph

    def _offsets(self, lemma: str) -> list[int]:
        known = self._reader._lemma_pos_offset_map
        return list(known[lemma].get("n", ())) if lemma in known else []

    def _find(self, name: str) -> Any | None:
        match = _NOUN.fullmatch(name)
        if match is None or len(match["sense"]) > 4:  # no noun has so many senses
            return None
        offsets, sense = self._offsets(match["lemma"].lower()), int(match["sense"])
        if not 1 <= sense <= len(offsets):
            return None
        return self._reader.synset_from_pos_and_offset("n", offsets[sense - 1])

    def unknown_word(self, word: str, more: Iterable[str] = ()) -> str:
        """One line that offers the nearest nouns, or others, instead of an unknown one."""
        near = [lemma.replace("_", " ") for lemma in self._alike(word)]
        near += difflib.get_close_matches(word, more, n=3) if len(word) <= 100 else []
        if not near:
            return f"unknown noun {word!r}; WordNet {self.version} has none like it"
        return unknown("noun", word, near)

    def _alike(self, word: str) -> list[str]:
        lemma = word.strip().lower().replace(" ", "_")
        if len(lemma) > 100:
            return []
        nouns = self._reader._lemma_pos_offset_map.items()
        alike = (known for known, by_pos in nouns if known[:2] == lemma[:2] and "n" in by_pos)
        return difflib.get_close_matches(lemma, alike, n=5)

    def _unknown(self, name: str) -> str:
        """One line that offers the nearest synsets instead of an unknown one."""
        match = _NOUN.fullmatch(name)
        lemma = (match["lemma"] if match else name.split(".")[0]).lower().replace(" ", "_")
        near = self.senses(lemma)
        if not near:
            near = [f"{word}.n.01" for word in self._alike(lemma)]
        if not near:
            return f"unknown synset {name!r}; WordNet {self.version} has no noun like it"
        return unknown("synset", name, near)


@lru_cache(maxsize=4)
def _open_cached(folder: Path, stamp: tuple[int, ...]) -> WordNet:
    return WordNet(folder)


def _reach(start: str, step: Any) -> set[str]:
    """All nodes reachable from start by step, start itself left out."""
    seen: set[str] = set()
    stack = list(step(start))
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(step(node))
    return seen - {start}
