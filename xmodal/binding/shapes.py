"""The shapes of scenes, as signed distances: 36 outlines, plain and with 5 kinds of mark.

A shape lies in the square from -1 to 1, x to the right and y down. A distance is negative
inside; where outlines are cut out of one another it is a bound of the true one, exact near the
edge, which is all that antialiasing looks at.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from xmodal.binding.vocabulary import MOST_SHAPES

Field = Callable[[Tensor, Tensor], Tensor]
"""Distance at (x, y)."""

REACH = 1.3
"""Textures go from -REACH to REACH."""
TEXTURE = 96
"""Samples a side of a texture."""
MARKS = ("plain", "dot", "slit-across", "slit-down", "slit-rising", "slit-falling")
"""A small disc or a band in the middle, cut out where the shape covers it and added where not: so
it shows on every outline."""


@functools.cache
def textures() -> Tensor:
    """Signed distances of all shapes by number: float32 [216, TEXTURE, TEXTURE].

    Shape 36 m + k has outline k and mark m.
    """
    at = torch.linspace(-REACH, REACH, TEXTURE)
    y, x = torch.meshgrid(at, at, indexing="ij")
    plain = torch.stack([OUTLINES[name](x, y) for name in ORDER])
    made = [plain]
    for name in MARKS[1:]:
        mark = _MARKED[name](x, y).expand_as(plain)
        both = torch.maximum(plain, mark)
        made.append(torch.maximum(torch.minimum(plain, mark), -both))
    out = torch.cat(made)
    assert len(out) == MOST_SHAPES
    return out


def _disc(radius: float, cx: float = 0.0, cy: float = 0.0) -> Field:
    return lambda x, y: (x - cx).hypot(y - cy) - radius


def _box(half_x: float, half_y: float, cx: float = 0.0, cy: float = 0.0) -> Field:
    return lambda x, y: torch.maximum((x - cx).abs() - half_x, (y - cy).abs() - half_y)


def _turned(field: Field, degrees: float) -> Field:
    """Turned clockwise, as y points down."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return lambda x, y: field(c * x + s * y, c * y - s * x)


def _moved(field: Field, dx: float, dy: float) -> Field:
    return lambda x, y: field(x - dx, y - dy)


def _either(*fields: Field) -> Field:
    return lambda x, y: torch.stack([field(x, y) for field in fields]).amin(0)


def _both(*fields: Field) -> Field:
    return lambda x, y: torch.stack([field(x, y) for field in fields]).amax(0)


def _without(field: Field, cut: Field) -> Field:
    return lambda x, y: torch.maximum(field(x, y), -cut(x, y))


def _convex(*corners: tuple[float, float]) -> Field:
    """A convex polygon; corners clockwise as seen."""
    edges = []
    for (x0, y0), (x1, y1) in zip(corners, (*corners[1:], corners[0]), strict=True):
        long = math.hypot(x1 - x0, y1 - y0)
        edges.append(((y1 - y0) / long, -(x1 - x0) / long, x0, y0))
    return lambda x, y: torch.stack(
        [(x - x0) * nx + (y - y0) * ny for nx, ny, x0, y0 in edges]
    ).amax(0)


def _star(n: int, inner: float) -> Field:
    """n points, the first up; radius 1 at the points and `inner` between them."""
    half = math.pi / n
    tip, dent = (1.0, 0.0), (inner * math.cos(half), inner * math.sin(half))
    long = math.hypot(dent[0] - tip[0], dent[1] - tip[1])
    normal = ((dent[1] - tip[1]) / long, -(dent[0] - tip[0]) / long)

    def field(x: Tensor, y: Tensor) -> Tensor:
        angle = torch.atan2(x, -y)
        folded = (torch.remainder(angle + half, 2 * half) - half).abs()
        radius = x.hypot(y)
        along, aside = radius * folded.cos(), radius * folded.sin()
        return (along - tip[0]) * normal[0] + (aside - tip[1]) * normal[1]

    return field


def _petals(n: int, depth: float) -> Field:
    """A disc whose edge goes in and out n times, one petal up; `depth` of its radius."""

    def field(x: Tensor, y: Tensor) -> Tensor:
        edge = 1 - depth * (1 - (n * torch.atan2(x, -y)).cos()) / 2
        return (x.hypot(y) - edge) * 0.7

    return field


_SLIT = _box(0.95, 0.15)
_MARKED: dict[str, Field] = {
    "dot": _disc(0.34),
    "slit-across": _SLIT,
    "slit-down": _turned(_SLIT, 90),
    "slit-rising": _turned(_SLIT, -45),
    "slit-falling": _turned(_SLIT, 45),
}
_UP = _convex((0, -1), (1, 0.85), (-1, 0.85))
_CHEVRON = _without(_UP, _moved(_UP, 0, 0.95))
_WEDGE = _convex((0, 0), (1.6, -1.2), (1.6, 1.2))

OUTLINES: dict[str, Field] = {
    # round
    "disc": _disc(1),
    "dome": _both(_disc(1, cy=0.5), _box(2, 2, cy=-1.5)),
    "half-right": _both(_disc(1, cx=-0.5), _box(2, 2, cx=1.5)),
    "quarter": _both(_disc(1.9, -0.95, 0.95), _box(0.95, 0.95)),
    "wedge-cut": _without(_disc(1), _WEDGE),
    "leaf": _both(_disc(1.25, 0.55, 0.55), _disc(1.25, -0.55, -0.55)),
    # four-cornered
    "square": _box(0.88, 0.88),
    "bar": _box(1, 0.36),
    "pillar": _box(0.36, 1),
    "rising-bar": _turned(_box(1.05, 0.34), -45),
    "falling-bar": _turned(_box(1.05, 0.34), 45),
    "diamond": _convex((0, -1), (1, 0), (0, 1), (-1, 0)),
    # three-cornered
    "triangle-up": _UP,
    "triangle-down": _turned(_UP, 180),
    "triangle-left": _turned(_UP, -90),
    "triangle-right": _turned(_UP, 90),
    "corner": _convex((-0.95, -0.95), (0.95, 0.95), (-0.95, 0.95)),
    "hourglass": _either(
        _convex((-0.95, -0.95), (0.95, -0.95), (0, 0.12)),
        _convex((0, -0.12), (0.95, 0.95), (-0.95, 0.95)),
    ),
    # of bars
    "plus": _either(_box(1, 0.34), _box(0.34, 1)),
    "times": _either(_turned(_box(1.1, 0.3), 45), _turned(_box(1.12, 0.3), -45)),
    "tee": _either(_box(0.95, 0.32, cy=-0.63), _box(0.32, 0.95)),
    "ell": _either(_box(0.32, 0.95, cx=-0.63), _box(0.95, 0.32, cy=0.63)),
    "cup": _without(_box(0.95, 0.95), _box(0.4, 0.95, cy=-0.55)),
    "aitch": _either(
        _box(0.28, 0.95, cx=-0.67), _box(0.28, 0.95, cx=0.67), _box(0.95, 0.26)
    ),
    # pointed
    "star": _star(5, 0.42),
    "spark": _star(4, 0.34),
    "three-star": _star(3, 0.26),
    "trefoil": _petals(3, 0.6),
    "flower": _petals(5, 0.45),
    "six-star": _star(6, 0.56),
    # open
    "ring": _without(_disc(1), _disc(0.52)),
    "crescent": _without(_disc(1), _disc(0.85, cx=0.55)),
    "frame": _without(_box(0.92, 0.92), _box(0.46, 0.46)),
    "chevron": _CHEVRON,
    "arrow": _either(_convex((0, -1), (0.95, 0.05), (-0.95, 0.05)), _box(0.3, 0.95)),
    "two-bars": _either(_box(0.95, 0.32, cy=-0.63), _box(0.95, 0.32, cy=0.63)),
}  # fmt: skip
"""By name; six families of six."""

ORDER = (
    "bar", "two-bars", "corner", "pillar", "disc", "rising-bar", "falling-bar", "aitch",
    "chevron", "crescent", "ring", "times", "diamond", "quarter", "triangle-right",
    "triangle-left", "triangle-down", "wedge-cut", "cup", "spark", "hourglass", "triangle-up",
    "ell", "trefoil", "dome", "half-right", "tee", "arrow", "leaf", "flower", "three-star",
    "star", "six-star", "frame", "plus", "square",
)  # fmt: skip
"""The first n are far apart, whatever n is: each differs most, at 14 pixels and blurred, from all
before it."""
