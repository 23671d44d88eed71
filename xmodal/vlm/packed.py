"""The forward pass of questions that stand in rows behind their pictures' prefixes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from xmodal.lms.causal import LanguageModel
from xmodal.lms.head import logits_at
from xmodal.vlm.masks import DENSE, FLEX, PADDING, PREFIX, Structure, masks
from xmodal.vlm.rows import Ints, Rows


def logits_in_rows(
    lm: LanguageModel,
    prefix: Tensor,
    tokens: Tensor,
    lengths: Ints,
    rows: Rows,
    attention: str = DENSE,
) -> Tensor:
    """Logits at the answer position, as of forward.answer_logits, in a given layout.

    Args:
        lm: The frozen LM.
        prefix: [B, K, Dl].
        tokens: int64 [Q, T], right-padded.
        lengths: int64 [Q].
        rows: Where the questions stand.
        attention: How packed rows are masked: DENSE or FLEX.

    Returns:
        float32 [Q, vocabulary].
    """
    device = prefix.device
    start = _start(lm, prefix.to(lm.dtype))
    n_prefix = start.shape[1]
    grid, structure = _text(tokens.cpu(), lengths, rows, n_prefix)
    text = lm.embed(grid.to(device))
    given = {"inputs_embeds": torch.cat([start[_on(rows.image, device)], text], dim=1)}
    if rows.packed:
        structure = Structure(structure.block.to(device), structure.position.to(device))
        given["attention_mask"] = masks(lm.model, structure, attention, text.dtype)
        given["position_ids"] = structure.position
    at = n_prefix + rows.start + lengths - 1
    with _attending(lm, FLEX if rows.packed and attention == FLEX else None):
        return logits_at(lm.model, _on(rows.row, device), _on(at, device), **given)


def _on(values: Ints, device: torch.device) -> Tensor:
    return torch.from_numpy(values).to(device)


def _start(lm: LanguageModel, prefix: Tensor) -> Tensor:
    """The prefix, behind the beginning-of-text token where the tokenizer puts one."""
    if not lm.start_ids:
        return prefix
    first = lm.embed(torch.tensor([lm.start_ids], device=prefix.device)).to(prefix.dtype)
    return torch.cat([first.expand(len(prefix), -1, -1), prefix], dim=1)


def _text(tokens: Tensor, lengths: Ints, rows: Rows, n_prefix: int) -> tuple[Tensor, Structure]:
    """Token ids [R, S] of the rows' text, and what each token of the whole rows is.

    Questions stand one behind another, each at its own length; positions restart after the prefix.
    """
    question, place = np.nonzero(np.arange(tokens.shape[1]) < lengths[:, None])
    row, column = rows.row[question], rows.start[question] + place
    grid = np.zeros((len(rows), rows.n_text), dtype=np.int64)
    block = np.full((len(rows), n_prefix + rows.n_text), PADDING)
    position = np.full_like(block, n_prefix)
    block[:, :n_prefix] = PREFIX
    position[:, :n_prefix] = np.arange(n_prefix)
    grid[row, column] = tokens.numpy()[question, place]
    block[row, n_prefix + column] = question
    position[row, n_prefix + column] = n_prefix + place
    return torch.from_numpy(grid), Structure(torch.from_numpy(block), torch.from_numpy(position))


@contextmanager
def _attending(lm: LanguageModel, name: str | None) -> Iterator[None]:
    """Run the LM under another attention for a while; None leaves it as it is."""
    before = lm.model.config._attn_implementation
    if name in (None, before):
        yield
        return
    lm.model.set_attn_implementation(name)
    try:
        yield
    finally:
        lm.model.set_attn_implementation(before)
