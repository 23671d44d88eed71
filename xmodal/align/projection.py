"""The only trained part: from features to rows of unit length that both sides share."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from taxonomy.errors import ConfigError, DataError
from taxonomy.hashing import hash63
from taxonomy.model import one_of

KINDS = ("mlp", "linear", "identity")
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": nn.functional.relu,
    "gelu": nn.functional.gelu,
    "swish": nn.functional.silu,
}
PAPER_SCALE = math.exp(2.6592)
"""14.28: S2's factor of the cosines, CLIP's at its start."""
MAX_WIDTH = 1_000_000
"""Channels, at most: far more than fit in memory."""
_MASK_ROWS = 256
"""Rows of a batch whose dropout is drawn together, however the batch is split."""


@dataclass(frozen=True, kw_only=True)
class ProjectionConfig:
    """Shape of one side's projection. The defaults are those of S2's text side."""

    kind: str = "mlp"
    """mlp: linear layers with BatchNorm, activation and dropout between; linear: one layer;
    identity: the features as they are."""
    depth: int = 4
    """Linear layers of mlp."""
    width: int = 4096
    """Channels between the layers of mlp."""
    activation: str = "relu"
    """Between the layers of mlp: relu, gelu or swish (SiLU)."""
    dropout: float = 0.2
    """Share of the hidden values of mlp."""

    def __post_init__(self) -> None:
        one_of("projection kind", self.kind, KINDS)
        one_of("activation", self.activation, tuple(ACTIVATIONS))
        if self.depth < 2:
            raise ConfigError(
                f"depth of an mlp must be at least 2, got {self.depth}: one layer is kind linear"
            )
        if self.width < 1:
            raise ConfigError(f"width must be at least 1, got {self.width}")
        for name, most in (("depth", 1000), ("width", MAX_WIDTH)):
            if getattr(self, name) > most:
                raise ConfigError(f"{name} must be at most {most}, got {getattr(self, name)}")
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigError(f"dropout must be in [0, 1), got {self.dropout}")


@dataclass(frozen=True, kw_only=True)
class AlignerConfig:
    """Both sides and the factor of their cosines. Dt and Dv: widths of text and image features."""

    text: ProjectionConfig = field(default_factory=ProjectionConfig)
    image: ProjectionConfig = field(default_factory=lambda: ProjectionConfig(kind="identity"))
    dim: int | None = None
    """Channels that the sides share where both are projected, None for Dv. Where one side is the
    identity, its width is theirs."""
    scale: float = PAPER_SCALE
    """Factor of the cosines in the loss; where it is learned, at the start."""
    learned_scale: bool = False
    """Learn the factor's logarithm, without weight decay, up to a factor of 100, as CLIP does."""
    bf16: bool = False
    """Matrix products of the projections in bfloat16; parameters, statistics and loss stay as
    they are."""

    def __post_init__(self) -> None:
        if not 0 < self.scale <= MAX_SCALE:
            raise ConfigError(f"scale must be above 0 and at most {MAX_SCALE:g}, got {self.scale}")
        kinds = {self.text.kind, self.image.kind}
        if kinds == {"identity"}:
            raise ConfigError("text and image are both kind identity: nothing would be trained")
        if self.dim is not None and "identity" in kinds:
            raise ConfigError(
                f"dim is for two projected sides, got {self.dim} with a side of kind identity: "
                "leave it out"
            )
        if self.dim is not None and self.dim < 1:
            raise ConfigError(f"dim must be at least 1, got {self.dim}")
        if self.dim is not None and self.dim > MAX_WIDTH:
            raise ConfigError(f"dim must be at most {MAX_WIDTH}, got {self.dim}")

    def shared_width(self, text_width: int, image_width: int) -> int:
        """D, the channels of the embeddings of both sides."""
        if self.image.kind == "identity":
            return image_width
        if self.text.kind == "identity":
            return text_width
        return self.dim or image_width

    def as_dict(self) -> dict[str, Any]:
        """Every setting by name, nested."""
        return asdict(self)


MAX_SCALE = 100.0


@dataclass(frozen=True)
class Masks:
    """Which hidden values the dropout of one step keeps: a function of seed, side, layer, row.

    Drawn by blocks of rows at fixed places, so that it is the same in whichever parts the batch
    is looked at, and again when a part is looked at twice.
    """

    seed: int

    def of_side(self, side: str) -> Masks:
        """Those of the text or of the image projection."""
        return replace(self, seed=hash63(self.seed, side))

    def dropped(self, hidden: Tensor, layer: int, start: int, ratio: float) -> Tensor:
        """Hidden values with dropout.

        Args:
            hidden: float [R, width], rows start to start + R of the batch.
            layer: Which hidden layer.
            start: Of the first row.
            ratio: Share of values set to zero; the others are scaled up.
        """
        first, stop = start // _MASK_ROWS, start + len(hidden)
        drawn = []
        generator = torch.Generator(hidden.device)
        for block in range(first, math.ceil(stop / _MASK_ROWS)):
            generator.manual_seed(hash63(self.seed, layer, block))
            shape = (_MASK_ROWS, hidden.shape[1])
            at = block * _MASK_ROWS
            one = torch.rand(shape, generator=generator, device=hidden.device) >= ratio
            drawn.append(one[max(start - at, 0) : stop - at])
        keep = drawn[0] if len(drawn) == 1 else torch.cat(drawn)
        return hidden * (keep.to(hidden.dtype) / (1.0 - ratio))


class Projection(nn.Module):
    """One side: features [B, Din] to [B, D], not yet of unit length."""

    def __init__(self, config: ProjectionConfig, width_in: int, width_out: int) -> None:
        """Draw the weights from torch's global generator.

        Args:
            config: Shape.
            width_in: Din, channels of the features.
            width_out: D; for kind identity it is Din.
        """
        super().__init__()
        self.config = config
        self.width_in, self.width_out = width_in, width_out
        n_hidden = config.depth - 1 if config.kind == "mlp" else 0
        widths = [width_in, *[config.width] * n_hidden, width_out]
        if config.kind == "identity":
            widths = [width_in]
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm1d(config.width) for _ in range(n_hidden))

    def forward(self, features: Tensor, masks: Masks | None = None) -> Tensor:
        """Project a batch at once.

        Args:
            features: float [B, Din].
            masks: Dropout of this step and side, in training only.

        Returns:
            float [B, D].
        """
        hidden = features
        for layer in range(len(self.linears)):
            hidden = self.linear(layer)(hidden)
            if layer < len(self.norms):
                hidden = self.after_norm(self.norm(layer)(hidden), layer, 0, masks)
        return hidden

    def linear(self, layer: int) -> nn.Linear:
        """A linear layer, from 0."""
        found = self.linears[layer]
        assert isinstance(found, nn.Linear)
        return found

    def norm(self, layer: int) -> nn.BatchNorm1d:
        """The BatchNorm after a linear layer; the last has none."""
        found = self.norms[layer]
        assert isinstance(found, nn.BatchNorm1d)
        return found

    def after_norm(self, normed: Tensor, layer: int, start: int, masks: Masks | None) -> Tensor:
        """Activation and dropout of a hidden layer, for rows from start on: [R, width]."""
        hidden = ACTIVATIONS[self.config.activation](normed)
        if self.training and self.config.dropout and masks is not None:
            hidden = masks.dropped(hidden, layer, start, self.config.dropout)
        return hidden


class Aligner(nn.Module):
    """Both projections and the factor of the cosines."""

    def __init__(self, config: AlignerConfig, text_width: int, image_width: int) -> None:
        """Draw the weights from torch's global generator.

        Args:
            config: Shape.
            text_width: Dt.
            image_width: Dv.
        """
        super().__init__()
        self.config = config
        width = config.shared_width(text_width, image_width)
        self.text = Projection(config.text, text_width, width)
        self.image = Projection(config.image, image_width, width)
        self.log_scale: nn.Parameter | None = None
        if config.learned_scale:
            self.log_scale = nn.Parameter(torch.tensor(math.log(config.scale)))

    @property
    def like(self) -> Tensor:
        """A parameter, for device and dtype."""
        return next(self.parameters())

    def scale(self) -> Tensor:
        """Factor of the cosines, a scalar."""
        if self.log_scale is None:
            return self.like.new_tensor(self.config.scale)
        return self.log_scale.exp()

    @torch.no_grad()
    def clamp_scale(self) -> None:
        """Hold a learned factor to 100 at most."""
        if self.log_scale is not None:
            self.log_scale.clamp_(max=math.log(MAX_SCALE))

    def side(self, name: str) -> Projection:
        """The projection of text or image."""
        return self.text if name == "text" else self.image

    def embed(self, side: str, features: Tensor, masks: Masks | None = None) -> Tensor:
        """Rows of unit length that both sides share.

        Args:
            side: text or image.
            features: float [B, Dt] or [B, Dv].
            masks: Dropout of this step, in training only.

        Returns:
            float [B, D].

        Raises:
            DataError: The features have another width.
        """
        projection = self.side(side)
        self.check(side, features)
        with self.precision(features.device):
            out = projection(features, masks.of_side(side) if masks else None)
        return unit_rows(out.to(features.dtype))

    def check(self, side: str, features: Tensor) -> None:
        """Raise DataError unless features are [B, Dt] or [B, Dv]."""
        width = self.side(side).width_in
        if features.ndim != 2 or features.shape[1] != width:
            raise DataError(
                f"{side} features must be [B, {width}] as the {side} projection was made for, got "
                f"{list(features.shape)}: take the features that it was trained on"
            )

    def precision(self, device: torch.device) -> AbstractContextManager[Any]:
        """What the matrix products of the projections are computed in."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.config.bf16)


def unit_rows(rows: Tensor) -> Tensor:
    """float [B, D] with each row divided by its length."""
    return nn.functional.normalize(rows, dim=1)
