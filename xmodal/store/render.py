"""Query results as text or Parquet, to stdout or a file."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from taxonomy.errors import ConfigError, DataError
from xmodal.files import write_whole
from xmodal.store.cells import cell_text, column_names, numeric_columns, objects, rows_of
from xmodal.store.screen import as_table

FORMATS = ("table", "csv", "json", "jsonl", "markdown", "parquet")
MAX_TABLE_ROWS = 200
COUNTED_ROWS = 10_000
"""Rows that are fetched for a table on stdout: of more it is only said that there are more."""
_SUFFIXES = {".md": "markdown"} | {f".{name}": name for name in FORMATS[1:]}


def chosen_format(fmt: str | None = None, output: Path | None = None) -> str:
    """The format meant; commands that work long ask before they begin.

    Raises:
        ConfigError: Unknown format.
    """
    chosen = fmt or (_SUFFIXES.get(output.suffix, "table") if output else "table")
    if chosen not in FORMATS:
        raise ConfigError(f"format must be one of {', '.join(FORMATS)}, got {chosen!r}")
    return chosen


def rows_to_fetch(limit: int | None, fmt: str | None, output: Path | None) -> int | None:
    """Rows of a result that are of use: as limited, else all; on stdout a table needs few.

    Args:
        limit: Rows at most, as the user has it.
        fmt: As of emit.
        output: As of emit.

    Raises:
        ConfigError: Unknown format.
    """
    on_screen = chosen_format(fmt, output) == "table" and output is None
    return COUNTED_ROWS if limit is None and on_screen else limit


def emit(
    table: pa.Table, fmt: str | None = None, output: Path | None = None, *, more: bool = False
) -> None:
    """Write a result to stdout, or to a file, whole or not at all.

    Args:
        table: The result.
        fmt: One of FORMATS; None means by the suffix of output, else a table.
        output: The file; None means stdout.
        more: The result has more rows than the table.

    Raises:
        ConfigError: Unknown format, or Parquet to a terminal.
        DataError: The file cannot be written.
    """
    chosen = chosen_format(fmt, output)
    if output is not None:
        _to_file(_encode(table, chosen), output)
    elif chosen == "parquet":
        if sys.stdout.isatty():
            raise ConfigError("format parquet is binary: give --output FILE or a pipe")
        sys.stdout.buffer.write(_encode(table, chosen))
    elif chosen == "table":
        width = os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else None
        sys.stdout.write(as_table(table.slice(0, MAX_TABLE_ROWS), width))
        if table.num_rows > MAX_TABLE_ROWS:
            n_rows = f"more than {table.num_rows}" if more else f"{table.num_rows}"
            sys.stderr.write(f"first {MAX_TABLE_ROWS} of {n_rows} rows; --format csv gives all\n")
    else:
        sys.stdout.write(_encode(table, chosen).decode())


def as_csv(table: pa.Table) -> str:
    """Comma-separated with a header; NULL is empty, nested values are JSON."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(column_names(table))
    writer.writerows([cell_text(value) for value in row] for row in rows_of(table))
    return lines.getvalue()


def as_json(table: pa.Table) -> str:
    """One array of objects; NaN and infinities, which JSON lacks, become null."""
    return json.dumps(list(objects(table)), indent=2, ensure_ascii=False) + "\n"


def as_jsonl(table: pa.Table) -> str:
    """One object a line; NaN and infinities become null."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in objects(table))


def as_markdown(table: pa.Table) -> str:
    """A pipe table, floats rounded; NULL is empty."""
    rule = ["---:" if number else "---" for number in numeric_columns(table)]
    body = [[_markdown_cell(value) for value in row] for row in rows_of(table)]
    lines = [column_names(table), rule, *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _markdown_cell(value: Any) -> str:
    return cell_text(value, rounded=True).replace("|", "\\|").replace("\n", " ")


def _encode(table: pa.Table, fmt: str) -> bytes:
    if fmt == "parquet":
        sink = io.BytesIO()
        pq.write_table(table, sink)
        return sink.getvalue()
    as_text = {
        "table": as_table,
        "csv": as_csv,
        "json": as_json,
        "jsonl": as_jsonl,
        "markdown": as_markdown,
    }
    return as_text[fmt](table).encode()


def _to_file(content: bytes, output: Path) -> None:
    def fill(path: Path) -> None:
        path.write_bytes(content)

    try:
        write_whole(output, fill)
    except OSError as error:
        raise DataError(f"{output} cannot be written: {error.strerror}") from error
