"""Which train questions stay in training once cells are held out."""

from __future__ import annotations

import functools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from taxonomy.manifest.draws import Bools, Ints
from taxonomy.manifest.questions import TRAIN, NegativeOrder, Questions
from taxonomy.manifest.world import Concepts, World

WORD = re.compile(r"\w+")


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a mentions policy makes of Q questions."""

    in_training: Bools
    """bool [Q]."""
    added_image: Ints
    """Rows of images that get one more No each (rebalance only)."""
    added_asked: Ints
    """Rows of the hypernyms of those No."""
    missing: int
    """No questions that rebalance could not find."""


@functools.lru_cache(maxsize=65536)
def tokens(text: str) -> tuple[str, ...]:
    """The words of a text, lower case; hyphens and apostrophes part words."""
    return tuple(WORD.findall(text.casefold()))


def words_inside(words: Iterable[str], texts: Iterable[str]) -> list[dict[str, int]]:
    """How often words, or word sequences, occur in each text as whole words.

    Args:
        words: What is looked for.
        texts: Where.

    Returns:
        Of each text the words that occur in it, with their numbers.
    """
    wanted: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for word in dict.fromkeys(words):
        if needle := tokens(word):
            wanted[needle].append(word)
    lengths = sorted({len(needle) for needle in wanted})
    found = []
    for text in texts:
        hay, inside = tokens(text), Counter[str]()
        for n in lengths:
            for i in range(len(hay) - n + 1):
                inside.update(wanted.get(hay[i : i + n], ()))
        found.append(dict(inside))
    return found


def training_set(
    world: World,
    questions: Questions,
    label_of: Ints,
    held: Bools,
    mentions: str,
    order: NegativeOrder,
    taught: Bools | None = None,
) -> Training:
    """Apply a mentions policy.

    Args:
        world: The dataset.
        questions: All questions of the shuffle.
        label_of: int64 [L], the shuffle.
        held: bool [L, H], the held-out cells.
        mentions: The policy, as ManifestConfig names it.
        order: Hash orders from which rebalance takes its No.
        taught: bool [H], hypernyms with a training Yes outside held-out cells; None for those of
            these questions.
    """
    train = world.image_split[questions.image] == TRAIN
    in_cell = question_held_out(questions, held)
    nothing = np.empty(0, dtype=np.int64)
    if mentions == "drop_positives":
        stay = train & ~(in_cell & questions.answer)
        return Training(in_training=stay, added_image=nothing, added_asked=nothing, missing=0)
    stay = train & ~in_cell
    if mentions != "keep":
        exact = mentions != "drop_words"
        without = ~(hypernyms_with_yes(world, questions, stay) if taught is None else taught)
        words = {world.hypernyms.words[h] for h in np.flatnonzero(without)}
        hypernyms = mentioning(world.hypernyms, words, exact)
        leaves = mentioning(world.leaves, words, exact)
        about, asked = questions.about_hypernym, questions.asked
        stay[about] &= ~hypernyms[asked[about]]
        stay[~about] &= ~leaves[asked[~about]]
    if mentions == "rebalance":
        return _rebalance(world, questions, label_of, held, stay, order)
    return Training(in_training=stay, added_image=nothing, added_asked=nothing, missing=0)


def question_held_out(questions: Questions, held: Bools) -> Bools:
    """bool [Q]: a hypernym question about a held-out cell."""
    in_cell = np.zeros(len(questions), dtype=np.bool_)
    about = questions.about_hypernym
    in_cell[about] = held[questions.label[about], questions.asked[about]]
    return in_cell


def hypernyms_with_yes(world: World, questions: Questions, stay: Bools) -> Bools:
    """bool [H]: some training question asks the hypernym with answer Yes."""
    found = np.zeros(len(world.hypernyms), dtype=np.bool_)
    found[questions.asked[stay & questions.about_hypernym & questions.answer]] = True
    return found


def mentioning(concepts: Concepts, words: set[str], exact: bool) -> Bools:
    """Concepts whose surface form is one of the words, or whose question contains one."""
    if exact:
        return np.array([own in words for own in concepts.words], dtype=np.bool_)
    texts = (f"{own} {said}" for own, said in zip(concepts.words, concepts.phrases, strict=True))
    inside = words_inside(words, texts)
    by_name = (own in words for own in concepts.words)
    return np.array([a or bool(b) for a, b in zip(by_name, inside, strict=True)], dtype=np.bool_)


def _rebalance(
    world: World,
    questions: Questions,
    label_of: Ints,
    held: Bools,
    stay: Bools,
    order: NegativeOrder,
    taught: Bools | None = None,
) -> Training:
    """Make No equal Yes for each hypernym, dropping or drawing No from kept cells."""
    stay = stay.copy()
    label = label_of[world.image_leaf]
    images = np.flatnonzero((label >= 0) & (world.image_split == TRAIN))
    kept = world.false & ~held
    image_parts, asked_parts, missing = [], [], 0
    for column in range(len(world.hypernyms)):
        asks = questions.about_hypernym & (questions.asked == column)
        n_yes = int((stay & asks & questions.answer).sum())
        no_rows = np.flatnonzero(stay & asks & ~questions.answer)
        no_images = order.of(column, questions.image[no_rows])
        surplus = no_images[n_yes:]
        stay[no_rows[np.isin(questions.image[no_rows], surplus)]] = False
        if not n_yes:
            continue
        candidates = images[kept[label[images], column]]
        candidates = np.setdiff1d(candidates, questions.image[asks], assume_unique=True)
        added = order.of(column, candidates)[: max(0, n_yes - len(no_images))]
        missing += max(0, n_yes - len(no_images) - len(added))
        image_parts.append(added)
        asked_parts.append(np.full(len(added), column, dtype=np.int64))
    empty = np.empty(0, dtype=np.int64)
    return Training(
        in_training=stay,
        added_image=np.concatenate([*image_parts, empty]),
        added_asked=np.concatenate([*asked_parts, empty]),
        missing=missing,
    )
