"""Two solvers of the task with weights set by hand, which the probes must tell apart.

A residual stream of named slots, and heads of real attention between them: softmax over what the
masks leave, of a match between the query's slot and the key's slot. Both run in two layers; they
differ in what the last token holds between the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from xmodal.binding import vocabulary as words
from xmodal.binding.own_subject import own_prompts
from xmodal.binding.subject import Edit, Prompts
from xmodal.binding.task import Layout, Scenes
from xmodal.binding.vocabulary import N_TOKENS, Vocabulary

SIZE = 8
VOCABULARY = Vocabulary(n_colours=SIZE, n_shapes=SIZE, n_items=SIZE)
N_WORDS = 3 * SIZE + N_TOKENS - words.CTX_END
COLOURS, SHAPES, ITEMS = (range(i * SIZE, (i + 1) * SIZE) for i in range(3))
SHARP = 60.0
SIZES = {
    "word": N_WORDS,  # the token's own
    "before": N_WORDS,  # the word of the token before
    "at": 24,  # the token's place
    "at_before": 24,
    "colour_index": SIZE,  # of the object, at its colour
    "shape_index": SIZE,  # at its shape
    "wanted": N_WORDS,  # at the last token: the queried colour
    "wanted_index": SIZE,  # or the index of its object
    "found": N_WORDS,  # the shape
    "answer": N_WORDS,  # the item
}
STARTS = dict(zip(SIZES, torch.tensor([0, *SIZES.values()]).cumsum(0).tolist(), strict=False))
WIDTH = sum(SIZES.values())


@dataclass(frozen=True)
class Head:
    """Attends where `key` equals its own `query`, and adds slot `value` to slot `into`."""

    query: str
    key: str
    value: str
    into: str
    passes: range | None = None
    """Words that the value lets through; None for all."""


BEFORE = Head("at_before", "at", "word", "before")
FIND_ITEM = Head("found", "before", "word", "answer", passes=ITEMS)
POSITIONAL = (
    (BEFORE, Head("before", "word", "colour_index", "wanted_index")),
    (Head("wanted_index", "shape_index", "word", "found", passes=SHAPES), FIND_ITEM),
)
"""Layer 1: the answer token gets the index of the queried colour; layer 2: the shape at that
index, and its item."""
SYMBOLIC = (
    (BEFORE, Head("at_before", "at", "word", "wanted")),
    (Head("wanted", "before", "word", "found", passes=SHAPES), FIND_ITEM),
)
"""Layer 1: the answer token holds the queried colour; layer 2: the shape that stands after that
colour, and its item."""


class Solver:
    """Subject with heads set by hand; for text contexts with an answer token."""

    def __init__(self, layers: Sequence[Sequence[Head]]) -> None:
        self.layers = layers

    @property
    def n_layers(self) -> int:
        return len(self.layers)

    def prompts(self, scenes: Scenes, query: Tensor) -> Prompts:
        return own_prompts(scenes, query, Layout(marker=True))

    def token_of(self, items: Tensor) -> Tensor:
        return items + ITEMS.start

    def logits(
        self, prompts: Prompts, *, edit: Edit | None = None, masks: Sequence[Tensor] | None = None
    ) -> Tensor:
        x = _embedded(prompts)
        causal = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
        if edit is not None:
            x = edit(0, x)
        for number, heads in enumerate(self.layers):
            seen = causal if masks is None else causal & masks[number]
            for head in heads:
                x = _attended(x, head, seen)
            if edit is not None:
                x = edit(number + 1, x)
        return _slot(x[:, -1], "answer")


def _slot(x: Tensor, name: str) -> Tensor:
    """The slot's part of x, a view."""
    return x[..., STARTS[name] : STARTS[name] + SIZES[name]]


def _embedded(prompts: Prompts) -> Tensor:
    rows, n = prompts.ids.shape
    small = torch.arange(N_TOKENS) - words.CTX_END + 3 * SIZE
    starts = (words.COLOUR_0, words.SHAPE_0, words.ITEM_0)
    for start, part in zip(starts, (COLOURS, SHAPES, ITEMS), strict=True):
        small[start : start + SIZE] = torch.tensor(part)
    x = torch.zeros(rows, n, WIDTH)
    example, at = torch.arange(rows)[:, None], torch.arange(n)
    _slot(x, "word")[example, at, small[prompts.ids]] = 1
    _slot(x, "at")[:, at, at] = 1
    _slot(x, "at_before")[:, at[1:], at[:-1]] = 1
    for role in ("colour", "shape"):
        places = prompts.places[role]
        _slot(x, f"{role}_index")[example, places, torch.arange(places.shape[1])] = 1
    return x


def _attended(x: Tensor, head: Head, seen: Tensor) -> Tensor:
    query = _slot(x, head.query)
    scores = SHARP * query @ _slot(x, head.key).transpose(1, 2)
    weights = scores.masked_fill(~seen, -torch.inf).softmax(-1)
    value = _slot(x, head.value).clone()
    if head.passes is not None:
        value[..., : head.passes.start] = 0
        value[..., head.passes.stop :] = 0
    out = x.clone()
    # a token whose query is empty asks for nothing
    _slot(out, head.into).add_(query.sum(-1, keepdim=True) * (weights @ value))
    return out
