"""A user's own relations: a table of concept, relation, target.

Columns `concept`, `relation` and `target`; where the user has them `phrase` (the target's asked
form: "a wing"), `question` (the relation's question, with {phrase} in it) and `answer` (yes, or
unclear for a pair that is to be in no question). What no row says of a leaf and a target is No.

A concept is a leaf by name or key; or a hypernym, an inner concept or a synset, which stands for
every leaf below it (for a hypernym, those it is a Yes for). Names are compared in lower case.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import networkx as nx

from taxonomy.errors import DataError, unknown
from taxonomy.graph import leaves_under, taxonomy_graph
from taxonomy.model import RELATION, Taxonomy
from taxonomy.phrases import phrase
from taxonomy.relations.relation import ROLES, Relation
from taxonomy.sources.csv_table import clean, read_records

REQUIRED = ("concept", "relation", "target")
OPTIONAL = ("phrase", "question", "answer")
ANSWERS = ("yes", "unclear")
_NAME = re.compile(r"[a-z][a-z0-9_ -]*")


@dataclass(frozen=True, kw_only=True)
class _Row:
    where: str
    concept: str
    relation: str
    target: str
    phrase: str
    question: str
    answer: str


def read_table(path: Path, taxonomy: Taxonomy) -> list[Relation]:
    """The relations of a table, in the order of their names.

    Args:
        path: A CSV file in UTF-8 with a header line.
        taxonomy: Whose leaves, hypernyms and synsets the table's concepts are.

    Raises:
        DataError: A column is missing, or a row cannot be used; the message names its line.
    """
    finder = _Concepts(taxonomy)
    phrases: dict[str, dict[str, str]] = defaultdict(dict)
    questions: dict[str, str] = {}
    pairs: dict[tuple[str, str, str], str] = {}
    for row in _rows(path):
        _agree(phrases[row.relation], row.target, row.phrase, "phrase", row.where)
        _agree(questions, row.relation, row.question, "question", row.where)
        for leaf in finder.leaves(row.concept, row.where):
            key = row.relation, leaf, row.target
            if pairs.setdefault(key, row.answer) != row.answer:
                raise DataError(
                    f"{row.where}: {row.relation} {row.target!r} of {leaf.partition('/')[2]!r} "
                    f"is {pairs[key]} in an earlier row and {row.answer} here; keep one"
                )
    return [
        _relation(name, words, questions.get(name), pairs)
        for name, words in sorted(phrases.items())
    ]


def _relation(
    name: str,
    words: Mapping[str, str],
    question: str | None,
    pairs: Mapping[tuple[str, str, str], str],
) -> Relation:
    said: dict[str, dict[str, set[str]]] = {answer: defaultdict(set) for answer in ANSWERS}
    for (relation, leaf, target), answer in pairs.items():
        if relation == name:
            said[answer][leaf].add(target)
    listed, unclear = (
        {leaf: frozenset(targets) for leaf, targets in said[answer].items()} for answer in ANSWERS
    )
    return Relation(
        name=name,
        phrases={word: given or phrase(word) for word, given in words.items()},
        listed=listed,
        unclear=unclear,
        question=question or None,
    )


def _agree(said: dict[str, str], key: str, value: str, what: str, where: str) -> None:
    """Note a setting that rows may leave empty but not contradict."""
    if value and said.get(key) and said[key] != value:
        raise DataError(
            f"{where}: {what} of {key!r} is {said[key]!r} in an earlier row, got {value!r}; "
            "give it once"
        )
    said[key] = said.get(key) or value


class _Concepts:
    """The leaves that a concept of the table stands for."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        columns = ["concept_id", "key", "name", "synset", "role"]
        self._rows = taxonomy.concepts.select(columns).to_pylist()
        self._graph: nx.DiGraph = taxonomy_graph(taxonomy)
        self._leaves = {row["key"] for row in self._rows if row["role"] == "leaf"}
        key_of = {row["concept_id"]: row["key"] for row in self._rows}
        self._yes: dict[str, set[str]] = defaultdict(set)
        for pair in taxonomy.leaf_hypernym.to_pylist():
            if pair["used"] and pair["relation"] == RELATION:
                self._yes[key_of[pair["hypernym_id"]]].add(key_of[pair["leaf_id"]])
        self._names: dict[str, dict[str, list[str]]] = {role: defaultdict(list) for role in ROLES}
        for row in self._rows:
            if row["role"] in ROLES:
                names = {row["key"], row["synset"] or ""}
                names |= {row["name"]} if row["role"] != "synset" else set()
                for name in names - {""}:
                    self._names[row["role"]][clean(name)].append(row["key"])

    def leaves(self, concept: str, where: str) -> list[str]:
        """Keys of the leaves, sorted, of the first role in which the concept is found."""
        for names in self._names.values():
            if concept in names:
                found = {leaf for key in names[concept] for leaf in self._below(key)}
                if not found:
                    raise DataError(f"{where}: no leaf is below {concept!r}; take the row out")
                return sorted(found)
        known = {name for names in self._names.values() for name in names if "/" not in name}
        raise DataError(f"{where}: {unknown('concept', concept, known)}")

    def _below(self, key: str) -> set[str]:
        if key in self._leaves:
            return {key}
        if key.startswith("hypernym/"):
            return self._yes[key]
        return set(leaves_under(self._graph, key, self._leaves))


def _rows(path: Path) -> Iterator[_Row]:
    """The table's rows, cleaned and checked one by one."""
    header, records = read_records(path)
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise DataError(
            f"{path} lacks the column {', '.join(missing)}; it must have {', '.join(REQUIRED)} "
            f"and may have {', '.join(OPTIONAL)}, got {', '.join(header) or 'nothing'}"
        )
    n_rows = 0
    for n_line, cells in records:
        n_rows += 1
        yield _row(f"{path} line {n_line}", dict(zip(header, cells, strict=True)))
    if not n_rows:
        raise DataError(f"{path} has a header but no rows; it needs one row a concept and target")


def _row(where: str, said: dict[str, str]) -> _Row:
    names = {name: clean(said[name]) for name in REQUIRED}
    for name, value in names.items():
        if not value:
            raise DataError(f"{where}: {name} must not be empty")
    relation = names["relation"]
    if not _NAME.fullmatch(relation) or relation in ROLES:
        raise DataError(
            f"{where}: relation must be a name of letters, digits, spaces, - and _, and none of "
            f"{', '.join(ROLES)}, got {relation!r}"
        )
    question = " ".join(said.get("question", "").split())
    if question and (question.count("{phrase}") != 1 or question.count("{") != 1):
        raise DataError(f"{where}: question must hold {{phrase}} once, got {question!r}")
    answer = clean(said.get("answer", "")) or ANSWERS[0]
    if answer not in ANSWERS:
        raise DataError(f"{where}: answer must be one of {', '.join(ANSWERS)}, got {answer!r}")
    asked = " ".join(said.get("phrase", "").split())
    return _Row(where=where, phrase=asked, question=question, answer=answer, **names)
