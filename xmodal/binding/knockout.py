"""Attention knockout: what is lost when one kind of token may not look at another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import torch
from torch import Tensor

from taxonomy.errors import ConfigError, unknown
from xmodal.binding.examples import batches, count, draw_queries, some
from xmodal.binding.subject import Prompts, Subject
from xmodal.binding.task import Scenes
from xmodal.binding_tables import KNOCKOUT

CONTEXT = "context"
"""All tokens of the context: the image tokens, or those from the first colour to the last shape.
Of a word of several tokens at the very start, only the last belongs to it."""


@dataclass(frozen=True)
class Edges:
    """Which tokens no longer attend to which."""

    query: str
    """Role of the tokens that look."""
    key: str
    """Role of the tokens that are looked at."""
    own: bool = False
    """Only those of the same object; both roles are per object."""


EDGE_SETS = {
    "shape->colour": Edges("shape", "colour", own=True),
    "association-item->association-shape": Edges("association-item", "association-shape", own=True),
    "association-shape->colour": Edges("association-shape", "colour", own=True),
    "association-shape->shape": Edges("association-shape", "shape", own=True),
    "association-item->colour": Edges("association-item", "colour", own=True),
    "association-item->shape": Edges("association-item", "shape", own=True),
    "association-shape->context": Edges("association-shape", CONTEXT),
    "association-item->context": Edges("association-item", CONTEXT),
    "query->context": Edges("query", CONTEXT),
    "query->colour": Edges("query", "colour"),
    "query->shape": Edges("query", "shape"),
    "query->association-shape": Edges("query", "association-shape"),
    "query->association-item": Edges("query", "association-item"),
    "answer->query": Edges("answer", "query"),
    "answer->context": Edges("answer", CONTEXT),
    "answer->colour": Edges("answer", "colour"),
    "answer->shape": Edges("answer", "shape"),
    "answer->association-shape": Edges("answer", "association-shape"),
    "answer->association-item": Edges("answer", "association-item"),
}
"""By name. Between roles that are both per object, those of the same object: the token before
for shape->colour and association-item->association-shape."""


def edge_sets(prompts: Prompts) -> list[str]:
    """Names of the edge sets that these prompts have, in the order of EDGE_SETS.

    An image context has no colour and shape tokens. Where the query is read off itself, query
    and answer are one token: its edges go by the name of answer, and answer->query is none.
    """
    return [name for name, edges in EDGE_SETS.items() if _there(prompts, edges)]


def cut(prompts: Prompts, edges: Edges) -> Tensor:
    """Where attention is left, bool [B, T, T] on the prompts' device.

    A token always sees itself.

    Args:
        prompts: Whose tokens.
        edges: What is cut.
    """
    places, ids = prompts.places, prompts.ids
    rows, n = ids.shape
    if edges.own:
        gone = torch.zeros(rows, n, n, dtype=torch.bool, device=ids.device)
        example = torch.arange(rows, device=ids.device)[:, None]
        gone[example, places[edges.query], places[edges.key]] = True
    else:
        looks, looked_at = _tokens(prompts, edges.query), _tokens(prompts, edges.key)
        gone = looks[:, :, None] & looked_at[:, None, :]
    return ~gone | torch.eye(n, dtype=torch.bool, device=ids.device)


def knockout(
    subject: Subject,
    scenes: Sequence[Scenes],
    *,
    edges: Sequence[str] | None = None,
    width: int = 1,
    seed: int = 0,
    batch: int = 128,
) -> pa.Table:
    """Answer with each edge set cut over each window of blocks.

    Args:
        subject: The decoder.
        scenes: Of one run; one for each number of objects.
        edges: Names of edge sets; None for all that the prompts have.
        width: Blocks of a window; the windows start at block 1, 2, ... and end at most at L.
        seed: Of the objects asked for.
        batch: Examples at a time; the counts do not hang on it.

    Returns:
        Table of schema KNOCKOUT; an answer is right where the item has the highest logit of all.

    Raises:
        ConfigError: An unknown edge set, one that the prompts lack, a window that does not fit,
            or no scenes.
    """
    layers = subject.n_layers
    if not 1 <= width <= layers:
        raise ConfigError(f"width of a window must be from 1 to {layers} blocks, got {width}")
    if not scenes:
        raise ConfigError("a knockout needs scenes, got none")
    for name in edges or ():
        if name not in EDGE_SETS:
            raise ConfigError(unknown("edge set", name, EDGE_SETS))
    rows = []
    for one in scenes:
        right_before, right = _counts(subject, one, edges, width, seed, batch)
        for (name, start), n_right in right.items():
            rows.append(
                {
                    "n_objects": one.n_objects,
                    "edges": name,
                    "layer_from": start,
                    "layer_to": start + width - 1,
                    "n_examples": count(one),
                    "n_right_before": right_before,
                    "n_right": n_right,
                }
            )
    return pa.Table.from_pylist(rows, KNOCKOUT)


def _counts(
    subject: Subject,
    scenes: Scenes,
    edges: Sequence[str] | None,
    width: int,
    seed: int,
    batch: int,
) -> tuple[int, dict[tuple[str, int], int]]:
    """Right answers before, and by edge set and first block of the window."""
    query = draw_queries(scenes, seed, "knockout")
    starts = range(1, subject.n_layers - width + 2)
    before, after = 0, dict[tuple[str, int], int]()
    for which in batches(count(scenes), batch):
        part, asked = some(scenes, which), query[which]
        prompts = subject.prompts(part, asked)
        items = part.items[0].cpu().gather(1, asked[:, None])[:, 0]
        wanted = subject.token_of(items).cpu()
        n = prompts.ids.shape[1]
        whole = torch.ones(n, n, dtype=torch.bool, device=prompts.ids.device)
        before += _n_right(subject.logits(prompts), wanted)
        for name in _chosen(prompts, edges):
            left = cut(prompts, EDGE_SETS[name])
            for start in starts:
                masks = [
                    left if start <= block < start + width else whole
                    for block in range(1, subject.n_layers + 1)
                ]
                n_right = _n_right(subject.logits(prompts, masks=masks), wanted)
                after[name, start] = after.get((name, start), 0) + n_right
    return before, after


def _chosen(prompts: Prompts, edges: Sequence[str] | None) -> list[str]:
    there = edge_sets(prompts)
    if edges is None:
        return there
    for name in edges:
        if name not in there:
            raise ConfigError(f"these prompts have no edges {name}: take of {', '.join(there)}")
    return list(edges)


def _there(prompts: Prompts, edges: Edges) -> bool:
    roles = {*prompts.places, CONTEXT}
    if not {edges.query, edges.key} <= roles:
        return False
    if torch.equal(prompts.places["query"], prompts.places["answer"]):
        return "query" not in (edges.query, edges.key)
    return True


def _tokens(prompts: Prompts, role: str) -> Tensor:
    """bool [B, T]: the tokens of a role."""
    rows, n = prompts.ids.shape
    places = prompts.places
    at = torch.arange(n, device=prompts.ids.device)
    if role == CONTEXT and "colour" in places:
        first, last = places["colour"].amin(1), places["shape"].amax(1)
        return (at >= first[:, None]) & (at <= last[:, None])
    held = torch.zeros(rows, n, dtype=torch.bool, device=at.device)
    return held.scatter(1, places["image" if role == CONTEXT else role], True)


def _n_right(logits: Tensor, wanted: Tensor) -> int:
    return int((logits.argmax(-1).cpu() == wanted).sum())
