"""What of the unseen classes training still sees, found another way than it was removed.

Levels remove by one search outwards from all unseen classes and by a table of word forms. Here
each unseen class is looked at by itself with networkx, and each word of a text is compared with
each word that begins like it, by what both are forms of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import pyarrow as pa

from taxonomy import tables
from taxonomy.errors import ConfigError
from taxonomy.separation.classes import Classes
from taxonomy.separation.model import RELATIONS
from taxonomy.separation.similarity import Matrix, check_pair, unit_rows
from taxonomy.separation.words import Inflections, Tokens, inflected, is_function_word, tokens

Row = dict[str, Any]


def audit(
    classes: Classes,
    unseen: Iterable[int],
    seen: Iterable[int],
    *,
    distance: int,
    texts: Sequence[str] = (),
    features: Matrix | None = None,
    max_cosine: float | None = None,
) -> pa.Table:
    """Every tie between an unseen class and a class or text that training sees.

    All ties are looked for, whatever level removed what: at branch, or similar with features,
    none is left.

    Args:
        classes: The dataset.
        unseen: Concept ids of the unseen classes.
        seen: Concept ids of the classes in training; unseen ones among them are a leak.
        distance: Edges within which classes are too near.
        texts: Training texts.
        features: floating [C, D], text features of the classes, with max_cosine.
        max_cosine: Largest cosine allowed.

    Returns:
        taxonomy.tables.LEAK: by unseen class, then seen class, then text; one row a relation.

    Raises:
        ConfigError: Features without max_cosine or the other way round, or a distance of 0.
        DataError: An id is no class, or features do not fit.
    """
    check_pair(features, max_cosine)
    if distance < 1:
        raise ConfigError(f"distance must be at least 1, got {distance}")
    hidden, shown = classes.rows(unseen), classes.rows(seen)
    graph = classes.nouns.graph
    found = [
        *_identities(classes, hidden, shown),
        *_graph_leaks(classes, hidden, shown, graph, distance),
        *_word_leaks(classes, hidden, shown, texts, graph),
    ]
    if features is not None and max_cosine is not None:
        found += _cosine_leaks(classes, hidden, shown, features, max_cosine)
    blank = dict.fromkeys(tables.LEAK.names)
    found.sort(key=_order)
    return pa.Table.from_pylist([blank | row for row in found], schema=tables.LEAK)


def _order(row: Row) -> tuple[int, int, int, int]:
    # classes come before texts
    missing = 1 << 62
    seen, text = row.get("seen_id", missing), row.get("text_row", -1)
    return row["unseen_id"], seen, text, RELATIONS.index(row["relation"])


def _identities(classes: Classes, hidden: list[int], shown: list[int]) -> Iterator[Row]:
    for row in set(hidden) & set(shown):
        concept = classes.ids[row]
        yield {"unseen_id": concept, "seen_id": concept, "relation": "identity"}


def _graph_leaks(
    classes: Classes, hidden: list[int], shown: list[int], graph: nx.DiGraph, distance: int
) -> Iterator[Row]:
    """Seen classes above, below and near each unseen one."""
    seen_at = defaultdict(list)
    for row in shown:
        seen_at[classes.nodes[row]].append(row)
    undirected = graph.to_undirected(as_view=True)
    for row in hidden:
        node = classes.nodes[row]
        if node is None:
            continue
        near = nx.single_source_shortest_path_length(undirected, node, cutoff=distance)
        related = [
            *((other, "hypernym", None) for other in nx.descendants(graph, node)),
            *((other, "hyponym", None) for other in nx.ancestors(graph, node)),
            *((other, "distance", edges) for other, edges in near.items()),
        ]
        for other, relation, edges in related:
            for seen in seen_at.get(other, ()):
                if seen != row:
                    yield {
                        "unseen_id": classes.ids[row],
                        "seen_id": classes.ids[seen],
                        "relation": relation,
                        "detail": other,
                        "distance": edges,
                    }


@dataclass(frozen=True)
class _Sought:
    """A word of an unseen class."""

    parts: Tokens
    places: frozenset[int]
    row: int
    relation: str
    lemma: str


class _Reader:
    """Finds words by comparing word with word."""

    def __init__(self, sought: Iterable[_Sought], inflections: Inflections) -> None:
        self._bases = inflections.bases
        self._by_first: dict[str, list[_Sought]] = defaultdict(list)
        for word in sought:
            for base in self._bases(word.parts[0]):
                self._by_first[base].append(word)

    def read(self, text: str) -> Iterator[_Sought]:
        """Every word in a text; one may come twice."""
        found = tokens(text)
        for start, token in enumerate(found):
            for base in self._bases(token):
                for word in self._by_first.get(base, ()):
                    if self._is_at(word, found, start):
                        yield word

    def _is_at(self, word: _Sought, found: list[str], start: int) -> bool:
        there = found[start : start + len(word.parts)]
        return len(there) == len(word.parts) and all(
            a == b or (place in word.places and not self._bases(a).isdisjoint(self._bases(b)))
            for place, (a, b) in enumerate(zip(word.parts, there, strict=True))
        )


def _sought(classes: Classes, hidden: list[int], graph: nx.DiGraph) -> Iterator[_Sought]:
    """Names of unseen classes, words of their synsets and of all below them."""
    lemmas = classes.nouns.lemmas
    named = defaultdict(list)
    for node, name in zip(classes.nodes, classes.names, strict=True):
        named[node].append(name)
    for row in hidden:
        node = classes.nodes[row]
        words = [("name", classes.names[row])]
        if node is not None:
            words += [("lemma", word) for word in (*lemmas.get(node, ()), *named[node])]
            for below in sorted(nx.ancestors(graph, node)):
                words += [("hyponym_lemma", word) for word in lemmas.get(below, ())]
                words += [("hyponym_lemma", word) for word in named.get(below, ())]
        for relation, lemma in words:
            parts = tuple(tokens(lemma))
            if parts and (relation == "name" or not is_function_word(parts)):
                yield _Sought(parts, frozenset(inflected(parts)), row, relation, lemma)


def _word_leaks(
    classes: Classes, hidden: list[int], shown: list[int], texts: Sequence[str], graph: nx.DiGraph
) -> Iterator[Row]:
    """Words of unseen classes in what seen classes are called, and in texts."""
    reader = _Reader(_sought(classes, hidden, graph), Inflections(classes.nouns))
    for seen in shown:
        calls = (classes.names[seen], *classes.words(seen))
        words = [word for call in calls for word in reader.read(call) if word.row != seen]
        yield from _distinct(classes, words, {"seen_id": classes.ids[seen]})
    for place, text in enumerate(texts):
        yield from _distinct(classes, list(reader.read(text)), {"text_row": place})


def _distinct(classes: Classes, words: list[_Sought], where: Row) -> Iterator[Row]:
    """One row an unseen class and relation."""
    first: dict[tuple[int, str], _Sought] = {}
    for word in words:
        first.setdefault((word.row, word.relation), word)
    for (row, relation), word in first.items():
        yield {
            "unseen_id": classes.ids[row],
            "relation": relation,
            "detail": word.lemma,
            **where,
        }


def _cosine_leaks(
    classes: Classes, hidden: list[int], shown: list[int], features: Matrix, max_cosine: float
) -> Iterator[Row]:
    unit = unit_rows(features, len(classes))
    for row in hidden:
        for seen in shown:
            cosine = float(unit[row] @ unit[seen])
            if seen != row and cosine > max_cosine:
                yield {
                    "unseen_id": classes.ids[row],
                    "seen_id": classes.ids[seen],
                    "relation": "cosine",
                    "cosine": cosine,
                }
