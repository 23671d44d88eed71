"""Pictures of scenes: flat shapes on white, drawn on the device."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from xmodal.binding.palette import palette
from xmodal.binding.scenes import Places
from xmodal.binding.shapes import REACH, TEXTURE, textures

VERSION = "2"
"""Of colours, shapes and drawing; part of the id of what is made from them."""
_MARGIN = 2
"""Pixels around an object that are looked at, for its soft edge."""


def render(colours: Tensor, shapes: Tensor, places: Places, side: int) -> Tensor:
    """Draw scenes.

    Places are given, so that two scenes can differ in colours or shapes alone.

    Args:
        colours: int64 [B, N], from 0; see palette.
        shapes: int64 [B, N], from 0; see shapes.textures.
        places: [B, N], where they stand.
        side: Pixels of a picture's width and height, S.

    Returns:
        float32 [B, 3, S, S] in [0, 1], on white, edges antialiased.
    """
    if not colours.shape == shapes.shape == places.sizes.shape or colours.dim() != 2:
        raise ValueError(
            f"colours, shapes and places must be [B, N], got {list(colours.shape)}, "
            f"{list(shapes.shape)} and {list(places.sizes.shape)}"
        )
    count, device = len(colours), colours.device
    rgb, distances = _stored(device)
    pixels = places.sizes * side
    window = math.ceil(float(pixels.max())) + 2 * _MARGIN
    corner = (places.centres * side - pixels[..., None] / 2).floor().long() - _MARGIN
    step = torch.arange(window, device=device)
    at = corner[..., None] + step
    # where the middles of pixels lie within the shape's square, from -1 to 1
    within = (at + 0.5 - places.centres[..., None] * side) / (pixels[..., None, None] / 2)
    x, y = within[..., 0, None, :], within[..., 1, :, None]
    distance = _sampled(distances, shapes[..., None, None], x, y)
    covered = (0.5 - distance * pixels[..., None, None] / 2).clamp(0, 1)
    seen = (at >= 0) & (at < side)
    covered = covered * (seen[..., 0, None, :] & seen[..., 1, :, None])
    column, row = at.clamp(0, side - 1).unbind(-2)
    flat = row[..., :, None] * side + column[..., None, :]
    # objects are apart, so that what they take from the white adds up
    taken = covered[:, None] * (1 - rgb[colours]).permute(0, 2, 1)[..., None, None]
    drawn = torch.zeros(count, 3, side * side, device=device)
    drawn.scatter_add_(2, flat.flatten(1)[:, None].expand(-1, 3, -1), taken.flatten(2))
    return (1 - drawn).clamp(0, 1).view(count, 3, side, side)


@functools.lru_cache(maxsize=4)
def _stored(device: torch.device) -> tuple[Tensor, Tensor]:
    return palette().to(device), textures().to(device)


def _sampled(distances: Tensor, shapes: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Distances between the samples of textures, bilinear; growing outside of them."""
    scale = (TEXTURE - 1) / (2 * REACH)
    px, py = (((one + REACH) * scale).clamp(0, TEXTURE - 1.001) for one in (x, y))
    beyond = (torch.maximum(x.abs(), y.abs()) - REACH).clamp_min(0)
    left, top = px.long(), py.long()
    px, py = px - left, py - top
    start = (shapes * TEXTURE + top) * TEXTURE + left
    flat = distances.flatten()
    upper = torch.lerp(flat[start], flat[start + 1], px)
    lower = torch.lerp(flat[start + TEXTURE], flat[start + TEXTURE + 1], px)
    return torch.lerp(upper, lower, py) + beyond
