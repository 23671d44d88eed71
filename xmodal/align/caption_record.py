"""One pair of caption and picture as a file has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taxonomy.sources.picture_files import PictureError, read_picture_bytes
from xmodal.features.pictures import BadPictureError


@dataclass(frozen=True)
class Record:
    """One pair, whole or not."""

    file: Path
    """Where it is from."""
    key: str
    """What its file calls it."""
    caption: str
    """Without white space around it; empty where there is none."""
    picture: bytes | Path | None
    """The bytes of its file, or where that lies; None where there is none."""

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.key} of {self.file}"

    def read(self) -> bytes:
        """The bytes of the picture's file.

        Raises:
            BadPictureError: There is none.
        """
        if self.picture is None:
            raise BadPictureError(f"{self.name} has no picture", "no picture")
        if isinstance(self.picture, bytes):
            return self.picture
        try:
            return read_picture_bytes(self.picture)
        except PictureError as error:
            raise BadPictureError(
                f"picture {self.picture} of {self.name} cannot be read: {error}", str(error)
            ) from error


def clean(caption: Any) -> str:
    """A caption without white space around it; empty if it is no text."""
    return valid(caption.strip()) if isinstance(caption, str) else ""


def valid(text: str) -> str:
    """A text with ? for what is no character, such as half a pair of surrogates."""
    return text.encode("utf-8", "replace").decode()
