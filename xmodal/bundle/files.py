"""Where the files that ship with the package lie, and where unpacked copies may go."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from taxonomy.errors import DataError, unknown

_DATA = Path(__file__).parent / "data"


def data_file(name: str) -> Path:
    """The path of a file of the bundle, such as "spec.txt" or "wordnet/lexnames".

    Raises:
        DataError: The installed package has no such file.
    """
    path = _DATA / name
    if not path.is_file():
        valid = (p.relative_to(_DATA).as_posix() for p in _DATA.rglob("*") if p.is_file())
        raise DataError(unknown("bundle file", name, valid))
    return path


def data_folder(name: str) -> Path:
    """The path of a folder of the bundle; there may be none."""
    return _DATA / name


def cache_dir() -> Path:
    """The folder for files that can be made again: XMODAL_CACHE, or the user's cache folder."""
    chosen = os.environ.get("XMODAL_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    home = Path(os.path.expanduser("~"))
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "xmodal"
