"""Graph, pairs and splits against plain-Python oracles."""

from __future__ import annotations

import itertools

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxonomy.errors import DataError
from taxonomy.graph import check_acyclic, leaves_under
from taxonomy.pairs import Claim, claims, n_leaves
from taxonomy.split import split_leaf


@st.composite
def hypernym_dags(draw: st.DrawFn) -> nx.DiGraph:
    """Node i picks its hypernyms among the nodes before it: acyclic by construction."""
    n_nodes = draw(st.integers(1, 12))
    graph = nx.DiGraph()
    graph.add_nodes_from(f"n/{i}" for i in range(n_nodes))
    for i in range(1, n_nodes):
        for parent in draw(st.sets(st.integers(0, i - 1), max_size=3)):
            graph.add_edge(f"n/{i}", f"n/{parent}")
    return graph


@given(hypernym_dags())
def test_leaves_under_match_reachability(graph: nx.DiGraph) -> None:
    leaves = {node for node in graph if graph.in_degree(node) == 0}
    for node in graph:
        want = {leaf for leaf in leaves - {node} if nx.has_path(graph, leaf, node)}
        assert set(leaves_under(graph, node, leaves)) == want


@given(hypernym_dags(), st.data())
def test_a_back_edge_is_a_cycle_and_nothing_else_is(graph: nx.DiGraph, data: st.DataObject) -> None:
    check_acyclic(graph, "t.csv")
    node = data.draw(st.sampled_from(sorted(graph)))
    below = data.draw(st.sampled_from(sorted({node} | nx.ancestors(graph, node))))
    graph.add_edge(node, below)
    with pytest.raises(DataError, match="must not form a cycle"):
        check_acyclic(graph, "t.csv")


def test_a_cycle_is_spelt_out_from_its_first_name() -> None:
    graph = nx.DiGraph([("w/pet", "w/dog"), ("w/dog", "w/animal"), ("w/animal", "w/pet")])
    with pytest.raises(DataError) as caught:
        check_acyclic(graph, "t.csv")
    assert str(caught.value) == (
        "t.csv: hypernyms must not form a cycle, got animal -> pet -> dog -> animal; "
        "take out one of them"
    )


LEAVES = ("ant", "bee", "cat")
WORDS = ("pet", "toy")
GRID = list(itertools.product(LEAVES, WORDS))


@given(
    strict=st.fixed_dictionaries({pair: st.booleans() for pair in GRID}),
    listed=st.fixed_dictionaries({pair: st.booleans() for pair in GRID}),
    unspoken=st.sets(st.sampled_from(LEAVES)),
    nameless=st.sets(st.sampled_from(LEAVES)),
    wordless=st.sets(st.sampled_from(WORDS)),
)
def test_a_yes_is_true_in_every_source_that_speaks_of_it(
    strict: dict[tuple[str, str], bool],
    listed: dict[tuple[str, str], bool],
    unspoken: set[str],
    nameless: set[str],
    wordless: set[str],
) -> None:
    found = claims(
        LEAVES,
        WORDS,
        {
            leaf: frozenset(w for w in WORDS if strict[leaf, w])
            for leaf in LEAVES
            if leaf not in nameless
        },
        {word: None if word in wordless else word for word in WORDS},
        {
            leaf: frozenset(w for w in WORDS if listed[leaf, w])
            for leaf in LEAVES
            if leaf not in unspoken
        },
    )
    by_pair = {(claim.leaf, claim.hypernym): claim for claim in found}
    yes = {pairs: set[tuple[str, str]]() for pairs in ("agreed", "strict", "everyday")}
    for leaf, word in GRID:
        in_wordnet = None if leaf in nameless or word in wordless else strict[leaf, word]
        in_list = None if leaf in unspoken else listed[leaf, word]
        said = [answer for answer in (in_wordnet, in_list) if answer is not None]
        assert ((leaf, word) in by_pair) == any(said)
        if any(said):
            claim = by_pair[leaf, word]
            assert (claim.strict, claim.listed) == (in_wordnet, in_list)
            assert claim.is_yes("agreed") == all(said)
            assert claim.is_yes("strict") == (in_wordnet is True)
            assert claim.is_yes("everyday") == (in_list is True)
        for pairs in yes:
            if (leaf, word) in by_pair and by_pair[leaf, word].is_yes(pairs):
                yes[pairs].add((leaf, word))
    for pairs, held in yes.items():
        want = {word: sum(pair[1] == word for pair in held) for word in WORDS}
        assert n_leaves(found, WORDS, pairs) == want


def test_claims_are_sorted() -> None:
    found = claims(["b", "a"], ["y", "x"], {}, {"x": None, "y": None}, {"a": frozenset("xy")})
    assert found == [
        Claim(leaf="a", hypernym="x", strict=None, listed=True),
        Claim(leaf="a", hypernym="y", strict=None, listed=True),
    ]


groups = st.dictionaries(st.text("abcdefgh", min_size=1), st.integers(1, 9), min_size=2)


@given(groups, st.integers(0, 5))
def test_split_leaf_covers_every_group_once(sizes: dict[str, int], seed: int) -> None:
    splits = split_leaf("parrot", sizes, seed)
    assert set(splits) == set(sizes)
    held = list(splits.values())
    assert held.count("train") >= 1
    assert held.count("test") >= 1
    assert (held.count("validation") >= 1) == (len(sizes) >= 4)
    backwards = dict(reversed(list(sizes.items())))
    assert split_leaf("parrot", backwards, seed) == splits


@given(st.integers(4, 200), st.integers(0, 5))
def test_split_leaf_of_single_images_has_its_shares(n_images: int, seed: int) -> None:
    held = list(split_leaf("parrot", {str(i): 1 for i in range(n_images)}, seed).values())
    assert abs(held.count("test") - 0.25 * n_images) <= 0.5
    assert abs(held.count("validation") - max(1, 0.05 * n_images)) <= 0.5


def test_split_leaf_depends_on_seed_and_leaf() -> None:
    sizes = {str(i): 1 for i in range(40)}
    assert split_leaf("parrot", sizes, 0) != split_leaf("parrot", sizes, 1)
    assert split_leaf("parrot", sizes, 0) != split_leaf("owl", sizes, 0)


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(DataError) as caught:
        split_leaf("parrot", {"photos": 3}, 0)
    assert str(caught.value) == (
        "leaf 'parrot' has 3 image(s) in 1 group(s); it needs at least two groups, "
        "one to train and one to test"
    )
