"""Texts as vectors: each LM's own states, whatever shares a batch with them."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    AutoModel,
    AutoModelForTextEncoding,
    AutoTokenizer,
    PreTrainedTokenizerFast,
)

from taxonomy.errors import ConfigError, DataError
from tests.xmodal.lms import tiny_texts
from tests.xmodal.lms.tiny_texts import DECODERS, ENCODERS, TEXTS
from xmodal.lms.causal import load_lm
from xmodal.lms.reader import Pooling
from xmodal.lms.text import TextModel, batches, load_text_model

ALL = (*DECODERS, *ENCODERS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("lms")
    return {name: tiny_texts.save(root / name, name) for name in ALL}


@pytest.fixture(scope="module")
def models(folders: dict[str, Path]) -> dict[str, TextModel]:
    return {name: load_text_model(str(folder)) for name, folder in folders.items()}


@pytest.mark.parametrize("name", ALL)
def test_the_kind_is_found_by_trying(models: dict[str, TextModel], name: str) -> None:
    assert models[name].kind == ("decoder" if name in DECODERS else "encoder")
    assert not any(p.requires_grad for p in models[name].model.parameters())
    assert not models[name].model.training


@torch.no_grad()
def alone(folder: Path, name: str, text: str, pooling: str, layer: int | None) -> torch.Tensor:
    """One text through transformers as its documentation shows it, no padding, no mask."""
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    auto: Any = AutoModelForTextEncoding if name == "t5" else AutoModel
    model = auto.from_pretrained(folder).eval()
    ids = tokenizer(text)["input_ids"]
    if pooling == "eos":
        ids = [*ids, tokenizer.eos_token_id]
    said = model(input_ids=torch.tensor([ids]), output_hidden_states=True)
    states = (said.last_hidden_state if layer is None else said.hidden_states[layer])[0]
    if pooling == "mean":
        special = set(tokenizer.all_special_ids)
        return states[[i for i, token in enumerate(ids) if token not in special]].mean(0)
    return states[0 if pooling == "cls" else -1]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(("pooling", "layer"), [("s2", "last"), ("mean", "last"), ("last", "1")])
def test_a_text_has_the_vector_that_it_has_alone(
    folders: dict[str, Path], models: dict[str, TextModel], name: str, pooling: str, layer: str
) -> None:
    got = models[name].encode(TEXTS, Pooling(pooling, layer), batch_tokens=60)
    at = None if layer == "last" else int(layer)
    want = torch.stack([alone(folders[name], name, text, pooling, at) for text in TEXTS])
    assert got.shape == (len(TEXTS), 16)
    assert torch.allclose(got, want, atol=1e-5)
    assert len({tuple(row.tolist()) for row in got}) == len(TEXTS)


def test_the_sound_pooling_is_of_the_kind(models: dict[str, TextModel]) -> None:
    for name, pooling in (("llama", "last"), ("bert", "mean")):
        sound = models[name].encode(TEXTS)
        assert torch.equal(sound, models[name].encode(TEXTS, Pooling(pooling)))
    bert = models["bert"]
    assert torch.equal(bert.encode(TEXTS, Pooling("s2")), bert.encode(TEXTS, Pooling("last")))
    assert not torch.allclose(bert.encode(TEXTS), bert.encode(TEXTS, Pooling("s2")), atol=1e-2)


def test_the_number_of_the_last_block_is_last(models: dict[str, TextModel]) -> None:
    model = models["qwen3"]
    assert torch.equal(model.encode(TEXTS, Pooling("last", "2")), model.encode(TEXTS))
    assert torch.equal(
        model.encode(TEXTS, Pooling("last", "penultimate")),
        model.encode(TEXTS, Pooling("last", "1")),
    )


def test_class_and_end_tokens(folders: dict[str, Path], models: dict[str, TextModel]) -> None:
    for name, pooling in (("bert", "cls"), ("t5", "eos")):
        got = models[name].encode(TEXTS, Pooling(pooling))
        want = torch.stack([alone(folders[name], name, text, pooling, None) for text in TEXTS])
        assert torch.allclose(got, want, atol=1e-5)
    with pytest.raises(ConfigError, match="pooling cls needs a tokenizer with a cls token, and "):
        models["qwen3"].encode(TEXTS, Pooling("cls"))
    with pytest.raises(ConfigError, match="pooling eos needs a tokenizer with a eos token, and "):
        models["qwen3"].encode(TEXTS, Pooling("eos"))


def test_long_texts_are_cut_and_told(models: dict[str, TextModel]) -> None:
    model = models["qwen3"]
    read = model.tokenise(TEXTS, Pooling("last"), 6)
    assert [one.cut for one in read] == [
        len(model.tokenizer(text)["input_ids"]) > 6 for text in TEXTS
    ]
    assert {len(one.ids) for one in read if one.cut} == {6}
    short = model.encode(TEXTS, longest=6)
    assert torch.allclose(short[2], model.encode(["saw"])[0], atol=1e-5)
    bert = models["bert"].tokenise(TEXTS, Pooling("mean"), 6)
    # its class token and separator stay
    assert all(one.own[0] is False and one.own[-1] is False for one in bert)


def test_words_that_a_tokenizer_does_not_know_are_told(models: dict[str, TextModel]) -> None:
    known = {"<u>": 0, "a": 1, "parrot": 2}
    core = Tokenizer(WordLevel(known, unk_token="<u>"))
    core.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<u>")
    model = dataclasses.replace(models["qwen3"], tokenizer=tokenizer)
    texts = ["a parrot", "a 鹦鹉", "parrot", "a parrot a 鹦鹉"]
    read = model.tokenise(texts, Pooling("last"), 9)
    assert [one.unknown for one in read] == [False, True, False, True]
    assert [one.ids for one in read] == [(1, 2), (1, 0), (2,), (1, 2, 1, 0)]
    # what is cut off is not read
    assert not model.tokenise(texts, Pooling("last"), 3)[3].unknown


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=60),
    st.integers(1, 100),
)
def test_batches_hold_every_text_once_within_the_budget(lengths: list[int], budget: int) -> None:
    found = list(batches(lengths, budget))
    assert sorted(itertools.chain(*found)) == list(range(len(lengths)))
    for places in found:
        assert len(places) == 1 or len(places) * max(lengths[i] for i in places) <= budget
    longest = [max(lengths[i] for i in places) for places in found]
    assert longest == sorted(longest, reverse=True)


def test_a_decoder_is_the_lm_that_other_experiments_load(
    folders: dict[str, Path], models: dict[str, TextModel]
) -> None:
    assert models["qwen3"].sha256 == load_lm(str(folders["qwen3"])).sha256
    one, two = (load_text_model(str(folders["bert"]), init="random", seed=s) for s in (1, 2))
    assert len({one.sha256, two.sha256, models["bert"].sha256}) == 3
    again = load_text_model(str(folders["bert"]), init="random", seed=1)
    assert again.sha256 == one.sha256


def test_the_embedded_lm_reads(models: dict[str, TextModel]) -> None:
    lm = load_text_model("embedded")
    assert (lm.kind, lm.encode(["parrot", "a parrot is a bird"]).shape) == ("decoder", (2, 64))


class TestBad:
    def test_a_text_of_no_token(self, models: dict[str, TextModel]) -> None:
        for name in ("qwen3", "bert"):
            with pytest.raises(DataError, match="reads no token in the text ''"):
                models[name].encode(["a parrot", ""])

    def test_a_layer_that_is_not_there(self, models: dict[str, TextModel]) -> None:
        with pytest.raises(ConfigError, match=r"has 2 blocks: layer must be between -3 and 2, got"):
            models["qwen3"].encode(TEXTS, Pooling("last", "3"))
        with pytest.raises(ConfigError, match="pooling must be one of last, mean, eos, cls, s2"):
            Pooling("max")

    def test_weights_that_are_missing(self, folders: dict[str, Path], tmp_path: Path) -> None:
        folder = tiny_texts.save(tmp_path / "bert", "bert")
        weights = load_file(folder / "model.safetensors")
        del weights["bert.encoder.layer.0.output.dense.weight"]
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(DataError, match=r"as a folder: 1 of its weights are not there, such "):
            load_text_model(str(folder))

    def test_no_finite_vector(self, folders: dict[str, Path]) -> None:
        model = load_text_model(str(folders["qwen3"]))
        with torch.no_grad():
            model.model.norm.weight.fill_(float("nan"))
        with pytest.raises(DataError, match="makes no finite vector of 'a parrot'"):
            model.encode(["a parrot"])
