"""How a picture of any size becomes the square that an encoder sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

Pixels = np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]
"""[side, side, 3], RGB."""


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """A square of `side` pixels out of a picture, whatever lies behind it white."""

    side: int
    """Width and height, pixels."""
    fit: str = "pad"
    """pad: the whole picture, as large as fits, centred on white. square: both sides resized to
    `before`, whatever their ratio. crop: the shortest side resized to `before`. Of what is
    larger than side after that, the centre is cut out."""
    before: int | None = None
    """Pixels before the cut; None for side."""
    resample: int = int(Image.Resampling.LANCZOS)
    """Filter, as Pillow counts them."""

    def __call__(self, image: Image.Image) -> Pixels:
        """The pixels that the encoder sees.

        Args:
            image: Of any mode with 8 bits a channel.
        """
        if self.fit == "pad":
            return _on_white(image, self.side, self.resample)
        before = self.before or self.side
        if self.fit == "square":
            size = (before, before)
        else:
            # as transformers rounds it: down
            long = int(before * max(image.size) / min(image.size))
            size = (before, long) if image.width <= image.height else (long, before)
        image = opaque(image).resize(size, Image.Resampling(self.resample))
        left, top = (image.width - self.side) // 2, (image.height - self.side) // 2
        return np.array(image.crop((left, top, left + self.side, top + self.side)))


def opaque(image: Image.Image) -> Image.Image:
    """RGB; what is transparent shows white."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return white.convert("RGB")


def _on_white(image: Image.Image, side: int, resample: int) -> Pixels:
    """The whole picture, as large as fits, centred on a white square."""
    image = image.convert("RGBA")
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if size != image.size:
        image = image.resize(size, Image.Resampling(resample))
    square = Image.new("RGBA", (side, side), "white")
    square.alpha_composite(image, ((side - image.width) // 2, (side - image.height) // 2))
    pixels: Any = np.array(square.convert("RGB"))
    return pixels  # type: ignore[no-any-return]
