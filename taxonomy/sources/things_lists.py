"""What the project adds to the THINGS files: categories in WordNet, spellings, asked forms.

things_categories.csv has a line for each of the 53 THINGSplus categories. Its synset is the one
whose gloss says what the category means, provided that it lies above at least a quarter of the
category's concepts that have a synset themselves: WordNet knows words such as "hardware" or
"sea animal" but puts next to nothing under them, and its silence there is no denial. Where no
synset passes both tests the cell is empty and WordNet is not asked. The column why has the
counts over the 1,854 concepts and WordNet 3.0. released_as is the wording of the category in
the files released with S1 (several parted by " | "), where it differs.

things_aliases.csv has the uniqueIDs that the two THINGS files spell differently.
things_phrases.csv has the asked form of words for which taxonomy.phrases has none: mass nouns
and plurals among the names of concepts.
"""

from __future__ import annotations

from csv import DictReader
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from taxonomy.phrases import phrase


@dataclass(frozen=True, kw_only=True)
class Category:
    """One of the 53 higher-level categories of THINGSplus."""

    word: str
    """Its surface form, as in the category file: "part of car"."""
    phrase: str
    """Its asked form: "a part of a car"."""
    synset: str | None
    """Its synset in WordNet 3.0, None where WordNet does not speak of it."""
    released_as: tuple[str, ...]
    """What S1's released files call it where they do not use the word."""


@cache
def categories() -> tuple[Category, ...]:
    """The 53 categories, by word."""
    return tuple(
        Category(
            word=row["category"],
            phrase=row["phrase"] or phrase(row["category"]),
            synset=row["synset"] or None,
            released_as=tuple(form for form in row["released_as"].split(" | ") if form),
        )
        for row in _rows("things_categories.csv")
    )


@cache
def aliases() -> dict[str, str]:
    """The uniqueID of the concepts file by that of the categories file, where they differ."""
    return {row["category_file"]: row["concept_file"] for row in _rows("things_aliases.csv")}


@cache
def concept_phrases() -> dict[str, str]:
    """The asked form by word, for words that no rule of taxonomy.phrases gets right."""
    return {row["word"]: row["phrase"] for row in _rows("things_phrases.csv")}


def _rows(name: str) -> list[dict[str, str]]:
    text = files("taxonomy.sources").joinpath(name).read_text(encoding="utf-8")
    return list(DictReader(text.splitlines()))
