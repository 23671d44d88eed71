"""One store in memory for all tests of a process that want an empty one in turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from xmodal.store import Store

_in_use: list[bool] = []


@cache
def _shared() -> tuple[Store, list[str]]:
    store = Store.in_memory()
    tables = store.table_sizes()["table"].to_pylist()
    return store, [name for name in tables if name != "schema_step"]


@contextmanager
def empty_store() -> Iterator[Store]:
    """A store without rows; making one with all its views takes a quarter of a second each time."""
    assert not _in_use, "the store of the process is in use: take Store.in_memory()"
    store, tables = _shared()
    _in_use.append(True)
    try:
        for table in tables:
            store.execute(f"TRUNCATE {table}", {})
        yield store
    finally:
        _in_use.clear()
