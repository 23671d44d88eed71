"""A classical image encoder: oriented gradients, colour and coverage on a grid of patches.

No training, no labels, deterministic. The descriptor follows the histogram of oriented
gradients (Dalal and Triggs, 2005) with soft assignment to nine unsigned orientations, at
cells of 4, 8 and 16 pixels, contrast-normalised over 3 x 3 cells; colour is the mean CIE Lab
of a patch, coverage the share of its pixels that are not white.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 64
"""Width and height of the pictures it takes, pixels."""
GRID = 8
"""Patches a side; 64 patch tokens."""
N_ORIENTATIONS = 9
WIDTH = 4 * N_ORIENTATIONS + N_ORIENTATIONS + N_ORIENTATIONS + 3 + 1
"""Channels of a patch token: 4-, 8- and 16-pixel cells, Lab, coverage; 58."""
VERSION = "1"
_AT_A_TIME = 64
_N_DRAWS = 7
"""Random numbers a picture that augment takes."""


def _lab(rgb: Tensor) -> Tensor:
    """CIE Lab under D65, each channel over 100; float32 [B, 3, H, W] in and out."""
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    to_xyz = torch.tensor(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    white = torch.tensor([0.9505, 1.0, 1.089])[None, :, None, None]
    xyz = torch.einsum("ij,bjhw->bihw", to_xyz, linear) / white
    f = torch.where(xyz > 0.008856, xyz.clamp_min(1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116)
    return torch.stack(
        [1.16 * f[:, 1] - 0.16, 5 * (f[:, 0] - f[:, 1]), 2 * (f[:, 1] - f[:, 2])], dim=1
    )


def _orientations(rgb: Tensor) -> Tensor:
    """Gradient magnitude by orientation; float32 [B, 3, H, W] to [B, N_ORIENTATIONS, H, W]."""
    padded = F.pad(rgb, (1, 1, 1, 1), mode="replicate")
    across = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    strongest = (across**2 + down**2).argmax(1, keepdim=True)
    gx, gy = across.gather(1, strongest), down.gather(1, strongest)
    magnitude = (gx**2 + gy**2).sqrt()
    place = torch.remainder(torch.atan2(gy, gx), math.pi) / math.pi * N_ORIENTATIONS
    bins = torch.arange(N_ORIENTATIONS, dtype=rgb.dtype)[None, :, None, None]
    distance = (place - bins).abs()
    distance = torch.minimum(distance, N_ORIENTATIONS - distance)
    return magnitude * (1 - distance).clamp_min(0)


def _cells(orientations: Tensor, cell: int) -> Tensor:
    """Histograms of overlapping cells, contrast-normalised; [B, 9, 64/cell, 64/cell]."""
    pooled = F.avg_pool2d(F.pad(orientations, (cell // 2,) * 4), 2 * cell, stride=cell)
    energy = (pooled**2).sum(1, keepdim=True)
    around = F.avg_pool2d(F.pad(energy, (1, 1, 1, 1), mode="replicate"), 3, 1) * 9 / 4
    return (pooled / (around + 1e-3).sqrt()).clamp_max(0.4)


def encode(pixels: Tensor) -> Tensor:
    """Patch tokens of pictures, computed a few at a time: more would not fit the cache.

    Args:
        pixels: float32 [B, 3, 64, 64], RGB in [0, 1] on white.

    Returns:
        float32 [B, 64, 58], patches in reading order.
    """
    if pixels.shape[1:] != (3, SIDE, SIDE):
        raise ValueError(f"pixels must be [B, 3, {SIDE}, {SIDE}], got {list(pixels.shape)}")
    if len(pixels) > _AT_A_TIME:
        return torch.cat([encode(part) for part in torch.split(pixels, _AT_A_TIME)])
    orientations = _orientations(pixels)
    fine = F.pixel_unshuffle(_cells(orientations, 4), 2) * 0.5
    middle = _cells(orientations, 8)
    coarse = _cells(orientations, 16).repeat_interleave(2, -1).repeat_interleave(2, -2) * 0.5
    colour = F.avg_pool2d(_lab(pixels), SIDE // GRID) * 0.6
    coverage = (pixels < 0.97).any(1, keepdim=True).float()
    coverage = F.avg_pool2d(coverage, SIDE // GRID) * 0.4
    return torch.cat([fine, middle, coarse, colour, coverage], dim=1).flatten(2).transpose(1, 2)


def augment(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Another view of each picture: flip, turn, scale, shift, sometimes grey.

    Args:
        pixels: float32 [B, 3, S, S] in [0, 1] on white.
        generator: Source of the random numbers.

    Returns:
        float32 [B, 3, S, S] in [0, 1], white where the picture moved away.
    """
    drawn = [torch.rand(len(pixels), generator=generator) for _ in range(_N_DRAWS)]

    def uniform(low: float, high: float) -> Tensor:
        return drawn.pop(0) * (high - low) + low

    scale, angle, stretch = uniform(0.85, 1.15), uniform(-0.2, 0.2), uniform(0.9, 1.1)
    flip = torch.where(drawn.pop(0) < 0.5, -1.0, 1.0)
    affine = torch.stack(
        [
            torch.stack(
                [flip * angle.cos() / scale * stretch, -angle.sin() / scale, uniform(-0.12, 0.12)],
                dim=1,
            ),
            torch.stack(
                [flip * angle.sin() / scale, angle.cos() / scale / stretch, uniform(-0.12, 0.12)],
                dim=1,
            ),
        ],
        dim=1,
    )
    grid = F.affine_grid(affine, list(pixels.shape), align_corners=False)
    moved = (1 - F.grid_sample(1 - pixels, grid, align_corners=False)).clamp(0, 1)
    grey = drawn.pop(0) < 0.25
    return torch.where(grey[:, None, None, None], moved.mean(1, keepdim=True), moved)


def skip_views(n: int, generator: torch.Generator) -> None:
    """Move the generator on as augment does for n pictures."""
    for _ in range(_N_DRAWS):
        torch.rand(n, generator=generator)
