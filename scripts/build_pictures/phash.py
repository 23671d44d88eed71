"""Perceptual hash and pixel distance of 64 px pictures."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

_SIZE = 32
_KEPT = 8


def pixels(png: bytes) -> np.ndarray:
    """uint8 [64, 64, 3] RGB of a PNG."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def phash(png: bytes) -> int:
    """64 bits: the signs of the low frequencies of the grey picture about their median.

    The 8 x 8 lowest coefficients of the cosine transform of the 32 x 32 grey picture,
    first row of the lowest frequency first; bit 63 is the constant one.
    """
    grey = Image.open(io.BytesIO(png)).convert("L").resize((_SIZE, _SIZE), Image.Resampling.BOX)
    basis = np.cos(np.pi / _SIZE * np.outer(np.arange(_KEPT), np.arange(_SIZE) + 0.5))
    low = basis @ np.asarray(grey, dtype=np.float64) @ basis.T
    bits = (low > np.median(low)).ravel()
    return int(np.packbits(bits).view(">u8")[0])


def hamming(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The number of bits in which two broadcastable uint64 arrays differ."""
    return np.bitwise_count(first ^ second)
