"""Scenes as the examples of a probe: one run, in batches, one question each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from xmodal.binding.task import Layout, Scenes, generators


def count(scenes: Scenes) -> int:
    """B of scenes of one run.

    Raises:
        ValueError: They are of several runs, whose scenes a probe would mix up.
    """
    n_runs, n, _ = scenes.colours.shape
    if n_runs != 1:
        raise ValueError(f"a probe takes scenes of one run, got {n_runs}")
    return int(n)


def some(scenes: Scenes, which: slice | Tensor) -> Scenes:
    """A part of the scenes, of every run.

    Args:
        scenes: All.
        which: A slice of the B scenes, or int64 [.] with their numbers.
    """
    return Scenes(
        *(
            part[:, which]
            for part in (scenes.colours, scenes.shapes, scenes.items, scenes.order, scenes.gaps)
        )
    )


def on(scenes: Scenes, device: torch.device | str) -> Scenes:
    """The same scenes on a device."""
    return Scenes(
        *(
            part.to(device)
            for part in (scenes.colours, scenes.shapes, scenes.items, scenes.order, scenes.gaps)
        )
    )


def as_ordered(scenes: Scenes, layout: Layout) -> Scenes:
    """Scenes whose associations stand in the order that a layout wants.

    A subject takes the order from the scene, so that an intervention which moves shapes leaves
    the associations where they are.

    Args:
        scenes: As drawn, in shuffled order.
        layout: Of order shuffled or same.
    """
    if layout.order == "shuffled":
        return scenes
    n = torch.arange(scenes.n_objects, device=scenes.order.device)
    return replace(scenes, order=n.expand_as(scenes.order))


def batches(n: int, size: int) -> Iterator[slice]:
    """Slices of n examples, of at most so many each.

    Raises:
        ConfigError: The size is below 1.
    """
    if size < 1:
        raise ConfigError(f"batch must be at least 1, got {size}")
    for start in range(0, n, size):
        yield slice(start, min(n, start + size))


def draw_queries(scenes: Scenes, seed: int, purpose: str) -> Tensor:
    """The object that each scene is asked for, int64 [B] on the CPU.

    Args:
        scenes: Of one run.
        seed: With the purpose and N it decides the draw.
        purpose: Name of the probe.
    """
    n = scenes.n_objects
    of = generators([seed], purpose, "query", n)[0]
    return torch.randint(n, (count(scenes),), generator=of)
