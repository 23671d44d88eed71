"""Arrays of .npy and .npz files that may hold anything.

NumPy's own reader evaluates the header as Python and believes the shape in it. Here the header
must read as NumPy writes it, and the bytes behind it must be those of its shape.
"""

from __future__ import annotations

import lzma
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from taxonomy.errors import DataError
from taxonomy.reading import check_name

Array = np.ndarray[Any, np.dtype[Any]]

_MAGIC = b"\x93NUMPY"
_LONGEST = 10_000
"""Bytes of a header, at most."""
_HEADER = re.compile(
    r"\{'descr': '(?P<type>[<>|=][fiubUS]\d{1,9})', "
    r"'fortran_order': (?P<fortran>True|False), "
    r"'shape': \((?P<shape>(?:\d{1,18}(?:, ?\d{1,18})*,?)?)\),? ?\}\s*"
)
_ZIP_DAMAGE = (
    *(EOFError, OSError, ValueError, OverflowError, MemoryError, NotImplementedError),
    *(RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
)
"""What zipfile raises on what is cut, changed, locked or of another kind."""


@dataclass(frozen=True)
class _Header:
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool
    n_bytes: int
    """Of the header itself."""

    @property
    def n_content(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def order(self) -> Any:
        return "F" if self.fortran else "C"


class _NotWhole(ValueError):  # noqa: N818
    """A file that is no whole array; the message says why."""


def map_npy(path: Path, advice: str = "") -> Any:
    """The memory-mapped array of a .npy file, read-only.

    Args:
        path: The file.
        advice: What to do where it is damaged, for the message.

    Raises:
        DataError: The file is missing, cut, longer than its shape, or no array of numbers.
    """
    check_name(path)
    try:
        with path.open("rb") as file:
            header = _header(file)
            n_found = path.stat().st_size - header.n_bytes
        if n_found != header.n_content:
            raise _NotWhole(f"its shape wants {header.n_content} bytes, got {n_found}")
        if not header.n_content:
            return np.empty(header.shape, header.dtype)
        return np.memmap(
            path,
            dtype=header.dtype,
            mode="r",
            offset=header.n_bytes,
            shape=header.shape,
            order=header.order,
        )
    except (OSError, _NotWhole, OverflowError, MemoryError) as error:
        raise _unusable(path, error, advice) from error


def read_npz(
    path: Path, wanted: Sequence[str] | None = None, advice: str = ""
) -> tuple[list[str], dict[str, Array]]:
    """Arrays of an .npz file.

    Args:
        path: The file.
        wanted: Names of the arrays to read; those that are not there are left out. None for all.
        advice: What to do where it is damaged, for the message.

    Returns:
        The names of all arrays, in order, and those that are wanted.

    Raises:
        DataError: The file is missing or damaged.
    """
    check_name(path)
    try:
        with path.open("rb") as opened, zipfile.ZipFile(opened) as file:
            members = {info.filename.removesuffix(".npy"): info for info in file.infolist()}
            if len(members) < len(file.infolist()):
                raise _NotWhole("it has two arrays of one name")
            names = list(members)
            arrays = {n: _member(file, members[n]) for n in (wanted or names) if n in members}
    except _ZIP_DAMAGE as error:
        raise _unusable(path, error, advice) from error
    return names, arrays


def _member(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    with file.open(info) as member:
        header = _header(member)
        # before anything of that size is made
        if info.file_size - header.n_bytes != header.n_content:
            raise _NotWhole(f"the shape of {info.filename} is not that of its bytes")
        content = member.read()
    if len(content) != header.n_content:
        raise _NotWhole(f"{info.filename} is cut")
    flat = np.frombuffer(content, header.dtype)
    return flat.reshape(header.shape, order=header.order)


def _header(file: IO[bytes]) -> _Header:
    start = file.read(8)
    if len(start) < 8 or start[:6] != _MAGIC or start[6] not in (1, 2, 3):
        raise _NotWhole("it does not begin as a .npy file does")
    n_length = 2 if start[6] == 1 else 4
    length = int.from_bytes(file.read(n_length), "little")
    if length > _LONGEST:
        raise _NotWhole(f"its header has {length} bytes, more than {_LONGEST}")
    text = file.read(length).decode("latin-1")
    found = _HEADER.fullmatch(text)
    if len(text) < length or found is None:
        raise _NotWhole("its header is not one that NumPy writes for numbers or text")
    try:
        dtype = np.dtype(found["type"])
    except TypeError as error:
        # of the type alone, a text that matched above
        raise _NotWhole(f"it has numbers of an unknown type {found['type']}") from error
    shape = tuple(int(part) for part in found["shape"].split(",") if part.strip())
    return _Header(dtype, shape, found["fortran"] == "True", 8 + n_length + length)


def _unusable(path: Path, error: BaseException, advice: str) -> DataError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    reason = reason or type(error).__name__
    if not advice:
        return DataError(f"{path} cannot be read: {reason}")
    return DataError(f"{path} cannot be read ({reason}); {advice}")
