"""What each token of a packed row may attend to: one rule, as a dense mask or a block mask.

A question's token sees the prefix and its own question, up to itself; under a sliding window only
what lies so near by position, and positions restart after the prefix. So a token sees exactly what
it would see with its question alone behind the prefix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

PREFIX, PADDING = -1, -2
"""Blocks that are no question."""
DENSE, FLEX = "dense", "flex_attention"
"""An additive mask of every pair of tokens, for whatever attention the model has; or FlexAttention,
which skips the blocks in which nothing is seen."""

MaskMod = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""From (row, head, query, key) to whether the query may attend to the key."""


@dataclass(frozen=True)
class Structure:
    """What tells the tokens of R rows of length L apart."""

    block: Tensor
    """int64 [R, L]: PREFIX, PADDING or the question a token belongs to."""
    position: Tensor
    """int64 [R, L]."""

    def seen(self, window: int | None = None) -> MaskMod:
        """The rule, for tensors of indices that broadcast.

        Args:
            window: Positions that a token looks back over, itself among them; None for all.
        """
        block, position = self.block, self.position

        def mask_mod(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
            of = block[row, key]
            allowed = (key <= query) & ((of == PREFIX) | (of == block[row, query]))
            if window is None:
                return allowed
            return allowed & (position[row, query] - position[row, key] < window)

        return mask_mod

    def dense(self, dtype: torch.dtype, window: int | None = None) -> Tensor:
        """Additive mask [R, 1, L, L]: 0 where a token is seen, else the dtype's least value."""
        n_rows, length = self.block.shape
        row = torch.arange(n_rows, device=self.block.device)
        place = torch.arange(length, device=self.block.device)
        allowed = self.seen(window)(
            row[:, None, None], row[0], place[None, :, None], place[None, None, :]
        )
        mask = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
        return mask.masked_fill_(~allowed, torch.finfo(dtype).min)[:, None]

    def blocks(self, window: int | None = None) -> Any:
        """The same rule as FlexAttention's BlockMask."""
        from torch.nn.attention.flex_attention import create_block_mask

        n_rows, length = self.block.shape
        return create_block_mask(
            self.seen(window), n_rows, None, length, length, device=str(self.block.device)
        )


def masks(model: Any, structure: Structure, attention: str, dtype: torch.dtype) -> Any:
    """What the model takes as attention_mask: one mask, or one for each type of layer.

    Args:
        model: A decoder of transformers.
        structure: Of the rows.
        attention: DENSE or FLEX.
        dtype: Of the hidden states.
    """
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None)

    def mask(width: int | None) -> Any:
        if attention == FLEX:
            return structure.blocks(width)
        return structure.dense(dtype, width)

    types = set(getattr(config, "layer_types", None) or ())
    if not types:
        return mask(window)
    if types == {"full_attention"}:
        return mask(None)
    # models with layers of several types take a mask for each and look it up by its name
    return {
        name: mask(window if name == "sliding_attention" else None)
        for name in types | {"full_attention"}
    }
