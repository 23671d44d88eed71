"""The batch of a step: a function of recipe, seeds and step alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from taxonomy.hashing import hash63
from xmodal.binding.recipes import GUIDED, Recipe
from xmodal.binding.task import Layout, Scenes, Sequences, draw_scenes, generators, lay_out
from xmodal.binding.vocabulary import COLOUR_0, SHAPE_0, Vocabulary


class Pictures(Protocol):
    """Image tokens of scenes, from a frozen encoder."""

    @property
    def n_tokens(self) -> int:
        """Image tokens of a scene, P."""

    @property
    def width(self) -> int:
        """Channels of an image token, Dv."""

    def draw(
        self, of: Sequence[Any], count: int, n_objects: int, vocabulary: Vocabulary, part: str
    ) -> tuple[Scenes, Tensor]:
        """Scenes with their image tokens, float [R, B, P, Dv]; part train or test."""

    def ground(
        self,
        of: Sequence[Any],
        count: int,
        n_questions: int,
        n_objects: int,
        vocabulary: Vocabulary,
    ) -> tuple[Sequences, Tensor]:
        """Questions of feature grounding, with the image tokens that they show."""


@dataclass(frozen=True)
class Batch:
    """What a step shows."""

    sequences: Sequences
    image: Tensor | None
    """float [R, B, P, Dv], or None."""
    lesson: str
    guide: tuple[Tensor, Tensor] | None = None
    """Of a guided lesson: int64 [G], the questions whose answer goes through a shape, and int64
    [R, B, G], that shape as a token: what half of the blocks shall have found."""


def batch_of(
    recipe: Recipe,
    step: int,
    seeds: Sequence[int],
    device: torch.device,
    pictures: Pictures | None = None,
) -> Batch:
    """What a step shows to each run.

    Number of objects, lesson and the objects asked about are the same for every run, so that runs
    compute as one; which words stand where depends on the run's own seed.

    Args:
        recipe: Of the run.
        step: From 0.
        seeds: One a run.
        device: Where to draw.
        pictures: For lessons with images.

    Raises:
        ConfigError: There are no pictures for a lesson with images.
    """
    stage, within = recipe.at(step)
    lesson = stage.lesson(within)
    n, words = recipe.n_objects(step), recipe.words(stage)
    of = generators(seeds, "step", step, device=device)
    if lesson == "grounding":
        if pictures is None:
            raise ConfigError("lesson grounding needs a scene set")
        sequences, shown = pictures.ground(
            of, recipe.batch_size, min(n, recipe.n_questions), n, words
        )
        return Batch(sequences, shown, lesson)
    layout = recipe.layout(lesson, step)
    scenes, image = scenes_for(of, recipe.batch_size, n, words, layout, pictures, "train")
    sequences = lay_out(scenes, layout, 0 if image is None else image.shape[-2])
    sequences = chosen(sequences, n, recipe.n_questions, step)
    guide = _guide(scenes, sequences, recipe.marker) if lesson in GUIDED and recipe.guided else None
    return Batch(sequences, image, lesson, guide)


def _guide(scenes: Scenes, sequences: Sequences, marker: bool) -> tuple[Tensor, Tensor] | None:
    """The shape of each colour that is asked about."""
    numbers = [i for i, kind in enumerate(sequences.kinds) if kind != "shape-item"]
    if not numbers:
        return None
    which = torch.tensor(numbers, device=sequences.at.device)
    asked = sequences.ids[..., sequences.at[which] - int(marker)]
    same = scenes.colours[..., :, None] + COLOUR_0 == asked[..., None, :]
    shapes = (scenes.shapes[..., :, None] * same).sum(-2) + SHAPE_0
    return which, shapes


def scenes_for(
    of: Sequence[Any],
    count: int,
    n_objects: int,
    words: Vocabulary,
    layout: Layout,
    pictures: Pictures | None,
    part: str,
) -> tuple[Scenes, Tensor | None]:
    """Scenes for a layout, with image tokens where it wants them."""
    if layout.context != "image":
        return draw_scenes(of, count, n_objects, words), None
    if pictures is None:
        raise ConfigError("an image context needs a scene set")
    return pictures.draw(of, count, n_objects, words, part)


def chosen(sequences: Sequences, n_objects: int, n_questions: int, step: int) -> Sequences:
    """As many questions as a lesson of a step asks: min(n_questions, objects) of each sequence.

    Of several kinds every kind has its turn.
    """
    wanted = min(n_questions, n_objects)
    kinds = list(dict.fromkeys(sequences.kinds))
    order = random.Random(hash63("binding questions", step))
    by_kind = []
    for kind in kinds:
        numbers = [i for i, one in enumerate(sequences.kinds) if one == kind]
        by_kind.append(order.sample(numbers, len(numbers)))
    first = step % len(kinds)
    turns = by_kind[first:] + by_kind[:first]
    taken = [turns[i % len(turns)][i // len(turns)] for i in range(wanted)]
    return sequences if len(taken) == len(sequences.kinds) else sequences.only(sorted(taken))
