"""Questions in shared rows are answered as each alone: for each architecture, in every layout."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.attention.flex_attention import create_mask, flex_attention

from taxonomy.errors import ConfigError
from tests.xmodal import tiny
from tests.xmodal.architectures import PACKABLE, UNPACKABLE, WINDOW
from xmodal.lms.causal import LanguageModel, load_lm
from xmodal.vlm import masks, selfcheck
from xmodal.vlm.forward import Questions, answer_logits, tokenise
from xmodal.vlm.masks import DENSE, FLEX, PADDING, PREFIX, Structure
from xmodal.vlm.packed import logits_in_rows
from xmodal.vlm.projector import Projector, ProjectorConfig
from xmodal.vlm.prompts import prompt_template
from xmodal.vlm.rows import Rows, cheapest, lay_out, work
from xmodal.vlm.selfcheck import difference, packing

PHRASES = ["a bird", "an owl", "a piece of jewelry", "clothing", "a very long name of a thing"]
IMAGE = torch.tensor([0, 0, 0, 0, 0, 2, 3, 3])
ASKED = torch.tensor([0, 1, 4, 2, 3, 2, 3, 0])


def loaded(folder: Path, name: str, init: str = "pretrained") -> tuple[LanguageModel, Questions]:
    if not folder.exists():
        tiny.save_lm(folder, name)
    lm = load_lm(str(folder), init=init)
    return lm, tokenise(lm, prompt_template("default"), PHRASES)


def in_rows(
    lm: LanguageModel, questions: Questions, prefix: Tensor, most: int, attention: str = DENSE
) -> Tensor:
    lengths = questions.lengths[ASKED].numpy()
    rows = lay_out(IMAGE.numpy(), lengths, most)
    return logits_in_rows(lm, prefix, questions.tokens[ASKED], lengths, rows, attention)


def gradients(projector: Projector, prefix: Tensor, logits: Tensor) -> list[Tensor]:
    torch.autograd.backward(torch.nn.functional.cross_entropy(logits, ASKED))
    found = [p.grad.clone() for p in projector.parameters() if p.grad is not None]
    projector.zero_grad()
    return found


@pytest.mark.parametrize("init", ["pretrained", "random"])
@pytest.mark.parametrize("name", PACKABLE)
def test_logits_and_projector_gradients_are_the_plain_ones(
    name: str, init: str, tmp_path: Path
) -> None:
    lm, questions = loaded(tmp_path / "lm", name, init)
    for n_tokens in (1, 9):  # 2 and 18 prefix tokens: a window's length reached or not
        torch.manual_seed(1)
        projector = Projector(ProjectorConfig(n_tokens=n_tokens), 6, lm.width)
        features = torch.linspace(-1, 1, 4 * 2 * 6).reshape(4, 2, 6)
        plain = in_rows(lm, questions, projector(features), 1)
        want = gradients(projector, features, plain)
        assert len(want) == 4
        for most in (2, 5):
            packed = in_rows(lm, questions, projector(features), most)
            assert difference(packed, plain.detach(), lm.dtype) <= 1
            got = gradients(projector, features, packed)
            assert all(difference(a, b, lm.dtype) <= 1 for a, b in zip(got, want, strict=True))
        assert packing(lm, questions, 2 * n_tokens) == selfcheck.Packing(True, DENSE)
    assert all(p.grad is None for p in lm.model.parameters())


@pytest.mark.parametrize("name", PACKABLE)
def test_plain_logits_are_the_lms_own_answer_to_the_same_tokens(name: str, tmp_path: Path) -> None:
    """A prefix of token embeddings is text: whatever the LM does to its input or its logits."""
    lm, questions = loaded(tmp_path / "lm", name)
    text = torch.tensor([lm.token_ids("Is there an owl?")])
    got = answer_logits(lm, lm.embed(text), questions, torch.tensor([0]), torch.tensor([2]))
    bare = questions.tokens[2, : int(questions.lengths[2])]
    want = lm.model(input_ids=torch.cat([text[0], bare])[None]).logits[0, -1]
    assert difference(got, want[None], lm.dtype) <= 1


def test_gemmas_factor_belongs_to_its_embeddings(tmp_path: Path) -> None:
    lm, _ = loaded(tmp_path / "lm", "gemma")
    weight = lm.model.get_input_embeddings().weight
    rms = float(weight.pow(2).mean().sqrt())
    assert lm.embedding_rms == pytest.approx(rms * 16**0.5, rel=1e-5)
    assert loaded(tmp_path / "llama", "llama")[0].embedding_rms == pytest.approx(rms, rel=0.3)


@pytest.mark.parametrize("name", UNPACKABLE)
def test_an_lm_that_cannot_be_packed_is_asked_one_question_a_row(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lm, questions = loaded(tmp_path / "lm", name)
    capfd.readouterr()
    prefix = torch.randn(4, 18, lm.width)
    assert cheapest(IMAGE.numpy(), questions.lengths[ASKED].numpy(), 18, lm.width).packed
    for n_prefix in (18, 17):
        got = answer_logits(lm, prefix[:, :n_prefix], questions, IMAGE, ASKED)
        want = in_rows(lm, questions, prefix[:, :n_prefix], 1)
        assert torch.equal(got, want)
    assert not any(found.exact for found in lm.packings.values())
    (line,) = [x for x in capfd.readouterr().err.splitlines() if x.startswith("notice: ")]
    assert line.startswith(
        f"notice: lm {tmp_path / 'lm'} is asked one question a row, slower and equally right: "
        "packed rows "
    )


@pytest.mark.parametrize("given", ["position_ids", "attention_mask"])
def test_the_self_check_sees_a_model_that_ignores_what_it_is_given(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm, questions = loaded(tmp_path / "lm", "llama")
    assert packing(lm, questions, 3).exact
    theirs = lm.model.model.forward
    monkeypatch.setattr(
        lm.model.model, "forward", lambda **inputs: theirs(**{**inputs, given: None})
    )
    found = packing(lm, questions, 4)
    assert not found.exact
    assert re.fullmatch(r"differ by \d.* in a logit", found.reason)


def test_in_bf16_the_layout_is_judged_in_fp32(tmp_path: Path) -> None:
    # a local mask of its own that only just bites: bf16 would not show it
    lm, questions = loaded(tmp_path / "neo", "gpt-neo")
    lm.model.bfloat16()
    assert not packing(lm, questions, WINDOW - 1).exact
    lm, questions = loaded(tmp_path / "qwen3", "qwen3")
    lm.model.bfloat16()
    assert packing(lm, questions, 4).exact
    assert lm.dtype == torch.bfloat16


def test_bf16_logits_are_fp32_and_not_rounded_to_bf16(tmp_path: Path) -> None:
    lm, questions = loaded(tmp_path / "lm", "gemma2")
    lm.model.bfloat16()
    prefix = torch.randn(4, 3, lm.width).requires_grad_()
    got = answer_logits(lm, prefix, questions, IMAGE, ASKED)
    assert got.dtype == torch.float32
    assert not torch.equal(got, got.bfloat16().float())
    torch.autograd.backward(got.logsumexp(1).sum())
    (slope,) = (prefix.grad,)
    head = lm.model.lm_head
    # what the model itself says is these logits, rounded; capped by its own code
    with torch.no_grad():
        said = answer_logits(
            replace(lm, packings={}), prefix, questions, IMAGE, ASKED, packed=False
        )
    assert float(said.abs().max()) <= 3
    assert difference(got.detach(), said, lm.dtype) <= 1
    assert "forward" not in vars(head)
    lm.model.float()
    exact = prefix.detach().clone().requires_grad_()
    torch.autograd.backward(
        answer_logits(replace(lm, packings={}), exact, questions, IMAGE, ASKED).logsumexp(1).sum()
    )
    assert slope is not None
    assert exact.grad is not None
    assert float((slope - exact.grad).norm() / exact.grad.norm()) < 0.1


def test_an_lm_that_takes_no_embeddings_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm, questions = loaded(tmp_path / "lm", "llama")

    def refuse(**_: object) -> None:
        raise ValueError("needs token ids\nfor its layers")

    monkeypatch.setattr(lm.model.model, "forward", refuse)
    message = r"cannot be asked behind a prefix \(needs token ids\); take a decoder that takes"
    with pytest.raises(ConfigError, match=message):
        packing(lm, questions, 3)


def cost(rows: Rows, n_prefix: int, width: int) -> float:
    return work(len(rows), n_prefix + rows.n_text, width, masked=rows.packed)


counts = st.lists(st.integers(0, 6), min_size=1, max_size=6).filter(any)


@given(counts, st.integers(1, 7), st.data())
@settings(max_examples=60, deadline=None)
def test_rows_hold_each_question_once_and_one_picture_each(
    n: list[int], most: int, data: st.DataObject
) -> None:
    image = np.repeat(np.arange(len(n)), n)
    sizes = st.lists(st.integers(1, 5), min_size=len(image), max_size=len(image))
    lengths = np.array(data.draw(sizes))
    rows = lay_out(image, lengths, most)
    taken: dict[int, list[int]] = {}
    for question in range(len(image)):
        row, start = int(rows.row[question]), int(rows.start[question])
        assert rows.image[row] == image[question]
        taken.setdefault(row, []).extend(range(start, start + int(lengths[question])))
    assert sorted(taken) == list(range(len(rows)))
    # no gap, no overlap: the text of a row is its questions one behind another
    assert all(sorted(places) == list(range(len(places))) for places in taken.values())
    assert rows.n_text == max(map(len, taken.values()))
    assert len(rows) == sum(-(-k // most) for k in n)
    assert max(np.bincount(rows.row)) <= most
    assert rows.packed is (len(rows) < len(image))
    best = cheapest(image, lengths, 4, 16)
    assert cost(best, 4, 16) <= cost(rows, 4, 16)


@pytest.mark.parametrize(
    ("n_questions", "n_prefix", "width", "n_rows"),
    [
        ([1, 1, 1], 3, 64, 3),  # nothing is shared
        ([5, 5, 5], 3, 64, 3),  # all is shared
        ([40, 1, 1], 3, 64, 22),  # 22 rows of 19 tokens; 42 of 11 or 3 of 323 are more
        ([40, 4, 4], 256, 1024, 4),  # 4 rows of 416 tokens, not 3 of 576
    ],
)
def test_the_layout_is_the_one_with_least_to_compute(
    n_questions: list[int], n_prefix: int, width: int, n_rows: int
) -> None:
    image = np.repeat(np.arange(3), n_questions)
    rows = cheapest(image, np.full(len(image), 8), n_prefix, width)
    assert len(rows) == n_rows


def test_a_picture_with_many_questions_does_not_slow_the_others() -> None:
    image = np.repeat(np.arange(32), [60] + [5] * 31)
    even = np.repeat(np.arange(32), [5] * 32)
    shape = (256, 1024)
    uneven_cost = cost(cheapest(image, np.full(len(image), 12), *shape), *shape)
    even_cost = cost(cheapest(even, np.full(len(even), 12), *shape), *shape)
    one_row = cost(lay_out(image, np.full(len(image), 12), 60), *shape)
    # 215 questions for 160, and less than twice the work; padded to 60 it is three times
    assert uneven_cost < 1.5 * even_cost < one_row / 2


def structure() -> Structure:
    """Two rows: 3 prefix tokens; questions of 2 and 3 tokens; of 4, and padding."""
    block = [[PREFIX] * 3 + [0, 0, 1, 1, 1], [PREFIX] * 3 + [2, 2, 2, 2, PADDING]]
    position = [[0, 1, 2, 3, 4, 3, 4, 5], [0, 1, 2, 3, 4, 5, 6, 3]]
    return Structure(torch.tensor(block), torch.tensor(position))


@pytest.mark.parametrize("window", [None, 3])
def test_dense_mask_and_flex_mask_say_what_a_question_alone_would_see(window: int | None) -> None:
    of = structure()
    n_rows, length = of.block.shape
    want = torch.zeros(n_rows, 1, length, length, dtype=torch.bool)
    for row in range(n_rows):
        for query in range(length):
            for key in range(query + 1):
                own = of.block[row, key] in (PREFIX, of.block[row, query])
                near = window is None or of.position[row, query] - of.position[row, key] < window
                want[row, 0, query, key] = own and near
    dense = of.dense(torch.float32, window)
    assert torch.equal(dense == 0, want)
    assert float(dense[~want].max()) == torch.finfo(torch.float32).min
    by_rule = create_mask(of.seen(window), n_rows, None, length, length, device="cpu")
    assert torch.equal(by_rule, want)
    blocks = of.blocks(window)
    assert blocks.shape == (n_rows, 1, length, length)
    again = create_mask(blocks.mask_mod, n_rows, None, length, length, device="cpu")
    assert torch.equal(again, want)


@pytest.mark.parametrize("name", ["qwen3", "mistral-window", "gemma2", "gemma3", "neox"])
def test_flex_attention_gives_the_same_logits(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FlexAttention itself, uncompiled: what it is given, not its kernels for a GPU."""
    import transformers.integrations.flex_attention as theirs

    monkeypatch.setattr(
        theirs,
        "compile_friendly_flex_attention",
        lambda *tensors, training=False, **options: flex_attention(*tensors, **options),
    )
    lm, questions = loaded(tmp_path / "lm", name)
    before = lm.model.config._attn_implementation
    prefix = torch.randn(4, 18, lm.width)
    with torch.no_grad():
        plain = in_rows(lm, questions, prefix, 1)
        assert difference(in_rows(lm, questions, prefix, 5, FLEX), plain, lm.dtype) <= 1
    assert lm.model.config._attn_implementation == before


def test_attention_is_chosen_by_what_the_machine_and_the_model_can_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm, questions = loaded(tmp_path / "lm", "qwen3")
    assert selfcheck.attentions(lm) == [DENSE]
    monkeypatch.setattr(type(lm), "device", torch.device("cuda"))
    assert selfcheck.attentions(lm) == [FLEX, DENSE]
    monkeypatch.undo()
    # where FlexAttention fails, the dense mask takes its place
    monkeypatch.setattr(selfcheck, "attentions", lambda _: [FLEX, DENSE])
    monkeypatch.setattr(masks.Structure, "blocks", lambda *_: 1 / 0)
    assert packing(lm, questions, 3) == selfcheck.Packing(True, DENSE, "")


def test_want_of_memory_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lm, questions = loaded(tmp_path / "lm", "llama")
    theirs = lm.model.model.forward

    def short(**inputs: Any) -> Any:
        if "attention_mask" in inputs and inputs["attention_mask"] is not None:
            raise torch.OutOfMemoryError("out of memory")
        return theirs(**inputs)

    monkeypatch.setattr(lm.model.model, "forward", short)
    with pytest.raises(torch.OutOfMemoryError):
        packing(lm, questions, 3)
    assert lm.packings == {}


def test_float64_logits_stay_float64(tmp_path: Path) -> None:
    lm, questions = loaded(tmp_path / "lm", "qwen3")
    lm.model.double()
    prefix = torch.randn(4, 3, lm.width, dtype=torch.float64)
    got = answer_logits(lm, prefix, questions, IMAGE, ASKED)
    assert got.dtype == torch.float64
    want = answer_logits(lm, prefix, questions, IMAGE, ASKED, packed=False)
    assert float((got - want).abs().max()) < 1e-10
