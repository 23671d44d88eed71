"""The asked form of a concept, and the form for statements about all of a kind."""

from __future__ import annotations

import json

import pytest

from taxonomy.phrases import article, is_mass, is_plural, number, phrase, plural
from taxonomy.sources.emoji import read_hypernyms
from xmodal.bundle.files import data_file

NAMES = [line.split("=")[0] for line in data_file("spec.txt").read_text().splitlines()]
WORDS = [entry["word"] for entry in json.loads(data_file("hypernyms.json").read_text())]


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("parrot", "a parrot"),
        ("owl", "an owl"),
        ("ewe", "a ewe"),
        ("urn", "an urn"),
        ("unicycle", "a unicycle"),
        ("umbrella", "an umbrella"),
        ("hourglass", "an hourglass"),
        ("house", "a house"),
        ("suv", "an suv"),
        ("x-ray", "an x-ray"),
        ("t-shirt", "a t-shirt"),
        ("one-piece", "a one-piece"),
        ("oil lamp", "an oil lamp"),
        ("ukulele", "a ukulele"),
        ("bread", "bread"),
        ("clothing", "clothing"),
        ("women's clothing", "women's clothing"),
        ("electronic equipment", "electronic equipment"),
        ("ice cream", "ice cream"),
        ("ice cube", "an ice cube"),
        ("jeans", "a pair of jeans"),
        ("swimming goggles", "a pair of swimming goggles"),
        ("baked goods", "baked goods"),
        ("french fries", "a serving of french fries"),
        ("jewelry", "a piece of jewelry"),
    ],
)
def test_phrase(name: str, want: str) -> None:
    assert phrase(name) == want


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("parrot", "parrots"),
        ("wolf", "wolves"),
        ("butterfly", "butterflies"),
        ("monkey", "monkeys"),
        ("computer mouse", "computer mice"),
        ("jellyfish", "jellyfish"),
        ("water buffalo", "water buffalo"),
        ("tomato", "tomatoes"),
        ("piano", "pianos"),
        ("ax", "axes"),
        ("wrench", "wrenches"),
        ("hourglass", "hourglasses"),
        ("die", "dice"),
        ("bread", "bread"),
        ("jeans", "jeans"),
        ("baked goods", "baked goods"),
        ("watercraft", "watercraft"),
        ("jack-o'-lantern", "jack-o'-lanterns"),
    ],
)
def test_plural(name: str, want: str) -> None:
    assert plural(name) == want


def test_every_bundled_name_has_one_article_or_none() -> None:
    assert len(NAMES) == 565
    assert len(WORDS) == 39
    for name in NAMES + WORDS:
        asked = phrase(name)
        assert asked.endswith(name), asked
        opener = asked.removesuffix(name).strip()
        if number(name) == "count":
            assert opener == article(name)
        else:
            assert opener in ("", "a pair of", "a serving of"), asked


def test_names_that_take_no_article_are_these() -> None:
    assert sorted(name for name in NAMES + WORDS if is_plural(name)) == [
        "baked goods", "briefs", "french fries", "goggles", "jeans", "scissors", "shorts",
        "spectacles", "sunglasses",
    ]  # fmt: skip
    assert sorted(name for name in NAMES + WORDS if is_mass(name)) == [
        "bacon", "beer", "bread", "broccoli", "butter", "candy", "champagne", "cheese",
        "chocolate", "clothing", "coffee", "coral", "corn", "curry", "custard",
        "electronic equipment", "falafel", "flatbread", "footwear", "furniture", "garlic",
        "ginger", "honey", "ice cream", "lettuce", "lipstick", "milk", "paella", "popcorn",
        "public transport", "rice", "sake", "soap", "spaghetti", "sushi", "tempura",
        "toilet paper", "wine", "yarn",
    ]  # fmt: skip


def test_the_hypernym_list_is_the_one_that_was_read() -> None:
    assert [hypernym.word for hypernym in read_hypernyms(data_file("hypernyms.json"))] == WORDS
