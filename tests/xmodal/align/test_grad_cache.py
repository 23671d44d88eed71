"""A batch in parts gives the loss, gradients and statistics of the batch at once."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from tests.xmodal.align import small
from xmodal.align.grad_cache import gradients
from xmodal.align.loss import info_nce
from xmodal.align.pairs import Batch
from xmodal.align.projection import Aligner, AlignerConfig, Masks, ProjectionConfig

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
WIDE = ProjectionConfig(depth=4, width=12, activation="gelu", dropout=0.3)
ALIGNERS = {
    "text": AlignerConfig(text=WIDE),
    "image": AlignerConfig(text=small.IDENTITY, image=WIDE),
    "both": AlignerConfig(text=WIDE, image=small.MLP, dim=7, learned_scale=True),
    "linear": AlignerConfig(text=small.LINEAR, image=small.LINEAR, learned_scale=True),
    "as wide as the output": AlignerConfig(
        text=ProjectionConfig(depth=3, width=small.DV, activation="swish")
    ),
}


@dataclass
class Result:
    loss: float
    grads: dict[str, Tensor]
    state: dict[str, Tensor]


def result(
    config: AlignerConfig,
    batch: Batch,
    rows: int | None,
    *,
    offload: bool = False,
    seed: int = 0,
) -> Result:
    torch.manual_seed(seed)
    aligner = Aligner(config, small.DT, small.DV).to(batch.text.dtype).train()
    for name, parameter in aligner.named_parameters():
        if "norms" in name:
            torch.nn.init.normal_(parameter, 1.0, 0.3)
    loss = gradients(aligner, batch, Masks(11), rows=rows, offload=offload)
    grads = {name: p.grad for name, p in aligner.named_parameters() if p.grad is not None}
    assert grads.keys() == dict(aligner.named_parameters()).keys()
    return Result(float(loss), grads, aligner.state_dict())


def batch_of(n: int, dtype: torch.dtype, *, mask: bool) -> Batch:
    texts = torch.arange(n) % (n - 5)
    data = small.pairs(n, dtype, text_row=texts, group=torch.arange(n) % 20)
    return data.take(torch.arange(n), device=torch.device("cpu"), dtype=dtype, mask=mask)


def assert_equal(one: Result, other: Result, within: float) -> None:
    assert one.loss == pytest.approx(other.loss, abs=within)
    for a, b in ((one.grads, other.grads), (one.state, other.state)):
        for name, value in a.items():
            torch.testing.assert_close(
                value, b[name], rtol=0, atol=within, msg=lambda m, name=name: f"{name}: {m}"
            )


@pytest.mark.parametrize("dtype", [*TOLERANCE])
@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("name", [*ALIGNERS])
def test_parts_give_the_same(name: str, mask: bool, dtype: torch.dtype) -> None:
    batch = batch_of(45, dtype, mask=mask)
    whole = result(ALIGNERS[name], batch, None)
    if "norms.0.running_var" in whole.state:
        assert whole.state["norms.0.num_batches_tracked"] == 1
    for rows, offload in ((1, False), (7, False), (16, True), (44, False)):
        parts = result(ALIGNERS[name], batch, rows, offload=offload)
        assert_equal(parts, whole, TOLERANCE[dtype])


def test_parts_across_the_blocks_of_dropout_give_the_same() -> None:
    batch = batch_of(530, torch.float64, mask=True)
    whole = result(ALIGNERS["both"], batch, None)
    assert_equal(result(ALIGNERS["both"], batch, 100), whole, 1e-10)


def test_features_far_from_zero_give_the_same() -> None:
    batch = batch_of(45, torch.float32, mask=False)
    far = Batch(batch.text + 300.0, batch.image)
    exact = Batch(far.text.double(), far.image.double())
    # statistics of float32 as near to those of float64 as torch's own
    got, own = (result(ALIGNERS["text"], far, rows) for rows in (7, None))
    want = result(ALIGNERS["text"], exact, None)
    for name in ("text.norms.0.running_mean", "text.norms.0.running_var"):
        error, allowed = (
            float((one.state[name].double() - want.state[name]).abs().max()) for one in (got, own)
        )
        assert error <= 4 * allowed + 1e-5


def test_gradients_are_added_to_those_there() -> None:
    batch = batch_of(45, torch.float64, mask=False)
    torch.manual_seed(0)
    aligner = Aligner(ALIGNERS["both"], small.DT, small.DV).double().train()
    gradients(aligner, batch, Masks(1), rows=7)
    once = {name: p.grad.clone() for name, p in aligner.named_parameters() if p.grad is not None}
    gradients(aligner, batch, Masks(1), rows=7)
    for name, p in aligner.named_parameters():
        torch.testing.assert_close(p.grad, 2 * once[name], rtol=0, atol=1e-12)


@pytest.mark.parametrize("rows", [None, 8])
def test_negatives_are_those_of_the_whole_batch(rows: int | None) -> None:
    config = AlignerConfig(text=ProjectionConfig(depth=2, width=8, dropout=0.0))
    batch = batch_of(32, torch.float64, mask=False)
    loss = result(config, batch, rows).loss
    torch.manual_seed(0)
    aligner = Aligner(config, small.DT, small.DV).double().train()
    for name, parameter in aligner.named_parameters():
        if "norms" in name:
            torch.nn.init.normal_(parameter, 1.0, 0.3)
    text, image = aligner.embed("text", batch.text), aligner.embed("image", batch.image)
    all_negatives = info_nce(text, image, aligner.scale()).item()
    own_negatives = [
        info_nce(text[at : at + 8], image[at : at + 8], aligner.scale()).item()
        for at in range(0, 32, 8)
    ]
    assert loss == pytest.approx(all_negatives, abs=1e-10)
    # what adding up parts would give; about ln(32 / 8) less
    assert loss - sum(own_negatives) / 4 > 0.7


def test_a_picture_of_the_last_part_moves_gradients_by_the_texts_of_the_first() -> None:
    config = AlignerConfig(text=small.LINEAR)
    batch = batch_of(32, torch.float64, mask=False)
    # texts that are zero give the weight no gradient, those of the first part alone do
    text = batch.text * (torch.arange(32) < 8)[:, None]
    other = batch.image.clone()
    other[-1] = -other[-1]
    one = result(config, Batch(text, batch.image), 8).grads["text.linears.0.weight"]
    two = result(config, Batch(text, other), 8).grads["text.linears.0.weight"]
    assert (one - two).abs().max() > 1e-3


def test_bf16_in_parts_is_near() -> None:
    config = AlignerConfig(text=WIDE, bf16=True)
    batch = batch_of(45, torch.float32, mask=True)
    whole, parts = result(config, batch, None), result(config, batch, 7)
    exact = result(ALIGNERS["text"], batch, None)
    assert parts.loss == pytest.approx(exact.loss, abs=0.05)
    assert whole.loss == pytest.approx(exact.loss, abs=0.05)
    for name, grad in exact.grads.items():
        assert parts.grads[name].dtype == torch.float32
        assert (parts.grads[name] - grad).norm() <= 0.1 * grad.norm() + 1e-3, name
