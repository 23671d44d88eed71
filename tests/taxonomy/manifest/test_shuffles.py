"""Shuffles against the definitions, and the matching against networkx."""

from __future__ import annotations

from collections import defaultdict

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxonomy.manifest import ManifestBuilder
from taxonomy.manifest.matching import Allowed, as_swaps, match
from taxonomy.model import ManifestConfig, Taxonomy
from tests.taxonomy.manifest.oracle import Oracle, labels_of
from tests.taxonomy.manifest.worlds import build, concept, configs, make, seeds, taxonomies


def statuses(taxonomy: Taxonomy, config: ManifestConfig) -> tuple[dict[int, int], dict[int, str]]:
    manifest = build(taxonomy, config)
    status = {r["image_leaf_id"]: r["status"] for r in manifest.labels.to_pylist()}
    return labels_of(manifest), status


@given(taxonomies(), configs())
def test_labels_are_a_bijection_without_fixed_points(
    taxonomy: Taxonomy, config: ManifestConfig
) -> None:
    oracle, (labels, status) = Oracle(taxonomy), statuses(taxonomy, config)
    assert set(status) == set(oracle.leaves)
    assert set(labels) == {leaf for leaf in status if status[leaf] != "dropped"}
    assert set(labels.values()) == set(labels)
    for leaf, label in labels.items():
        if status[leaf] == "moved":
            assert oracle.word(leaf) != oracle.word(label)
        else:
            assert leaf == label
    kind = config.shuffle
    if kind == "none":
        assert set(status.values()) <= {"identity"}
    if kind in ("none", "within", "across_s1"):
        assert "dropped" not in status.values()
    if kind == "across":
        assert "stayed" not in status.values()


def most_moved(words: list[str]) -> int:
    """The most members of a group that can take another's place under another word."""
    largest = max(words.count(w) for w in words)
    return len(words) if 2 * largest <= len(words) else 2 * (len(words) - largest)


@given(taxonomies(), seeds())
def test_within_moves_all_it_can_among_leaves_with_equal_cells(
    taxonomy: Taxonomy, seed: int
) -> None:
    oracle = Oracle(taxonomy)
    labels, status = statuses(taxonomy, ManifestConfig(shuffle="within", seed=seed))
    groups = defaultdict(list)
    for leaf in oracle.leaves:
        false = frozenset(h for h in oracle.hypernyms if (leaf, h) in oracle.false)
        groups[frozenset(oracle.has(leaf)), false].append(leaf)
    for (true, _), members in groups.items():
        assert {labels[leaf] for leaf in members} == set(members)
        moved = [leaf for leaf in members if status[leaf] == "moved"]
        want = most_moved([oracle.word(leaf) for leaf in members]) if true else 0
        assert len(moved) == want


@given(taxonomies(), seeds())
def test_across_s1_moves_all_it_can(taxonomy: Taxonomy, seed: int) -> None:
    oracle = Oracle(taxonomy)
    _, status = statuses(taxonomy, ManifestConfig(shuffle="across_s1", seed=seed))
    moved = sum(s == "moved" for s in status.values())
    assert moved == most_moved([oracle.word(leaf) for leaf in oracle.leaves])


def foreign(oracle: Oracle, a: int, b: int) -> bool:
    shared = oracle.any_source(a) & oracle.any_source(b)
    return oracle.word(a) != oracle.word(b) and not shared


@given(taxonomies(), seeds())
def test_across_is_a_largest_matching_of_foreign_leaves(taxonomy: Taxonomy, seed: int) -> None:
    oracle = Oracle(taxonomy)
    labels, _ = statuses(taxonomy, ManifestConfig(shuffle="across", seed=seed))
    assert all(foreign(oracle, a, b) for a, b in labels.items())
    graph = nx.Graph()
    graph.add_nodes_from(("image", a) for a in oracle.leaves)
    graph.add_edges_from(
        (("image", a), ("label", b))
        for a in oracle.leaves
        for b in oracle.leaves
        if foreign(oracle, a, b)
    )
    tops = {n for n in graph if n[0] == "image"}
    assert len(labels) == len(nx.bipartite.hopcroft_karp_matching(graph, tops)) // 2


@given(taxonomies(max_pairs=1), seeds())
def test_swap_exchanges_disjoint_categories_of_similar_size(taxonomy: Taxonomy, seed: int) -> None:
    oracle, builder = Oracle(taxonomy), ManifestBuilder(taxonomy)
    manifest = build(builder, ManifestConfig(shuffle="swap", seed=seed))
    labels = labels_of(manifest)
    assert all(foreign(oracle, a, b) for a, b in labels.items())
    assert all(labels[b] == a for a, b in labels.items())
    words = {oracle.word(h): h for h in oracle.hypernyms}
    chosen = [[words[w] for w in pair] for pair in manifest.summary["exchanged_categories"]]
    every = [h for pair in chosen for h in pair]
    for leaf in oracle.leaves:
        assert len(oracle.any_source(leaf) & set(every)) <= 1
    partner = {a: b for pair in chosen for a, b in (pair, pair[::-1])}
    for a, b in labels.items():
        (high,) = oracle.has(a) & set(every)
        assert partner[high] in oracle.has(b)
    for pair in chosen:
        small, large = sorted(sum((a, h) in oracle.true for a in oracle.leaves) for h in pair)
        assert 2 * small >= large > 0
    control = build(builder, ManifestConfig(shuffle="swap_control", seed=seed))
    assert labels_of(control) == {a: a for a in labels}


@pytest.mark.parametrize("seed", range(5))
def test_swap_takes_no_leaf_that_a_source_puts_into_two_categories(seed: int) -> None:
    # the first leaf is a Yes of category 0 and claimed for category 2 by some source:
    # once one of the two is exchanged, the other cannot be, whichever comes first
    concepts = [concept(h, "hypernym", f"category {h}") for h in range(4)]
    concepts += [concept(4 + n, "leaf", f"leaf {n}") for n in range(8)]
    pairs = [(4 + n, n // 2, True) for n in range(8)] + [(4, 2, False)]
    images = [(4 + n, split) for n in range(8) for split in ("train", "test")]
    manifest = build(make(concepts, [], pairs, images), ManifestConfig(shuffle="swap", seed=seed))
    assert len(manifest.summary["exchanged_categories"]) == 1


@given(taxonomies(), configs())
def test_overlap_is_the_share_of_true_pairs_that_the_picture_has_too(
    taxonomy: Taxonomy, config: ManifestConfig
) -> None:
    oracle, manifest = Oracle(taxonomy), build(taxonomy, config)
    labels = labels_of(manifest)
    pairs = [(a, h) for a, b in labels.items() for h in oracle.has(b)]
    both = [pair for pair in pairs if pair in oracle.claims]
    assert manifest.summary["label_overlap_ratio"] == len(both) / max(1, len(pairs))
    moved = [(a, b) for a, b in labels.items() if a != b]
    sharing = [(a, b) for a, b in moved if oracle.any_source(a) & oracle.any_source(b)]
    assert manifest.summary["n_moved_leaves_sharing_a_hypernym"] == len(sharing)
    if config.shuffle == "across":
        assert not sharing


@given(st.integers(1, 7), st.integers(1, 7), st.data())
def test_match_is_as_large_as_any(n_rows: int, n_columns: int, data: st.DataObject) -> None:
    size = n_rows * n_columns
    bits = data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
    allowed = np.array(bits, dtype=np.bool_).reshape(n_rows, n_columns)
    chosen = match(Allowed.of(allowed))
    got = [(row, column) for row, column in enumerate(chosen.tolist()) if column >= 0]
    assert all(allowed[pair] for pair in got)
    assert len({column for _, column in got}) == len(got)
    graph = nx.Graph()
    graph.add_nodes_from(("row", row) for row in range(n_rows))
    graph.add_edges_from((("row", int(r)), int(c)) for r, c in np.argwhere(allowed))
    rows = [("row", row) for row in range(n_rows)]
    assert len(got) == len(nx.bipartite.hopcroft_karp_matching(graph, rows)) // 2


@given(st.integers(1, 9), st.data())
def test_swaps_keep_the_size_and_close_the_map(n: int, data: st.DataObject) -> None:
    bits = data.draw(st.lists(st.booleans(), min_size=n * n, max_size=n * n))
    one_way = np.triu(np.array(bits, dtype=np.bool_).reshape(n, n), k=1)
    allowed = one_way | one_way.T
    before = match(Allowed.of(allowed))
    after = as_swaps(before)
    moved = np.flatnonzero(after >= 0)
    assert (before >= 0).sum() == len(moved)
    assert set(after[moved].tolist()) == set(moved.tolist())
    assert all(allowed[a, after[a]] for a in moved)
