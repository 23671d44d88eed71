"""The form that asks about a picture, read with limits."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from xmodal.serve.guard import TooLargeError, limited

MOST_BYTES = 10_000_000
"""Of a picture's file."""
_FORM_BYTES = 64 * 1024
"""Of everything else in the form."""
_SECONDS = 120.0
"""Until a form must be here whole."""
_FIELDS = ("run", "dataset", "image", "concepts")


@dataclass(frozen=True)
class Asked:
    """A form, read."""

    fields: dict[str, str]
    content: bytes
    """Of the picture's file; empty where none was sent."""
    file_name: str
    """As the browser says it: to show, nothing else."""

    def params(self) -> dict[str, str]:
        """The fields by name; what was not sent is empty."""
        return {name: self.fields.get(name, "") for name in _FIELDS}

    def names(self) -> list[str]:
        """Concepts, with commas or new lines between."""
        parts = re.split(r"[,\n]", self.fields.get("concepts", ""))
        return [part.strip() for part in parts if part.strip()]


async def read_asked(request: Request) -> Asked:
    """Read the form of a request, part by part as it comes.

    Raises:
        HTTPException: 413 too large, 415 another kind of body, 408 too slow, 400 damaged.
    """
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        raise HTTPException(415, "send the form as multipart/form-data")
    most = MOST_BYTES + _FORM_BYTES
    said = request.headers.get("content-length", "0")
    if not (said.isascii() and said.isdecimal()) or int(said) > most:
        raise HTTPException(413, _too_large())
    # what has a type of its own from python-multipart is damaged, and MultiPartException says so
    parser = MultiPartParser(
        request.headers,
        limited(request.stream(), most),  # type: ignore[arg-type]
        max_files=1,
        max_fields=len(_FIELDS) + 2,
        max_part_size=_FORM_BYTES,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            form = await parser.parse()
    except TooLargeError as error:
        raise HTTPException(413, _too_large()) from error
    except TimeoutError as error:
        raise HTTPException(408, "the form came too slowly") from error
    except (MultiPartException, UnicodeDecodeError, LookupError) as error:
        raise HTTPException(
            400, "the form is damaged, or holds too many or too long parts"
        ) from error
    fields = {name: one for name, one in form.items() if isinstance(one, str)}
    sent = form.get("picture")
    try:
        if not isinstance(sent, UploadFile):
            return Asked(fields, b"", "")
        content = await sent.read()
        if len(content) > MOST_BYTES:
            raise HTTPException(413, _too_large())
        return Asked(fields, content, (sent.filename or "")[:100])
    finally:
        await form.close()


def _too_large() -> str:
    return f"the picture is too large: {MOST_BYTES // 1_000_000} MB at most"
