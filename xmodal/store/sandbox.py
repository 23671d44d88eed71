"""A user's query: one statement that reads this store and can reach nothing else.

Fences, each enough for most of it: the statement's type, a read-only file, a connection without
access to other files whose settings are locked, and a process of its own with limits on time
and memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from xmodal.store import asking
from xmodal.store.asking import Answer
from xmodal.store.frames import Request
from xmodal.store.limits import QueryLimits


def run_user_query(
    path: Path | str,
    text: str,
    params: Mapping[str, Any] | None = None,
    *,
    wait_s: float = 10.0,
    limits: QueryLimits | None = None,
) -> pa.Table:
    """The result of one statement that reads, as Arrow; see ask_user_query."""
    return ask_user_query(path, text, params, wait_s=wait_s, limits=limits).table


def ask_user_query(
    path: Path | str,
    text: str,
    params: Mapping[str, Any] | None = None,
    *,
    wait_s: float = 10.0,
    limits: QueryLimits | None = None,
) -> Answer:
    """The result of one statement that reads, and whether rows were left out.

    Args:
        path: The store; opened read-only.
        text: One SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW or PIVOT, or EXPLAIN of
            one; or "@name" for a named analysis.
        params: Values of the statement's $parameters.
        wait_s: Seconds to wait for another process's lock.
        limits: Time, memory and rows; None means the defaults.

    Raises:
        StoreError: Not exactly one statement that reads, a mistake in it, an unknown analysis
            or parameter, a parameter's value that nothing can have, a store that cannot be
            read, or a query that was stopped at a limit.
    """
    limits = limits or QueryLimits()
    request = Request(
        path=str(path),
        text=text,
        params=dict(params or {}),
        wait_s=wait_s,
        timeout_s=limits.timeout_s,
        memory_bytes=limits.memory(),
        rows=limits.rows,
    )
    return asking.ask(request)
