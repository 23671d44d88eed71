"""The text that the embedded LM is pretrained on, made from WordNet and nothing else.

Three kinds of line, all lower case:

- statements: "a parrot is a bird", "a picture of a parrot . there is not a vehicle in the
  image";
- glosses: "a parrot is usually brightly colored zygodactyl tropical birds ...";
- questions after a textual context: "this image shows a parrot . is there a bird in the
  image ? yes".

No picture, picture statistic or picture split enters. For a withheld (leaf, hypernym) pair
only statements are written, never the question form; so are all pairs of the leaves that are
kept for examination.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from taxonomy.phrases import phrase

Bools = np.ndarray[tuple[int, int], np.dtype[np.bool_]]

QUESTION = "is there {} in the image ?"
CONTEXTS = (
    "{name}",
    "{name}",
    "{phrase} .",
    "this image shows {phrase} .",
    "a picture of {phrase} .",
)
"""What stands before a question. The bare name counts twice: an image prefix stands in the
same place."""
CAPTION = 3
"""The context that reads as a caption."""
STATEMENTS = (("{}", "is {} ."), ("{}", "is a kind of {} ."))
DENIALS = (("{}", "is not {} ."),)
"""Subject and predicate of a statement; {} are the phrases of leaf and hypernym."""


class Line(NamedTuple):
    """One line of the corpus. The LM is trained to go on from prompt with completion."""

    prompt: str
    completion: str
    subject: str
    """The leaf's name; its first occurrence in the prompt is what the line is about."""

    def __str__(self) -> str:
        return f"{self.prompt} {self.completion}"


@dataclass(frozen=True, kw_only=True)
class Lexicon:
    """What the corpus speaks of. L leaves, H hypernyms."""

    leaves: tuple[str, ...]
    """Surface forms of all leaves, pictured ones first."""
    n_pictured: int
    """How many of the leaves have pictures; the rest are WordNet nouns without any."""
    hypernyms: tuple[str, ...]
    glosses: tuple[str, ...]
    """One a leaf; may be empty."""
    true: Bools
    """[L, H] the leaf is a kind of the hypernym, in every source that speaks of it."""
    false: Bools
    """[L, H] no source says so. Neither true nor false: the corpus is silent."""
    withheld: Bools
    """[L, H] no question form in the corpus, statements only."""
    related: Bools
    """[L, L] one is an ancestor of the other, or both have the same surface form."""


@dataclass(frozen=True)
class Mixture:
    """Shares of the three kinds of line; the rest of a leaf's questions ask hypernyms."""

    statements: float = 0.35
    glosses: float = 0.05
    leaf_questions: float = 0.2


def context(name: str, form: int) -> str:
    """One of CONTEXTS, about a leaf."""
    return CONTEXTS[form].format(name=name, phrase=phrase(name))


def statement(name: str, hypernym: str, *, denied: bool, form: int) -> Line:
    """A line that says a leaf is, or is not, a kind of a hypernym.

    Half of the forms stand alone, half after a textual context ("a picture of a parrot .
    there is a bird in the image .").
    """
    other = phrase(hypernym)
    if form >= len(CONTEXTS):
        prompt, said = (DENIALS if denied else STATEMENTS)[form % (1 if denied else 2)]
        return Line(prompt.format(phrase(name)), said.format(other), name)
    there = "there is not" if denied else "there is"
    return Line(context(name, form), f"{there} {other} in the image .", name)


N_STATEMENT_FORMS = 2 * len(CONTEXTS)


def question(name: str, asked: str, answer: bool, form: int) -> Line:
    """A line that asks about a textual context and answers."""
    prompt = f"{context(name, form)} {QUESTION.format(phrase(asked))}"
    return Line(prompt, "yes" if answer else "no", name)


def gloss_line(name: str, gloss: str) -> Line:
    """A line that gives the first clause of a leaf's WordNet gloss."""
    words = re.findall(r"[a-z]+", gloss.lower().split(";")[0])
    return Line(f"{phrase(name)} :", f"{' '.join(words[:16])} .", name)


class Corpus:
    """An endless, seeded stream of lines over a lexicon."""

    def __init__(self, lexicon: Lexicon, mixture: Mixture | None = None) -> None:
        self.lexicon = lexicon
        self.mixture = mixture or Mixture()
        asked_true = lexicon.true & ~lexicon.withheld
        asked_false = lexicon.false & ~lexicon.withheld
        self._yes = [np.flatnonzero(asked_true[:, h]) for h in range(len(lexicon.hypernyms))]
        self._no = [np.flatnonzero(asked_false[:, h]) for h in range(len(lexicon.hypernyms))]
        self._true = [np.flatnonzero(row) for row in lexicon.true]
        self._false = [np.flatnonzero(row) for row in lexicon.false]

    def line(self, rng: np.random.Generator) -> Line:
        """One line."""
        draw = rng.random()
        mixture = self.mixture
        if draw < mixture.statements:
            return self._statement(rng)
        if draw < mixture.statements + mixture.glosses:
            return self._gloss(rng)
        form = int(rng.integers(len(CONTEXTS)))
        if draw < mixture.statements + mixture.glosses + mixture.leaf_questions:
            return self._leaf_question(rng, form)
        return self._hypernym_question(rng, form)

    def _statement(self, rng: np.random.Generator) -> Line:
        lexicon = self.lexicon
        leaf = int(rng.integers(len(lexicon.leaves)))
        denied = bool(rng.random() < 0.4) or not len(self._true[leaf])
        among = (self._false if denied else self._true)[leaf]
        hypernym = lexicon.hypernyms[int(rng.choice(among))]
        form = int(rng.integers(N_STATEMENT_FORMS))
        return statement(lexicon.leaves[leaf], hypernym, denied=denied, form=form)

    def _gloss(self, rng: np.random.Generator) -> Line:
        leaf = int(rng.integers(len(self.lexicon.leaves)))
        return gloss_line(self.lexicon.leaves[leaf], self.lexicon.glosses[leaf])

    def _leaf_question(self, rng: np.random.Generator, form: int) -> Line:
        lexicon = self.lexicon
        leaf = int(rng.integers(len(lexicon.leaves)))
        if rng.random() < 0.5:
            return question(lexicon.leaves[leaf], lexicon.leaves[leaf], True, form)
        while True:
            other = int(rng.integers(len(lexicon.leaves)))
            if not lexicon.related[leaf, other]:
                return question(lexicon.leaves[leaf], lexicon.leaves[other], False, form)

    def _hypernym_question(self, rng: np.random.Generator, form: int) -> Line:
        hypernym = int(rng.integers(len(self.lexicon.hypernyms)))
        answer = bool(rng.random() < 0.5)
        leaf = int(rng.choice((self._yes if answer else self._no)[hypernym]))
        name = self.lexicon.leaves[leaf]
        return question(name, self.lexicon.hypernyms[hypernym], answer, form)

    def lines(self, n: int, seed: int) -> Iterator[Line]:
        """The first n lines of the stream of a seed."""
        rng = np.random.default_rng(seed)
        for _ in range(n):
            yield self.line(rng)
