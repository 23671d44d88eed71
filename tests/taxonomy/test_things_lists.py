"""The lists that the project adds to THINGS: each line means something."""

from __future__ import annotations

import pytest

from taxonomy.sources.things_lists import aliases, categories, concept_phrases
from taxonomy.wordnet import WordNet
from xmodal.bundle import wordnet_files


def test_there_are_53_categories_each_asked_in_english() -> None:
    found = {category.word: category for category in categories()}
    assert len(found) == len(categories()) == 53
    assert found["part of car"].phrase == "a part of a car"
    assert found["jewelry"].phrase == "a piece of jewelry"
    assert found["arts and crafts supply"].phrase == "an arts and crafts supply"
    assert [found[word].phrase for word in ("women's clothing", "home decor", "headwear")] == [
        "women's clothing",
        "home decor",
        "headwear",
    ]


def test_synsets_are_canonical_names_and_no_two_categories_share_one() -> None:
    nouns = WordNet.open(wordnet_files.wordnet_dir())
    synsets = [category.synset for category in categories() if category.synset is not None]
    assert [nouns.name(synset) for synset in synsets] == synsets
    assert len(set(synsets)) == len(synsets)


def test_released_wordings_name_one_category_each() -> None:
    forms = [form for category in categories() for form in category.released_as]
    assert len(set(forms)) == len(forms)
    assert not set(forms) & {category.word for category in categories()}
    by_word = {category.word: category.released_as for category in categories()}
    assert by_word["lighting"] == ("source of light",)
    assert by_word["musical instrument"] == ("musical",)


@pytest.mark.parametrize("word", sorted(concept_phrases()))
def test_a_listed_phrase_is_its_word_or_a_pair_of_it(word: str) -> None:
    assert concept_phrases()[word] in (word, f"a pair of {word}")


def test_the_one_spelling_that_differs() -> None:
    assert aliases() == {"bandana": "bandanna"}
