"""A card's projector and encoder as objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from torch import Tensor

from taxonomy.errors import DataError
from xmodal.features.encoders.encoder import Encoder
from xmodal.features.encoders.load import load_encoder as encoder_of
from xmodal.features.new_pictures import encoded
from xmodal.features.pca import Pca
from xmodal.sharing.config import CardConfig, checked_pca, checked_projector, read_config
from xmodal.vlm.projector import Projector
from xmodal.vlm.run_folder import RunFolder

PictureEncoder = Callable[[Image.Image], Tensor]
"""From a picture to its features, float32 [1, P, Dv]."""


def load_projector(folder: Path) -> Projector:
    """The projector of a card; see xmodal.load_projector."""
    config = read_config(folder)
    checked_projector(folder, config)
    return RunFolder(folder).load_projector()


def load_encoder(folder: Path, device: str = "cpu") -> PictureEncoder:
    """What makes features of new pictures for a card's projector; see xmodal.load_encoder."""
    config = read_config(folder)
    pool = checked_pca(folder, config)
    encoder = encoder_of(config.features.config, device)
    want = config.features.encoder_version
    if encoder.version != want:
        raise DataError(
            f"encoder {config.features.config.encoder!r} is version {encoder.version} here, the "
            f"card's features were made by {want}: bring that one"
        )
    return _PictureEncoder(config, encoder, pool)


@dataclass(frozen=True)
class _PictureEncoder:
    config: CardConfig
    encoder: Encoder
    pool: Pca | None

    def __call__(self, image: Image.Image) -> Tensor:
        return encoded(
            self.encoder.preparation(image), self.encoder, self.config.features.config, self.pool
        )
