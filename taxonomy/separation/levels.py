"""What each level removes around the unseen classes. Every level removes all that one before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from taxonomy.separation.classes import Classes
from taxonomy.separation.mentions import Mentions, unseen_words
from taxonomy.separation.model import LEVELS, SIMILAR, SeparationConfig
from taxonomy.separation.similarity import Matrix, similar_classes
from taxonomy.separation.words import Inflections


@dataclass(frozen=True)
class Tie:
    """Why a class is removed: the first reason found, at the lowest level that has one."""

    relation: str
    unseen: int
    """Row of the unseen class."""
    detail: str
    """The word, the seen class's node, the number of edges or the cosine."""


def removed_at(
    classes: Classes,
    unseen: Sequence[int],
    config: SeparationConfig,
    features: Matrix | None = None,
) -> Mapping[str, dict[int, Tie]]:
    """The classes other than the unseen ones that each level removes.

    Args:
        classes: The dataset.
        unseen: Rows of the unseen classes, ascending.
        config: The distance of level branch, and max_cosine of level similar.
        features: floating [C, D] for level similar, or None: no such level.

    Returns:
        By level, all of them in their order, ties by row; each has all of the one before.
    """
    inflections, taken = Inflections(classes.nouns), set(unseen)
    found: dict[str, dict[int, Tie]] = {"none": {}}
    ties: dict[int, Tie] = {}
    for level in LEVELS[1:]:
        words = Mentions(unseen_words(classes, unseen, level), inflections)
        by_graph = _by_graph(classes, unseen, level, config.distance)
        for row, tie in (*by_graph, *_by_words(classes, words, level)):
            if row not in taken:
                ties.setdefault(row, tie)
        found[level] = dict(ties)
    if features is not None and config.max_cosine is not None:
        similar = similar_classes(features, len(classes), unseen, config.max_cosine)
        for row, (other, cosine) in similar.items():
            ties.setdefault(row, Tie("cosine", other, f"{cosine:.4f}"))
        found[SIMILAR] = dict(ties)
    return found


def _by_words(classes: Classes, words: Mentions, level: str) -> Iterator[tuple[int, Tie]]:
    """Classes of which a text would have a word of an unseen one: bell pepper of bell.

    At lemma the text is the name; above it any word of the synset may stand for the class.
    """
    for row, name in enumerate(classes.names):
        texts = (name,) if level == "lemma" else (name, *classes.words(row))
        for text in texts:
            mention = words.find(text)
            if mention is not None:
                unseen = classes.row_of[mention.word.class_id]
                yield row, Tie(mention.word.relation, unseen, mention.word.lemma)
                break


def _by_graph(
    classes: Classes, unseen: Sequence[int], level: str, distance: int
) -> Iterator[tuple[int, Tie]]:
    """Classes at, above, below or near the nodes of unseen ones, as far as the level goes."""
    for row in unseen:
        node = classes.nodes[row]
        if node is None:
            continue
        if level == "synset":
            yield from ((other, Tie("lemma", row, node)) for other in classes.at[node])
        if level == "subtree":
            for relation, down in (("hypernym", False), ("hyponym", True)):
                for other in classes.nouns.closure([node], down=down) & classes.at.keys():
                    yield from ((n, Tie(relation, row, other)) for n in classes.at[other])
    if level == "branch":
        for node, (edges, row) in _near(classes, unseen, distance).items():
            yield from ((n, Tie("distance", row, str(edges))) for n in classes.at.get(node, ()))


def _near(classes: Classes, unseen: Sequence[int], distance: int) -> dict[str, tuple[int, int]]:
    """Edges to the nearest unseen class, and its row, of every node within the distance."""
    above, below = classes.nouns.above, classes.nouns.below
    found: dict[str, tuple[int, int]] = {}
    edge = {node: row for row in reversed(unseen) if (node := classes.nodes[row]) is not None}
    for edges in range(distance + 1):
        reached: dict[str, int] = {}
        for node, row in edge.items():
            found[node] = (edges, row)
        for node, row in edge.items():
            for other in (*above.get(node, ()), *below.get(node, ())):
                if other not in found:
                    reached[other] = min(row, reached.get(other, row))
        edge = reached
    return found
