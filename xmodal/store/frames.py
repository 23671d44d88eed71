"""What the process of a query and the one that asked say to each other."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OPENED = b"o"
"""The store is open and of this version: from here on the time limit counts."""
ROWS = b"r"
"""Part of the result: an Arrow IPC stream of its own. There is one at least."""
DONE = b"d"
"""The end of the result; its content is b"1" where rows were left out, else b"0"."""
REFUSED = b"e"
"""The message of a StoreError."""
BUG = b"b"
"""The traceback of anything else."""

_HEADER = struct.Struct("<cQ")
HEADER_BYTES = _HEADER.size
_SIZE = struct.Struct("<Q")
SIZE_BYTES = _SIZE.size


@dataclass(frozen=True, kw_only=True)
class Request:
    """One query; sent pickled."""

    path: str
    """The store."""
    text: str
    """SQL, or "@name"."""
    params: Mapping[str, Any]
    """Values of the $parameters."""
    wait_s: float
    """Seconds to wait for another process's lock."""
    timeout_s: float
    """Seconds that the query may take once the store is open."""
    memory_bytes: int
    """Memory that it may use."""
    rows: int | None
    """Rows at most; None means all."""


def header(kind: bytes, n_bytes: int) -> bytes:
    """What goes before the content of a frame."""
    return _HEADER.pack(kind, n_bytes)


def read_header(of: bytes | bytearray) -> tuple[bytes, int]:
    """Kind of a frame and the bytes that follow."""
    kind, n_bytes = _HEADER.unpack(of)
    return kind, n_bytes


def size(n_bytes: int) -> bytes:
    """What goes before a request."""
    return _SIZE.pack(n_bytes)


def read_size(of: bytes) -> int:
    """Bytes of the request that follows."""
    (n_bytes,) = _SIZE.unpack(of)
    return int(n_bytes)


def stopped_by_time(timeout_s: float) -> str:
    """What to say of a query that took too long."""
    return (
        f"query: stopped after {timeout_s:g} s: ask for less at a time, or allow more with "
        "--timeout SECONDS"
    )


def stopped_by_memory(memory_bytes: int) -> str:
    """What to say of a query that took too much memory."""
    return (
        f"query: it needs more than the {memory_bytes / 2**20:,.0f} MiB of memory it may use: "
        "ask for less at a time, or allow more with --memory SIZE"
    )


def bad_parameter(error: Exception) -> str:
    """What to say of a parameter that cannot be sent."""
    return f"query: a parameter has a value that cannot be used in SQL: {error}"
