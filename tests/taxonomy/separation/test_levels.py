"""What each level removes, against a brute-force oracle over all pairs."""

from __future__ import annotations

import networkx as nx
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from taxonomy.separation import LEVELS, Classes, Nouns, SeparationConfig
from taxonomy.separation.levels import Tie, removed_at
from tests.taxonomy.separation.worlds import (
    SETTINGS,
    graph_of,
    mentioned,
    words_of,
    worlds_with_unseen,
)


def removed_by_oracle(classes: Classes, unseen: list[int], level: str, distance: int) -> set[int]:
    """Rows of seen classes that a level must remove, every pair looked at by itself."""
    graph = graph_of(classes)
    flat = graph.to_undirected()
    at_least = {name: LEVELS.index(level) >= LEVELS.index(name) for name in LEVELS}
    found = set()
    for seen in set(range(len(classes))) - set(unseen):
        for row in unseen:
            # a word that a lower level looks for in names alone, a higher one looks for in more
            for lower in LEVELS[: LEVELS.index(level) + 1]:
                texts = {classes.names[seen]}
                if lower not in ("none", "lemma"):
                    texts.update(classes.words(seen))
                if any(mentioned(w, t) for w in words_of(classes, row, lower) for t in texts):
                    found.add(seen)
            a, b = classes.nodes[row], classes.nodes[seen]
            if a is None or b is None:
                continue
            if at_least["synset"] and a == b:
                found.add(seen)
            if at_least["subtree"] and (nx.has_path(graph, a, b) or nx.has_path(graph, b, a)):
                found.add(seen)
            near = nx.has_path(flat, a, b) and nx.shortest_path_length(flat, a, b) <= distance
            if at_least["branch"] and near:
                found.add(seen)
    return found


@SETTINGS
@given(worlds_with_unseen(), st.integers(1, 4))
def test_levels_remove_what_the_oracle_does_and_are_nested(
    world: tuple[Classes, list[int]], distance: int
) -> None:
    classes, unseen = world
    levels = removed_at(classes, unseen, SeparationConfig(distance=distance))
    assert tuple(levels) == LEVELS
    before: set[int] = set()
    for level, ties in levels.items():
        assert set(ties) == removed_by_oracle(classes, unseen, level, distance), level
        assert before <= set(ties)
        assert not set(ties) & set(unseen)
        before = set(ties)


@SETTINGS
@given(worlds_with_unseen(), st.integers(1, 4))
def test_the_reason_of_a_tie_is_true(world: tuple[Classes, list[int]], distance: int) -> None:
    classes, unseen = world
    graph = graph_of(classes)
    flat = graph.to_undirected()
    for seen, tie in removed_at(classes, unseen, SeparationConfig(distance=distance))[
        "branch"
    ].items():
        a, b = classes.nodes[tie.unseen], classes.nodes[seen]
        assert tie.unseen in unseen
        if tie.relation == "hypernym":
            assert nx.has_path(graph, a, b)
        elif tie.relation == "hyponym":
            assert nx.has_path(graph, b, a)
        elif tie.relation == "distance":
            edges = nx.shortest_path_length(flat, a, b)
            assert str(edges) == tie.detail
            others = [n for row in unseen if (n := classes.nodes[row]) is not None]
            nearest = min(
                nx.shortest_path_length(flat, n, b) for n in others if nx.has_path(flat, n, b)
            )
            assert edges == nearest
        elif a != b:
            texts = (classes.names[seen], *classes.words(seen))
            assert any(mentioned(tie.detail, text) for text in texts)


@SETTINGS
@given(worlds_with_unseen(), st.integers(0, 5))
def test_level_similar_adds_what_is_too_like_an_unseen_class(
    world: tuple[Classes, list[int]], seed: int
) -> None:
    classes, unseen = world
    features = np.random.default_rng(seed).standard_normal((len(classes), 3)).astype(np.float32)
    config = SeparationConfig(max_cosine=0.5)
    levels = removed_at(classes, unseen, config, features)
    assert tuple(levels) == (*LEVELS, "similar")
    want = set(levels["branch"])
    for seen in set(range(len(classes))) - set(unseen):
        for row in unseen:
            a, b = features[row].astype(float), features[seen].astype(float)
            if a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) > 0.5:
                want.add(seen)
    assert set(levels["similar"]) == want


def test_a_class_below_or_above_goes_whatever_it_is_called() -> None:
    # all words of a class below are words of the unseen one, but for function words
    nouns = Nouns(
        above={"top": (), "middle": ("top",), "bottom": ("middle",), "aside": ("top",)},
        lemmas={"top": ("game",), "middle": ("tag",), "bottom": ("it",), "aside": ("chess",)},
        irregular={},
        version="none",
    )
    classes = Classes(
        ids=(0, 1, 2, 3),
        keys=("top", "middle", "bottom", "aside"),
        names=("game", "tag", "it", "chess"),
        nodes=("top", "middle", "bottom", "aside"),
        nouns=nouns,
    )
    levels = removed_at(classes, [1], SeparationConfig(distance=2))
    assert levels["synset"] == {}
    assert levels["subtree"] == {0: Tie("hypernym", 1, "top"), 2: Tie("hyponym", 1, "bottom")}
    assert levels["branch"][3] == Tie("distance", 1, "2")
