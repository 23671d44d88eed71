"""Packed against plain, plain against the LM itself, for three architectures."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.xmodal import tiny
from xmodal.lms.causal import LanguageModel, load_lm
from xmodal.vlm.forward import Questions, answer_logits, tokenise
from xmodal.vlm.projector import Projector, ProjectorConfig
from xmodal.vlm.prompts import prompt_template

PHRASES = ["a bird", "an owl", "a piece of jewelry", "clothing", "a very long name of a thing"]


@pytest.fixture(scope="module", params=[(a, b) for a in tiny.ARCHITECTURES for b in (False, True)])
def asked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LanguageModel, Questions]:
    architecture, bos = request.param
    folder = tiny.save_lm(tmp_path_factory.mktemp("lm"), architecture, bos=bos)
    lm = load_lm(str(folder))
    assert len(lm.start_ids) == bos
    return lm, tokenise(lm, prompt_template("default"), PHRASES)


def close(got: Tensor, want: Tensor) -> bool:
    return bool(((got - want).abs() <= 1e-4 * want.abs().clamp_min(1)).all())


def prefix_of(lm: LanguageModel, n_images: int, n_tokens: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_images, n_tokens, lm.width, generator=generator) * 0.5


@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_packed_logits_are_the_plain_ones(
    asked: tuple[LanguageModel, Questions], data: st.DataObject
) -> None:
    lm, questions = asked
    n_images = data.draw(st.integers(1, 4))
    # sorted rows of images: any number of questions an image, none for some
    image = sorted(data.draw(st.lists(st.integers(0, n_images - 1), min_size=1, max_size=9)))
    rows = st.integers(0, len(PHRASES) - 1)
    chosen = data.draw(st.lists(rows, min_size=len(image), max_size=len(image)))
    prefix = prefix_of(lm, n_images, data.draw(st.sampled_from([1, 2, 5, 17])))
    at = torch.tensor(image), torch.tensor(chosen)
    plain = answer_logits(lm, prefix, questions, *at, packed=False)
    packed = answer_logits(lm, prefix, questions, *at, packed=True)
    assert plain.shape == (len(image), len(lm.tokenizer))
    assert close(packed, plain)


def test_projector_gradients_are_the_same_in_both_layouts(
    asked: tuple[LanguageModel, Questions],
) -> None:
    lm, questions = asked
    torch.manual_seed(0)
    projector = Projector(ProjectorConfig(n_tokens=2), 6, lm.width)
    image, chosen = torch.tensor([0, 0, 0, 2, 3, 3]), torch.tensor([0, 1, 4, 2, 3, 0])
    found = []
    for packed in (False, True):
        projector.zero_grad()
        prefix = projector(torch.linspace(-1, 1, 4 * 3 * 6).reshape(4, 3, 6))
        logits = answer_logits(lm, prefix, questions, image, chosen, packed=packed)
        torch.autograd.backward(torch.nn.functional.cross_entropy(logits, chosen))
        found.append([p.grad.clone() for p in projector.parameters() if p.grad is not None])
    assert len(found[0]) == len(found[1]) == len(list(projector.parameters()))
    assert all(close(b, a) and a.abs().max() > 0 for a, b in zip(*found, strict=True))
    assert all(p.grad is None for p in lm.model.parameters())


def test_plain_logits_are_the_lms_own_for_start_prefix_and_question(
    asked: tuple[LanguageModel, Questions],
) -> None:
    lm, questions = asked
    prefix = prefix_of(lm, 2, 3)
    got = answer_logits(lm, prefix, questions, torch.tensor([0, 1, 1]), torch.tensor([4, 0, 2]))
    for row, (image, phrase) in enumerate([(0, 4), (1, 0), (1, 2)]):
        text = f"Is there {PHRASES[phrase]} in the image?"
        whole = lm.tokenizer(text)["input_ids"]
        bare = lm.tokenizer(text, add_special_tokens=False)["input_ids"]
        start = whole[: len(whole) - len(bare)]
        parts = [lm.embed(torch.tensor([start], dtype=torch.int64)), prefix[image : image + 1]]
        sequence = torch.cat([*parts, lm.embed(torch.tensor([bare]))], dim=1)
        want = lm.model(inputs_embeds=sequence).logits[0, -1]
        assert close(got[row], want)


def test_the_layout_does_not_depend_on_what_other_questions_are_asked(
    asked: tuple[LanguageModel, Questions],
) -> None:
    lm, questions = asked
    prefix = prefix_of(lm, 2, 20)
    together = answer_logits(
        lm, prefix, questions, torch.tensor([0, 0, 1]), torch.tensor([4, 1, 3])
    )
    alone = answer_logits(lm, prefix, questions, torch.tensor([0]), torch.tensor([1]))
    assert close(together[1:2], alone)
