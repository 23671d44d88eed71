"""The batch of a step: a function of recipe, seeds and step alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from taxonomy.hashing import hash63
from xmodal.binding.pictures import Grounding, ScenePictures
from xmodal.binding.recipes import Recipe
from xmodal.binding.task import Layout, Scenes, Sequences, draw_scenes, generators, lay_out
from xmodal.binding.vocabulary import COLOUR_0, SHAPE_0, Vocabulary


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
    ground: Grounding | None = None
    """Of feature grounding: what its last question chooses among."""


def batch_of(
    recipe: Recipe,
    step: int,
    seeds: Sequence[int],
    device: torch.device,
    pictures: ScenePictures | None = None,
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
        # two questions of each token: as many in all as any other step asks
        count = recipe.batch_size * min(n, recipe.n_questions) // 2
        ground = pictures.ground(of, count, n)
        sequences = ground.sequences.only([step % 2, 2])
        return Batch(sequences, ground.image[..., :1, :], lesson, ground=ground)
    layout = recipe.layout(lesson, step)
    scenes, image = scenes_for(of, recipe.batch_size, n, words, layout, pictures, "train")
    sequences = lay_out(scenes, layout, 0 if image is None else image.shape[-2])
    sequences = chosen(sequences, n, recipe.n_questions, step)
    guide = _guide(scenes, sequences, recipe.marker) if recipe.guides(stage, lesson) else None
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
    pictures: ScenePictures | None,
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
