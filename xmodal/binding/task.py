"""The indirect retrieval task: scenes drawn on the device, and laid out as token sequences.

A text context says which colour goes with which shape, a list of associations which shape goes
with which item; a colour is asked for, its item is the answer, two hops away (Seeing to
Generalize, arXiv 2602.15183). Letters: R runs that train at once, B sequences, N objects,
T tokens, Q questions of a sequence, P image tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from taxonomy.hashing import hash63
from taxonomy.model import one_of
from xmodal.binding import vocabulary as words
from xmodal.binding.vocabulary import WordCounts

CONTEXTS = ("text", "image", "none")
NOISE_BETWEEN = ("objects", "tokens")
ORDERS = ("shuffled", "same")
HOPS = ("two", "all", "colour-shape", "shape-item")
SHARED = -1
"""Segment of what every question sees."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a scene becomes a token sequence."""

    context: str = "text"
    """text: colour and shape of each object; image: the tokens of a picture of the scene; none:
    associations alone, the one-hop question of the first lessons."""
    hops: str = "two"
    """Which questions are asked: two (colour to item), colour-shape, shape-item, or all."""
    order: str = "shuffled"
    """Of the associations: shuffled, or same as in the context."""
    noise: int = 0
    """Noise tokens in a text context: they take positions, nothing attends to them."""
    noise_between: str = "objects"
    """Where they stand: between objects, or also between a colour and its shape."""
    noise_to: int | None = None
    """Noise tokens up to this length of the context in place of `noise`; the length of an image
    makes the arm that is matched in tokens."""
    offset: int = 0
    """Positions that each sequence is stretched by at most: pairs, and the question, are shifted
    apart by random offsets (position random-offset, while training)."""
    marker: bool = False
    """Ask with an answer token after the query word, so that what is read off is not the query's
    own token."""

    def __post_init__(self) -> None:
        one_of("context", self.context, CONTEXTS)
        one_of("hops", self.hops, HOPS)
        one_of("order", self.order, ORDERS)
        one_of("noise_between", self.noise_between, NOISE_BETWEEN)
        if self.noise < 0:
            raise ConfigError(f"noise must be at least 0, got {self.noise}")
        if self.offset < 0:
            raise ConfigError(f"offset must be at least 0, got {self.offset}")
        if self.noise and self.noise_to is not None:
            raise ConfigError("noise and noise_to exclude one another: give one of the two")
        if self.context != "text" and (self.noise or self.noise_to):
            raise ConfigError(f"noise goes with a text context, got context {self.context!r}")

    def n_noise(self, n_objects: int) -> int:
        """Noise tokens of a sequence with so many objects."""
        if self.noise_to is None:
            return self.noise
        return max(0, self.noise_to - 2 * n_objects)


@dataclass(frozen=True)
class Scenes:
    """Objects of scenes; a colour, shape and item occurs once in a scene."""

    colours: Tensor
    """int64 [R, B, N], from 0."""
    shapes: Tensor
    """int64 [R, B, N], from 0."""
    items: Tensor
    """int64 [R, B, N], from 0: of the object's shape."""
    order: Tensor
    """int64 [R, B, N]: the object whose association stands first, second, ..."""
    gaps: Tensor
    """float32 [R, B, 4 N + 2] in [0, 1): where noise goes (the first 2 N) and offsets."""

    @property
    def n_objects(self) -> int:
        """N."""
        return self.colours.shape[-1]


@dataclass(frozen=True)
class Sequences:
    """Token sequences with their questions, each of which sees the shared part and itself."""

    ids: Tensor
    """int64 [R, B, T]; IMAGE where an image token is put in."""
    positions: Tensor
    """int64 [R, B, T]."""
    segments: Tensor
    """int64 [T]: SHARED, or the number of the question that a token belongs to."""
    at: Tensor
    """int64 [Q]: the token whose output is the answer."""
    targets: Tensor
    """int64 [R, B, Q], token ids."""
    kinds: Sequence[str] = field(default_factory=tuple)
    """Of each question: two, colour-shape or shape-item."""
    n_noise: int = 0
    """Noise tokens of each sequence: of the context's length, but not computed."""

    def mask(self) -> Tensor:
        """bool [T, T], true where the row may attend to the column."""
        n, of = len(self.segments), self.segments
        causal = torch.ones(n, n, dtype=torch.bool, device=of.device).tril()
        return causal & ((of[None] == SHARED) | (of[None] == of[:, None]))

    def repeated(self, n_runs: int) -> Sequences:
        """The same sequences for several runs; of one."""
        each = (self.ids, self.positions, self.targets)
        ids, positions, targets = (one.expand(n_runs, *one.shape[1:]) for one in each)
        return replace(self, ids=ids, positions=positions, targets=targets)

    def only(self, questions: Sequence[int]) -> Sequences:
        """The same sequences with some of their questions.

        Args:
            questions: Their numbers, in the order wanted.
        """
        chosen = torch.tensor(list(questions), device=self.segments.device)
        kept = [torch.nonzero(self.segments == SHARED).flatten()]
        kept += [torch.nonzero(self.segments == one).flatten() for one in chosen]
        at = torch.cat(kept)
        places = {int(old): new for new, old in enumerate(at.tolist())}
        segments = self.segments[at].clone()
        for new, old in enumerate(chosen.tolist()):
            segments[self.segments[at] == old] = new
        return replace(
            self,
            ids=self.ids[..., at],
            positions=self.positions[..., at],
            segments=segments,
            at=torch.tensor([places[int(self.at[one])] for one in chosen], device=at.device),
            targets=self.targets[..., chosen],
            kinds=tuple(self.kinds[one] for one in chosen.tolist()),
        )

    def each(self, which: Tensor) -> Sequences:
        """The same sequences with one question each; all questions are of as many tokens.

        Args:
            which: int64 [B], the number of each sequence's question, the same for every run.
        """
        one = self.only([0])
        numbers = self.segments[self.segments != SHARED]
        n_questions, n_shared = len(self.at), len(self.segments) - len(numbers)
        rows = torch.arange(len(which), device=which.device)

        def taken(tokens: Tensor) -> Tensor:
            blocks = tokens[..., n_shared:].reshape(*tokens.shape[:-1], n_questions, -1)
            return torch.cat([tokens[..., :n_shared], blocks[:, rows, which]], dim=-1)

        return replace(
            one,
            ids=taken(self.ids),
            positions=taken(self.positions),
            targets=self.targets[:, rows, which, None],
        )


def generators(
    seeds: Sequence[int], *purpose: Any, device: str | torch.device = "cpu"
) -> list[Any]:
    """One generator a run, a function of its seed and the purpose (such as the step)."""
    made = []
    for seed in seeds:
        one = torch.Generator(device=device)
        one.manual_seed(hash63(seed, "binding", *purpose))
        made.append(one)
    return made


def n_gaps(n_objects: int) -> int:
    """Random numbers of a scene that say where noise and offsets go."""
    return 4 * n_objects + 2


def draw_scenes(
    of: Sequence[torch.Generator], count: int, n_objects: int, vocabulary: WordCounts
) -> Scenes:
    """Scenes of N objects, drawn without replacement.

    Args:
        of: One generator a run; all on one device.
        count: Scenes of each run, B.
        n_objects: N.
        vocabulary: Whose words.

    Raises:
        ConfigError: The vocabulary has not that many words.
    """
    most = vocabulary.most_objects
    if not 1 <= n_objects <= most:
        raise ConfigError(
            f"n_objects must be from 1 to {most}, the smallest of the vocabulary's sizes, "
            f"got {n_objects}"
        )
    sizes = (vocabulary.n_colours, vocabulary.n_shapes, vocabulary.n_items, n_objects)
    gaps_of = n_gaps(n_objects)
    total = sum(sizes) + gaps_of
    drawn = torch.stack([torch.rand(count, total, generator=one, device=one.device) for one in of])
    *parts, gaps = torch.split(drawn, [*sizes, gaps_of], dim=-1)
    colours, shapes, items, order = (one.topk(n_objects).indices for one in parts)
    return Scenes(colours, shapes, items, order, gaps)


def lay_out(scenes: Scenes, layout: Layout, n_image_tokens: int = 0) -> Sequences:
    """Token sequences of scenes, with a question for each object and kind.

    Args:
        scenes: What is said.
        layout: How.
        n_image_tokens: Of a picture, P; for context image.
    """
    n = scenes.n_objects
    colours, shapes = scenes.colours + words.COLOUR_0, scenes.shapes + words.SHAPE_0
    items = scenes.items + words.ITEM_0
    shown = _context(colours, shapes, layout, n_image_tokens)
    order = scenes.order if layout.order == "shuffled" else _in_order(scenes.order)
    said = _pairs(shapes.gather(-1, order), items.gather(-1, order))
    end = _filled(colours, 1, words.CTX_END)
    if layout.context == "none":
        pairs = said if layout.hops == "shape-item" else _pairs(colours, shapes)
        shared = pairs
    else:
        shared = torch.cat([shown, end, said], dim=-1)
    blocks, targets, kinds = [], [], []
    for kind, ask, queries, answers in (
        ("two", words.ASK_ITEM, colours, items),
        ("colour-shape", words.ASK_SHAPE, colours, shapes),
        ("shape-item", words.ASK_ITEM_OF_SHAPE, shapes, items),
    ):
        if layout.hops not in (kind, "all"):
            continue
        for i in range(n):
            block = [_filled(colours, 1, ask), queries[..., i : i + 1]]
            if layout.marker:
                block.append(_filled(colours, 1, words.ANSWER))
            blocks.append(torch.cat(block, dim=-1))
        targets.append(answers)
        kinds += [kind] * n
    n_shared, n_block, n_questions = shared.shape[-1], blocks[0].shape[-1], len(blocks)
    device = shared.device
    segments = torch.cat(
        [
            torch.full((n_shared,), SHARED, device=device),
            torch.arange(n_questions, device=device).repeat_interleave(n_block),
        ]
    )
    n_noise = layout.n_noise(n)
    return Sequences(
        ids=torch.cat([shared, *blocks], dim=-1),
        positions=_positions(scenes, layout, n_shared, n_block, n_questions, n_noise),
        segments=segments,
        at=n_shared + n_block * torch.arange(1, n_questions + 1, device=device) - 1,
        targets=torch.cat(targets, dim=-1),
        kinds=tuple(kinds),
        n_noise=n_noise,
    )


def _context(colours: Tensor, shapes: Tensor, layout: Layout, n_image_tokens: int) -> Tensor:
    if layout.context != "image":
        return _pairs(colours, shapes)
    if n_image_tokens < 1:
        raise ConfigError(f"an image context needs image tokens, got {n_image_tokens}")
    return _filled(colours, n_image_tokens, words.IMAGE)


def _positions(
    scenes: Scenes, layout: Layout, n_shared: int, n_block: int, n_questions: int, n_noise: int
) -> Tensor:
    """int64 [R, B, T]; every question starts where the shared part ends."""
    leading, n = scenes.colours.shape[:-1], scenes.n_objects
    device = scenes.colours.device
    shared = torch.arange(n_shared, device=device).expand(*leading, -1)
    if n_noise:
        # noise tokens before each object (or token) and after the last: sorted cuts
        cuts = (scenes.gaps * (n_noise + 1)).long()
        if layout.noise_between == "objects":
            before = cuts[..., :n].sort(-1).values.repeat_interleave(2, dim=-1)
        else:
            before = cuts[..., : 2 * n].sort(-1).values
        rest = torch.full((*leading, n_shared - 2 * n), n_noise, device=device)
        shared = shared + torch.cat([before, rest], dim=-1)
    asked = n_shared + n_noise + torch.arange(n_block, device=device).repeat(n_questions)
    asked = asked.expand(*leading, -1)
    if layout.offset:
        shift = (scenes.gaps[..., 2 * n :] * (layout.offset + 1)).long().sort(-1).values
        shared, asked = shared + _spread(shift, layout, n, n_shared), asked + shift[..., -1:]
    return torch.cat([shared, asked], dim=-1)


def _spread(shift: Tensor, layout: Layout, n: int, n_shared: int) -> Tensor:
    """Shifts of units (pairs, the end of the context) as shifts of their tokens, [..., T]."""
    if layout.context == "none":
        return shift[..., :n].repeat_interleave(2, dim=-1)
    n_context = n_shared - 1 - 2 * n
    if layout.context == "image":
        context = shift[..., :1].expand(*shift.shape[:-1], n_context)
    else:
        context = shift[..., :n].repeat_interleave(2, dim=-1)
    pairs = shift[..., n + 1 : 2 * n + 1].repeat_interleave(2, dim=-1)
    return torch.cat([context, shift[..., n : n + 1], pairs], dim=-1)


def _pairs(first: Tensor, second: Tensor) -> Tensor:
    """[..., N] twice to [..., 2 N], in turn."""
    return torch.stack([first, second], dim=-1).flatten(-2)


def _filled(like: Tensor, n: int, token: int) -> Tensor:
    return torch.full((*like.shape[:-1], n), token, device=like.device)


def _in_order(order: Tensor) -> Tensor:
    return torch.arange(order.shape[-1], device=order.device).expand_as(order)
