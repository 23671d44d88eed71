"""An LM's logits at chosen tokens, through the LM's own forward pass.

Models differ in what they do to logits after the head (Gemma 2 caps them, Cohere and Granite scale
them), so their own code is run to the end; only the head is made to read the chosen tokens alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function


def logits_at(model: Any, row: Tensor, at: Tensor, **inputs: Any) -> Tensor:
    """Logits over the whole vocabulary at some tokens of a batch.

    Args:
        model: A decoder of transformers with a head.
        row: int64 [Q], the row of each token.
        at: int64 [Q], its place in the row.
        **inputs: Of the model.

    Returns:
        float32 [Q, vocabulary], float64 of a float64 model. A bf16 head's products are summed and
        left in fp32, so that two logits that differ are not rounded to the same bf16 number.
    """
    with _reading(model.get_output_embeddings(), row, at):
        logits: Tensor = model(**inputs, use_cache=False).logits
    chosen = logits[:, 0]
    return chosen if chosen.dtype == torch.float64 else chosen.float()


@contextmanager
def _reading(head: Any, row: Tensor, at: Tensor) -> Iterator[None]:
    """Let the head read [Q, 1, Dl] of the hidden states [R, L, Dl] that it is given."""
    own, theirs = vars(head).get("forward"), head.forward

    def forward(hidden: Tensor) -> Tensor:
        chosen = hidden[row, at][:, None]
        if type(head) is nn.Linear and chosen.dtype in (torch.bfloat16, torch.float16):
            product: Tensor = _Wide.apply(  # type: ignore[no-untyped-call]
                chosen.flatten(0, 1), head.weight
            )
            return (product if head.bias is None else product + head.bias.float())[:, None]
        logits: Tensor = theirs(chosen)
        return logits

    head.forward = forward
    try:
        yield
    finally:
        if own is None:
            del head.forward
        else:
            head.forward = own


class _Wide(Function):
    """Product of half-precision matrices in fp32; the weight is frozen and gets no gradient."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.dtype = hidden.dtype
        if hidden.is_cuda:
            return torch.mm(hidden, weight.t(), out_dtype=torch.float32)
        return hidden.float() @ weight.float().t()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (weight,) = ctx.saved_tensors
        return gradients[0].to(ctx.dtype) @ weight, None
