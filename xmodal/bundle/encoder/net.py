"""The learnt part of the encoder: a small convolutional net over the classical patch tokens."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from taxonomy.errors import ConfigError
from xmodal.features import classical

GRID = 4
"""Patches a side of what comes out; 16 tokens."""
_GAIN = 4.0
# brings the classical channels, most of them below 0.4, near unit size


@dataclass(frozen=True, kw_only=True)
class NetConfig:
    """Shape of the net."""

    width: int = 64
    """Channels on the 8 x 8 grid; twice as many on the 4 x 4 grid."""
    n_channels: int = 32
    """Channels of a token that comes out."""
    dropout: float = 0.1
    """Share of the channels of the input that are zero while training, drawn for each picture."""

    def __post_init__(self) -> None:
        for name in ("width", "n_channels"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout must be in [0, 1), got {self.dropout}")


def _as_grid(tokens: Tensor) -> Tensor:
    """float32 [B, 64, C] to [B, C, 8, 8]."""
    side = classical.GRID
    return tokens.reshape(len(tokens), side, side, tokens.shape[2]).permute(0, 3, 1, 2)


def _block(n_in: int, n_out: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out), nn.GELU()
    )


class Net(nn.Module):
    """Classical patch tokens in, learnt tokens on a coarser grid out."""

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        width = config.width
        self.dropout = config.dropout
        self.enter = nn.Conv2d(classical.WIDTH, width, 1)
        self.fine = _block(width, width, 1)
        self.down = _block(width, 2 * width, 2)
        self.coarse = _block(2 * width, 2 * width, 1)
        self.leave = nn.Conv2d(2 * width, config.n_channels, 1)

    def forward(self, tokens: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Apply the net.

        Args:
            tokens: float32 [B, 64, 58], as the classical encoder gives them.
            generator: Of the dropout, while training; none without one.

        Returns:
            float32 [B, 16, n_channels], in reading order.
        """
        grid = _as_grid(tokens) * _GAIN
        if self.training and generator is not None and self.dropout:
            kept = torch.rand((len(grid), classical.WIDTH, 1, 1), generator=generator)
            grid = grid * (kept >= self.dropout) / (1 - self.dropout)
        hidden = self.enter(grid)
        hidden = hidden + self.fine(hidden)
        hidden = self.down(hidden)
        hidden = hidden + self.coarse(hidden)
        out: Tensor = self.leave(hidden).flatten(2).transpose(1, 2)
        return out


def mirrored_pair(a: Tensor, b: Tensor) -> Tensor:
    """Half the sum and half the distance of a picture's channels and its mirror image's.

    Which way a drawing faces is lost; nothing else is.

    Args:
        a: float32 [B, P, C], of the pictures.
        b: float32 [B, P, C], of their mirror images.

    Returns:
        float32 [B, P, 2 C].
    """
    return torch.cat([(a + b) / 2, (a - b).abs() / 2], dim=2)


def coarser(tokens: Tensor) -> Tensor:
    """Four neighbouring tokens become one; float32 [B, 64, C] to [B, 16, 4 C]."""
    grid = _as_grid(tokens)
    return F.pixel_unshuffle(grid, classical.GRID // GRID).flatten(2).transpose(1, 2)


class Head(nn.Sequential):
    """From the tokens of a picture to the point where views are compared; not kept."""

    def __init__(self, config: NetConfig, hidden: int, width: int) -> None:
        super().__init__(
            nn.Flatten(),
            nn.Linear(GRID * GRID * config.n_channels, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, width),
        )


def channels_last(net: nn.Module) -> None:
    """Lay the weights out as convolutions on a CPU read them fastest; values stay."""
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
