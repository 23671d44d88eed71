"""Pixels of a dataset's images, by uri."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from taxonomy.errors import DataError
from taxonomy.sources.picture_files import PictureError, read_picture_bytes, upright
from xmodal.bundle.pictures import decode, load_pictures
from xmodal.features.encoders.preparation import Pixels, Preparation

BUNDLE = "bundle:"


class BadPictureError(DataError):
    """A picture file that is missing or cannot be decoded; the message names it."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type[BadPictureError], tuple[str, str]]:
        """It comes out of worker processes."""
        return type(self), (str(self), self.reason)


def read_pixels(
    uris: Sequence[str],
    hashes: Sequence[str],
    prepared: int | Preparation,
    batch_size: int = 256,
) -> Iterator[Tensor]:
    """Decode images in order.

    Args:
        uris: "bundle:<row>" for an embedded picture, else a file path.
        hashes: sha256 of each picture file as the dataset knows it.
        prepared: How a picture becomes a square; a number of pixels for the whole picture on
            white.
        batch_size: Pictures a batch.

    Yields:
        float32 [B, 3, side, side], RGB in [0, 1].

    Raises:
        DataError: A picture is missing, cannot be decoded, or is another one by now; names it.
    """
    prepare = Preparation(side=prepared) if isinstance(prepared, int) else prepared
    for start in range(0, len(uris), batch_size):
        stop = start + batch_size
        pairs = zip(uris[start:stop], hashes[start:stop], strict=True)
        yield as_tensor(np.stack([read_picture(uri, known, prepare) for uri, known in pairs]))


def read_picture(uri: str, expected: str, prepare: Preparation) -> Pixels:
    """One picture, uint8 [side, side, 3].

    Raises:
        BadPictureError: It is missing or cannot be decoded.
        DataError: It is another one than the dataset was built with.
    """
    if uri.startswith(BUNDLE):
        image = Image.fromarray(decode(_bundled()[int(uri[len(BUNDLE) :])].as_py()))
    else:
        image = _open(uri, expected)
    return prepare(image)


def as_tensor(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> Tensor:
    """uint8 [B, side, side, 3] to float32 [B, 3, side, side] in [0, 1]."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


@functools.cache
def _bundled() -> Any:
    return load_pictures()["png"]


def picture_of(content: bytes, name: str) -> Image.Image:
    """A picture out of a file's bytes, decoded whole and turned as its camera says.

    Args:
        content: Of one of the kinds of taxonomy.sources.picture_files.
        name: What to call it in messages.

    Raises:
        BadPictureError: It cannot be decoded, or has more than 8 bits a channel.
    """
    return _eight_bits(_decoded(content, name), name)


def _open(uri: str, expected: str) -> Image.Image:
    """A picture file that the dataset was built with."""
    try:
        content = read_picture_bytes(Path(uri))
    except PictureError as error:
        raise _undecodable(uri, error) from error
    image = _decoded(content, uri)
    if sha256(content).hexdigest() != expected:
        raise DataError(
            f"picture {uri} is not the one the dataset was built with; put it back or build "
            "the taxonomy anew"
        )
    return _eight_bits(image, uri)


def _decoded(content: bytes, name: str) -> Image.Image:
    try:
        return upright(content)
    except PictureError as error:
        raise _undecodable(name, error) from error


def _undecodable(name: str, error: Exception) -> BadPictureError:
    return BadPictureError(f"picture {name} cannot be decoded: {error}", str(error))


def _eight_bits(image: Image.Image, name: str) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        reason = f"must have 8 bits a channel, got mode {image.mode}; convert it"
        raise BadPictureError(f"picture {name} {reason}", reason)
    return image
