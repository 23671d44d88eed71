"""The emoji pictures of the bundle."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from taxonomy.errors import DataError
from xmodal.bundle.files import data_file

__all__ = ["data_file", "decode", "load_pictures", "pictures_path"]

SIDE = 64
"""Width and height of every picture, pixels."""


def pictures_path() -> Path:
    """The Parquet file with the pictures."""
    return data_file("pictures.parquet")


def load_pictures() -> pa.Table:
    """All pictures, one row each, sorted by concept, style and glyph.

    Returns:
        image_id int32 (the row number), concept, synset ("parrot.n.01"), wn_offset int32,
        style, family, split (train, validation or test; null for inner nodes), emoji (the
        glyph's name), sha256 (of png), license, attribution, phash uint64, png binary.
    """
    return pq.read_table(pictures_path())


def decode(png: bytes) -> NDArray[np.uint8]:
    """The pixels of a bundled picture.

    Args:
        png: A 64 x 64 PNG, as in the column of that name.

    Returns:
        uint8 [64, 64, 4], RGBA in sRGB; the bundle's pictures lie on opaque white.

    Raises:
        DataError: The bytes are no PNG, cut short, or of another size.
    """
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            pixels = np.array(image.convert("RGBA"))
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"a picture of {len(png)} bytes cannot be decoded: {error}") from error
    if pixels.shape != (SIDE, SIDE, 4):
        height, width = pixels.shape[:2]
        raise DataError(f"a picture must be {SIDE} x {SIDE} pixels, got {width} x {height}")
    return pixels
