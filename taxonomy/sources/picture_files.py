"""Pictures out of bytes that may be anything: damaged, of another kind, or made to fill memory."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from taxonomy.errors import DataError
from taxonomy.reading import check_name

MOST_PIXELS = 89_478_485
"""Width times height of a picture, at most: a file of some kilobytes can name billions."""
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TGA", "TIFF", "WEBP")
"""Of Pillow's: what is left out runs other programs (EPS) or is no picture of pixels."""
_HEADER = (
    *(ArithmeticError, EOFError, MemoryError, OSError, SyntaxError, ValueError),
    *(struct.error, zlib.error),
)
"""What Pillow raises on the beginning of a file that is cut or changed."""
_DAMAGE = (*_HEADER, LookupError, TypeError, Image.DecompressionBombError)
"""And on what follows: it trips over camera notes whose types are wrong."""


class PictureError(Exception):
    """Bytes that are no picture that can be used; the message says why, and names no file."""


def check_header(content: bytes) -> None:
    """See that bytes begin like a picture of a size that can be decoded.

    Raises:
        PictureError: They do not.
    """
    _opened(content)


def check_whole(content: bytes) -> None:
    """See that a picture's checksums hold and that it decodes to the last pixel.

    Raises:
        PictureError: It does not.
    """
    image = _opened(content)
    try:
        with _quiet():
            image.verify()  # ends the use of this opening
    except _DAMAGE as error:
        raise PictureError(_reason(error)) from error
    image = _opened(content)
    try:
        with _quiet():
            image.load()
    except _DAMAGE as error:
        raise PictureError(_reason(error)) from error


def upright(content: bytes) -> Image.Image:
    """A picture, decoded whole and turned as its camera says.

    Raises:
        PictureError: It cannot be decoded, or has too many pixels.
    """
    image = _opened(content)
    try:
        with _quiet():
            turned = ImageOps.exif_transpose(image)
            turned.load()
    except _DAMAGE as error:
        raise PictureError(_reason(error)) from error
    return turned


def read_picture_bytes(path: Path) -> bytes:
    """The bytes of a picture's file.

    Raises:
        PictureError: There is no such file, or it cannot be read.
    """
    try:
        check_name(path)
        return path.read_bytes()
    except DataError as error:
        raise PictureError("no file can have that name") from error
    except OSError as error:
        raise PictureError(error.strerror or str(error)) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Pillow's warnings: of sizes, for which there is a limit here, and camera notes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _opened(content: bytes) -> Image.Image:
    try:
        with _quiet():
            image = Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise PictureError(f"it has more than {MOST_PIXELS} pixels") from error
    except _HEADER as error:
        raise PictureError(_reason(error)) from error
    if image.width * image.height > MOST_PIXELS:
        raise PictureError(
            f"it has {image.width} x {image.height} pixels, more than {MOST_PIXELS}: make it "
            "smaller"
        )
    return image


def _reason(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):  # it names a place in memory
        return f"cannot identify image file: it is none of {', '.join(FORMATS)}"
    return str(error) or type(error).__name__
