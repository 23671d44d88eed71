"""Pixels of a dataset's images, by uri."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from taxonomy.errors import DataError
from xmodal.bundle.pictures import decode, load_pictures

BUNDLE = "bundle:"


def _on_white(
    image: Image.Image, side: int
) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """uint8 [side, side, 3]: the whole picture, as large as fits, centred on a white square."""
    image = image.convert("RGBA")
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    square = Image.new("RGBA", (side, side), "white")
    square.alpha_composite(image, ((side - image.width) // 2, (side - image.height) // 2))
    return np.array(square.convert("RGB"))


def read_pixels(
    uris: Sequence[str], hashes: Sequence[str], side: int, batch_size: int = 256
) -> Iterator[Tensor]:
    """Decode images in order.

    Args:
        uris: "bundle:<row>" for an embedded picture, else a file path.
        hashes: sha256 of each picture file as the dataset knows it.
        side: Width and height to fit each picture into, pixels.
        batch_size: Pictures a batch.

    Yields:
        float32 [B, 3, side, side], RGB in [0, 1] on white.

    Raises:
        DataError: A picture is missing, cannot be decoded, or is another one by now; names it.
    """
    bundled = None
    if any(uri.startswith(BUNDLE) for uri in uris):
        bundled = load_pictures()["png"]
    for start in range(0, len(uris), batch_size):
        batch = []
        stop = start + batch_size
        for uri, expected in zip(uris[start:stop], hashes[start:stop], strict=True):
            if bundled is not None and uri.startswith(BUNDLE):
                picture = Image.fromarray(decode(bundled[int(uri[len(BUNDLE) :])].as_py()))
            else:
                picture = _open(uri, expected)
            batch.append(_on_white(picture, side))
        yield torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float() / 255


def _open(uri: str, expected: str) -> Image.Image:
    """A picture file, decoded whole and turned as its camera says."""
    try:
        content = Path(uri).read_bytes()
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"picture {uri} cannot be decoded: {error}") from error
    if sha256(content).hexdigest() != expected:
        raise DataError(
            f"picture {uri} is not the one the dataset was built with; put it back or build "
            "the taxonomy anew"
        )
    if image.mode.startswith(("I", "F")):
        raise DataError(
            f"picture {uri} must have 8 bits a channel, got mode {image.mode}; convert it"
        )
    return image
