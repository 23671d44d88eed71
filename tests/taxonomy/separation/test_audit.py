"""The audit: all leaks where nothing is removed, none at branch, each row true."""

from __future__ import annotations

from collections import Counter

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxonomy import tables
from taxonomy.errors import ConfigError, DataError
from taxonomy.separation import (
    Classes,
    SeparationConfig,
    filter_texts,
    find_mentions,
    separate,
)
from taxonomy.separation.audit import audit
from taxonomy.separation.levels import removed_at
from tests.taxonomy.separation.test_mentions import texts
from tests.taxonomy.separation.worlds import (
    SETTINGS,
    graph_of,
    mentioned,
    words_of,
    worlds_with_unseen,
)


def ids(classes: Classes, rows: object) -> list[int]:
    return [classes.ids[row] for row in rows]  # type: ignore[attr-defined]


@SETTINGS
@given(worlds_with_unseen(), st.integers(1, 4), st.lists(texts, max_size=8), st.integers(0, 3))
def test_nothing_is_left_at_the_strictest_level(
    world: tuple[Classes, list[int]], distance: int, given_texts: list[str], seed: int
) -> None:
    classes, unseen = world
    features = np.random.default_rng(seed).standard_normal((len(classes), 3))
    config = SeparationConfig(distance=distance, max_cosine=0.6)
    levels = removed_at(classes, unseen, config, features)
    everyone = set(range(len(classes)))
    mentions = find_mentions(classes, ids(classes, unseen), "branch")
    kept = filter_texts(given_texts, mentions).kept
    left = [text for text, keep in zip(given_texts, kept, strict=True) if keep]
    for level, given_features in (("branch", None), ("similar", features)):
        seen = everyone - set(unseen) - set(levels[level])
        found = audit(
            classes,
            ids(classes, unseen),
            ids(classes, seen),
            distance=distance,
            texts=left,
            features=given_features,
            max_cosine=None if given_features is None else 0.6,
        )
        assert found.schema == tables.LEAK
        assert found.to_pylist() == []


@SETTINGS
@given(worlds_with_unseen(), st.integers(1, 4), st.lists(texts, max_size=8))
def test_every_tie_is_listed_and_every_row_is_true(
    world: tuple[Classes, list[int]], distance: int, given_texts: list[str]
) -> None:
    classes, unseen = world
    graph = graph_of(classes)
    flat = graph.to_undirected()
    want = {(classes.ids[row], classes.ids[row], "identity") for row in unseen}
    worded = set()
    for row in unseen:
        words = words_of(classes, row, "branch")
        for other in set(range(len(classes))) - {row}:
            pair = (classes.ids[row], classes.ids[other])
            if any(
                mentioned(w, t)
                for w in words
                for t in (classes.names[other], *classes.words(other))
            ):
                worded.add(pair)
            a, b = classes.nodes[row], classes.nodes[other]
            if a is None or b is None:
                continue
            if a != b and nx.has_path(graph, a, b):
                want.add((*pair, "hypernym"))
            if a != b and nx.has_path(graph, b, a):
                want.add((*pair, "hyponym"))
            if nx.has_path(flat, a, b) and nx.shortest_path_length(flat, a, b) <= distance:
                want.add((*pair, "distance"))
    found = audit(
        classes, ids(classes, unseen), classes.ids, distance=distance, texts=given_texts
    ).to_pylist()
    of_classes = [row for row in found if row["seen_id"] is not None]
    by_word = ("name", "lemma", "hyponym_lemma")
    assert {
        (row["unseen_id"], row["seen_id"], row["relation"])
        for row in of_classes
        if row["relation"] not in by_word
    } == want
    assert {
        (row["unseen_id"], row["seen_id"]) for row in of_classes if row["relation"] in by_word
    } == worded
    of_texts = {(row["unseen_id"], row["text_row"]) for row in found if row["seen_id"] is None}
    assert of_texts == {
        (classes.ids[row], place)
        for row in unseen
        for place, text in enumerate(given_texts)
        if any(mentioned(word, text) for word in words_of(classes, row, "branch"))
    }


def test_leaks_of_the_embedded_dataset_become_fewer_and_end(embedded_classes: Classes) -> None:
    separation = separate("embedded", embedded_classes, SeparationConfig())
    counts = {}
    for level in ("none", "synset", "branch"):
        seen = set(embedded_classes.ids) - set(separation.removed[level].separated)
        leaks = audit(embedded_classes, separation.unseen, seen, distance=3)
        counts[level] = Counter(leaks["relation"].to_pylist())
    assert counts["none"]["identity"] == 100
    assert counts["none"].keys() == {"identity", "name", "lemma", "hyponym_lemma", "distance"}
    assert counts["synset"].keys() == {"hyponym_lemma", "distance"}
    assert counts["synset"]["distance"] < counts["none"]["distance"]
    assert not counts["branch"]


def test_a_control_leaks(embedded_classes: Classes) -> None:
    separation = separate("embedded", embedded_classes, SeparationConfig())
    seen = set(embedded_classes.ids) - set(separation.removed["branch"].control)
    leaks = audit(embedded_classes, separation.unseen, seen, distance=3)
    assert set(leaks["relation"].to_pylist()) >= {"lemma", "distance"}


def test_rows_say_what_was_found(embedded_classes: Classes) -> None:
    names = embedded_classes.names
    owl, parrot = (embedded_classes.ids[names.index(name)] for name in ("owl", "parrot"))
    features = np.random.default_rng(0).standard_normal((518, 4))
    features[names.index("parrot")] = 2 * features[names.index("owl")]
    found = audit(
        embedded_classes, [owl], [parrot], distance=4, texts=["no bird", "tawny owls"],
        features=features, max_cosine=0.9,
    ).to_pylist()  # fmt: skip
    blank = dict.fromkeys(tables.LEAK.names)
    # owl -> bird_of_prey -> bird <- parrot
    assert found[0] == blank | {
        "unseen_id": owl, "seen_id": parrot, "relation": "distance", "detail": "parrot.n.01",
        "distance": 3,
    }  # fmt: skip
    assert found[1]["relation"] == "cosine"
    assert found[1]["cosine"] == pytest.approx(1.0, abs=1e-12)
    assert [(row["text_row"], row["relation"], row["detail"]) for row in found[2:]] == [
        (1, "name", "owl"),
        (1, "lemma", "owl"),
        (1, "hyponym_lemma", "tawny owl"),
    ]


def test_bad_input_is_refused(embedded_classes: Classes) -> None:
    one = embedded_classes.ids[0]
    with pytest.raises(ConfigError) as caught:
        audit(embedded_classes, [one], [], distance=1, max_cosine=0.5)
    assert str(caught.value) == (
        "features and max_cosine go together, got max_cosine 0.5 and no features; give both or "
        "neither"
    )
    with pytest.raises(ConfigError) as caught:
        audit(embedded_classes, [one], [], distance=0)
    assert str(caught.value) == "distance must be at least 1, got 0"
    with pytest.raises(DataError, match=r"concept -3 is no class"):
        audit(embedded_classes, [one], [-3], distance=1)
