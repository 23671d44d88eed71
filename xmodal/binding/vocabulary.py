"""Words of the indirect retrieval task, as token ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from taxonomy.errors import ConfigError

MOST_COLOURS, MOST_SHAPES, MOST_ITEMS = 216, 216, 32
"""Sizes of the expanded vocabulary, from the paper."""
COLOUR_0 = 0
SHAPE_0 = COLOUR_0 + MOST_COLOURS
ITEM_0 = SHAPE_0 + MOST_SHAPES
CTX_END = ITEM_0 + MOST_ITEMS
"""Ends the context."""
ASK_ITEM = CTX_END + 1
"""Before a colour: which item? The two-hop question of the paper, its [QUE]."""
ASK_SHAPE = CTX_END + 2
"""Before a colour: which shape? One hop."""
ASK_ITEM_OF_SHAPE = CTX_END + 3
"""Before a shape: which item? One hop."""
ANSWER = CTX_END + 4
"""After a question, where the answer is read off; a token that says nothing itself."""
ASK_PATCH_COLOUR = CTX_END + 5
"""After an image token: which colour is there? Feature grounding."""
ASK_PATCH_SHAPE = CTX_END + 6
"""After an image token: which shape is there?"""
ASK_PATCH = CTX_END + 7
"""After a colour or shape: which image token shows it?"""
IMAGE = CTX_END + 8
"""Stands where an image token is put in."""
N_TOKENS = CTX_END + 9


class WordCounts(Protocol):
    """How many words of each kind a scene is drawn from."""

    @property
    def n_colours(self) -> int:
        """Words for colours."""

    @property
    def n_shapes(self) -> int:
        """Words for shapes."""

    @property
    def n_items(self) -> int:
        """Words for items."""

    @property
    def most_objects(self) -> int:
        """Objects that a scene can have."""


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """How many words of each kind occur; the first so many of the expanded vocabulary."""

    n_colours: int = 16
    n_shapes: int = 16
    n_items: int = 16

    def __post_init__(self) -> None:
        for name, most in (
            ("n_colours", MOST_COLOURS),
            ("n_shapes", MOST_SHAPES),
            ("n_items", MOST_ITEMS),
        ):
            if not 2 <= getattr(self, name) <= most:
                raise ConfigError(f"{name} must be from 2 to {most}, got {getattr(self, name)}")

    @property
    def most_objects(self) -> int:
        """Objects that a scene can have: each has a colour, a shape and an item of its own."""
        return min(self.n_colours, self.n_shapes, self.n_items)


EXPANDED = Vocabulary(n_colours=MOST_COLOURS, n_shapes=MOST_SHAPES, n_items=MOST_ITEMS)
"""The paper's late vocabulary."""


def word(token: int) -> str:
    """A token as a reader sees it: colour-3, shape-0, item-12, [QUE]."""
    for name, start, n in (
        ("colour", COLOUR_0, MOST_COLOURS),
        ("shape", SHAPE_0, MOST_SHAPES),
        ("item", ITEM_0, MOST_ITEMS),
    ):
        if start <= token < start + n:
            return f"{name}-{token - start}"
    names = ("CTX_END", "QUE", "QUE_SHAPE", "QUE_ITEM", "ANS", "QUE_PATCH_COLOUR",
             "QUE_PATCH_SHAPE", "QUE_PATCH", "IMAGE")  # fmt: skip
    if not CTX_END <= token < N_TOKENS:
        raise ValueError(f"token must be from 0 to {N_TOKENS - 1}, got {token}")
    return f"[{names[token - CTX_END]}]"
