"""Word forms: both directions of the rules against each other, and golden pairs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxonomy.phrases import plural
from taxonomy.separation import Nouns
from taxonomy.separation.words import Inflections, inflected, is_function_word, tokens
from tests.taxonomy.separation.worlds import SETTINGS

EMPTY = Inflections(Nouns(above={}, lemmas={}, irregular={}, version="none"))


@pytest.fixture(scope="module")
def inflections(nouns: Nouns) -> Inflections:
    return Inflections(nouns)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("owl", "owls"), ("box", "boxes"), ("berry", "berries"), ("mouse", "mice"),
        ("leaf", "leaves"), ("knife", "knives"), ("snowman", "snowmen"), ("goose", "geese"),
        ("tomato", "tomatoes"), ("tomato", "tomatos"), ("cactus", "cacti"), ("jeans", "jean"),
        ("fries", "fry"), ("church", "churches"), ("quiz", "quizzes"), ("bus", "buses"),
        ("fungus", "fungi"), ("tv", "tvs"), ("ox", "oxen"), ("grape", "grapes"),
        ("gizmotron", "gizmotrons"),
    ],
)  # fmt: skip
def test_forms_of_one_noun_find_each_other(inflections: Inflections, one: str, other: str) -> None:
    assert other in inflections.forms(one)
    assert one in inflections.forms(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("news", "new"), ("brass", "bras"), ("gas", "ga"), ("bus", "bu"), ("boxing", "box"),
     ("owl", "owlet"), ("glass", "glas"), ("iris", "iri")],
)  # fmt: skip
def test_words_that_only_look_alike_do_not(inflections: Inflections, one: str, other: str) -> None:
    assert other not in inflections.forms(one)
    assert one not in inflections.forms(other)


def test_every_plural_of_the_embedded_leaves_is_a_form(
    inflections: Inflections, embedded_classes: object
) -> None:
    for name in embedded_classes.names:  # type: ignore[attr-defined]
        parts = tuple(tokens(plural(name)))
        assert parts in inflections.phrase_forms(tuple(tokens(name))), name


spelt = st.text("aefhimnosvxyz", min_size=1, max_size=7)


@SETTINGS
@given(spelt, spelt)
def test_forms_of_a_word_are_what_has_a_singular_in_common_with_it(one: str, other: str) -> None:
    # the audit goes by singulars and the filter by forms
    for word in (other, one + "s", one + "es", one + "ies", one + "men"):
        assert (word in EMPTY.forms(one)) == bool(EMPTY.bases(one) & EMPTY.bases(word))


def test_the_same_holds_for_all_nouns_of_wordnet(nouns: Nouns, inflections: Inflections) -> None:
    for word in sorted(nouns.vocabulary)[::7]:
        for form in inflections.forms(word):
            assert inflections.bases(form) & inflections.bases(word), (word, form)
        for other in (f"{word}s", f"{word}es", word[:-1], *inflections.bases(word)):
            common = bool(inflections.bases(other) & inflections.bases(word))
            assert (other in inflections.forms(word)) == common, (word, other)


def test_tokens_are_words_without_case_accents_and_hyphens() -> None:
    assert tokens("Jack-o'-Lantern, PIÑATA_party: 3 owls' eyes") == [
        "jack", "o", "lantern", "pinata", "party", "3", "owls", "eyes"
    ]  # fmt: skip
    assert tokens("猫 and 犬") == ["猫", "and", "犬"]


def test_the_last_word_inflects_and_the_head_before_a_preposition() -> None:
    assert inflected(("teddy", "bear")) == {1}
    assert inflected(("man", "of", "war")) == {0, 2}
    assert inflected(("of", "mice")) == {1}
    assert ("men", "of", "war") in EMPTY.phrase_forms(("man", "of", "war"))


def test_function_words_are_no_words_of_a_class() -> None:
    assert is_function_word(("it",))
    assert is_function_word(("x",))
    assert not is_function_word(("it", "girl"))
    assert not is_function_word(("ox",))
