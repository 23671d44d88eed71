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
Places = np.ndarray[tuple[int], np.dtype[np.int64]]

QUESTION = "is there {} in the image ?"
BARE = "{name}"
CONTEXTS = (
    *(BARE, BARE, BARE),
    "{phrase} .",
    "this image shows {phrase} .",
    "a picture of {phrase} .",
)
"""What stands before a question, each as often as any other. The bare name stands where an
image prefix will, and may be one of several."""
N_OTHERS = 3
"""Other leaves drawn for a line."""
MOST_TAGS = 3
"""Names in the longest list of tags."""
CAPTION = 4
"""The context that reads as a caption."""


@dataclass(frozen=True, kw_only=True)
class Wording:
    """How a relation is stated and asked, lower case; {phrase} and {name} are the target's."""

    relation: str
    question: str
    statements: tuple[str, str]
    """Predicates of a statement that stands alone."""
    denials: tuple[str, str]
    there: str
    """A statement after a textual context."""
    not_there: str
    words: tuple[str, ...] = ()
    """Words of the texts above that no other text holds."""


HYPERNYM_WORDING = Wording(
    relation="hypernym",
    question=QUESTION,
    statements=("is {phrase} .", "is a kind of {name} ."),
    denials=("is not {phrase} .", "is not a kind of {name} ."),
    there="there is {phrase} in the image .",
    not_there="there is not {phrase} in the image .",
)
PART_WORDING = Wording(
    relation="part",
    question="does it have {} ?",
    statements=("has {phrase} .", "comes with {phrase} ."),
    denials=("does not have {phrase} .", "comes without {phrase} ."),
    there="it has {phrase} .",
    not_there="it does not have {phrase} .",
    words=("does", "it", "have", "has", "comes", "with", "without"),
)
WORDINGS = {wording.relation: wording for wording in (HYPERNYM_WORDING, PART_WORDING)}


class Line(NamedTuple):
    """One line of the corpus. The LM is trained to go on from prompt with completion."""

    prompt: str
    completion: str
    subject: str
    """The leaf's name; its first occurrence in the prompt is what the line is about."""
    others: tuple[str, ...] = ()
    """N_OTHERS other leaves that may share the subject's place."""
    bare: bool = False
    """The subject stands there as a bare name, where an image prefix will."""

    def __str__(self) -> str:
        return f"{self.prompt} {self.completion}"


@dataclass(frozen=True, kw_only=True)
class Lexicon:
    """What the corpus speaks of. L leaves, H hypernyms, or targets of another relation."""

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
    wording: Wording = HYPERNYM_WORDING


@dataclass(frozen=True)
class Mixture:
    """Shares of the three kinds of line; the rest of a leaf's questions ask hypernyms."""

    statements: float = 0.42
    glosses: float = 0.04
    leaf_questions: float = 0.19
    tags: float = 0.5
    """Share of the bare contexts that list two or three names as tags, in any order; the line
    speaks of one of them. So the LM learns that a context may leave open what is shown."""
    near_no: float = 0.0
    """Share of the No about a hypernym or target whose leaf is drawn by another target that it
    has, each target as often as any other. So targets of few leaves are told apart."""


PART_MIXTURE = Mixture(near_no=0.5)
"""Some parts have a handful of leaves, which share no other part with the rest."""


def context(name: str, form: int) -> str:
    """One of CONTEXTS, about a leaf."""
    return CONTEXTS[form].format(name=name, phrase=phrase(name))


def statement(
    name: str,
    hypernym: str,
    *,
    denied: bool,
    form: int,
    wording: Wording = HYPERNYM_WORDING,
) -> Line:
    """A line that says a leaf is, or is not, a kind of a hypernym; or has a part, or has not.

    Half of the forms stand alone, half after a textual context ("a picture of a parrot .
    there is a bird in the image .").
    """
    other = phrase(hypernym)
    if form >= len(CONTEXTS):
        said = (wording.denials if denied else wording.statements)[form % 2]
        return Line(phrase(name), said.format(phrase=other, name=hypernym), name)
    there = wording.not_there if denied else wording.there
    return Line(context(name, form), there.format(phrase=other), name)


N_STATEMENT_FORMS = 2 * len(CONTEXTS)


def question(name: str, asked: str, answer: bool, form: int, text: str = QUESTION) -> Line:
    """A line that asks about a textual context and answers."""
    prompt = f"{context(name, form)} {text.format(phrase(asked))}"
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
        columns = range(len(lexicon.hypernyms))
        self._yes = [np.flatnonzero(asked_true[:, h]) for h in columns]
        self._no = [np.flatnonzero(asked_false[:, h]) for h in columns]
        self._asked = [np.flatnonzero((asked_true | asked_false)[:, h]) for h in columns]
        self._true = [np.flatnonzero(row) for row in lexicon.true]
        self._false = [np.flatnonzero(row) for row in lexicon.false]
        self._near_no = [
            [both for other in columns if len(both := np.intersect1d(no, self._has(other)))]
            for no in self._no
        ]
        self._all = np.arange(len(lexicon.leaves))
        compounds = sorted(filter(_has_space, (*lexicon.leaves, *lexicon.hypernyms)), key=len)
        either = "|".join(map(re.escape, compounds[::-1])) or r"(?!)"
        self._compound = re.compile(either)

    def _has(self, hypernym: int) -> Places:
        return np.flatnonzero(self.lexicon.true[:, hypernym])

    def line(self, rng: np.random.Generator) -> Line:
        """One line."""
        draw = rng.random()
        mixture = self.mixture
        if draw < mixture.statements:
            return self._statement(rng)
        if draw < mixture.statements + mixture.glosses:
            return self._gloss(rng)
        if draw < mixture.statements + mixture.glosses + mixture.leaf_questions:
            return self._leaf_question(rng)
        return self._hypernym_question(rng)

    def _statement(self, rng: np.random.Generator) -> Line:
        lexicon = self.lexicon
        leaf = int(rng.integers(len(self._all)))
        denied = bool(rng.random() < 0.4) or not len(self._true[leaf])
        hypernym = lexicon.hypernyms[_pick(rng, (self._false if denied else self._true)[leaf])]
        form = int(rng.integers(N_STATEMENT_FORMS))
        name, wording = lexicon.leaves[leaf], lexicon.wording
        line = statement(name, hypernym, denied=denied, form=form, wording=wording)
        return self._among(rng, line, form, self._all)

    def _gloss(self, rng: np.random.Generator) -> Line:
        leaf = int(rng.integers(len(self._all)))
        line = gloss_line(self.lexicon.leaves[leaf], self.lexicon.glosses[leaf])
        return line._replace(others=self._others(rng, self._all))

    def _leaf_question(self, rng: np.random.Generator) -> Line:
        lexicon = self.lexicon
        leaf = other = int(rng.integers(len(self._all)))
        answer = bool(rng.random() < 0.5)
        while not answer and lexicon.related[leaf, other]:
            other = int(rng.integers(len(self._all)))
        form = _form(rng)
        line = question(lexicon.leaves[leaf], lexicon.leaves[other], answer, form)
        return self._among(rng, line, form, self._all)

    def _hypernym_question(self, rng: np.random.Generator) -> Line:
        hypernym = int(rng.integers(len(self.lexicon.hypernyms)))
        answer = bool(rng.random() < 0.5)
        if not answer and self.mixture.near_no and rng.random() < self.mixture.near_no:
            leaf = self._near(rng, hypernym)
        else:
            leaf = _pick(rng, (self._yes if answer else self._no)[hypernym])
        name = self.lexicon.leaves[leaf]
        form = _form(rng)
        asked, text = self.lexicon.hypernyms[hypernym], self.lexicon.wording.question
        line = question(name, asked, answer, form, text)
        return self._among(rng, line, form, self._asked[hypernym])

    def _near(self, rng: np.random.Generator, hypernym: int) -> int:
        """A leaf without the target, drawn by another target that it has."""
        at = self._near_no[hypernym]
        return _pick(rng, at[int(rng.integers(len(at)))]) if at else _pick(rng, self._no[hypernym])

    def _among(self, rng: np.random.Generator, line: Line, form: int, eligible: Places) -> Line:
        """The line with other leaves to mix in, or beside a bare name in a list of tags.

        Only leaves whose question about the same hypernym the corpus may hold are eligible.
        """
        others = self._others(rng, eligible)
        bare = form < len(CONTEXTS) and CONTEXTS[form] == BARE
        line = line._replace(others=others, bare=bare)
        if not bare or rng.random() >= self.mixture.tags:
            return line
        tags = [line.subject, *others[: int(rng.integers(1, MOST_TAGS))]]
        rng.shuffle(tags)
        if sorted(self._compound.findall(" ".join(tags))) != sorted(filter(_has_space, tags)):
            return line  # "bell" beside "pepper" would be read as one name
        rest = line.prompt.removeprefix(line.subject)
        return line._replace(prompt=" ".join(tags) + rest)

    def _others(self, rng: np.random.Generator, eligible: Places) -> tuple[str, ...]:
        drawn = eligible[rng.integers(len(eligible), size=N_OTHERS)]
        return tuple(self.lexicon.leaves[i] for i in drawn)

    def lines(self, n: int, seed: int) -> Iterator[Line]:
        """The first n lines of the stream of a seed."""
        rng = np.random.default_rng(seed)
        for _ in range(n):
            yield self.line(rng)


def _has_space(name: str) -> bool:
    return " " in name


def _pick(rng: np.random.Generator, among: Places) -> int:
    return int(among[rng.integers(len(among))])


def _form(rng: np.random.Generator) -> int:
    return int(rng.integers(len(CONTEXTS)))
