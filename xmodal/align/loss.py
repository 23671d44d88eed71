"""Symmetric InfoNCE over a whole batch.

Every picture of the batch is a negative of every text, and the other way round. The same caption or
the same picture may occur in several pairs; as a negative of its own copy it pulls two equal rows
apart, which no projection can do, so that the loss has a floor that depends on how often it
happens. S2 keeps such pairs as negatives; masked, they are neither negatives nor positives of one
another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from taxonomy.errors import DataError


def info_nce(
    text: Tensor,
    image: Tensor,
    scale: Tensor | float,
    *,
    same: Sequence[Tensor] = (),
    rows: int | None = None,
) -> Tensor:
    """Mean cross-entropy of finding the picture by the text and the text by the picture, halved.

    Args:
        text: float [B, D], rows of unit length.
        image: float [B, D], rows of unit length; row i belongs to row i of text.
        scale: Factor of the cosines, a scalar.
        same: int64 [B] each: two pairs with one number in any of them are no negatives of one
            another. Empty to keep every other pair as a negative.
        rows: Texts whose logits are held at once, [rows, B]; None for all of them. The value and
            its gradients do not depend on it.

    Returns:
        A scalar, nats.

    Raises:
        DataError: Fewer than two pairs.
    """
    n = len(text)
    if n < 2 or text.shape != image.shape:
        raise DataError(
            "InfoNCE needs at least 2 pairs of equal width, got text "
            f"{list(text.shape)} and image {list(image.shape)}"
        )
    scale = torch.as_tensor(scale, dtype=text.dtype, device=text.device)
    if rows is not None and rows < n:
        loss: Tensor = _ByRows.apply(text, image, scale, tuple(same), rows)  # type: ignore[no-untyped-call]
        return loss
    logits = _masked(_logits(text, image, scale), same, 0)
    right = logits.diagonal()
    return 0.5 * ((logits.logsumexp(1) - right).mean() + (logits.logsumexp(0) - right).mean())


def _logits(text: Tensor, image: Tensor, scale: Tensor) -> Tensor:
    """Scaled cosines [R, B] less the scale, their largest value.

    The loss does not change by it, and float32 keeps the digits of a small one.
    """
    return torch.addmm(-scale, scale * text, image.T)


def _masked(logits: Tensor, same: Sequence[Tensor], start: int) -> Tensor:
    """Logits [R, B] of rows start on, -inf where two pairs are the same and not one."""
    if not same:
        return logits
    hidden = same_pairs(same, start, start + len(logits))
    hidden.diagonal(start).fill_(False)
    return logits.masked_fill(hidden, -math.inf)


def same_pairs(same: Sequence[Tensor], start: int, stop: int) -> Tensor:
    """bool [stop - start, B]: where rows start to stop are the same as a pair of the batch."""
    found = same[0][start:stop, None] == same[0]
    for ids in same[1:]:
        found |= ids[start:stop, None] == ids
    return found


class _ByRows(torch.autograd.Function):
    """The same loss with the logits of a few texts at a time, there and back."""

    @staticmethod
    def forward(
        ctx: Any, text: Tensor, image: Tensor, scale: Tensor, same: tuple[Tensor, ...], rows: int
    ) -> Tensor:
        n = len(text)
        by_text = text.new_empty(n)
        by_image = text.new_full((n,), -math.inf)
        for start in range(0, n, rows):
            part = slice(start, start + rows)
            logits = _masked(_logits(text[part], image, scale), same, start)
            by_text[part] = logits.logsumexp(1)
            by_image = torch.logaddexp(by_image, logits.logsumexp(0))
        ctx.save_for_backward(text, image, scale, by_text, by_image)
        ctx.same, ctx.rows = same, rows
        right = scale * ((text * image).sum(1) - 1)
        return 0.5 * ((by_text - right).mean() + (by_image - right).mean())

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        text, image, scale, by_text, by_image = ctx.saved_tensors
        n, rows = len(text), ctx.rows
        of_text, of_image = torch.empty_like(text), torch.zeros_like(image)
        of_scale = torch.zeros_like(scale)
        for start in range(0, n, rows):
            part = slice(start, start + rows)
            plain = _logits(text[part], image, scale)
            logits = _masked(plain, ctx.same, start)
            # of the loss by the logits
            slope = (logits - by_text[part, None]).exp() + (logits - by_image).exp()
            slope.diagonal(start).sub_(2.0)
            slope *= grads[0] / (2 * n)
            if ctx.needs_input_grad[2]:
                of_scale += (slope * plain).sum() / scale
            slope *= scale
            if ctx.needs_input_grad[0]:
                of_text[part] = slope @ image
            if ctx.needs_input_grad[1]:
                of_image += slope.T @ text[part]
        return of_text, of_image, of_scale, None, None
