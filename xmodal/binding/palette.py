"""The colours of scenes: the first n of them are far apart, whatever n is."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from xmodal.binding.vocabulary import MOST_COLOURS

LEVELS = 7
"""Of each of red, green and blue, from 0 to 1."""
FROM_WHITE = 25.0
"""Least distance of a colour from the background, in CIE Lab."""


@functools.cache
def palette() -> Tensor:
    """RGB of the colours by number: float32 [216, 3] in [0, 1].

    Each is the colour of a grid of 7 x 7 x 7 that lies farthest, in CIE Lab, from white and from
    all before it; colours near white are left out.
    """
    level = torch.arange(LEVELS, dtype=torch.float64) / (LEVELS - 1)
    grid = torch.cartesian_prod(level, level, level)
    lab = lab_of(grid)
    nearest = (lab - lab_of(torch.ones(1, 3, dtype=torch.float64))).norm(dim=-1)
    nearest[nearest < FROM_WHITE] = 0
    chosen = []
    for _ in range(MOST_COLOURS):
        # rounded, so that the last bits of another machine choose no other colour
        at = int(nearest.mul(1e6).round().argmax())
        chosen.append(at)
        nearest = torch.minimum(nearest, (lab - lab[at]).norm(dim=-1))
    return grid[chosen].float()


def lab_of(rgb: Tensor) -> Tensor:
    """CIE Lab under D65 of sRGB in [0, 1]; [..., 3] in and out."""
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    to_xyz = torch.tensor(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]],
        dtype=rgb.dtype,
        device=rgb.device,
    )
    xyz = linear @ to_xyz.T
    xyz = xyz / to_xyz.sum(1)
    f = torch.where(xyz > 0.008856, xyz.clamp_min(1e-9) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = f.unbind(-1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-1)
