"""Which statements read: a SELECT in one of its forms, or EXPLAIN of one."""

from __future__ import annotations

import re

import duckdb

from taxonomy.errors import StoreError

_BODIES = {"SELECT", "MULTI"}
"""PIVOT is MULTI where it expands into a temporary type and a SELECT. So is everything around
such a PIVOT, COPY and CREATE too."""

# A comment in a comment is left alone: DuckDB ends it elsewhere than a simpler reader would.
_SKIPPED = r"(?:\s|--[^\n]*(?:\n|$)|/\*(?:(?!/\*|\*/).)*\*/)*"
_EXPLAIN = re.compile(
    rf"{_SKIPPED}EXPLAIN\b{_SKIPPED}(?:ANALY[SZ]E\b{_SKIPPED})?", re.IGNORECASE | re.DOTALL
)
_OPTIONS = re.compile(r"\([^()]*\)")
_FIRST_WORD = re.compile(rf"{_SKIPPED}\(*(?P<word>\w+)", re.DOTALL)


def check_reads(con: duckdb.DuckDBPyConnection, text: str) -> None:
    """Refuse everything but one statement that reads. Nothing is run.

    Args:
        con: Whose parser is asked.
        text: SQL of a user.

    Raises:
        StoreError: No statement, several, or one that does not read.
        duckdb.Error: Not SQL.
    """
    statements = con.extract_statements(text)
    if len(statements) != 1:
        raise StoreError(f"query must be exactly one statement, got {len(statements)}")
    # as DuckDB read it: its copy has plain spaces for those of other alphabets
    body = statements[0].query
    kind: str | None = statements[0].type.name
    if explained := _EXPLAIN.match(body):
        body = body[explained.end() :]
        kind = _kind(con, body)
        if kind is None and (options := _OPTIONS.match(body)):
            body = body[options.end() :]
            kind = _kind(con, body)
    if kind not in _BODIES or not _is_select(con, body):
        word = _FIRST_WORD.match(body)
        got = kind if kind not in {None, *_BODIES} or word is None else word["word"].upper()
        raise StoreError(
            "query must be a statement that reads (SELECT, WITH, FROM, VALUES, DESCRIBE, "
            f"SUMMARIZE, SHOW, PIVOT, or EXPLAIN of one), got {got}"
        )


def _kind(con: duckdb.DuckDBPyConnection, text: str) -> str | None:
    """Type of the one statement; None where it is not one."""
    try:
        (statement,) = con.extract_statements(text)
    except (duckdb.Error, ValueError):
        return None
    return statement.type.name


def _is_select(con: duckdb.DuckDBPyConnection, text: str) -> bool:
    """Whether the parser takes it for the body of a CREATE TABLE AS, which must be a SELECT."""
    return _kind(con, f"CREATE TEMP TABLE read AS {text}") is not None
