"""A user's query: one statement that reads this store and can reach nothing else.

Three fences, each enough for most of it: the statement's type, a read-only file, and a
connection without access to other files whose settings are locked.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from taxonomy.errors import StoreError
from xmodal.store import schema
from xmodal.store.analyses import Analysis
from xmodal.store.connection import connect_file, damage

# PIVOT is MULTI: it expands into a temporary type and a SELECT
_READS = {"SELECT", "EXPLAIN", "MULTI"}


def run_user_query(
    path: Path | str,
    text: str,
    params: Mapping[str, Any] | None = None,
    *,
    wait_s: float = 10.0,
) -> pa.Table:
    """The result of one statement that reads, as Arrow.

    Args:
        path: The store; opened read-only.
        text: One SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW, EXPLAIN or PIVOT;
            or "@name" for a named analysis.
        params: Values of the statement's $parameters.
        wait_s: Seconds to wait for another process's lock.

    Raises:
        StoreError: Not exactly one statement that reads, a mistake in it, an unknown analysis
            or parameter, a parameter's value that nothing can have, or a store that cannot be
            read.
    """
    given: Mapping[str, Any] = params or {}
    analysis = None
    if text.lstrip().startswith("@"):
        analysis = Analysis.load(text.strip()[1:])
        text, given = analysis.text, analysis.bind(given)
    con = connect_file(Path(path), read_only=True, wait_s=wait_s, locked_down=True)
    try:
        schema.check(con, str(path))
        if analysis is not None:
            analysis.check_ids(given, lambda ids: [row[0] for row in con.execute(ids).fetchall()])
        _check_reads(con, text)
        return con.sql(text, params=dict(given)).to_arrow_table()
    except duckdb.Error as error:
        raise StoreError(damage(path, error) or f"query: {_reason(error)}") from error
    finally:
        con.close()


def _check_reads(con: duckdb.DuckDBPyConnection, text: str) -> None:
    statements = con.extract_statements(text)
    if len(statements) != 1:
        raise StoreError(f"query must be exactly one statement, got {len(statements)}")
    kind = statements[0].type.name
    if kind not in _READS:
        raise StoreError(
            "query must be a statement that reads (SELECT, WITH, FROM, VALUES, DESCRIBE, "
            f"SUMMARIZE, SHOW, EXPLAIN, PIVOT), got {kind}"
        )


def _reason(error: duckdb.Error) -> str:
    """DuckDB's message without the echo of the query below it."""
    lines = str(error).split("LINE 1:")[0].strip().splitlines()
    return " ".join(line.strip() for line in lines if line.strip())
