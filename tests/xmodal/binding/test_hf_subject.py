"""Hooks on decoders of transformers, against recomputation without them."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from tests.xmodal.architectures import WINDOW
from tests.xmodal.binding import talkers
from xmodal.binding import hf_check
from xmodal.binding.hf_subject import HuggingFaceSubject
from xmodal.binding.hooks import masking
from xmodal.binding.subject import Prompts
from xmodal.binding.task import draw_scenes, generators
from xmodal.binding.word_templates import ALL_WORDS, PLAIN
from xmodal.binding.words_task import WordTask, known_words

MASKABLE = ("qwen2", "llama", "gpt2", "neox", "gemma2", "gemma3", "falcon-alibi", "qwen2-vl",
            "llava")  # fmt: skip
TOKENIZER = talkers.word_tokenizer()


@functools.cache
def subject(name: str, attention: str = "sdpa") -> HuggingFaceSubject:
    """One that no test changes."""
    return fresh(name, attention)


def fresh(name: str, attention: str = "sdpa") -> HuggingFaceSubject:
    lm = talkers.talker(name, TOKENIZER, attention)
    return HuggingFaceSubject(WordTask(lm, ALL_WORDS, PLAIN))


def asked(of: HuggingFaceSubject, count: int = 2, n_objects: int = 3) -> Prompts:
    scenes = draw_scenes(generators([1]), count, n_objects, of.task.words)
    return of.prompts(scenes, torch.arange(count) % n_objects)


def close(got: Tensor, want: Tensor) -> bool:
    return torch.allclose(got, want, atol=1e-5, rtol=1e-4)


def some_masks(n: int, n_layers: int) -> list[Tensor]:
    """Different ones for each block, every token seeing itself."""
    of = torch.Generator().manual_seed(2)
    own = torch.eye(n, dtype=torch.bool)
    return [own | (torch.rand(2, n, n, generator=of) < 0.6) for _ in range(n_layers)]


@pytest.mark.parametrize("name", ["qwen2", "gpt2", "neox", "gemma3", *talkers.VLMS])
def test_logits_are_the_models_own_and_its_own_states_change_nothing(name: str) -> None:
    of = subject(name)
    prompts = asked(of)
    states: list[Tensor] = []

    def keep(layer: int, x: Tensor) -> Tensor:
        states.append(x.clone())
        return x

    plain = of.logits(prompts)
    with torch.no_grad():
        said = of.lm.model(input_ids=prompts.ids, output_hidden_states=True)
    assert close(plain, said.logits[:, -1])
    assert torch.equal(of.run(prompts, edit=keep), plain)
    assert len(states) == of.n_layers + 1 == 3
    # the last one that a model gives is behind its final norm
    assert all(torch.equal(a, b) for a, b in zip(states, said.hidden_states[:-1], strict=False))
    assert torch.equal(of.logits(prompts, edit=lambda layer, x: states[layer]), plain)


@pytest.mark.parametrize("name", ["qwen2", "neox", "gemma2"])
def test_a_patch_is_what_the_rest_of_the_model_makes_of_it(name: str) -> None:
    of = subject(name)
    prompts = asked(of)
    states: dict[int, Tensor] = {}
    given: list[tuple[Any, Any]] = []

    def keep(layer: int, x: Tensor) -> Tensor:
        states[layer] = x.clone()
        return x

    hook = of.blocks[1].register_forward_pre_hook(
        lambda _, args, kwargs: given.append((args, kwargs)), with_kwargs=True
    )
    plain = of.run(prompts, edit=keep)
    hook.remove()
    ((args, kwargs),) = given
    at = states[1].clone()
    at[:, -1] = states[1].flip(0)[:, -1]
    decoder = of.lm.model.get_decoder()
    norm = getattr(decoder, "norm", None) or decoder.final_layer_norm
    kwargs = {name: value for name, value in kwargs.items() if name != "hidden_states"}
    with torch.no_grad():
        out = of.blocks[1](at, *args[1:], **kwargs)
        last = norm(out if isinstance(out, Tensor) else out[0])[:, -1]
        want = of.lm.model.get_output_embeddings()(last)
    cap = getattr(of.lm.model.config, "final_logit_softcapping", None)
    want = want if cap is None else cap * torch.tanh(want / cap)

    def put(layer: int, x: Tensor) -> Tensor:
        return at if layer == 1 else x

    assert close(of.logits(prompts, edit=put), want)
    assert not close(want, plain)
    # nothing is left of hooks
    assert torch.equal(of.logits(prompts), plain)


@pytest.mark.parametrize("name", ["qwen2", "gpt2", "neox", "gemma2", "qwen3-vl"])
def test_the_last_layers_last_token_is_the_answer(name: str) -> None:
    of = subject(name)
    prompts = asked(of)
    kept: list[Tensor] = []
    theirs = of.run(prompts, edit=lambda layer, x: kept.append(x) or x).flip(0)

    def put(layer: int, x: Tensor) -> Tensor:
        if layer == of.n_layers:
            x = x.clone()
            x[:, -1] = kept[layer].flip(0)[:, -1]
        return x

    assert close(of.logits(prompts, edit=put), theirs)


@pytest.mark.parametrize("name", MASKABLE)
def test_cut_edges_get_no_attention_and_the_others_share_it(name: str) -> None:
    eager = subject(name, "eager")
    prompts = asked(eager)
    n = prompts.ids.shape[1]
    assert n > WINDOW
    masks = some_masks(n, eager.n_layers)
    seen = torch.ones_like(prompts.ids, dtype=torch.bool)
    asking = {"input_ids": prompts.ids, "attention_mask": seen.long(), "output_attentions": True}
    got: Any = None
    if name != "falcon-alibi":  # which gives no weights
        with torch.no_grad():
            plain = eager.lm.model(**asking).attentions
            with masking(eager.blocks, masks, seen, "eager"):
                got = eager.lm.model(**asking).attentions
        for weights, mask in zip(got, masks, strict=True):
            assert (weights.transpose(0, 1)[:, ~mask] == 0).all()
            assert torch.allclose(weights.sum(-1), torch.ones(()))
        # in the first block the scores are those of the plain run
        left = plain[0] * masks[0][:, None]
        assert close(got[0], left / left.sum(-1, keepdim=True))
    # both kinds of mask, of bools and of what is added to the scores, say the same
    cut = eager.logits(prompts, masks=masks)
    assert close(subject(name).logits(prompts, masks=masks), cut)
    free = [torch.ones(n, n, dtype=torch.bool)] * eager.n_layers
    assert close(eager.logits(prompts, masks=free), eager.logits(prompts))
    assert not close(cut, eager.logits(prompts))


def test_a_window_holds_under_masks() -> None:
    of = subject("mistral-window")
    prompts = asked(of)
    n = prompts.ids.shape[1]
    far = torch.arange(n)[:, None] - torch.arange(n) >= WINDOW
    free = [torch.ones(n, n, dtype=torch.bool)] * of.n_layers
    without = [~far] * of.n_layers
    plain = of.logits(prompts)
    assert close(of.logits(prompts, masks=free), plain)
    assert close(of.logits(prompts, masks=without), plain)
    full = subject("mistral")
    assert close(full.logits(prompts, masks=without), plain)
    assert not close(full.logits(prompts), plain)


@pytest.mark.parametrize("name", ["gpt2", "gemma3", "bloom", "qwen2-vl"])
@pytest.mark.parametrize("masked", [False, True])
def test_padded_prompts_are_answered_as_each_alone(name: str, masked: bool) -> None:
    lm = talkers.talker(name, talkers.piece_tokenizer(bos=True))
    words = known_words(lm, PLAIN, several=True)
    of = HuggingFaceSubject(WordTask(lm, words, PLAIN, several=True))
    scenes = draw_scenes(generators([4]), 3, 2, words)
    prompts = of.prompts(scenes, torch.tensor([0, 1, 0]))
    assert prompts.seen is not None
    assert not prompts.seen.all()
    n = prompts.ids.shape[1]
    cut = torch.ones(n, n, dtype=torch.bool)
    cut[-1, -4:-1] = False
    masks = [cut] * of.n_layers if masked else None
    together = of.logits(prompts, masks=masks)
    assert torch.isfinite(together).all()
    for row in range(3):
        ids = prompts.ids[row][prompts.seen[row]]
        own = [cut[-len(ids) :, -len(ids) :]] * of.n_layers if masked else None
        alone = of.logits(Prompts(ids=ids[None]), masks=own)
        assert close(together[row], alone[0])


def test_what_cannot_be_masked_is_refused() -> None:
    of = subject("qwen2")
    prompts = asked(of)
    n = prompts.ids.shape[1]
    none = torch.ones(n, n, dtype=torch.bool)
    none[3] = False
    with pytest.raises(ConfigError, match="every token must be left something to attend to"):
        of.logits(prompts, masks=[none, none])
    far = torch.ones(n, n, dtype=torch.bool)
    far[-1, 1:] = False  # the first token alone, which the window hides
    for attention in ("sdpa", "eager"):
        with pytest.raises(ConfigError, match="every token must be left something to attend to"):
            subject("mistral-window", attention).run(prompts, masks=[far, far])
    with pytest.raises(ValueError, match="one mask for each of 2 blocks, got 1"):
        of.logits(prompts, masks=[none])
    of = fresh("qwen2")
    of.lm.model.config._attn_implementation = "flash_attention_2"
    with pytest.raises(ConfigError, match="need the attention sdpa or eager, got 'flash_att"):
        of.run(prompts, masks=[none, none])
    with pytest.raises(ConfigError, match="its own mask does not let a token see itself"):
        subject("mpt").logits(prompts, masks=[none | True] * 2)


def test_an_lm_that_does_not_do_as_told_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    of = fresh("llama")
    own = of.blocks[1].forward

    def deaf(*args: Any, attention_mask: Any = None, **kwargs: Any) -> Any:
        return own(*args, attention_mask=None, **kwargs)

    monkeypatch.setattr(of.blocks[1], "forward", deaf)
    with pytest.raises(ConfigError, match="a mask that leaves the token itself changes a logit"):
        hf_check.check_masks(of)
    with pytest.raises(ConfigError, match="padding on the left changes a logit"):
        hf_check.check_padding(of)
    of = fresh("llama")
    of.blocks = of.blocks[:1]
    with pytest.raises(ConfigError, match="the last token behind the last block changes a"):
        hf_check.check_edits(of)
    of.blocks = [*of.blocks, torch.nn.Identity()]
    with pytest.raises(ConfigError, match=r"must run once each, in their order, got layers \[0, 1"):
        hf_check.check_edits(of)


def test_a_model_without_a_list_of_blocks_is_refused() -> None:
    lm = talkers.talker("qwen2", TOKENIZER)
    lm.model.config.num_hidden_layers = 5
    with pytest.raises(ConfigError, match="no list of its 5 blocks is found in Qwen2ForCausalLM"):
        HuggingFaceSubject(WordTask(lm, ALL_WORDS, PLAIN))


def test_a_prompt_that_is_too_long_is_refused() -> None:
    of = subject("gpt2")
    with pytest.raises(ConfigError, match="257 tokens is longer than the 256 that lm gpt2 was"):
        of.logits(Prompts(ids=torch.ones(1, 257, dtype=torch.int64)))
