"""Texts that speak of an unseen class, against a regex for each word."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxonomy import tables
from taxonomy.errors import ConfigError, DataError
from taxonomy.separation import LEVELS, Classes, control_texts, filter_texts, find_mentions
from tests.taxonomy.separation.worlds import (
    PLURALS,
    SETTINGS,
    drawn,
    mentioned,
    words_of,
    worlds,
)

PIECES = (
    *PLURALS,
    *PLURALS.values(),
    *("mousetrap", "boxing", "howl", "man", "men", "war", "of", "jack", "lantern", "its", "barn"),
    *("thing1", "thing11", "things", "Owl", "MICE", "a photo of"),
)
texts = st.lists(
    st.tuples(
        st.sampled_from(PIECES), st.sampled_from([" ", "-", "_", ", ", "'s ", "' ", "", "--"])
    ),
    max_size=6,
).map(lambda pieces: "".join(piece + space for piece, space in pieces))


@SETTINGS
@given(
    worlds(), st.integers(1, 4), st.sampled_from(LEVELS), st.lists(texts, min_size=5, max_size=12)
)
def test_texts_are_dropped_as_a_regex_for_each_word_would(
    classes: Classes, n_unseen: int, level: str, given_texts: list[str]
) -> None:
    unseen = drawn(classes, n_unseen, 6, 0)
    words = {word for row in unseen for word in words_of(classes, row, level)}
    mentions = find_mentions(classes, [classes.ids[row] for row in unseen], level)
    filtered = filter_texts(given_texts, mentions)
    want = [not any(mentioned(word, text) for word in words) for text in given_texts]
    assert filtered.kept.tolist() == want
    assert filtered.dropped.schema == tables.DROPPED_TEXT
    assert filtered.dropped["text_row"].to_pylist() == np.flatnonzero(~filtered.kept).tolist()
    for row in filtered.dropped.to_pylist():
        assert mentioned(row["lemma"], given_texts[row["text_row"]])
        assert mentioned(row["lemma"], row["found"])
        assert row["lemma"] in words_of(classes, classes.row_of[row["class_id"]], level)


def test_levels_drop_ever_more_texts(embedded_classes: Classes) -> None:
    row = embedded_classes.names.index("airplane")
    ids = [embedded_classes.ids[row]]
    given_texts = ["an airplane", "two AIRPLANES", "an aeroplane", "red bomber", "a kite", "planes"]
    kept = {
        level: filter_texts(given_texts, find_mentions(embedded_classes, ids, level)).kept.tolist()
        for level in LEVELS
    }
    assert kept["none"] == [True] * 6
    assert kept["lemma"] == [False, False, True, True, True, True]
    assert kept["synset"] == [False, False, False, True, True, False]
    assert kept["subtree"] == kept["branch"] == [False, False, False, False, True, False]
    mentions = find_mentions(embedded_classes, ids, "subtree")
    assert filter_texts(given_texts, mentions).dropped.to_pylist()[3] == {
        "text_row": 3,
        "class_id": ids[0],
        "relation": "hyponym_lemma",
        "lemma": "bomber",
        "found": "bomber",
    }


def test_the_longest_word_is_the_reason(embedded_classes: Classes) -> None:
    ids = [
        embedded_classes.ids[embedded_classes.names.index(name)] for name in ("bell", "bell pepper")
    ]
    mentions = find_mentions(embedded_classes, ids, "lemma")
    found = mentions.find("green bell-peppers and bells")
    assert found is not None
    assert (found.word.lemma, found.found) == ("bell pepper", "bell peppers")
    found = mentions.find("green peppers and bells")
    assert found is not None
    assert (found.word.lemma, found.found) == ("bell", "bells")
    found = mentions.find("a bell, no pepper")
    assert found is not None
    assert (found.word.lemma, found.found) == ("bell", "bell")


def test_names_of_removed_classes_count_if_asked(embedded_classes: Classes) -> None:
    owl, parrot = (
        embedded_classes.ids[embedded_classes.names.index(name)] for name in ("owl", "parrot")
    )
    alone = find_mentions(embedded_classes, [owl], "branch")
    both = find_mentions(embedded_classes, [owl], "branch", removed=[parrot])
    assert alone.find("three parrots") is None
    mention = both.find("three parrots")
    assert mention is not None
    assert mention.word.class_id == parrot


def test_function_words_are_looked_for_only_as_names(embedded_classes: Classes) -> None:
    can = embedded_classes.ids[0]
    renamed = Classes(
        ids=embedded_classes.ids,
        keys=embedded_classes.keys,
        names=("can", *embedded_classes.names[1:]),
        nodes=("helium.n.01", *embedded_classes.nodes[1:]),
        nouns=embedded_classes.nouns,
    )
    mentions = find_mentions(renamed, [can], "branch")
    assert mentions.find("he sees it") is None
    assert mentions.find("you can see") is not None
    assert mentions.find("helium balloon") is not None


@SETTINGS
@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30), st.integers(0, 3))
def test_the_control_keeps_as_many_texts_and_none_that_names_a_class(
    both: list[tuple[bool, bool]], seed: int
) -> None:
    named = np.array([a for a, _ in both], dtype=np.bool_)
    kept = np.array([a and b for a, b in both], dtype=np.bool_)
    control = control_texts(kept, named, seed)
    assert control.sum() == kept.sum()
    assert not (control & ~named).any()


def test_a_control_of_other_texts_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        control_texts(np.array([True, True]), np.array([True, False]), 0)
    assert str(caught.value) == (
        "named must keep every text that kept keeps, of as many texts, got 1 of 2 and 2 of 2; "
        "filter the same texts at level lemma and at the level"
    )


def test_unknown_levels_and_classes_are_refused(embedded_classes: Classes) -> None:
    with pytest.raises(ConfigError) as caught:
        find_mentions(embedded_classes, [embedded_classes.ids[0]], "family")
    assert str(caught.value) == (
        "level must be one of none, lemma, synset, subtree, branch, similar, got 'family'"
    )
    with pytest.raises(DataError, match=r"concept -1 is no class of this dataset"):
        find_mentions(embedded_classes, [-1], "lemma")
