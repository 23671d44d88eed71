"""Pretraining on a toy lexicon: reproducible, saved whole, examined fairly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from taxonomy.errors import DataError
from taxonomy.model import Taxonomy
from taxonomy.phrases import phrase
from taxonomy.wordnet import WordNet
from tests.xmodal.bundle.lm import toy
from xmodal.bundle.lm.corpus import CAPTION, QUESTION, Corpus, Lexicon, context
from xmodal.bundle.lm.exam import _macro_f1, examine, yes_margins
from xmodal.bundle.lm.package import taught_table, train_lm
from xmodal.bundle.lm.pretrain import UNKNOWN, pretrain
from xmodal.lms.causal import load_lm, weights_sha256
from xmodal.vlm.forward import tokenise
from xmodal.vlm.prompts import prompt_template


@pytest.fixture(scope="module")
def trained(small: Lexicon) -> tuple[Any, Any]:
    return pretrain(small, toy.TRAINING)


@pytest.fixture(scope="module")
def saved(embedded: Taxonomy, wordnet: WordNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("lms") / "toy"
    train_lm(
        toy.cut(embedded),
        wordnet,
        output,
        config=toy.TRAINING,
        lexicon_config=toy.LEXICON,
    )
    return output


def test_the_same_seed_trains_the_same_weights(small: Lexicon, trained: tuple[Any, Any]) -> None:
    losses: list[float] = []
    torch.manual_seed(99)  # what a caller left behind must not matter
    model, _ = pretrain(small, toy.TRAINING, progress=lambda _, loss: losses.append(loss))
    assert weights_sha256(model) == weights_sha256(trained[0])
    assert len(losses) == toy.TRAINING.n_steps
    assert np.isfinite(losses).all()
    other, _ = pretrain(small, replace(toy.TRAINING, seed=1))
    assert weights_sha256(other) != weights_sha256(model)


def test_it_learns(small: Lexicon) -> None:
    losses: list[float] = []
    config = replace(toy.TRAINING, n_steps=80, batch_size=32)
    pretrain(small, config, progress=lambda _, loss: losses.append(loss))
    assert np.mean(losses[-5:]) < 0.6 * losses[0]


def test_every_name_is_one_token_and_no_line_has_unknown_words(
    small: Lexicon, trained: tuple[Any, Any]
) -> None:
    _, tokenizer = trained
    unknown = tokenizer.convert_tokens_to_ids(UNKNOWN)
    for name in (*small.leaves, *small.hypernyms):
        assert len(tokenizer(name)["input_ids"]) == 1
        assert unknown not in tokenizer(f"is there {phrase(name)} in the image ?")["input_ids"]
    for line in Corpus(small).lines(500, seed=2):
        if not line.prompt.endswith(" :"):  # glosses have rare words
            assert unknown not in tokenizer(str(line))["input_ids"]


def test_the_saved_folder_loads_to_equal_logits(saved: Path, trained: tuple[Any, Any]) -> None:
    model, tokenizer = trained
    loaded = AutoModelForCausalLM.from_pretrained(saved, use_safetensors=True)
    again = AutoTokenizer.from_pretrained(saved)
    text = "this image shows a violin . is there a bird in the image ? Yes Musical instrument"
    ids = again(text, return_tensors="pt")["input_ids"]
    assert torch.equal(ids, tokenizer(text, return_tensors="pt")["input_ids"])
    with torch.no_grad():
        assert torch.equal(loaded(ids).logits, model(ids).logits)


def test_the_trainer_can_ask_it(saved: Path, small: Lexicon) -> None:
    lm = load_lm(str(saved))
    phrases = [phrase(name) for name in small.hypernyms]
    questions = tokenise(lm, prompt_template("default"), phrases)
    yes, no = lm.tokenizer.convert_tokens_to_ids(["yes", "no"])
    assert (questions.yes_id, questions.no_id) == (yes, no)
    for row, text in enumerate(phrases):
        # exactly the question that the corpus practised
        ids = lm.token_ids(QUESTION.format(text))
        assert questions.tokens[row, : questions.lengths[row]].tolist() == ids


def test_the_random_control_is_drawn_at_its_own_scale(saved: Path) -> None:
    # an embedding of some 10,000 values; the pretrained one starts at init_std
    rms = load_lm(str(saved), init="random").embedding_rms
    assert rms == pytest.approx(toy.TRAINING.random_std, rel=0.05)


def test_the_folder_says_what_was_taught_and_how(saved: Path, small: Lexicon) -> None:
    assert not list(saved.parent.glob(".*"))
    assert not list(saved.glob("*.bin"))
    taught = pq.read_table(saved / "taught.parquet")
    assert taught.equals(taught_table(small))
    want = {
        (leaf, hypernym): bool(small.true[i, j])
        for i, leaf in enumerate(small.leaves)
        for j, hypernym in enumerate(small.hypernyms)
        if small.true[i, j] or small.false[i, j]
    }
    rows = taught.to_pylist()
    assert {(row["leaf"], row["hypernym"]): row["answer"] for row in rows} == want
    assert {row["leaf"] for row in rows if row["pictured"]} <= set(small.leaves[: small.n_pictured])
    recipe = json.loads((saved / "recipe.json").read_text())
    assert recipe["pretraining"]["n_steps"] == toy.TRAINING.n_steps
    assert recipe["lexicon"]["seed"] == toy.LEXICON.seed
    assert recipe["exam"]["n_stated_leaves"] <= toy.LEXICON.n_stated


def test_a_folder_that_exists_is_refused_and_kept(
    saved: Path, embedded: Taxonomy, wordnet: WordNet
) -> None:
    before = {path: path.stat().st_mtime_ns for path in saved.iterdir()}
    with pytest.raises(DataError, match=r"exists; give a folder that does not$"):
        train_lm(embedded, wordnet, saved, config=toy.TRAINING, lexicon_config=toy.LEXICON)
    assert before == {path: path.stat().st_mtime_ns for path in saved.iterdir()}


def f1(pairs: list[tuple[bool, bool]], answer: bool) -> float:
    """(predicted, true) pairs; the textbook formula."""
    hits = sum(p == t == answer for p, t in pairs)
    precision = hits / max(1, sum(p == answer for p, _ in pairs))
    recall = hits / max(1, sum(t == answer for _, t in pairs))
    return 2 * precision * recall / (precision + recall) if hits else 0.0


@given(st.data())
def test_macro_f1_is_the_textbooks(data: st.DataObject) -> None:
    n, h = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 3))
    flags = st.lists(st.booleans(), min_size=n * h, max_size=n * h)
    predicted, true, asked = (np.array(data.draw(flags)).reshape(n, h) for _ in range(3))
    scores = []
    for j in range(h):
        pairs = [(predicted[i, j], true[i, j]) for i in range(n) if asked[i, j]]
        if len({t for _, t in pairs}) == 2:
            scores.append((f1(pairs, True) + f1(pairs, False)) / 2)
    got = _macro_f1(predicted, true, asked)
    assert np.isnan(got) if not scores else got == pytest.approx(sum(scores) / len(scores))


def test_margins_are_those_of_one_line_at_a_time(small: Lexicon, trained: tuple[Any, Any]) -> None:
    model, tokenizer = trained
    pairs = [(leaf, small.hypernyms[i % 3]) for i, leaf in enumerate(small.leaves[:9])]
    got = yes_margins(model, tokenizer, [p[0] for p in pairs], [p[1] for p in pairs])
    yes, no = tokenizer.convert_tokens_to_ids(["yes", "no"])
    for margin, (leaf, hypernym) in zip(got, pairs, strict=True):
        text = f"{context(leaf, CAPTION)} {QUESTION.format(phrase(hypernym))}"
        with torch.no_grad():
            logits = model(tokenizer(text, return_tensors="pt")["input_ids"]).logits[0, -1]
        assert float(margin) == pytest.approx(float(logits[yes] - logits[no]), abs=1e-4)


def test_the_examination_counts_every_pair_once(small: Lexicon, trained: tuple[Any, Any]) -> None:
    exam = examine(*trained, small)
    spoken = small.true | small.false
    n = small.n_pictured
    assert exam.n_withheld == (small.withheld & spoken)[:n].sum()
    stated = small.withheld.all(axis=1)
    assert exam.n_stated == spoken[stated & (np.arange(len(stated)) >= n)].sum()
    assert exam.n_stated_leaves == toy.LEXICON.n_stated
    assert 0 <= exam.leaf_accuracy <= 1
