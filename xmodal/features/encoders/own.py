"""The encoders of the package behind the common interface."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from xmodal.features import classical
from xmodal.features.encoders.encoder import Encoder
from xmodal.features.encoders.preparation import Preparation


@dataclass(frozen=True)
class Classical:
    """Oriented gradients, colour and coverage; see xmodal.features.classical."""

    name: str = "classical"
    version: str = classical.VERSION
    revision: str = classical.VERSION
    weights_sha256: str | None = None
    preparation: Preparation = field(default_factory=lambda: Preparation(side=classical.SIDE))
    training_pictures: frozenset[str] = frozenset()
    batch_size: int = 256

    def encode(self, pixels: Tensor) -> Tensor:
        """float32 [B, 3, 64, 64] to [B, 64, 58]."""
        return classical.encode(pixels)


def embedded_ssl() -> Encoder:
    """The encoder that the bundle ships, trained without labels; see xmodal.bundle.encoder."""
    from xmodal.bundle.encoder.load import load_encoder

    return load_encoder()
