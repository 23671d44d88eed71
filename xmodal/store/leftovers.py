"""Files in which a new store is made, and what of them killed processes left."""

from __future__ import annotations

import glob
import os
from contextlib import suppress
from pathlib import Path


def own_name(path: Path) -> Path:
    """Where this process makes a new store, beside its place."""
    return path.with_name(f".{path.name}.{os.getpid()}.new")


def remove_left(path: Path) -> None:
    """Remove what was begun for a store by processes that live no more."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.new"):
        pid = left.name.removeprefix(f".{path.name}.").removesuffix(".new")
        if pid.isdecimal() and (int(pid) == os.getpid() or not _lives(int(pid))):
            remove(left)


def remove(made: Path) -> None:
    """Remove a store in the making and its log, where they are there."""
    with suppress(OSError):
        made.unlink(missing_ok=True)
        made.with_name(f"{made.name}.wal").unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    if os.name != "posix":  # elsewhere the question would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
