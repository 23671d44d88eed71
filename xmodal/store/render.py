"""Query results as text or Parquet, to stdout or a file."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table
from rich.text import Text

from taxonomy.errors import ConfigError, DataError
from xmodal.files import write_whole

FORMATS = ("table", "csv", "json", "jsonl", "markdown", "parquet")
MAX_TABLE_ROWS = 200
_SUFFIXES = {".md": "markdown"} | {f".{name}": name for name in FORMATS[1:]}
_UNBOUNDED = 100_000


def chosen_format(fmt: str | None = None, output: Path | None = None) -> str:
    """The format meant; commands that work long ask before they begin.

    Raises:
        ConfigError: Unknown format.
    """
    chosen = fmt or (_SUFFIXES.get(output.suffix, "table") if output else "table")
    if chosen not in FORMATS:
        raise ConfigError(f"format must be one of {', '.join(FORMATS)}, got {chosen!r}")
    return chosen


def emit(table: pa.Table, fmt: str | None = None, output: Path | None = None) -> None:
    """Write a result to stdout, or to a file, whole or not at all.

    Args:
        table: The result.
        fmt: One of FORMATS; None means by the suffix of output, else a table.
        output: The file; None means stdout.

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
            sys.stderr.write(
                f"first {MAX_TABLE_ROWS} of {table.num_rows} rows; --format csv gives all\n"
            )
    else:
        sys.stdout.write(_encode(table, chosen).decode())


def as_csv(table: pa.Table) -> str:
    """Comma-separated with a header; NULL is empty, nested values are JSON."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_names(table))
    writer.writerows([_text(value) for value in row] for row in _rows(table))
    return text.getvalue()


def as_json(table: pa.Table) -> str:
    """One array of objects; NaN and infinities, which JSON lacks, become null."""
    return json.dumps(list(_objects(table)), indent=2, ensure_ascii=False) + "\n"


def as_jsonl(table: pa.Table) -> str:
    """One object a line; NaN and infinities become null."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in _objects(table))


def as_markdown(table: pa.Table) -> str:
    """A pipe table, floats rounded; NULL is empty."""
    rule = ["---:" if number else "---" for number in _numeric(table)]
    body = [[_markdown_cell(value) for value in row] for row in _rows(table)]
    lines = [_names(table), rule, *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _markdown_cell(value: Any) -> str:
    return _text(value, rounded=True).replace("|", "\\|").replace("\n", " ")


def as_table(table: pa.Table, width: int | None = None) -> str:
    """A table for reading, floats rounded.

    Args:
        table: The result.
        width: Columns of the terminal. A table that does not fit has the columns that are the
            same in every row moved to a line below. None means as wide as it comes.
    """
    sink = io.StringIO()
    # a notebook is no terminal: rich would colour there what is plain text elsewhere
    console = Console(
        file=sink,
        width=width or _UNBOUNDED,
        force_terminal=width is not None,
        force_jupyter=False,
    )
    columns = list(range(table.num_columns))
    grid, same = _grid(table, columns), []
    if width and table.num_rows > 1:
        unbounded = console.options.update(width=_UNBOUNDED)
        if console.measure(grid, options=unbounded).maximum > width:
            same = [i for i in columns if len({_text(v) for v in table.column(i).to_pylist()}) == 1]
            grid = _grid(table, [i for i in columns if i not in same])
    console.print(grid)
    if same:
        first = next(_rows(table))
        shared = [f"{_names(table)[i]} {_text(first[i], rounded=True) or 'NULL'}" for i in same]
        console.print(Text(f"the same in every row: {', '.join(shared)}", style="dim"))
    return sink.getvalue()


def as_record(row: Mapping[str, Any]) -> str:
    """One line a field, for a single row; JSON and nested values are laid out below theirs."""
    width = max(map(len, row))
    lines = []
    for name, value in row.items():
        nested = json.loads(value) if name.endswith("_json") else value
        if isinstance(nested, dict):
            lines.append(name)
            lines += [f"  {key:<{width - 2}}  {_text(item)}" for key, item in nested.items()]
        else:
            lines.append(f"{name:<{width}}  {'NULL' if value is None else _text(value)}")
    return "".join(f"{line}\n" for line in lines)


def _grid(table: pa.Table, columns: list[int]) -> Table:
    grid = Table(show_edge=False, header_style="bold")
    numeric = _numeric(table)
    for index in columns:
        grid.add_column(Text(_names(table)[index]), justify="right" if numeric[index] else "left")
    for row in _rows(table):
        cells = [_text(row[index], rounded=True) for index in columns]
        grid.add_row(
            *(
                Text("NULL", style="dim") if row[index] is None else Text(cell)
                for index, cell in zip(columns, cells, strict=True)
            )
        )
    return grid


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


def _names(table: pa.Table) -> list[str]:
    """Column names, a repeated one numbered: objects need distinct keys."""
    names: list[str] = []
    for name in table.column_names:
        n_before = table.column_names[: len(names)].count(name)
        names.append(f"{name}_{n_before + 1}" if n_before else name)
    return names


def _numeric(table: pa.Table) -> list[bool]:
    types = pa.types
    return [
        types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
        for kind in table.schema.types
    ]


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def _objects(table: pa.Table) -> Iterator[dict[str, Any]]:
    names = _names(table)
    for row in _rows(table):
        yield dict(zip(names, map(_plain, row), strict=True))


def _plain(value: Any) -> Any:
    """The nearest value that JSON has."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return int(value) if value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)


def _text(value: Any, *, rounded: bool = False) -> str:
    """One cell: exact, or with floats rounded to four decimals for reading."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _float(value) if rounded and math.isfinite(value) else _exact_float(value)
    plain = _plain(value)
    if isinstance(plain, (list, dict)):
        return json.dumps(plain, ensure_ascii=False)
    return str(value if isinstance(value, Decimal) else plain)


def _float(value: float) -> str:
    small_or_big = value != 0 and not 5e-4 <= abs(value) < 1e7
    return f"{value:.3e}" if small_or_big else f"{value:.4f}"


def _exact_float(value: float) -> str:
    return "NaN" if math.isnan(value) else repr(value)
