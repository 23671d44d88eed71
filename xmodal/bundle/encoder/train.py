"""Train the encoder: two views of one picture belong together, all else in the batch does not.

SimCLR (Chen et al., 2020). What a picture shows, its style and its family never enter: the
pictures are a set of PNG files, in the order of their hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from taxonomy.errors import ConfigError, DataError
from xmodal.bundle.encoder.augment import AugmentConfig, silhouettes, views
from xmodal.bundle.encoder.net import Head, Net, NetConfig, channels_last, coarser, mirrored_pair
from xmodal.features import classical

Progress = Callable[[int, int, str], None]
"""Called with (done, in all, a note)."""

_BATCH = 256

GENTLE = AugmentConfig(turn=0.05, scale=0.05, stretch=0.05, shear=0.05, shift=0.03, bend=0.03)
"""Views that change the style and hardly move."""


@dataclass(frozen=True, kw_only=True)
class EncoderTraining:
    """Every setting of the training."""

    seed: int = 0
    """Of the views, the weights, the batches and the dropout."""
    net: NetConfig = field(default_factory=NetConfig)
    strong: AugmentConfig = field(default_factory=AugmentConfig)
    gentle: AugmentConfig = GENTLE
    n_strong: int = 12
    """Strong views of a picture, drawn once."""
    n_gentle: int = 4
    """Gentle views of a picture, drawn once; the picture itself is one more."""
    n_steps: int = 800
    batch_size: int = 256
    """Pictures a step, two views each."""
    learning_rate: float = 2e-3
    """Largest, of one cycle."""
    weight_decay: float = 0.05
    temperature: float = 0.1
    head_hidden: int = 512
    head_width: int = 128
    learnt_share: float = 0.7
    """Spread of the learnt channels over that of the classical ones, in what is encoded."""

    def __post_init__(self) -> None:
        for name in ("n_steps", "batch_size", "head_hidden", "head_width"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("seed", "n_strong", "n_gentle"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must be at least 0, got {getattr(self, name)}")
        if self.n_strong + self.n_gentle < 1:
            raise ConfigError("n_strong and n_gentle must be 1 or more together, got 0")

    def as_dict(self) -> dict[str, Any]:
        """Every setting by name, nested."""
        return asdict(self)


def _generator(seed: int, purpose: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed * 1000 + purpose)


def view_bank(pixels: Tensor, config: EncoderTraining, progress: Progress | None = None) -> Tensor:
    """Classical tokens of each picture and of its views, drawn once.

    Args:
        pixels: uint8 [N, 3, 64, 64], on white.
        config: How many views, and how far off.
        progress: Called after each view of all pictures.

    Returns:
        float16 [V, N, 64, 58]; the first of V is the picture itself.
    """
    generator = _generator(config.seed, 1)
    n_views = 1 + config.n_strong + config.n_gentle
    shape = (n_views, len(pixels), classical.GRID**2, classical.WIDTH)
    bank = torch.empty(shape, dtype=torch.float16)
    parts = [part.float() / 255 for part in torch.split(pixels, _BATCH)]
    drawn = [silhouettes(part) for part in parts]
    for view in range(n_views):
        how = config.strong if view <= config.n_strong else config.gentle
        seen = (
            views(part, shape_of, generator, how) if view else part
            for part, shape_of in zip(parts, drawn, strict=True)
        )
        bank[view] = torch.cat([classical.encode(part).half() for part in seen])
        if progress is not None:
            progress(view + 1, n_views, "views")
    return bank


def contrast(points: Tensor, temperature: float) -> Tensor:
    """The loss of SimCLR; each view is to find the other one of its picture.

    Args:
        points: float32 [2 B, D]; row i and row B + i are views of one picture.
        temperature: Of the cosines.
    """
    points = F.normalize(points, dim=1)
    alike = points @ points.T / temperature
    alike = alike.masked_fill(torch.eye(len(points), dtype=torch.bool), float("-inf"))
    return F.cross_entropy(alike, torch.arange(len(points)).roll(len(points) // 2))


def train_net(bank: Tensor, config: EncoderTraining, progress: Progress | None = None) -> Net:
    """Train the net on a bank of views; the same bits for the same seed on one thread.

    Args:
        bank: float16 [V, N, 64, 58], as view_bank gives it.
        config: The settings.
        progress: Called after each step.

    Returns:
        The net in eval mode.

    Raises:
        DataError: A single picture: there is nothing to tell it from.
    """
    n_views, n_pictures = bank.shape[:2]
    size = min(config.batch_size, n_pictures)
    if n_pictures < 2:
        raise DataError(f"the encoder needs 2 training pictures or more, got {n_pictures}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        net = Net(config.net)
        head = Head(config.net, config.head_hidden, config.head_width)
    channels_last(net)
    generator = _generator(config.seed, 2)
    weights = [*net.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(weights, config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=config.n_steps + 1, pct_start=0.1
    )
    for step in range(config.n_steps):
        chosen = torch.randperm(n_pictures, generator=generator)[:size]
        first = torch.randint(n_views, (size,), generator=generator)
        second = (first + torch.randint(1, n_views, (size,), generator=generator)) % n_views
        batch = torch.cat([bank[first, chosen], bank[second, chosen]]).float()
        loss = contrast(head(net(batch, generator)), config.temperature)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
        if progress is not None:
            progress(step + 1, config.n_steps, f"loss {float(loss.detach()):.3f}")
    net.eval()
    return net


@torch.no_grad()
def apply_net(net: nn.Module, tokens: Tensor, mirrored: Tensor) -> tuple[Tensor, Tensor]:
    """Classical and learnt channels of pictures and their mirror images.

    Args:
        net: In eval mode.
        tokens: float32 [B, 64, 58], of the pictures.
        mirrored: float32 [B, 64, 58], of their mirror images.

    Returns:
        float32 [B, 16, 464] and float32 [B, 16, 2 n_channels].
    """
    plain = coarser(mirrored_pair(tokens, mirrored))
    return plain, mirrored_pair(net(tokens), net(mirrored))


def learnt_scale(net: Net, pixels: Tensor, learnt_share: float) -> float:
    """What the learnt channels are multiplied by; from the training pictures.

    Args:
        net: In eval mode.
        pixels: uint8 [N, 3, 64, 64].
        learnt_share: Spread of the learnt channels over that of the classical ones.
    """
    found: Sequence[list[Tensor]] = ([], [])
    for part in torch.split(pixels, _BATCH):
        seen = part.float() / 255
        pair = apply_net(net, classical.encode(seen), classical.encode(seen.flip(-1)))
        for kept, channels in zip(found, pair, strict=True):
            kept.append(channels.flatten(1))
    plain, learnt = (
        float(torch.cat(kept).double().var(0, unbiased=False).sum().sqrt()) for kept in found
    )
    return float(np.float32(learnt_share * plain / max(learnt, 1e-12)))
