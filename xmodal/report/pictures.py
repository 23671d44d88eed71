"""Small copies of a dataset's pictures, for pages."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from PIL import Image

from taxonomy.sources.picture_files import PictureError, read_picture_bytes
from xmodal.bundle.pictures import load_pictures
from xmodal.features.encoders.preparation import opaque
from xmodal.features.pictures import BUNDLE, BadPictureError, picture_of
from xmodal.report.facts.dataset import images
from xmodal.store import Store

SIDE = 96
"""Pixels of the longer side, at most; smaller pictures are not made larger."""
MEDIA_TYPE = "image/webp"
_QUALITY = 75


@dataclass(frozen=True)
class Thumbnail:
    """A small copy of one picture, or why there is none."""

    content: bytes | None
    """A WebP file; None where the picture cannot be shown."""
    reason: str = ""
    """Why not, without the file's place."""


def thumbnail(store: Store, dataset_id: str, image_id: int, side: int = SIDE) -> Thumbnail:
    """A small copy of one picture of a dataset.

    Args:
        store: Open, to read.
        dataset_id: A whole id.
        image_id: Of the dataset's images.
        side: Pixels of the longer side at most.
    """
    row = images(store, dataset_id, [image_id]).get(image_id)
    if row is None:
        return Thumbnail(None, "the dataset has no such picture")
    return small_copy(row["uri"], row["sha256"], side)


def small_copy(uri: str, expected: str, side: int = SIDE) -> Thumbnail:
    """A small copy of the picture that a dataset was built with, never of another file.

    Args:
        uri: "bundle:<row>" for an embedded picture, else a file's path.
        expected: sha256 of the file as the dataset knows it.
        side: Pixels of the longer side at most.
    """
    try:
        image = picture_of(picture_bytes(uri, expected), "picture")
    except (PictureError, BadPictureError) as error:
        return Thumbnail(None, error.reason if isinstance(error, BadPictureError) else str(error))
    return Thumbnail(as_thumbnail(image, side))


def picture_bytes(uri: str, expected: str) -> bytes:
    """The file of a picture that a dataset was built with, never another one.

    Args:
        uri: "bundle:<row>" for an embedded picture, else a file's path.
        expected: sha256 of the file as the dataset knows it.

    Raises:
        PictureError: It is gone, or another one by now.
    """
    content = _content(uri)
    if sha256(content).hexdigest() != expected:
        raise PictureError("its file is not the one the dataset was built with any more")
    return content


def as_thumbnail(image: Image.Image, side: int = SIDE) -> bytes:
    """A WebP file of a picture on white, its longer side at most so many pixels."""
    small = opaque(image).copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "WEBP", quality=_QUALITY, method=4)
    return file.getvalue()


def _content(uri: str) -> bytes:
    if not uri.startswith(BUNDLE):
        return read_picture_bytes(Path(uri))
    row = uri.removeprefix(BUNDLE)
    if not row.isdecimal() or int(row) >= len(_bundled()):
        raise PictureError("the package has no such picture")
    content: bytes = _bundled()[int(row)].as_py()
    return content


@functools.cache
def _bundled() -> Any:
    return load_pictures()["png"]
