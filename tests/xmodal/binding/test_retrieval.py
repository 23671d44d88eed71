"""Retrieval accuracy: who knows the answers has them all right, and counts are what they say."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from taxonomy.errors import ConfigError
from tests.xmodal.binding import talkers
from xmodal.binding.hf_subject import HuggingFaceSubject
from xmodal.binding.retrieval import answered, retrieval
from xmodal.binding.subject import Edit, Prompts
from xmodal.binding.task import Scenes
from xmodal.binding.word_templates import ALL_WORDS, PLAIN
from xmodal.binding.words_task import WordTask
from xmodal.binding_tables import RETRIEVAL
from xmodal.lms.causal import LanguageModel

LM: LanguageModel = talkers.talker("qwen2")


class Reader:
    """Reads the prompt's text and looks the answer up in it; no model."""

    n_layers = 0

    def __init__(self, off: int = 0, shout: bool = False) -> None:
        """Answer the item of the association so many places further, or a word of no scene."""
        self.task = WordTask(LM, ALL_WORDS, PLAIN)
        self.off, self.shout = off, shout

    def prompts(self, scenes: Scenes, query: Tensor) -> Prompts:
        return self.task.prompts(scenes, query)

    def token_of(self, items: Tensor) -> Tensor:
        return self.task.token_of(items)

    def logits(
        self, prompts: Prompts, *, edit: Edit | None = None, masks: Sequence[Tensor] | None = None
    ) -> Tensor:
        logits = torch.zeros(len(prompts.ids), len(LM.tokenizer))
        for row, ids in zip(logits, prompts.ids, strict=True):
            text = LM.tokenizer.decode(ids)
            shown, held, asked = re.split("Items?", text)
            shape = dict(re.findall(r"(\w+) (\w+)(?= ?[,.])", shown))[asked.split()[1]]
            items = re.findall(r"(\w+) (\w+)(?= ?[,.])", held)
            at = [one for one, _ in items].index(shape)
            row[LM.token_ids(items[(at + self.off) % len(items)][1])] = 2.0
            row[2] = 3.0 if self.shout else 0.0
        return logits


def test_a_reader_has_all_right_in_any_batches() -> None:
    table = retrieval(Reader(), ALL_WORDS, [2, 5, 40], n_examples=7, seed=1)
    assert table.schema.equals(RETRIEVAL)
    rows = table.to_pylist()
    # "Objects :", three a pair with its mark, "Items :", three a pair, "Item of COLOUR :"
    assert [row["n_objects"] for row in rows] == [2, 5, 40]
    assert [row["n_tokens"] for row in rows] == [8 + 6 * n for n in (2, 5, 40)]
    assert all(row["n_right"] == row["n_right_open"] == row["n_questions"] == 7 for row in rows)
    calls: list[int] = []
    small = retrieval(
        Reader(), ALL_WORDS, [5, 2], n_examples=7, seed=1, batch_tokens=80, on_batch=calls.append
    )
    assert small.to_pylist() == [rows[1], rows[0]]
    assert (calls, sum(calls)) == ([2, 2, 2, 1, 4, 3], 14)


def test_who_answers_another_item_or_another_word_is_wrong() -> None:
    (row,) = retrieval(Reader(off=1), ALL_WORDS, [4], n_examples=9, seed=0).to_pylist()
    assert (row["n_right"], row["n_right_open"]) == (0, 0)
    (row,) = retrieval(Reader(shout=True), ALL_WORDS, [4], n_examples=9, seed=0).to_pylist()
    assert (row["n_right"], row["n_right_open"], row["n_questions"]) == (9, 0, 9)


@pytest.mark.parametrize("name", ["gpt2", "qwen2.5-vl"])
def test_an_lm_is_counted_as_its_logits_say(name: str) -> None:
    tokenizer = talkers.piece_tokenizer(900)
    lm = talkers.talker(name, tokenizer)
    subject = HuggingFaceSubject(WordTask(lm, ALL_WORDS, PLAIN))
    table = retrieval(subject, ALL_WORDS, [2, 4], n_examples=40, seed=0)
    again = retrieval(subject, ALL_WORDS, [2, 4], n_examples=40, seed=0, batch_tokens=300)
    assert table.equals(again)
    for row in table.to_pylist():
        assert 0 <= row["n_right_open"] <= row["n_right"] <= row["n_questions"] == 40
    # a random model guesses: 20 of 40 with standard deviation 3.2, 10 with 2.7
    two, four = (row["n_right"] for row in table.to_pylist())
    assert 5 <= two <= 35
    assert four <= 24


@settings(max_examples=50, deadline=None)
@given(data=st.data(), n_objects=st.integers(1, 4), vocabulary=st.integers(4, 7))
def test_right_is_higher_than_all_others(
    data: st.DataObject, n_objects: int, vocabulary: int
) -> None:
    row = data.draw(st.lists(st.integers(-2, 2), min_size=vocabulary, max_size=vocabulary))
    items = data.draw(st.permutations(range(vocabulary)))[:n_objects]
    query = data.draw(st.integers(0, n_objects - 1))
    right, is_open = answered(
        torch.tensor([row]).float(), torch.tensor([items]), torch.tensor([query])
    )
    own = row[items[query]]
    assert bool(right) == all(own > row[one] for one in items if one != items[query])
    assert bool(is_open) == all(own > one for at, one in enumerate(row) if at != items[query])


def test_what_cannot_be_asked_is_refused() -> None:
    for objects in ([], [4, 4], [0]):
        with pytest.raises(ConfigError, match="objects must be numbers from 1 on, each once, got"):
            retrieval(Reader(), ALL_WORDS, objects, n_examples=1, seed=0)
    with pytest.raises(ConfigError, match="n must be at least 1, got 0"):
        retrieval(Reader(), ALL_WORDS, [4], n_examples=0, seed=0)
    with pytest.raises(ConfigError, match="n_objects must be from 1 to 60"):
        retrieval(Reader(), ALL_WORDS, [61], n_examples=1, seed=0)
