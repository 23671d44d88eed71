"""What the task looks like, and how fast its sequences come."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from xmodal.binding.render import render
from xmodal.binding.shown import SceneSet
from xmodal.binding.task import Layout, draw_scenes, generators, lay_out
from xmodal.binding.vocabulary import Vocabulary, word

_PICTURE = 128
"""Pixels of a picture's side on a contact sheet, at least."""
_LINE = 2


def text_samples(
    count: int, objects: Sequence[int], vocabulary: Vocabulary, seed: int = 0
) -> list[str]:
    """Sequences of the text task in words, each with one question and its answer.

    Args:
        count: How many.
        objects: Numbers of objects, taken in turn.
        vocabulary: Whose words.
        seed: Of the scenes.
    """
    lines = []
    for i in range(count):
        n = objects[i % len(objects)]
        scenes = draw_scenes(generators([seed], "sample", i), 1, n, vocabulary)
        asked = lay_out(scenes, Layout()).only([i % n])
        said = [word(token) for token in asked.ids[0, 0].tolist()]
        lines.append(f"{' '.join(said)} -> {word(int(asked.targets[0, 0, 0]))}")
    return lines


def contact_sheet(scene_set: SceneSet, path: Path, columns: int = 6, most_rows: int = 6) -> None:
    """Draw some scenes of a set, a row for each of a few numbers of objects.

    Args:
        scene_set: Open.
        path: PNG to write.
        columns: Scenes a row.
        most_rows: Numbers of objects, from the fewest to the most.
    """
    config = scene_set.record.config
    span = config.n_to - config.n_from
    steps = min(most_rows - 1, span)
    numbers = [config.n_from + round(i * span / max(1, steps)) for i in range(steps + 1)]
    lines = []
    for n in numbers:
        rows = torch.tensor(list(scene_set.rows(n))[:columns])[None]
        shown = scene_set.take(rows, n)
        drawn = render(
            shown.colours[0], shown.shapes[0], shown.places[0], scene_set.record.side
        ).cpu()
        lines.append(_side_by_side(drawn))
    sheet = torch.cat(lines, dim=1).permute(1, 2, 0)
    pixels = (sheet * 255).round().to(torch.uint8).numpy()
    Image.fromarray(pixels).save(path, format="PNG")


def _side_by_side(pictures: Tensor) -> Tensor:
    """[B, 3, S, S] to [3, h, w], enlarged pixel by pixel, with grey lines between."""
    times = -(-_PICTURE // pictures.shape[-1])
    large = pictures.repeat_interleave(times, -1).repeat_interleave(times, -2)
    framed = torch.nn.functional.pad(large, (_LINE,) * 4, value=0.6)
    return torch.cat(list(framed), dim=-1)


@dataclass(frozen=True)
class Rate:
    """How fast the text generator is."""

    batch_s: float
    """Of one batch, seconds; the median."""
    sequences_per_s: float


def generator_rate(
    device: str | torch.device,
    *,
    count: int = 512,
    n_objects: int = 8,
    n_runs: int = 1,
    layout: Layout | None = None,
    vocabulary: Vocabulary | None = None,
    batches: int = 20,
) -> Rate:
    """Time of drawing scenes and laying them out with all their questions.

    Args:
        device: Where.
        count: Sequences of a run's batch.
        n_objects: Of each.
        n_runs: Runs at once.
        layout: None for the two-hop text task.
        vocabulary: None for the base.
        batches: That are timed, after two that are not.
    """
    layout, words = layout or Layout(), vocabulary or Vocabulary()

    def one(step: int) -> None:
        of = generators(range(n_runs), "rate", step, device=device)
        lay_out(draw_scenes(of, count, n_objects, words), layout)

    batch_s = median_s(one, batches, device)
    return Rate(batch_s, n_runs * count / batch_s)


def median_s(work: Callable[[int], object], times: int, device: str | torch.device) -> float:
    """Median seconds of calls work(0), work(1), ..., the first two left out."""
    taken = []
    for step in range(times + 2):
        started = time.perf_counter()
        work(step)
        if torch.device(device).type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - started)
    return sorted(taken[2:])[times // 2]
