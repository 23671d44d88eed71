"""Edges between classes against NLTK on WordNet, and against networkx on any graph."""

from __future__ import annotations

import itertools

import networkx as nx
import pytest
from hypothesis import given

from taxonomy.errors import DataError
from taxonomy.hashing import keyed_order
from taxonomy.separation import Classes, Nouns
from taxonomy.separation.edges import Edges
from taxonomy.wordnet import WordNet
from tests.taxonomy.separation.worlds import SETTINGS, graph_of, worlds


@SETTINGS
@given(worlds())
def test_edges_are_those_of_networkx(classes: Classes) -> None:
    """The least sum of two upward paths to one node."""
    graph = graph_of(classes)
    up = dict(nx.all_pairs_shortest_path_length(graph))
    nodes = dict(zip(classes.ids, classes.nodes, strict=True))
    edges = Edges(classes.nouns, nodes)
    for a, b in itertools.product(classes.ids, repeat=2):
        one, other = nodes[a], nodes[b]
        want: int | None = 0 if a == b else None
        if a != b and one is not None and other is not None:
            sums = [up[one][n] + up[other][n] for n in graph if n in up[one] and n in up[other]]
            want = min(sums, default=None)
        assert edges(a, b) == want


def test_edges_are_those_of_nltk(nouns: Nouns, wordnet: WordNet) -> None:
    names = keyed_order(nouns.above, 0, "edges")[:40]
    # instances, near relatives, and a path that is shorter over a second hypernym
    names += ["parrot.n.01", "bird.n.01", "lhasa.n.02", "einstein.n.01", "dog.n.01", "cat.n.01"]
    edges = Edges(nouns, dict(enumerate(names)))
    synsets = [wordnet.synset(name) for name in names]
    found = set()
    for a, b in itertools.combinations(range(len(names)), 2):
        want = synsets[a].shortest_path_distance(synsets[b])
        assert edges(a, b) == edges(b, a) == want, (names[a], names[b])
        found.add(want)
    assert len(found) > 10
    assert edges(names.index("dog.n.01"), names.index("cat.n.01")) == 4


def test_classes_at_one_node_and_at_none(nouns: Nouns) -> None:
    edges = Edges(nouns, {1: "bird.n.01", 2: "bird.n.01", 3: None, 4: "bird.n.99"})
    assert [edges(*pair) for pair in ((1, 2), (3, 3), (1, 3), (3, 1), (1, 7))] == [0, 0] + [
        None
    ] * 3
    with pytest.raises(DataError, match=r"^a class lies at bird.n.99, which WordNet 3.0 does not"):
        edges(1, 4)


def test_a_hyponym_of_its_own_hypernym_ends(nouns: Nouns) -> None:
    round_about = nouns.with_nodes({"a": ("b",), "b": ("c",), "c": ("a",)})
    edges = Edges(round_about, {1: "a", 2: "b", 3: "c", 4: "bird.n.01"})
    assert (edges(1, 2), edges(2, 1), edges(3, 2), edges(1, 4)) == (1, 1, 1, None)
