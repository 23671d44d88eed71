"""How often an LM answers the retrieval task, by the number of objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from xmodal.binding.subject import Prompts, Subject
from xmodal.binding.task import draw_scenes, generators
from xmodal.binding.vocabulary import WordCounts
from xmodal.binding_tables import RETRIEVAL

CPU_TOKENS, GPU_TOKENS = 2048, 32768
"""Tokens of a batch, padding included."""


def retrieval(
    subject: Subject,
    vocabulary: WordCounts,
    objects: Sequence[int],
    *,
    n_examples: int,
    seed: int,
    batch_tokens: int = CPU_TOKENS,
    on_batch: Callable[[int], None] | None = None,
) -> pa.Table:
    """Ask a subject one question about each of some scenes.

    Scenes and questions hang on the seed and the number of objects alone, not on what else is
    asked. An answer that is no higher than another is not right.

    Args:
        subject: Who is asked.
        vocabulary: What the scenes are drawn from.
        objects: Objects of a scene; each number once.
        n_examples: Scenes of each number.
        seed: Of scenes and questions.
        batch_tokens: Tokens of a batch; one prompt at least is in it.
        on_batch: Called after each batch with the number of its prompts.

    Returns:
        Table of schema RETRIEVAL, in the order of objects.

    Raises:
        ConfigError: No examples, no objects, or a number of objects twice.
    """
    check_asked(objects, n_examples)
    rows = []
    for n_objects in objects:
        scenes = draw_scenes(
            generators([seed], "retrieval", n_objects), n_examples, n_objects, vocabulary
        )
        of = generators([seed], "retrieval", "query", n_objects)[0]
        query = torch.randint(n_objects, (n_examples,), generator=of)
        prompts = subject.prompts(scenes, query)
        items = subject.token_of(scenes.items[0]).cpu()
        n_right = n_open = 0
        size = max(1, batch_tokens // prompts.ids.shape[1])
        for start in range(0, n_examples, size):
            rest = slice(start, start + size)
            logits = subject.logits(part(prompts, rest)).cpu()
            right, is_open = answered(logits, items[rest], query[rest])
            n_right, n_open = n_right + int(right.sum()), n_open + int(is_open.sum())
            if on_batch is not None:
                on_batch(len(logits))
        rows.append(
            {
                "n_objects": n_objects,
                "n_tokens": _mean_tokens(prompts),
                "n_questions": n_examples,
                "n_right": n_right,
                "n_right_open": n_open,
            }
        )
    return pa.Table.from_pylist(rows, RETRIEVAL)


def check_asked(objects: Sequence[int], n_examples: int) -> None:
    """Refuse what cannot be asked.

    Raises:
        ConfigError: No examples, no objects, or a number of objects twice.
    """
    if n_examples < 1:
        raise ConfigError(f"n must be at least 1, got {n_examples}")
    if not objects or len(set(objects)) < len(objects) or min(objects) < 1:
        raise ConfigError(
            "objects must be numbers from 1 on, each once, got "
            f"{', '.join(map(str, objects)) or 'none'}"
        )


def answered(logits: Tensor, items: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
    """Whether the right item has the highest logit: of the scene's items, of the vocabulary.

    Args:
        logits: float [B, V].
        items: int64 [B, N], token ids of the scene's items, all different.
        query: int64 [B], the object asked for.

    Returns:
        bool [B] twice; the second holds only where the first does. With a tie neither does.
    """
    wanted = items.gather(1, query[:, None])
    own = logits.gather(1, wanted)
    others = logits.gather(1, items).scatter(1, query[:, None], -torch.inf)
    everything = logits.scatter(1, wanted, -torch.inf)
    return (own > others).all(1), (own > everything).all(1)


def part(prompts: Prompts, which: slice) -> Prompts:
    """Some of the prompts."""

    def of(value: Tensor | None) -> Tensor | None:
        return None if value is None else value[which]

    return Prompts(
        ids=prompts.ids[which],
        positions=of(prompts.positions),
        image=of(prompts.image),
        seen=of(prompts.seen),
        places={role: place[which] for role, place in prompts.places.items()},
    )


def _mean_tokens(prompts: Prompts) -> float:
    if prompts.seen is None:
        return float(prompts.ids.shape[1])
    return float(prompts.seen.sum(1).double().mean())
