"""How pairs are worded."""

from __future__ import annotations

import json
import string

import pytest

from taxonomy.errors import ConfigError
from taxonomy.phrases import phrase
from tests.shared_data import needs_shared, shared
from xmodal.probe.phrasings import PHRASINGS, TASKS, Forms, fill, split_choice, template_of


def forms(name: str, asked: str | None = None) -> Forms:
    return Forms(name, asked or phrase(name))


@pytest.mark.parametrize(
    ("leaf", "hypernym", "said"),
    [
        (
            forms("aardvark"),
            forms("mammal"),
            (
                "aardvarks are mammals",
                "an aardvark is a mammal",
                "aardvarks are a type of mammal",
                "an aardvark is a type of mammal",
            ),
        ),
        # a mass noun has no plural, and its hypernym stays in the singular
        (
            forms("beer"),
            forms("drink"),
            ("beer is a drink", "beer is a drink", "beer is a type of drink",
             "beer is a type of drink"),
        ),
        (
            forms("jeans"),
            forms("clothing"),
            ("jeans are clothing", "a pair of jeans is clothing", "jeans are a type of clothing",
             "a pair of jeans is a type of clothing"),
        ),
        (
            forms("necklace"),
            forms("jewelry"),
            ("necklaces are jewelry", "a necklace is a piece of jewelry",
             "necklaces are a type of jewelry", "a necklace is a type of jewelry"),
        ),
        # asked forms that a dataset gives and no rule would
        (
            forms("wheel"),
            forms("part of car", "a part of a car"),
            ("wheels are parts of a car", "a wheel is a part of a car",
             "wheels are a type of part of a car", "a wheel is a type of part of a car"),
        ),
        (
            forms("pudding", "pudding"),
            forms("dessert"),
            ("pudding is a dessert", "pudding is a dessert", "pudding is a type of dessert",
             "pudding is a type of dessert"),
        ),
        (
            forms("beads", "a string of beads"),
            forms("toy"),
            ("beads are toys", "a string of beads is a toy", "beads are a type of toy",
             "a string of beads is a type of toy"),
        ),
        (
            forms("pajamas", "pajamas"),
            forms("clothing"),
            ("pajamas are clothing", "pajamas are clothing", "pajamas are a type of clothing",
             "pajamas are a type of clothing"),
        ),
    ],
)  # fmt: skip
def test_sentences_are_english(leaf: Forms, hypernym: Forms, said: tuple[str, ...]) -> None:
    templates = [template_of("hypernym", "sentence", i) for i in (1, 2, 3, 4)]
    assert tuple(fill(t, leaf, hypernym, capital=False) for t in templates) == said


@pytest.mark.parametrize(
    ("relation", "phrasing", "said"),
    [
        ("hypernym", 1, "Is an owl a bird?"),
        ("hypernym", 3, "Are owls birds?"),
        ("hypernym", 4, "This image shows an owl. Is there a bird in the image?"),
        ("part", 1, "Does an owl have a bird?"),
        ("part", 3, "Do owls have birds?"),
    ],
)
def test_questions_begin_with_a_capital(relation: str, phrasing: int, said: str) -> None:
    template = template_of(relation, "yes_no", phrasing)
    assert fill(template, forms("owl"), forms("bird"), capital=True) == said


def test_questions_about_plural_leaves_agree() -> None:
    goods, food = forms("baked goods"), forms("food")
    assert fill("{is} {leaf} {hypernym}?", goods, food, capital=True) == "Are baked goods food?"
    assert fill("{does} {leaf} have", goods, food, capital=False) == "do baked goods have"


def test_every_template_speaks_of_both_and_a_choice_ends_with_the_hypernym() -> None:
    for (_, task), templates in PHRASINGS.items():
        assert task in TASKS
        assert len(set(templates)) == 4
        for template in templates:
            fields = [name for _, name, _, _ in string.Formatter().parse(template) if name]
            assert sum(name.startswith("leaf") for name in fields) == 1
            assert sum(name.startswith("hypernym") for name in fields) == 1
            if task == "choice":
                assert split_choice(template)[1] == f"{{{fields[-1]}}}"
                assert fields[-1].startswith("hypernym")


def test_a_relation_without_phrasings_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        template_of("thematic", "yes_no", 1)
    assert str(caught.value) == (
        "unknown relation of a text probe 'thematic'; valid: hypernym, part"
    )


@needs_shared
def test_most_of_our_sentences_are_those_of_s1() -> None:
    """Hypernyms that S1 words by their own name; its leaves may be "soaps" where we say "soap"."""
    path = shared("s1", "data", "llm-backbone-exp-data", "minimal_pair_sentences.jsonl")
    same = total = 0
    for line in path.read_text().splitlines():
        row = json.loads(line)
        if row["hypernym_pos"] not in ("bird", "mammal", "animal", "tool", "vehicle", "insect"):
            continue
        template = template_of("hypernym", "sentence", row["phrasing_id"])
        said = fill(
            template,
            forms(row["hyponym"].replace("_", " ")),
            forms(row["hypernym_pos"]),
            capital=False,
        )
        same += said == row["sentence_pos"]
        total += 1
    assert total > 1000
    assert same / total > 0.95
