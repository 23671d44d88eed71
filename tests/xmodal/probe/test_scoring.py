"""Batches against one text at a time, for seven architectures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from tests.xmodal.probe import lms
from xmodal.lms.causal import LanguageModel, load_lm
from xmodal.probe.scoring import Span, each_logits, span_log_probs

BATCH_SIZES = (1, 2, 7, 64)
WORDS = ("Is a parrot a bird?", "owl", "an axe is a tool", "Are parrots a type of tool?", "No")


@pytest.fixture(scope="module", params=lms.ARCHITECTURES)
def lm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return load_lm(str(lms.save_lm(tmp_path_factory.mktemp("lm"), request.param)))


def texts(lm: LanguageModel, n: int = 40) -> list[tuple[int, ...]]:
    """Texts of 1 to about 60 tokens, some more than once."""
    rng = np.random.default_rng(0)
    drawn = [" ".join(rng.choice(WORDS, size=1 + i % 6)) for i in range(n)]
    return [tuple(lm.token_ids(text)[: 1 + 3 * (i % 20)]) for i, text in enumerate(drawn)]


@torch.no_grad()
def alone(lm: LanguageModel, text: tuple[int, ...]) -> Tensor:
    """float32 [T, V]: the LM's own logits for one text, no mask and no padding."""
    logits: Tensor = lm.model(input_ids=torch.tensor([text])).logits[0]
    return logits


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
def test_a_batch_gives_the_logits_of_each_text_alone(lm: LanguageModel, batch_size: int) -> None:
    asked = texts(lm)
    assert len({len(text) for text in asked}) > 10
    firsts = [i % len(text) for i, text in enumerate(asked)]
    seen = set()
    for row, logits in each_logits(lm, asked, firsts, batch_size):
        want = alone(lm, asked[row])[firsts[row] :]
        assert logits.shape == want.shape
        assert bool(((logits - want).abs() <= 1e-4 * want.abs().clamp_min(1)).all())
        seen.add(row)
    assert seen == set(range(len(asked)))


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
def test_a_span_is_the_product_of_its_tokens(lm: LanguageModel, batch_size: int) -> None:
    spans = [Span((*text, 5, 6), 1 + i % (len(text) + 1)) for i, text in enumerate(texts(lm))]
    # two completions of one text share its pass
    spans += [replace(span, ids=(*span.ids[:-1], 9)) for span in spans]
    total, n_tokens = span_log_probs(lm, spans, batch_size)
    for span, got, n in zip(spans, total, n_tokens, strict=True):
        chances = alone(lm, span.ids).double().softmax(dim=-1)
        want = sum(
            float(chances[place - 1, token].log())
            for place, token in enumerate(span.ids)
            if place >= span.first
        )
        assert got == pytest.approx(want, rel=1e-4, abs=1e-4)
        assert n == len(span.ids) - span.first


def test_texts_are_fed_once_and_never_their_last_token(
    lm: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    fed: list[list[int]] = []
    forward = lm.model.forward

    def record(*args: object, **given: Tensor) -> object:
        masked = zip(given["input_ids"].tolist(), given["attention_mask"].sum(1), strict=True)
        fed.extend(row[: int(n)] for row, n in masked)
        return forward(*args, **given)

    record.__signature__ = __import__("inspect").signature(forward)  # type: ignore[attr-defined]
    monkeypatch.setattr(lm.model, "forward", record)
    span_log_probs(lm, [Span((3, 4, last), 2) for last in (5, 6, 7)] + [Span((3, 8), 1)], 4)
    assert fed == [[3], [3, 4]]


def test_logits_of_bf16_weights_are_not_rounded_to_bf16(lm: LanguageModel) -> None:
    model = lm.model.to(torch.bfloat16)
    try:
        ((_, logits),) = each_logits(lm, [(3, 4, 5)], [2], 1)
        hidden = model.base_model(input_ids=torch.tensor([[3, 4, 5]])).last_hidden_state[0, 2]
        exact = model.get_output_embeddings().weight.float() @ hidden.float()
        cap = getattr(model.config, "final_logit_softcapping", None)
        want = exact if cap is None else cap * torch.tanh(exact / cap)
        assert logits.dtype == torch.float32
        torch.testing.assert_close(logits[0], want, rtol=1e-5, atol=1e-5)
        assert (logits != logits.to(torch.bfloat16).float()).float().mean() > 0.9
        # nothing is left behind: the LM's own head rounds as before
        own = model(input_ids=torch.tensor([[3, 4, 5]])).logits
        assert own.dtype == torch.bfloat16
    finally:
        lm.model.to(torch.float32)


def test_a_text_longer_than_the_lm_reads_is_refused(lm: LanguageModel) -> None:
    with pytest.raises(ConfigError, match=r"reads at most \d+ tokens, got a text of 5000"):
        span_log_probs(lm, [Span((3,) * 5001, 1)], 1)
