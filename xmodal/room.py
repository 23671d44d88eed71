"""What is said where a disk is full: one line that names the folder, whoever was writing."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taxonomy.errors import NoRoomError

_CODES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# DuckDB, pyarrow and safetensors give the system's words, numpy its own and no number
_WORDS = tuple(os.strerror(code) for code in _CODES)
_SHORT = re.compile(r"\d+ requested and \d+ written")
# DuckDB's temporary files may fill what was left of the disk when it opened the store
_SPILLED = "max_temp_directory_size"


def why_no_room(error: BaseException) -> str | None:
    """What the system says, where an error means that a file could not grow; else None.

    A full disk, a quota that is used up, and a limit on the size of files count.
    """
    if isinstance(error, OSError) and error.errno in _CODES:
        return os.strerror(error.errno)
    text = str(error)
    for words in _WORDS:
        if words in text:
            return words
    return _WORDS[0] if _SHORT.fullmatch(text) or _SPILLED in text else None


def no_room(folder: Path | str, why: str) -> NoRoomError:
    """The error to raise.

    Args:
        folder: Where it was to be written.
        why: See why_no_room.
    """
    if why == os.strerror(errno.EFBIG):
        limit = "a file there may not grow any more, see `ulimit -f`"
        return NoRoomError(f"no room in {folder} ({why}): {limit}; then give the command again")
    return NoRoomError(f"no room in {folder} ({why}): make room, then give the command again")


@contextmanager
def room_in(folder: Path | str) -> Iterator[None]:
    """Say it of what is written into a folder.

    Raises:
        NoRoomError: The disk is full.
    """
    try:
        yield
    except NoRoomError:
        raise
    except Exception as error:  # each library that writes has errors of its own
        if why := why_no_room(error):
            raise no_room(folder, why) from error
        raise
