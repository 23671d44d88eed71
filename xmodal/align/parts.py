"""Arrays made chunk by chunk in a hidden folder, which takes its place by one rename."""

from __future__ import annotations

import functools
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from xmodal.files import own, write_whole
from xmodal.room import room_in

Rows = np.ndarray[Any, np.dtype[np.float32]]
"""float32 [n, width]."""

_CHUNKS = "chunk-*.npy"


@contextmanager
def part_folder(part: Path) -> Iterator[None]:
    """Have a folder for this process alone; when something fails it stays only with a whole chunk.

    Raises:
        DataError: Another process has it.
    """
    part.mkdir(parents=True, exist_ok=True)
    with own(part):
        try:
            yield
        except BaseException:
            # chunks stay for the next call
            if not any(part.glob(_CHUNKS)):
                shutil.rmtree(part)
            raise


def chunk_paths(part: Path, n_rows: int, size: int) -> dict[int, Path]:
    """Where each chunk of so many rows lies, by its first row."""
    return {start: part / f"chunk-{start:012d}.npy" for start in range(0, n_rows, size)}


def write_chunk(path: Path, rows: Rows) -> None:
    """Put a chunk in place, whole."""
    write_whole(path, functools.partial(np.save, arr=rows))


def join_chunks(path: Path, shape: tuple[int, int], chunks: Iterable[Rows]) -> None:
    """Write chunks one behind the other.

    Args:
        path: Of the array.
        shape: [N, width] of all of them.
        chunks: [n, width] each.
    """
    header = {"descr": np.dtype(np.float32).str, "fortran_order": False, "shape": shape}
    start = 0
    # written, not mapped: a full disk ends a process that writes to a map, without a word
    with room_in(path.parent), path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for rows in chunks:
            file.write(np.ascontiguousarray(rows, np.float32).data)
            start += len(rows)
        file.flush()
        os.fsync(file.fileno())
    assert start == shape[0]


def put(part: Path, place: Path, description: str, said: Mapping[str, Any]) -> None:
    """Give a finished folder its description and its place.

    Args:
        part: The folder.
        place: Where it goes; what lies there is replaced.
        description: Name of the file that says what the folder is.
        said: What that file says.
    """
    for note in (*part.glob(_CHUNKS), part / "lock"):
        note.unlink()
    describe(part / description, said)
    part.chmod(0o755)
    if place.exists():
        shutil.rmtree(place)
    os.replace(part, place)


def describe(path: Path, said: Mapping[str, Any]) -> None:
    """Write a description; the path that a set has is where it lies, not what it says."""
    text = json.dumps({**said, "path": None}, indent=1, sort_keys=True) + "\n"
    write_whole(path, lambda made: made.write_text(text))
