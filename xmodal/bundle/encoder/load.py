"""The shipped encoder: classical patch tokens beside learnt ones, blind to the side it faces."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from taxonomy.errors import DataError
from taxonomy.reading import read_bytes, read_object, record_of, value_of
from xmodal.bundle.encoder.net import Net, NetConfig, channels_last
from xmodal.bundle.encoder.train import apply_net
from xmodal.bundle.files import data_file
from xmodal.features import classical
from xmodal.features.encoders.preparation import Preparation
from xmodal.features.pca import one_thread
from xmodal.tensors import filled, parse_tensors

NAME = "embedded-ssl"
WEIGHTS, RECIPE, PICTURES = "encoder.safetensors", "recipe.json", "training_pictures.txt"
SCALE = "learnt_scale"
_AT_A_TIME = 64


@dataclass(frozen=True)
class EmbeddedEncoder:
    """A frozen encoder and what it was trained on."""

    version: str
    """First 16 digits of the sha256 of its weights file."""
    training_pictures: frozenset[str]
    """sha256 of the PNG of every picture that it was trained on."""
    net: Net
    scale: Tensor
    """float32 [], what the learnt channels are multiplied by."""
    name: str = NAME
    weights_sha256: str | None = None
    """Hash of the weights file, whole."""
    batch_size: int = 256
    """Pictures that it likes to see at once."""

    @property
    def side(self) -> int:
        """Width and height of the pictures it takes, pixels."""
        return classical.SIDE

    @property
    def preparation(self) -> Preparation:
        """How a picture becomes pixels: as for the classical encoder."""
        return Preparation(side=classical.SIDE)

    @property
    def revision(self) -> str:
        """The version."""
        return self.version

    @torch.no_grad()
    def encode(self, pixels: Tensor) -> Tensor:
        """Patch tokens of pictures, on one thread.

        Args:
            pixels: float32 [B, 3, 64, 64], RGB in [0, 1] on white.

        Returns:
            float32 [B, 16, 464 + 2 n_channels], patches of a 4 x 4 grid in reading order:
            half the sum and half the distance between the picture and its mirror image, of
            the classical channels first, then of the learnt ones.
        """
        if pixels.shape[1:] != (3, self.side, self.side):
            raise ValueError(
                f"pixels must be [B, 3, {self.side}, {self.side}], got {list(pixels.shape)}"
            )
        with one_thread():
            return torch.cat([self._encode(part) for part in torch.split(pixels, _AT_A_TIME)])

    def _encode(self, pixels: Tensor) -> Tensor:
        plain, learnt = apply_net(
            self.net, classical.encode(pixels), classical.encode(pixels.flip(-1))
        )
        return torch.cat([plain, learnt * self.scale], dim=2)


def read_encoder(folder: Path) -> EmbeddedEncoder:
    """An encoder that `xmodal bundle train-encoder` made.

    Raises:
        DataError: A file is missing, damaged, or not the one that the recipe names.
    """
    try:
        return _read_encoder(folder)
    except DataError as error:
        raise DataError(f"{folder} holds no whole encoder: {error}") from error


def _read_encoder(folder: Path) -> EmbeddedEncoder:
    advice = "install xmodal again"
    recipe = read_object(folder / RECIPE)
    where = str(folder / RECIPE)
    hashes = value_of(dict[str, str], recipe.get("sha256"), f"sha256 of {where}")
    training = value_of(dict[str, Any], recipe.get("training"), f"training of {where}")
    config = record_of(NetConfig, training.get("net"), f"net of {where}")
    content, listed = (read_bytes(folder / name) for name in (WEIGHTS, PICTURES))
    for name, got in ((WEIGHTS, content), (PICTURES, listed)):
        if (digest := sha256(got).hexdigest()) != hashes.get(name):
            raise DataError(
                f"{folder / name} is not the one of its recipe: its sha256 must be "
                f"{hashes.get(name)}, got {digest}; {advice}"
            )
    tensors = parse_tensors(content, folder / WEIGHTS, advice)
    if (scale := tensors.pop(SCALE, None)) is None:
        raise DataError(f"{folder / WEIGHTS} has no tensor {SCALE}; {advice}")
    net = filled(folder / WEIGHTS, lambda: Net(config), tensors, advice)
    channels_last(net.eval())
    return EmbeddedEncoder(
        version=sha256(content).hexdigest()[:16],
        training_pictures=frozenset(listed.decode().split()),
        net=net.requires_grad_(False),
        scale=scale,
        weights_sha256=sha256(content).hexdigest(),
    )


@lru_cache(maxsize=1)
def load_encoder() -> EmbeddedEncoder:
    """The encoder that ships with the package."""
    return read_encoder(data_file(f"encoder/{RECIPE}").parent)
