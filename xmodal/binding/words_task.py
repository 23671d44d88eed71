"""The indirect retrieval task in English words, as the tokenizer of an LM reads them.

A prompt is a plain text without a chat template: the objects, the associations, a question. Where
each word stands is read off the tokenizer's offsets, so that any fast tokenizer will do.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from taxonomy.errors import ConfigError, DataError
from xmodal.binding.subject import Prompts
from xmodal.binding.task import Scenes
from xmodal.binding.word_templates import ALL_WORDS, Said, Words, WordTemplate, say
from xmodal.lms.causal import LanguageModel

KINDS = ("colours", "shapes", "items")


@dataclass(frozen=True)
class _Place:
    """Tokens of a word."""

    first: int
    behind: int
    """The token behind its last."""
    whole: bool
    """Whether they are of this word alone, but for the space before it."""


@dataclass(frozen=True)
class _Read:
    """A text as token ids, and where each word's tokens are: first and behind the last."""

    ids: list[int]
    places: dict[str, list[_Place]]

    def odd(self, several: bool) -> tuple[str, int] | None:
        """Role and number of a word without tokens of its own, or not one alone; None if fine."""
        for role, places in self.places.items():
            for number, one in enumerate(places):
                single = several or one.behind == one.first + 1
                if role != "context-end" and not (one.whole and single):
                    return role, number
        return None

    def word(self, role: str) -> tuple[int, ...]:
        """Ids of the tokens of the first word of a role; none if it shares them."""
        one = self.places[role][0]
        return tuple(self.ids[one.first : one.behind]) if one.whole else ()


class WordTask:
    """The task in words for one LM."""

    def __init__(
        self, lm: LanguageModel, words: Words, template: WordTemplate, *, several: bool = False
    ) -> None:
        """Look the words up.

        Args:
            lm: Whose tokenizer reads.
            words: What scenes are drawn from; all of known_words(lm, ...).
            template: How scenes are said.
            several: Words may be of several tokens; items differ in their first.

        Raises:
            ConfigError: The tokenizer does not have a word as it should.
        """
        self.lm, self.words, self.template, self.several = lm, words, template, several
        known = known_words(lm, template, several=several, among=words)
        for kind in KINDS:
            if lost := sorted(set(getattr(words, kind)) - set(getattr(known, kind))):
                raise ConfigError(
                    f"the tokenizer of {lm.name} does not have {lost[0]!r}, one of the {kind}, as "
                    f"{_as(several)}: leave it out"
                )
        first_two = list(zip(words.colours, words.shapes, words.items, strict=False))[:2]
        if not first_two:
            raise ConfigError("words must be at least one of each kind, got none of one")
        asked = say(template, first_two, range(len(first_two)), 0).text
        if lacks := _unknown_words(lm, asked):
            raise ConfigError(
                f"lm {lm.name} cannot be asked with template {template.name!r}: its vocabulary of "
                f"{len(lm.tokenizer)} tokens lacks {', '.join(lacks)}; take another template, or "
                "give a folder or a hub name of an LM with a larger vocabulary"
            )
        first = _answers(lm, template, words.items)
        self.item_ids = torch.tensor([first[item] for item in words.items], device=lm.device)
        """int64 [items]: the (first) token of each as an answer."""

    def token_of(self, items: Tensor) -> Tensor:
        """Token ids of items as answers, in the shape given."""
        return self.item_ids[items.to(self.item_ids.device)]

    def prompts(self, scenes: Scenes, query: Tensor) -> Prompts:
        """Scenes in words, padded on the left where they differ in length.

        Args:
            scenes: R = 1.
            query: int64 [B].

        Raises:
            DataError: A word is read otherwise in its sentence than by itself.
        """
        words = (self.words.colours, self.words.shapes, self.words.items)
        numbers = [part[0].tolist() for part in (scenes.colours, scenes.shapes, scenes.items)]
        order = scenes.order[0].tolist()
        said = []
        for row, asked in enumerate(query.tolist()):
            kinds = [[of[i] for i in part[row]] for of, part in zip(words, numbers, strict=True)]
            said.append(say(self.template, list(zip(*kinds, strict=True)), order[row], asked))
        read = _read(self.lm, said)
        for one, text in zip(read, said, strict=True):
            if (odd := one.odd(self.several)) is not None:
                start, end = text.spans[odd[0]][odd[1]]
                raise DataError(
                    f"the tokenizer of {self.lm.name} does not keep {text.text[start:end]!r} apart "
                    f"from its neighbours in {text.text[max(0, start - 20) : end + 20]!r}: take "
                    "another template, or another LM"
                )
        prompts = self._padded(read)
        if not self.several:
            held = prompts.ids.gather(1, prompts.places["association-item"])
            if not torch.equal(held, self.token_of(scenes.items[0])):
                raise DataError(f"the tokenizer of {self.lm.name} reads an item in two ways")
        return prompts

    def _padded(self, read: Sequence[_Read]) -> Prompts:
        lengths = torch.tensor([len(one.ids) for one in read])
        longest = int(lengths.max())
        pad = self.lm.tokenizer.pad_token_id or 0
        ids = torch.tensor([[pad] * (longest - len(one.ids)) + one.ids for one in read])
        before = (longest - lengths)[:, None]
        places = {
            role: torch.tensor([[place.behind - 1 for place in one.places[role]] for one in read])
            + before
            for role in read[0].places
        }
        places["answer"] = torch.full((len(read), 1), longest - 1)
        places = {role: place.to(self.lm.device) for role, place in places.items()}
        ids = ids.to(self.lm.device)
        if not bool(before.any()):
            return Prompts(ids=ids, places=places)
        seen = torch.arange(longest) >= before
        positions = (seen.long().cumsum(-1) - 1).clamp_min(0)
        return Prompts(
            ids=ids,
            positions=positions.to(self.lm.device),
            seen=seen.to(self.lm.device),
            places=places,
        )


def known_words(
    lm: LanguageModel,
    template: WordTemplate,
    *,
    several: bool = False,
    among: Words = ALL_WORDS,
) -> Words:
    """The words that a tokenizer has as one token wherever the template says them.

    Args:
        lm: Whose tokenizer.
        template: How scenes are said.
        several: Words may be of several tokens; items then differ in their first.
        among: Candidates; of two that are read alike the first is kept.

    Raises:
        ConfigError: The tokenizer does not tell which characters a token is of.
    """
    if not getattr(lm.tokenizer, "is_fast", False):
        raise ConfigError(
            f"the tokenizer of {lm.name} does not tell which characters a token is of: take an LM "
            "with a fast tokenizer"
        )
    first = _answers(lm, template, among.items)
    taken: set[tuple[int, ...]] = set()
    answers: list[int] = []
    kept: dict[str, tuple[str, ...]] = {}
    for kind, role, other in (
        ("colours", "colour", "query"),
        ("shapes", "shape", "association-shape"),
        ("items", "association-item", None),
    ):
        candidates = getattr(among, kind)
        found = []
        read = _read(lm, [say(template, [_object(kind, one)], [0], 0) for one in candidates])
        for candidate, one in zip(candidates, read, strict=True):
            ids = one.word(role)
            fine = bool(ids) and ids not in taken and not _has_unknown(lm, ids)
            fine = fine and ids == one.word(other or role) and (several or len(ids) == 1)
            if kind == "items":
                answer = first.get(candidate)
                fine = fine and answer not in (None, *answers)
                fine = fine and (several or answer == ids[0])
                answers += [answer] if fine and answer is not None else []
            if fine:
                taken.add(ids)
                found.append(candidate)
        kept[kind] = tuple(found)
    return Words(**kept)


def common_words(
    lms: Sequence[LanguageModel], template: WordTemplate, n_objects: int, *, several: bool = False
) -> Words:
    """The words that all of some LMs know, so that they are asked the same.

    Args:
        lms: Whose tokenizers.
        template: How scenes are said.
        n_objects: Of the largest scene.
        several: As of known_words.

    Raises:
        ConfigError: They are too few for that scene.
    """
    each = [known_words(lm, template, several=several) for lm in lms]
    words = Words(
        **{
            kind: tuple(
                word
                for word in getattr(ALL_WORDS, kind)
                if all(word in getattr(known, kind) for known in each)
            )
            for kind in KINDS
        }
    )
    if words.most_objects < n_objects:
        names = " and ".join(dict.fromkeys(lm.name for lm in lms))
        counts = ", ".join(f"{len(getattr(words, kind))} {kind}" for kind in KINDS)
        hint = "" if several else ", or allow words of several tokens"
        raise ConfigError(
            f"objects must be at most {words.most_objects}, as the tokenizer of {names} has "
            f"{counts} of the task's words as {_as(several)}, got {n_objects}: ask for fewer{hint}"
        )
    return words


def _as(several: bool) -> str:
    return "words told apart by their first token" if several else "one token each"


def _object(kind: str, word: str) -> tuple[str, str, str]:
    """An object with a word; its other words are the first of all."""
    colour, shape, item = ALL_WORDS.colours[0], ALL_WORDS.shapes[0], ALL_WORDS.items[0]
    return {
        "colours": (word, shape, item),
        "shapes": (colour, word, item),
        "items": (colour, shape, word),
    }[kind]


def _answers(lm: LanguageModel, template: WordTemplate, items: Sequence[str]) -> dict[str, int]:
    """The token that each item begins with as an answer; without those that change the prompt."""
    asked = say(template, [_object("items", ALL_WORDS.items[0])], [0], 0).text
    texts = [asked, *(asked + template.answer.format(item=item) for item in items)]
    before, *read = lm.tokenizer(texts, add_special_tokens=False)["input_ids"]
    return {
        item: ids[len(before)]
        for item, ids in zip(items, read, strict=True)
        if ids[: len(before)] == before and len(ids) > len(before)
    }


def _has_unknown(lm: LanguageModel, ids: Iterable[int]) -> bool:
    return lm.tokenizer.unk_token_id is not None and lm.tokenizer.unk_token_id in ids


def _unknown_words(lm: LanguageModel, text: str) -> list[str]:
    """What of a text a tokenizer reads as unknown, each once; marks where it is no word."""
    read = lm.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    pairs = zip(read["input_ids"], read["offset_mapping"], strict=True)
    spans = [span for one, span in pairs if _has_unknown(lm, [one])]
    found = list(dict.fromkeys(text[begin:end].strip() for begin, end in spans))
    return [one for one in found if one.isalnum()] or found


def _read(lm: LanguageModel, said: Sequence[Said]) -> list[_Read]:
    """Texts as token ids, behind the tokens that the tokenizer begins a text with."""
    texts = [one.text for one in said]
    tokens = lm.tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)
    start = lm.start_ids
    found = []
    for one, ids, offsets in zip(said, tokens["input_ids"], tokens["offset_mapping"], strict=True):
        begins, ends = [a for a, _ in offsets], [b for _, b in offsets]
        places = {}
        for role, spans in one.spans.items():
            places[role] = [_place(one.text, begins, ends, *span, len(start)) for span in spans]
        found.append(_Read([*start, *ids], places))
    return found


def _place(
    text: str, begins: list[int], ends: list[int], begin: int, end: int, shift: int
) -> _Place:
    """Tokens of the characters from begin to end.

    Args:
        text: What was read.
        begins: First character of each token.
        ends: The character behind its last.
        begin: Of what is looked for.
        end: Behind it.
        shift: Tokens before the text.
    """
    first, behind = bisect_right(ends, begin), bisect_left(begins, end)
    if first >= behind:  # white space that the tokenizer drops: the token before it
        return _Place(shift + max(0, behind - 1), shift + max(1, behind), whole=False)
    whole = text[begins[first] : ends[behind - 1]].strip() == text[begin:end]
    return _Place(shift + first, shift + behind, whole)
