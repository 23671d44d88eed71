"""How a concept is asked about and talked about: article, mass noun, plural.

The asked form is data: the sets below hold what no rule can know; everything else follows
from spelling. A compound takes the number of its last word ("sports equipment").
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Literal

Number = Literal["count", "mass", "plural"]

MASS = frozenset(
    """
    art bacon beer bread broccoli butter candy champagne cheese chocolate clothing coffee coral
    corn curry custard equipment falafel flatbread food footwear furniture garlic ginger hair
    hardware headgear honey jewelry lettuce lighting lipstick luggage machinery makeup meat milk
    paella pasta pastry popcorn pottery produce rice sake seafood silverware soap spaghetti sushi
    tableware tea tempura transport underwear water wine wood yarn
    """.split()  # noqa: SIM905
) | {"home decor", "ice cream", "toilet paper"}

ASKED_BY = {
    "baked goods": "",
    "binoculars": "a pair of",
    "briefs": "a pair of",
    "french fries": "a serving of",
    "glasses": "a pair of",
    "goggles": "a pair of",
    "jeans": "a pair of",
    "jewelry": "a piece of",
    "leggings": "a pair of",
    "pants": "a pair of",
    "pliers": "a pair of",
    "scissors": "a pair of",
    "shorts": "a pair of",
    "spectacles": "a pair of",
    "sunglasses": "a pair of",
    "trousers": "a pair of",
    "tweezers": "a pair of",
}
"""What stands before a name that takes no article; names that are not mass are plural."""

IRREGULAR = {
    "aircraft": "aircraft",
    "bison": "bison",
    "buffalo": "buffalo",
    "cactus": "cacti",
    "child": "children",
    "deer": "deer",
    "die": "dice",
    "foot": "feet",
    "goose": "geese",
    "knife": "knives",
    "leaf": "leaves",
    "man": "men",
    "moose": "moose",
    "mouse": "mice",
    "ox": "oxen",
    "scarf": "scarves",
    "sheep": "sheep",
    "shelf": "shelves",
    "shrimp": "shrimp",
    "snowman": "snowmen",
    "squid": "squid",
    "tooth": "teeth",
    "watercraft": "watercraft",
    "wolf": "wolves",
    "woman": "women",
}
ES_AFTER_O = frozenset(["mango", "potato", "tomato", "tornado", "volcano"])

_AN_DESPITE_CONSONANT = re.compile(r"(?:hour|honest|heir|[fhlmnrsx]-|suv\b|lcd\b|led\b|mp\d|mri\b)")
_A_DESPITE_VOWEL = re.compile(r"(?:uni(?![nm])|u-|us[aeb]|ut[ei]|uri|uku|eu|ewe|one\b|once\b)")


def _entry(name: str, table: Container[str]) -> str | None:
    """The name or else its last word, whichever the table holds."""
    last = name.rpartition(" ")[2]
    return name if name in table else last if last in table else None


def number(name: str) -> Number:
    """Whether a name is a count noun, a mass noun, or plural already."""
    if _entry(name, MASS):
        return "mass"
    return "plural" if _entry(name, ASKED_BY) else "count"


def is_mass(name: str) -> bool:
    """True for what takes no article and no plural: bread, clothing, coffee."""
    return number(name) == "mass"


def is_plural(name: str) -> bool:
    """True for names that are plural already: jeans, scissors, baked goods."""
    return number(name) == "plural"


def article(word: str) -> str:
    """The indefinite article by sound: "an" owl, "a" ewe, "an" hourglass, "an" x-ray."""
    lower = word.lower()
    if _AN_DESPITE_CONSONANT.match(lower):
        return "an"
    vowel = lower[:1] in tuple("aeiou") and not _A_DESPITE_VOWEL.match(lower)
    return "an" if vowel else "a"


def phrase(name: str) -> str:
    """The form that completes "Is there ... in the image?".

    Args:
        name: The surface form of a concept, lower case.

    Returns:
        "a parrot", "an owl", "clothing", "a pair of jeans", "a piece of jewelry".
    """
    if number(name) == "count":
        return f"{article(name)} {name}"
    opener = ASKED_BY.get(_entry(name, ASKED_BY) or "", "")
    return f"{opener} {name}".strip()


def plural(name: str) -> str:
    """The form for statements about all of a kind: "parrots", "wolves", "bread", "jeans"."""
    if number(name) != "count":
        return name
    head, space, last = name.rpartition(" ")
    return head + space + _plural_word(last)


def _plural_word(word: str) -> str:
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word.endswith(("fish", "craft")):
        return word
    if word in ES_AFTER_O or re.search(r"(?:s|x|z|ch|sh)$", word):
        return word + "es"
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    return word + "s"
