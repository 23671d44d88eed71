"""Paths that a file names: they stay below the folder that they start from.

A table or caption file may come from anywhere. What it names is opened, hashed and stored, so a
name must not reach other files of whoever reads it, unless that is said with --allow-outside.
"""

from __future__ import annotations

import os
from pathlib import Path, PureWindowsPath

from taxonomy.errors import DataError
from taxonomy.reading import check_name

ALLOW = "--allow-outside"


def inside(root: Path, name: str, where: str, *, allow_outside: bool = False) -> Path:
    """A file that a file names, below a folder.

    A name that leads out of the folder is refused: by .. or as a whole path, through a link, and
    where it begins with a drive or a server of Windows, on any system.

    Args:
        root: Where relative names start.
        name: As the file has it.
        where: Who names it, for messages.
        allow_outside: Take any name.

    Returns:
        The path, links in it not followed; nothing need lie there.

    Raises:
        DataError: It leads out of the folder, or no file can have that name.
    """
    path = root / name
    try:
        check_name(path)
    except DataError as error:
        raise DataError(f"{where} names the picture {name!r}, which no file can have") from error
    if not allow_outside and (_is_windows(name) or not _is_below(path, root)):
        raise DataError(
            f"{where} names the picture {name!r}, which leads out of {root}: move it there, or "
            f"give {ALLOW} if you trust the file"
        )
    return path


def _is_windows(name: str) -> bool:
    """Whether a name means another place on Windows alone: a drive, a server, ..\\."""
    if os.name == "nt":
        return False
    path = PureWindowsPath(name)
    return bool(path.drive) or name.startswith("\\") or ("\\" in name and ".." in path.parts)


def _is_below(path: Path, root: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))
