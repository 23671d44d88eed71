"""Bags of words against a plain count, and what their hashes cannot spoil."""

from __future__ import annotations

import math
import re
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taxonomy.errors import ConfigError, DataError
from taxonomy.hashing import hash63
from xmodal.lms import words
from xmodal.lms.words import COLUMNS, BagOfWords, load_reader

READER = BagOfWords()
WORDS = st.sampled_from(["owl", "Owl", "hen", "a", "Säge", "鹦鹉", "x1"])
TEXTS = st.lists(st.lists(WORDS, min_size=1).map(" - ".join), min_size=1, max_size=5)


def plain(text: str) -> list[float]:
    """One word after the other; a column is 12 bits of its hash, its sign the next bit."""
    row = [0.0] * COLUMNS
    for word in re.split(r"[^\w]+", text.lower()):
        if word:
            number = hash63(word)
            row[number & 0xFFF] += -1 if number >> 12 & 1 else 1
    length = math.sqrt(sum(x * x for x in row))
    return [x / length for x in row]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(TEXTS, st.integers(1, 3))
def test_a_text_is_its_counted_words(texts: list[str], block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(words, "_BLOCK", block)
        told: list[int] = []
        got = READER.encode(texts, on_batch=told.append)
    assert got.dtype == torch.float32
    assert torch.allclose(got, torch.tensor([plain(text) for text in texts]), atol=1e-7)
    assert sum(told) == len(texts)


def test_a_worked_example() -> None:
    # the words have columns of their own: lengths sqrt(4 + 1) and sqrt(1 + 1), one owl shared
    assert len({hash63(word) % COLUMNS for word in ("owl", "hen", "saw")}) == 3
    got = READER.encode(["Owl, owl; hen!", "owl saw", "saw owl", "hen"])
    assert float(got[0] @ got[1]) == pytest.approx(2 / math.sqrt(10), abs=1e-6)
    assert torch.equal(got[1], got[2])
    assert float(got[1] @ got[3]) == 0


def test_words_that_cancel_out_still_have_a_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    by_word = {"up": 7, "down": 7 + COLUMNS, "up2": 9}
    monkeypatch.setattr(words, "_token", by_word.__getitem__)
    got = READER.encode(["up down", "up up2", "down"])
    assert got[0].nonzero().tolist() == [[7]]
    assert got[:, 7].tolist() == pytest.approx([1, math.sqrt(0.5), -1], abs=1e-7)
    assert Counter(got.nonzero()[:, 0].tolist()) == {0: 1, 1: 2, 2: 1}


def test_signs_and_columns_are_spread() -> None:
    tokens = [words._token(f"word{i}") for i in range(4000)]
    negative = sum(token >= COLUMNS for token in tokens)
    assert 1800 < negative < 2200
    # 4,000 balls in 4,096 boxes leave about 4096 exp(-4000/4096) = 1,543 empty
    assert abs(COLUMNS - len({token % COLUMNS for token in tokens}) - 1543) < 120


def test_long_texts_are_cut_and_told() -> None:
    read = READER.tokenise(["owl hen saw", "owl"], READER.pooling(), 2)
    assert [(len(one.ids), one.cut, one.unknown) for one in read] == [
        (2, True, False),
        (1, False, False),
    ]
    assert torch.equal(READER.encode(["owl hen saw"], longest=2), READER.encode(["owl hen"]))


def test_a_text_without_words() -> None:
    with pytest.raises(DataError, match=r"^the lm bag-of-words finds no word in the text '\?!'$"):
        READER.encode(["owl", "?!"])


def test_settings_of_lms_are_refused() -> None:
    for asked in ({"name": "mean"}, {"layer": "last"}):
        with pytest.raises(ConfigError, match="has no states to choose from, got "):
            READER.pooling(**asked)
    assert load_reader("bag-of-words") == load_reader("bag-of-words", init="none") == READER
