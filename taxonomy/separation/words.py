"""When two words are one in a text: case, hyphens, accents, singular and plural."""

from __future__ import annotations

import re
import unicodedata
from itertools import product

from taxonomy.phrases import IRREGULAR
from taxonomy.separation.nouns import Nouns

_WORD = re.compile(r"[^\W_]+")
_SIBILANT = re.compile(r"(?:s|x|z|ch|sh|o)$")
_PREPOSITIONS = frozenset(["of", "in", "on", "for", "with", "at", "and", "de", "a", "the", "o"])
LEAST_SINGULAR = 3
"""Letters; WordNet has ga as a noun, and gas is not many of them."""
FUNCTION_WORDS = frozenset(
    """
    about above after all am an and any are as at back be being best better both but by can do
    down each else even ever few for get go had has have having he her here hers him his how if
    in into is it its just last least less like lot many may me might mine more most much must
    my near new next no none not now of off on once one only or other our out over own per same
    she should so some such than that the thee them then there these they this those to too two
    under until up us very was we well were what when where which while who whole why will with
    would yes yet you your
    """.split()  # noqa: SIM905
)
"""Words of every caption; WordNet has most of them as nouns too (he: helium, us: the country)."""

Tokens = tuple[str, ...]


def tokens(text: str) -> list[str]:
    """The words of a text, lower case, without accents; hyphens and underscores part words."""
    if not text.isascii():
        parts = unicodedata.normalize("NFKD", text)
        text = "".join(part for part in parts if not unicodedata.combining(part))
    return _WORD.findall(text.casefold())


def is_function_word(words: Tokens) -> bool:
    """Whether this is a single letter or a word that captions use for something else."""
    return len(words) == 1 and (len(words[0]) == 1 or words[0] in FUNCTION_WORDS)


class Inflections:
    """Singular and plural forms, by spelling, by the project's list and by WordNet's."""

    def __init__(self, nouns: Nouns) -> None:
        self._vocabulary = nouns.vocabulary
        self._singulars: dict[str, set[str]] = {}
        for plural, singulars in nouns.irregular.items():
            self._singulars.setdefault(plural, set()).update(singulars)
        for singular, plural in IRREGULAR.items():
            self._singulars.setdefault(plural, set()).add(singular)
        self._plurals: dict[str, set[str]] = {}
        for plural, known in self._singulars.items():
            for singular in known:
                self._plurals.setdefault(singular, set()).add(plural)
        self._known_bases: dict[str, frozenset[str]] = {}

    def bases(self, word: str) -> frozenset[str]:
        """The word, and what it may be the plural of."""
        if word not in self._known_bases:
            found = {word} | self._singulars.get(word, set())
            found.update(s for s in _by_rule(word) if self._is_singular_of(s, word))
            self._known_bases[word] = frozenset(found)
        return self._known_bases[word]

    def _is_singular_of(self, singular: str, word: str) -> bool:
        """Whether spelling may be believed where WordNet has the longer word as a noun itself."""
        if word not in self._vocabulary:
            return True
        return len(singular) >= LEAST_SINGULAR and singular in self._vocabulary

    def forms(self, word: str) -> frozenset[str]:
        """Every form of the noun of a word: mouse and mice of either. They share a base."""
        found = set(self.bases(word))
        for base in self.bases(word):
            by_rule = _plurals_by_rule(base)
            found.update(p for p in by_rule if self._is_singular_of(base, p))
            found |= self._plurals.get(base, set())
        return frozenset(found)

    def phrase_forms(self, words: Tokens) -> set[Tokens]:
        """Every form of a word sequence: its last word inflects, and its head in "man of war"."""
        places = inflected(words)
        choices = [
            sorted(self.forms(word)) if place in places else [word]
            for place, word in enumerate(words)
        ]
        return set(product(*choices))


def inflected(words: Tokens) -> set[int]:
    """Places of the words that take number: the last, and the one before a preposition."""
    before = [i for i in range(1, len(words)) if words[i] in _PREPOSITIONS]
    return {len(words) - 1, before[0] - 1} if before else {len(words) - 1}


def _plurals_by_rule(word: str) -> set[str]:
    found = {word + "s"} if not word.endswith("s") else set()
    if _SIBILANT.search(word):
        found.add(word + "es")
    if re.search(r"[^aeiou]y$", word):
        found.add(word[:-1] + "ies")
    if word.endswith("fe"):
        found.add(word[:-2] + "ves")
    elif word.endswith("f"):
        found.add(word[:-1] + "ves")
    if word.endswith("man"):
        found.add(word[:-3] + "men")
    return found


def _by_rule(word: str) -> set[str]:
    """Words whose plural by rule this may be."""
    found = set[str]()
    if word.endswith("men"):
        found.add(word[:-3] + "man")
    if not word.endswith("s") or word.endswith("ss"):
        return found
    found.add(word[:-1])
    if word.endswith("es") and _SIBILANT.search(word[:-2]):
        found.add(word[:-2])
    if re.search(r"[^aeiou]ies$", word):
        found.add(word[:-3] + "y")
    if word.endswith("ves"):
        found |= {word[:-3] + "f", word[:-3] + "fe"}
    return found
