"""Unseen classes are whole branches, and as many as asked."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxonomy.errors import ManifestError
from taxonomy.separation import Classes
from taxonomy.separation.unseen import draw_unseen
from tests.taxonomy.separation.worlds import SETTINGS, graph_of, worlds


@SETTINGS
@given(worlds(), st.integers(1, 6), st.integers(1, 6), st.integers(0, 3))
def test_unseen_classes_are_the_union_of_whole_branches(
    classes: Classes, n_unseen: int, max_branch: int, seed: int
) -> None:
    graph = graph_of(classes)
    branch = {
        root: {
            row
            for row, node in enumerate(classes.nodes)
            if node is not None and nx.has_path(graph, node, root)
        }
        for root in graph
    }
    try:
        rows, roots = draw_unseen(classes, n_unseen, max_branch, seed)
    except ManifestError:
        # no branch of a single class is left that could have been added
        singles = {row for rows in branch.values() if len(rows) == 1 for row in rows}
        assert len(singles) < n_unseen
        return
    assert rows == sorted(set(rows))
    assert len(rows) == n_unseen
    assert set(rows) == set().union(*(branch[root] for root in roots))
    assert all(1 <= len(branch[root]) <= max_branch for root in roots)
    for root in roots:  # none is for nothing
        assert not any(branch[root] <= branch[other] for other in roots if other != root)
    backwards = dict(reversed(list(classes.nouns.above.items())))
    again = replace(classes, nouns=replace(classes.nouns, above=backwards))
    assert draw_unseen(again, n_unseen, max_branch, seed) == (rows, roots)


def test_single_classes_come_last(embedded_classes: Classes) -> None:
    rows, roots = draw_unseen(embedded_classes, 100, 20, 0)
    graph = graph_of(embedded_classes)
    sizes = [
        sum(embedded_classes.nodes[row] in nx.ancestors(graph, root) | {root} for row in rows)
        for root in roots
    ]
    assert (len(rows), len(roots)) == (100, 21)
    assert max(sizes) <= 20
    assert [size > 1 for size in sizes] == sorted((size > 1 for size in sizes), reverse=True)


def test_another_seed_draws_others(embedded_classes: Classes) -> None:
    assert draw_unseen(embedded_classes, 50, 20, 0) != draw_unseen(embedded_classes, 50, 20, 1)


def test_more_than_there_are_is_refused(embedded_classes: Classes) -> None:
    with pytest.raises(ManifestError) as caught:
        draw_unseen(embedded_classes, 519, 20, 0)
    assert str(caught.value) == (
        "n_unseen must be a number that whole branches of at most 20 classes make up, got 519: "
        "they reach 518 of the 518 classes with a place in WordNet; ask for 518"
    )


def test_a_dataset_without_synsets_is_refused(embedded_classes: Classes) -> None:
    nowhere = replace(embedded_classes, nodes=(None,) * len(embedded_classes))
    with pytest.raises(ManifestError) as caught:
        draw_unseen(nowhere, 10, 20, 0)
    assert str(caught.value) == (
        "none of the 518 classes is in a branch of at most 20 classes; give classes synsets, or "
        "raise max_branch"
    )
