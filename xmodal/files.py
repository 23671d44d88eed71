"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from hashlib import file_digest
from pathlib import Path


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


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes, read piece by piece."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
