"""Where the objects of a scene stand.

Letters: R runs, B scenes, N objects, P image tokens. A place is in shares of the picture's side,
x to the right and y down, from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from taxonomy.model import one_of

KINDS = ("fixed", "jittered", "random")
GAP = 0.01
"""Least distance of two objects, as a share of the side."""
_TRIES = 32
"""Places drawn for an object at once, of which the first free one is taken."""


@dataclass(frozen=True, kw_only=True)
class SceneLayout:
    """How places are drawn."""

    kind: str = "random"
    """fixed: object i in cell i of a grid, in reading order, always of the same size. jittered:
    in that cell, but moved within it and of a size of its own. random: anywhere."""
    grid: int = 4
    """Cells a side; a scene has at most grid x grid objects. random has no cells, but is tiled
    so where places drawn one by one do not fit."""
    size: float = 0.235
    """Of the largest object: width and height of its square, a share of the side."""
    size_jitter: float = 0.15
    """Share of `size` that an object may lack. Not for fixed."""
    shift: float = 1.0
    """Of jittered: the share used of the room that a cell leaves."""

    def __post_init__(self) -> None:
        one_of("scene layout", self.kind, KINDS)
        if self.grid < 1:
            raise ConfigError(f"grid must be at least 1, got {self.grid}")
        most = 1 / self.grid - GAP
        if not 0 < self.size <= most:
            raise ConfigError(
                f"size must be above 0 and at most {most:.4g}, a cell of the grid without a gap "
                f"of {GAP}, got {self.size}"
            )
        if not 0 <= self.size_jitter < 1:
            raise ConfigError(f"size_jitter must be from 0 to below 1, got {self.size_jitter}")
        if not 0 <= self.shift <= 1:
            raise ConfigError(f"shift must be from 0 to 1, got {self.shift}")

    @property
    def most_objects(self) -> int:
        """Of a scene."""
        return self.grid**2

    @property
    def smallest(self) -> float:
        """Size of the smallest object."""
        return self.size if self.kind == "fixed" else self.size * (1 - self.size_jitter)

    def as_dict(self) -> dict[str, Any]:
        """The settings that its kind uses, by name."""
        unused = {"fixed": {"size_jitter", "shift"}, "jittered": set(), "random": {"shift"}}
        return {k: v for k, v in asdict(self).items() if k not in unused[self.kind]}


@dataclass(frozen=True)
class Places:
    """Squares in which objects stand; no two of a scene overlap."""

    centres: Tensor
    """float32 [..., N, 2]: x and y."""
    sizes: Tensor
    """float32 [..., N]: width and height."""

    def __getitem__(self, scenes: Any) -> Places:
        """Those of some scenes, by anything that indexes the first dimension."""
        return Places(self.centres[scenes], self.sizes[scenes])

    def to(self, device: str | torch.device) -> Places:
        """The same on a device."""
        return Places(self.centres.to(device), self.sizes.to(device))


def draw_places(
    of: torch.Generator | Sequence[torch.Generator],
    count: int,
    n_objects: int,
    layout: SceneLayout,
) -> Places:
    """Places of objects.

    Args:
        of: A generator, or one a run; all on one device.
        count: Scenes, B, of each run.
        n_objects: N.
        layout: How.

    Returns:
        [B, N]; [R, B, N] of a sequence of generators.

    Raises:
        ConfigError: More objects than the layout has room for.
    """
    if not 1 <= n_objects <= layout.most_objects:
        raise ConfigError(
            f"n_objects must be from 1 to {layout.most_objects}, the cells of a grid of "
            f"{layout.grid} x {layout.grid}, got {n_objects}"
        )
    draw = _anywhere if layout.kind == "random" else _in_cells
    if isinstance(of, torch.Generator):
        return draw(of, count, n_objects, layout)
    drawn = [draw(one, count, n_objects, layout) for one in of]
    return Places(
        torch.stack([one.centres for one in drawn]), torch.stack([one.sizes for one in drawn])
    )


def patch_objects(places: Places, grid: int, least: float = 0.5) -> Tensor:
    """The object that covers each image token most, by the objects' squares.

    Args:
        places: [..., N].
        grid: Image tokens a side, in reading order.
        least: Share of the token's part of the picture that must be covered; else none is.

    Returns:
        int64 [..., P]: the object, or -1 for none.
    """
    start = torch.arange(grid, device=places.sizes.device) / grid
    half = places.sizes[..., None, None] / 2
    low, high = places.centres[..., None] - half, places.centres[..., None] + half
    # [..., N, 2, grid]: covered of each column and each row
    within = torch.minimum(high, start + 1 / grid) - torch.maximum(low, start)
    across, down = within.clamp_min(0).mul(grid).unbind(-2)
    covered = (down[..., :, None] * across[..., None, :]).flatten(-2)
    most, which = covered.max(dim=-2)
    return torch.where(most >= least, which, -1)


def _uniform(of: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=of, device=of.device)


def _sizes(of: torch.Generator, count: int, n: int, layout: SceneLayout) -> Tensor:
    lacking = _uniform(of, count, n) * layout.size_jitter
    return layout.size * (1 - lacking)


def _in_cells(of: torch.Generator, count: int, n: int, layout: SceneLayout) -> Places:
    cell = torch.arange(n, device=of.device)
    corner = torch.stack([cell % layout.grid, cell // layout.grid], dim=-1)
    centres = ((corner + 0.5) / layout.grid).expand(count, n, 2)
    if layout.kind == "fixed":
        return Places(centres.clone(), torch.full((count, n), layout.size, device=of.device))
    sizes = _sizes(of, count, n, layout)
    room = (1 / layout.grid - GAP - sizes).clamp_min(0) * layout.shift
    return Places(centres + (_uniform(of, count, n, 2) - 0.5) * room[..., None], sizes)


def _anywhere(of: torch.Generator, count: int, n: int, layout: SceneLayout) -> Places:
    """Uniform places one after another; a scene into which one does not fit is tiled instead."""
    sizes = _sizes(of, count, n, layout)
    half = sizes[..., None, None] / 2
    tried = half + _uniform(of, count, n, _TRIES, 2) * (1 - 2 * half)
    centres, fits = tried[:, :, 0].clone(), torch.ones(count, dtype=torch.bool, device=of.device)
    for i in range(1, n):
        apart = (tried[:, i, :, None] - centres[:, None, :i]).abs().amax(-1)
        least = (sizes[:, i, None] + sizes[:, :i]) / 2 + GAP
        free = (apart >= least[:, None]).all(-1)
        first = free.int().argmax(-1)
        centres[:, i] = tried[torch.arange(count, device=of.device), i, first]
        fits &= free.any(-1)
    centres = torch.where(fits[:, None, None], centres, _tiled(of, sizes, layout))
    # what is placed late stands where there was room: numbers must not say that
    order = _uniform(of, count, n).argsort(-1)
    return Places(centres.gather(1, order[..., None].expand_as(centres)), sizes.gather(1, order))


def _tiled(of: torch.Generator, sizes: Tensor, layout: SceneLayout) -> Tensor:
    """Centres in random cells of rows of random heights, cut at random into cells."""
    count, n = sizes.shape
    grid, pitch = layout.grid, layout.size + GAP
    cell = _uniform(of, count, grid**2).topk(n).indices
    column, row = cell % grid, cell // grid
    slack = max(0.0, 1 + GAP - grid * pitch)
    rows = _uniform(of, count, grid).sort(-1).values * slack
    columns = _uniform(of, count, grid, grid).sort(-1).values * slack
    gap_x = columns.flatten(1).gather(1, row * grid + column)
    corner = torch.stack([column * pitch + gap_x, row * pitch + rows.gather(1, row)], dim=-1)
    room = (layout.size - sizes)[..., None]
    return corner + sizes[..., None] / 2 + _uniform(of, count, n, 2) * room


def grid_of(n_image_tokens: int) -> int | None:
    """Image tokens a side; None where they are no square."""
    side = math.isqrt(n_image_tokens)
    return side if side**2 == n_image_tokens else None
