"""Which texts speak of an unseen class: whole words, in any number, spelt with hyphens or not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from taxonomy import tables
from taxonomy.errors import ConfigError
from taxonomy.hashing import keyed_order
from taxonomy.manifest.draws import Bools
from taxonomy.model import one_of
from taxonomy.separation.classes import Classes
from taxonomy.separation.model import BY_WORD, LEVELS, SIMILAR
from taxonomy.separation.words import Inflections, Tokens, is_function_word, tokens


@dataclass(frozen=True)
class Word:
    """A word to look for, and the class that it stands for."""

    lemma: str
    class_id: int
    relation: str
    """Whose it is: name, lemma or hyponym_lemma."""


@dataclass(frozen=True)
class Mention:
    """A word found in a text."""

    word: Word
    found: str
    """Its tokens in the text."""


class Mentions:
    """Finds any of many words in texts: a lookup of each token, whatever the number of words."""

    def __init__(self, words: Iterable[Word], inflections: Inflections) -> None:
        """Spell out every form of every word.

        Args:
            words: Of two with a form in common the first in BY_WORD counts, then the first here.
            inflections: Their forms.
        """
        self._words: dict[Tokens, Word] = {}
        for word in sorted(words, key=lambda word: BY_WORD.index(word.relation)):
            parts = tuple(tokens(word.lemma))
            if not parts or (word.relation != "name" and is_function_word(parts)):
                continue
            for form in inflections.phrase_forms(parts):
                self._words.setdefault(form, word)
        lengths = defaultdict(set)
        for form in self._words:
            lengths[form[0]].add(len(form))
        self._lengths = {first: sorted(n, reverse=True) for first, n in lengths.items()}
        self._firsts = frozenset(self._lengths)

    def __len__(self) -> int:
        """Number of forms."""
        return len(self._words)

    def find(self, text: str) -> Mention | None:
        """The first word in a text, the longest of several that begin there."""
        found = tokens(text)
        if self._firsts.isdisjoint(found):
            return None
        for start, token in enumerate(found):
            for length in self._lengths.get(token, ()):
                word = self._words.get(tuple(found[start : start + length]))
                if word is not None:
                    return Mention(word, " ".join(found[start : start + length]))
        return None


@dataclass(frozen=True, kw_only=True)
class FilteredTexts:
    """N texts and those that training must not see."""

    kept: Bools
    """bool [N]."""
    dropped: pa.Table
    """taxonomy.tables.DROPPED_TEXT, by text_row."""


def unseen_words(classes: Classes, rows: Iterable[int], level: str) -> Iterator[Word]:
    """The words of unseen classes that no text of a level may have, by class.

    lemma: their names. synset: their synsets' words too, and what the dataset calls them. From
    subtree: also the words of all that is below them. none: no word.

    Args:
        classes: The dataset.
        rows: Rows of the unseen classes.
        level: A level.
    """
    one_of("level", level, (*LEVELS, SIMILAR))
    nouns, depth = classes.nouns, (*LEVELS, SIMILAR).index(level)
    for row in rows:
        class_id, node = classes.ids[row], classes.nodes[row]
        if depth >= LEVELS.index("lemma"):
            yield Word(classes.names[row], class_id, "name")
        if depth >= LEVELS.index("synset") and node is not None:
            yield from (Word(word, class_id, "lemma") for word in _called(classes, node))
        if depth >= LEVELS.index("subtree") and node is not None:
            for below in sorted(nouns.closure([node], down=True) - {node}):
                for word in _called(classes, below):
                    yield Word(word, class_id, "hyponym_lemma")


def _called(classes: Classes, node: str) -> list[str]:
    """What a node is called, by WordNet and by the dataset."""
    names = (classes.names[row] for row in classes.at.get(node, ()))
    return [*classes.nouns.lemmas.get(node, ()), *names]


def find_mentions(
    classes: Classes, unseen: Iterable[int], level: str, *, removed: Iterable[int] = ()
) -> Mentions:
    """What finds texts that a level must not train on.

    Args:
        classes: The dataset.
        unseen: Concept ids of the unseen classes.
        level: A level.
        removed: Concept ids of classes whose names count too: what an arm removes. For captions
            from elsewhere, whose classes nobody knows; texts of classes go with their classes.

    Raises:
        DataError: An id is no class.
        ConfigError: The level is none.
    """
    words = list(unseen_words(classes, classes.rows(unseen), level))
    names = [Word(classes.names[r], classes.ids[r], "name") for r in classes.rows(removed)]
    return Mentions([*words, *names], Inflections(classes.nouns))


def filter_texts(texts: Iterable[str], mentions: Mentions) -> FilteredTexts:
    """Drop the texts that have one of the words, each with the first that was found."""
    kept: list[bool] = []
    found: list[tuple[int, Mention]] = []
    find = mentions.find
    for row, text in enumerate(texts):
        mention = find(text)
        kept.append(mention is None)
        if mention is not None:
            found.append((row, mention))
    columns = [
        pa.array([row for row, _ in found], pa.int64()),
        pa.array([mention.word.class_id for _, mention in found], pa.int32()),
        pa.array([mention.word.relation for _, mention in found], pa.string()),
        pa.array([mention.word.lemma for _, mention in found], pa.string()),
        pa.array([mention.found for _, mention in found], pa.string()),
    ]
    return FilteredTexts(
        kept=np.array(kept, dtype=np.bool_),
        dropped=pa.Table.from_arrays(columns, schema=tables.DROPPED_TEXT),
    )


def control_texts(kept: Bools, named: Bools, seed: int) -> Bools:
    """A control for a filter of texts: those that name an unseen class, and others at random.

    Args:
        kept: bool [N], what the level keeps.
        named: bool [N], what level lemma keeps of the same texts; the level keeps no more.
        seed: Of the order.

    Returns:
        bool [N], as many true as in kept.

    Raises:
        ConfigError: The two are not of the same texts.
    """
    if kept.shape != named.shape or (kept & ~named).any():
        raise ConfigError(
            "named must keep every text that kept keeps, of as many texts, got "
            f"{int(named.sum())} of {len(named)} and {int(kept.sum())} of {len(kept)}; filter the "
            "same texts at level lemma and at the level"
        )
    order = keyed_order(np.flatnonzero(named).tolist(), seed, "control text")
    control = named.copy()
    control[order[: int(named.sum() - kept.sum())]] = False
    return control
