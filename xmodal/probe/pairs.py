"""What the text-only probe asks: true pairs, each with a false hypernym of the same leaf."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from taxonomy.errors import DataError, ManifestError, unknown
from taxonomy.hashing import content_id, keyed_order
from taxonomy.manifest.world import Concepts, World, surface
from taxonomy.reading import parse_json, read_text

KEYS = ("hyponym", "hypernym_pos", "hypernym_neg", "phrasing_id", "sentence_pos", "sentence_neg")
"""What each line of a file of minimal pairs holds."""


@dataclass(frozen=True, kw_only=True)
class ProbePairs:
    """Pairs as rows of a world; N of them, no (leaf, hypernym) twice."""

    leaf: tuple[int, ...]
    hypernym: tuple[int, ...]
    foil: tuple[int, ...]
    """A hypernym that is false of the leaf."""
    sentences: Mapping[int, Sequence[tuple[str, str]]] = field(default_factory=dict)
    """By phrasing the true and the false sentence of each pair, where a file gives them."""
    notes: tuple[str, ...] = ()
    """What the reader must know of how they were chosen."""
    beside: tuple[tuple[int, int, bool], ...] = ()
    """(leaf, hypernym, answer) of test questions that none of the pairs asks: in no score of the
    probe, and no part of its identity."""

    def __len__(self) -> int:
        return len(self.leaf)

    @property
    def questions(self) -> list[tuple[int, int, bool]]:
        """Every (leaf, hypernym, answer) once, true ones first."""
        true = [(a, b, True) for a, b in zip(self.leaf, self.hypernym, strict=True)]
        false = [(a, b, False) for a, b in zip(self.leaf, self.foil, strict=True)]
        return list(dict.fromkeys(true + false))

    def with_tested(self, world: World, cells: Iterable[tuple[int, int, bool]]) -> ProbePairs:
        """The same pairs, and beside them the cells of test questions that they do not ask.

        Args:
            world: The dataset.
            cells: Ids of leaf and hypernym, and the answer. What the pairs hold to be true or
                false is not asked again, whatever the cell says of it.
        """
        leaf_row = {int(concept): row for row, concept in enumerate(world.leaves.ids)}
        hypernym_row = {int(concept): row for row, concept in enumerate(world.hypernyms.ids)}
        asked = {(leaf, hypernym) for leaf, hypernym, _ in self.questions}
        rows = [
            (leaf_row[leaf], hypernym_row[hypernym], answer)
            for leaf, hypernym, answer in cells
            if leaf in leaf_row and hypernym in hypernym_row
        ]
        return replace(self, beside=tuple(row for row in rows if row[:2] not in asked))

    def identity(self, world: World) -> str:
        """Hash of the pairs by key and of their sentences; not of what is asked beside them."""
        rows = [
            (world.leaves.keys[a], world.hypernyms.keys[b], world.hypernyms.keys[c])
            for a, b, c in zip(self.leaf, self.hypernym, self.foil, strict=True)
        ]
        return content_id([rows, sorted((k, list(v)) for k, v in self.sentences.items())])


def draw_pairs(world: World, seed: int) -> ProbePairs:
    """The used pairs, each with a foil: a hypernym that is false of the leaf in every source.

    The foils of a leaf are the first of its false hypernyms in the keyed order of the seed, a
    different one for each of its true hypernyms as long as there are enough.

    Raises:
        ManifestError: No pair has a foil.
    """
    leaf, hypernym, foil = [], [], []
    n_without = 0
    for row, key in enumerate(world.leaves.keys):
        true = [int(column) for column in np.flatnonzero(world.used[row])]
        keys = {world.hypernyms.keys[column]: int(column) for column in _false(world, row)}
        order = [keys[name] for name in keyed_order(keys, seed, f"probe-foil|{key}")]
        if not order:
            n_without += len(true)
            continue
        leaf += [row] * len(true)
        hypernym += true
        foil += [order[i % len(order)] for i in range(len(true))]
    if not leaf:
        raise ManifestError(
            f"dataset {world.dataset_id} has no pair whose leaf has a false hypernym: a probe "
            "needs two hypernyms or more"
        )
    said = f"{n_without} pairs left out: no hypernym is false of their leaf in every source"
    return ProbePairs(
        leaf=tuple(leaf), hypernym=tuple(hypernym), foil=tuple(foil),
        notes=(said,) if n_without else (),
    )  # fmt: skip


def _false(world: World, row: int) -> np.ndarray[Any, Any]:
    return np.flatnonzero(world.false[row])


def read_pairs(world: World, path: Path) -> ProbePairs:
    """Minimal pairs of a file, JSON a line, as S1 released them.

    A name is the key or the surface form of one of the dataset's concepts. The file decides
    what is true: where the dataset holds otherwise, that is counted in the notes.

    Raises:
        DataError: The file cannot be read, a line lacks something or names no concept of the
            dataset, or a pair is there twice in one phrasing, lacks one, or is true and false.
    """
    lines = _lines(path)
    leaves, hypernyms = _names(world.leaves), _names(world.hypernyms)
    pairs: dict[tuple[int, int], int] = {}
    told: dict[int, dict[tuple[int, int], tuple[str, str]]] = {}
    for number, line in lines:
        where = f"{path} line {number}"
        leaf = _row(leaves, line["hyponym"], "hyponym", where)
        true = _row(hypernyms, line["hypernym_pos"], "hypernym_pos", where)
        false = _row(hypernyms, line["hypernym_neg"], "hypernym_neg", where)
        said = f"{line['hyponym']!r}, {line['hypernym_pos']!r}"
        if pairs.setdefault((leaf, true), false) != false:
            raise DataError(f"{where}: pair {said} has another hypernym_neg than above")
        phrasing = told.setdefault(line["phrasing_id"], {})
        if (leaf, true) in phrasing:
            raise DataError(f"{where}: pair {said} is there twice in one phrasing_id")
        phrasing[leaf, true] = (line["sentence_pos"], line["sentence_neg"])
    for (leaf, _), false in pairs.items():
        if (leaf, false) in pairs:
            name = world.leaves.words[leaf], world.hypernyms.words[false]
            raise DataError(f"{path}: pair {name[0]!r}, {name[1]!r} is both true and false")
    for phrasing_id, sentences in told.items():
        if missing := [pair for pair in pairs if pair not in sentences]:
            name = world.leaves.words[missing[0][0]], world.hypernyms.words[missing[0][1]]
            raise DataError(
                f"{path}: pair {name[0]!r}, {name[1]!r} has no line of phrasing_id {phrasing_id}"
            )
    return ProbePairs(
        leaf=tuple(leaf for leaf, _ in pairs),
        hypernym=tuple(true for _, true in pairs),
        foil=tuple(pairs.values()),
        sentences={k: [found[pair] for pair in pairs] for k, found in sorted(told.items())},
        notes=_disagreements(world, pairs),
    )


def _lines(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Number and content of each line that is not blank."""
    found = []
    for number, line in enumerate(read_text(path, "pairs ").splitlines(), 1):
        if not line.strip():
            continue
        said = parse_json(line, f"{path} line {number}")
        kinds = {key: int if key == "phrasing_id" else str for key in KEYS}
        wrong = [
            key for key, kind in kinds.items()
            if not isinstance(said, dict) or type(said.get(key)) is not kind or said[key] == ""
        ]  # fmt: skip
        if wrong:
            what = "a whole number" if wrong[0] == "phrasing_id" else "text"
            raise DataError(f"{path} line {number} must hold {wrong[0]} as {what}")
        found.append((number, said))
    if not found:
        raise DataError(f"pairs {path} is empty: it must hold a JSON object a line")
    return found


def _names(concepts: Concepts) -> list[dict[str, list[int]]]:
    """Rows by key, by the key's last part and by surface form: the first that knows a name wins.

    A key tells homonyms apart that share a surface form.
    """
    parts = [key.partition("/")[2] for key in concepts.keys]
    found: list[dict[str, list[int]]] = []
    for names in (concepts.keys, parts, concepts.words):
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(names):
            rows.setdefault(surface(name), []).append(row)
        found.append(rows)
    return found


def _row(names: Sequence[Mapping[str, list[int]]], given: str, what: str, where: str) -> int:
    rows = next((known[surface(given)] for known in names if surface(given) in known), [])
    if not rows:
        raise DataError(f"{where}: {unknown(what, given, names[-1])}")
    if len(rows) > 1:
        raise DataError(f"{where}: {what} {given!r} names {len(rows)} concepts; give a key")
    return rows[0]


def _disagreements(world: World, pairs: Mapping[tuple[int, int], int]) -> tuple[str, ...]:
    n_other = sum(not world.used[pair] for pair in pairs)
    n_unsafe = sum(not world.false[leaf, foil] for (leaf, _), foil in pairs.items())
    notes = []
    if n_other:
        notes.append(f"{n_other} of {len(pairs)} pairs of the file are none of the dataset's")
    if n_unsafe:
        notes.append(
            f"{n_unsafe} of {len(pairs)} hypernym_neg of the file are not false of their leaf in "
            "every source of the dataset"
        )
    return tuple(notes)
