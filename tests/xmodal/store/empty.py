"""One store in memory for all tests of a process that want an empty one in turn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from xmodal.store import Store

_in_use: list[bool] = []
_FILLED = "SELECT table_name FROM duckdb_tables() WHERE estimated_size > 0"


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
        # most tests fill a few tables, and there are dozens
        filled = set(store.query(_FILLED)["table_name"].to_pylist())
        for table in tables:
            if table in filled:
                store.execute(f"TRUNCATE {table}", {})
        yield store
    finally:
        _in_use.clear()
