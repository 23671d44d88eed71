"""Views of a drawing as another hand could have drawn it: moved, bent, recoloured, in outline.

What a picture shows is never asked; the only pair that training knows is a picture and itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

WHITE = 0.97
"""A channel at least this light is background where it reaches the border."""
STYLES = ("plain", "jitter", "levels", "lines", "dark", "gaps", "outlined", "inverted")


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """How far a view may be from its picture."""

    shares: tuple[float, ...] = (0.10, 0.25, 0.15, 0.15, 0.10, 0.10, 0.10, 0.05)
    """How often each of STYLES is drawn."""
    turn: float = 0.3
    """Largest rotation, radians."""
    scale: float = 0.25
    """Largest change of size, as a share."""
    stretch: float = 0.2
    """Largest change of one side against the other, as a share."""
    shear: float = 0.2
    """Largest shear, as a share of the height."""
    shift: float = 0.12
    """Largest shift, of half the width."""
    bend: float = 0.12
    """Standard deviation of the smooth bending field, of half the width."""
    flip_ratio: float = 0.5
    """Share of views that are mirrored."""
    width_ratio: float = 0.35
    """Share of views whose dark lines become a pixel thicker or thinner."""
    blur_ratio: float = 0.2
    """Share of views that are blurred."""
    ground_ratio: float = 0.0
    """Share of views on a coloured ground instead of white."""


def silhouettes(pixels: Tensor) -> Tensor:
    """What is drawn: all that is not white or that white from the border does not reach.

    Args:
        pixels: float32 [B, 3, H, W] in [0, 1] on white.

    Returns:
        float32 [B, 1, H, W], 1 where something is drawn.
    """
    white = (pixels >= WHITE).all(1, keepdim=True).float()
    reached = torch.zeros_like(white)
    reached[:, :, [0, -1]] = white[:, :, [0, -1]]
    reached[..., [0, -1]] = white[..., [0, -1]]
    while True:
        grown = F.max_pool2d(reached, 3, 1, 1) * white
        if torch.equal(grown, reached):
            return 1 - reached
        reached = grown


def views(
    pixels: Tensor, drawn: Tensor, generator: torch.Generator, config: AugmentConfig
) -> Tensor:
    """One view of each picture.

    Args:
        pixels: float32 [B, 3, H, W] in [0, 1] on white.
        drawn: float32 [B, 1, H, W], as silhouettes gives it.
        generator: Source of the random numbers.
        config: How far a view may be from its picture.

    Returns:
        float32 [B, 3, H, W] in [0, 1].
    """
    moved = _move(torch.cat([1 - pixels, drawn], dim=1), generator, config)
    pixels, drawn = 1 - moved[:, :3], moved[:, 3:]
    style = torch.multinomial(
        torch.tensor(config.shares), len(pixels), replacement=True, generator=generator
    )
    styled = pixels.clone()
    for number, name in enumerate(STYLES):
        rows = (style == number).nonzero()[:, 0]
        if name != "plain" and len(rows):
            styled[rows] = _STYLE[name](pixels[rows], drawn[rows], generator)
    styled = _line_width(styled, generator, config)
    styled = _blur(styled, generator, config)
    if config.ground_ratio:
        chosen = _chance(len(styled), config.ground_ratio, generator)
        ground = _uniform((len(styled), 3, 1, 1), 0.3, 1.0, generator)
        styled = torch.where(chosen, styled * drawn + ground * (1 - drawn), styled)
    return styled.clamp(0, 1)


def _uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator) * (high - low) + low


def _chance(n: int, ratio: float, generator: torch.Generator) -> Tensor:
    """bool [n, 1, 1, 1]."""
    return torch.rand((n, 1, 1, 1), generator=generator) < ratio


def _move(layers: Tensor, generator: torch.Generator, config: AugmentConfig) -> Tensor:
    """Turn, scale, stretch, shear, shift, mirror and bend; [B, C, H, W], zero outside."""
    n, _, height, width = layers.shape

    def around(most: float) -> Tensor:
        return _uniform((n,), -most, most, generator)

    angle, size, side = around(config.turn), 1 + around(config.scale), 1 + around(config.stretch)
    flip = torch.where(torch.rand(n, generator=generator) < config.flip_ratio, -1.0, 1.0)
    cos, sin, shear = angle.cos() / size, angle.sin() / size, around(config.shear)
    top = torch.stack([flip * cos * side, -sin + shear * cos, around(config.shift)], dim=1)
    below = torch.stack([flip * sin * side, cos + shear * sin, around(config.shift)], dim=1)
    grid = F.affine_grid(
        torch.stack([top, below], dim=1), [n, 1, height, width], align_corners=False
    )
    bend = torch.randn((n, 2, 4, 4), generator=generator) * config.bend
    bend = F.interpolate(bend, (height, width), mode="bicubic", align_corners=True)
    grid = grid + bend.permute(0, 2, 3, 1)
    return F.grid_sample(layers, grid, align_corners=False).clamp(0, 1)


def _light(pixels: Tensor) -> Tensor:
    weights = torch.tensor([0.299, 0.587, 0.114])[None, :, None, None]
    return (pixels * weights).sum(1, keepdim=True)


def _edges(pixels: Tensor, low: Tensor) -> Tensor:
    """Where colour changes by more than a share of the picture's strongest change; soft."""
    padded = F.pad(pixels, (1, 1, 1, 1), mode="replicate")
    across = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    strength = (across**2 + down**2).amax(1, keepdim=True).sqrt()
    strength = strength / strength.amax((2, 3), keepdim=True).clamp_min(0.1)
    return ((strength - low) * 6 + 0.5).clamp(0, 1)


def _field(n: int, like: Tensor, generator: torch.Generator) -> Tensor:
    """A smooth random colour field around zero; [n, 3, H, W]."""
    coarse = torch.randn((n, 3, 3, 3), generator=generator)
    return F.interpolate(coarse, like.shape[-2:], mode="bilinear", align_corners=True)


def _jitter(pixels: Tensor, drawn: Tensor, generator: torch.Generator) -> Tensor:
    """Turn the hue, change saturation, contrast and lightness; grey now and then."""
    n = len(pixels)
    angle = _uniform((n,), -1, 1, generator) ** 3 * math.pi
    colour = _uniform((n,), 0.0, 1.5, generator) * (torch.rand(n, generator=generator) < 0.75)
    # rotation about the grey axis, scaled across it
    third, root = torch.ones(3, 3) / 3, 1 / math.sqrt(3)
    cross = torch.tensor([[0.0, -root, root], [root, 0.0, -root], [-root, root, 0.0]])
    turned = (torch.eye(3) - third) * angle.cos()[:, None, None] + cross * angle.sin()[
        :, None, None
    ]
    matrix = third + turned * colour[:, None, None]
    gain = _uniform((n, 1, 1, 1), 0.6, 1.3, generator)
    lift = _uniform((n, 1, 1, 1), -0.2, 0.2, generator)
    changed = torch.einsum("bij,bjhw->bihw", matrix, pixels - 0.5) * gain + 0.5 + lift
    return _inside(changed, drawn)


def _inside(changed: Tensor, drawn: Tensor) -> Tensor:
    return 1 - (1 - changed.clamp(0, 1)) * drawn


def _levels(pixels: Tensor, drawn: Tensor, generator: torch.Generator) -> Tensor:
    """A colour of its own for each of a few levels of lightness."""
    n = len(pixels)
    colours = torch.rand((n, 6, 3), generator=generator)
    count = _uniform((n, 1, 1, 1), 2, 6, generator)
    light = _light(pixels) ** _uniform((n, 1, 1, 1), 0.5, 2.0, generator)
    level = (light * count).long().clamp(0, 5).flatten(1)
    flat = colours.gather(1, level[..., None].expand(-1, -1, 3))
    tint = _field(n, pixels, generator) * _uniform((n, 1, 1, 1), 0, 0.2, generator)
    return _inside(flat.transpose(1, 2).reshape(pixels.shape) + tint, drawn)


def _lines(pixels: Tensor, drawn: Tensor, generator: torch.Generator) -> Tensor:
    """Dark lines where colour changes, white between."""
    del drawn
    n = len(pixels)
    edges = _edges(pixels, _uniform((n, 1, 1, 1), 0.1, 0.45, generator))
    thick = _chance(n, 0.4, generator)
    edges = torch.where(thick, F.max_pool2d(edges, 3, 1, 1), edges)
    return (1 - edges * _uniform((n, 1, 1, 1), 0.7, 1.0, generator)).expand(-1, 3, -1, -1)


def _dark(pixels: Tensor, drawn: Tensor, generator: torch.Generator) -> Tensor:
    """Black where it is darker than some of the drawing, white elsewhere, with an outline."""
    n = len(pixels)
    light = _light(pixels)
    share = (light * drawn).flatten(1).sum(1) / drawn.flatten(1).sum(1).clamp_min(1)
    limit = share[:, None, None, None] + _uniform((n, 1, 1, 1), -0.2, 0.2, generator)
    black = ((limit - light) * 8 + 0.5).clamp(0, 1) * drawn
    ring = _edges(drawn, torch.full((n, 1, 1, 1), 0.4))
    outlined = torch.where(_chance(n, 0.7, generator), torch.maximum(black, ring), black)
    return (1 - outlined).expand(-1, 3, -1, -1)


def _gaps(pixels: Tensor, drawn: Tensor, generator: torch.Generator) -> Tensor:
    """A dark shape with white gaps where colour changes inside."""
    n = len(pixels)
    edges = _edges(pixels, _uniform((n, 1, 1, 1), 0.15, 0.6, generator))
    core = 1 - F.max_pool2d(1 - drawn, 3, 1, 1)
    return (1 - drawn * (1 - edges * core)).expand(-1, 3, -1, -1)


def _outlined(pixels: Tensor, drawn: Tensor, generator: torch.Generator) -> Tensor:
    """Changed colours with dark lines on top."""
    lines = _lines(pixels, drawn, generator)
    return torch.minimum(_jitter(pixels, drawn, generator), lines)


def _inverted(pixels: Tensor, drawn: Tensor, generator: torch.Generator) -> Tensor:
    """Light becomes dark inside the drawing."""
    return _jitter(1 - pixels, drawn, generator)


_STYLE = {
    "jitter": _jitter,
    "levels": _levels,
    "lines": _lines,
    "dark": _dark,
    "gaps": _gaps,
    "outlined": _outlined,
    "inverted": _inverted,
}


def _line_width(pixels: Tensor, generator: torch.Generator, config: AugmentConfig) -> Tensor:
    """Let dark grow or shrink by a pixel in some of the pictures."""
    chosen = torch.rand(len(pixels), generator=generator)
    for rows, sign in (
        (chosen < config.width_ratio / 2, -1.0),
        (chosen > 1 - config.width_ratio / 2, 1.0),
    ):
        if rows.any():
            pixels[rows] = sign * F.max_pool2d(sign * pixels[rows], 3, 1, 1)
    return pixels


def _blur(pixels: Tensor, generator: torch.Generator, config: AugmentConfig) -> Tensor:
    rows = torch.rand(len(pixels), generator=generator) < config.blur_ratio
    if rows.any():
        pixels[rows] = F.avg_pool2d(F.pad(pixels[rows], (1, 1, 1, 1), mode="replicate"), 3, 1)
    return pixels
