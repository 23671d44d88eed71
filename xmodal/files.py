"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path

from taxonomy.errors import DataError


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let write fill a temporary file beside path, fsync it and rename it to path.

    Args:
        path: Where the file ends up; its folder must exist.
        write: Fills the file at the path it is given.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    made = Path(name)
    try:
        write(made)
        with made.open("rb") as file:
            os.fsync(file.fileno())
        made.chmod(0o644)
        os.replace(made, path)
    finally:
        made.unlink(missing_ok=True)


def make_folder(folder: Path, what: str) -> None:
    """Make a folder, unless it is there.

    Args:
        folder: Its path.
        what: What it is for, such as "the demo's folder".

    Raises:
        DataError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{folder} cannot be {what}: {error.strerror}") from error


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes, read piece by piece."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


@contextmanager
def own(folder: Path) -> Iterator[None]:
    """Have a folder for this process alone; a killed one gives it back.

    Raises:
        DataError: Another process has it.
    """
    with (folder / "lock").open("w") as lock:
        try:
            import fcntl
        except ImportError:  # no such locks on this system
            yield
            return
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataError(
                f"another process extracts into {folder}: wait for it to end"
            ) from error
        yield
