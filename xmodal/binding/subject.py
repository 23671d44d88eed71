"""What the probes look into: a decoder of this package, or one of Hugging Face."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from xmodal.binding.task import Scenes

Edit = Callable[[int, Tensor], Tensor]
"""Called with (layer, residual stream [B, T, W]) after the embeddings (layer 0) and after each
block (1 to L); what it returns goes on."""


@dataclass(frozen=True)
class Prompts:
    """Sequences with one question each, whose answer is read off at the last token."""

    ids: Tensor
    """int64 [B, T]."""
    positions: Tensor | None = None
    """int64 [B, T]; None counts from 0."""
    image: Tensor | None = None
    """float [B, P, Dv]; None without image tokens."""
    seen: Tensor | None = None
    """bool [B, T]: false for padding; None without."""
    places: Mapping[str, Tensor] = field(default_factory=dict)
    """By kind of token its places: int64 [B, N] in the order of the scene's objects for colour,
    shape, association-shape and association-item (of the object, wherever its association
    stands), int64 [B, 1] for context-end, query and answer. Of a word of several tokens the
    last. An image context has no colour and shape."""


class Subject(Protocol):
    """A frozen decoder and how it is asked."""

    @property
    def n_layers(self) -> int:
        """Blocks, L."""

    def prompts(self, scenes: Scenes, query: Tensor) -> Prompts:
        """Scenes as it reads them, with one two-hop question each.

        Args:
            scenes: R = 1.
            query: int64 [B]: the object whose colour is asked for.
        """

    def token_of(self, items: Tensor) -> Tensor:
        """The vocabulary's ids of items, in the shape given."""

    def logits(
        self, prompts: Prompts, *, edit: Edit | None = None, masks: Sequence[Tensor] | None = None
    ) -> Tensor:
        """float [B, V] at the last token.

        Args:
            prompts: What is read.
            edit: Changes the residual stream.
            masks: bool [T, T] or [B, T, T], one a block: where the row may attend to the column,
                beside the causal mask and padding, which always hold.
        """
