"""Tables out of Parquet files that may hold anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from taxonomy.errors import DataError
from taxonomy.reading import check_name

DAMAGE = (pa.ArrowException, OSError, UnicodeDecodeError)
"""What Arrow raises on files that are cut, changed or of another kind."""


def read_whole(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A Parquet file, each value checked; of the file alone, whatever its folder is called.

    Args:
        path: The file.
        columns: Those to read, all of which must be there, once; None for all.

    Raises:
        DataError: It is missing or damaged, or lacks a column.
    """
    check_name(path)
    try:
        with pq.ParquetFile(path) as file:
            if columns is not None:
                names = file.schema_arrow.names
                for name in columns:
                    if names.count(name) != 1:
                        raise DataError(
                            f"{path} must have the column {name} once, got {', '.join(names)}"
                        )
            table = file.read(None if columns is None else list(columns))
        # a text that is no UTF-8 would only fail where it is used
        table.validate(full=True)
    except DAMAGE as error:
        raise DataError(f"{path} cannot be read as Parquet: {first_line(error)}") from error
    return table


def column_names(path: Path) -> list[str]:
    """Names of a Parquet file's columns.

    Raises:
        DataError: It is missing or damaged.
    """
    check_name(path)
    try:
        with pq.ParquetFile(path) as file:
            return list(file.schema_arrow.names)
    except DAMAGE as error:
        raise DataError(f"{path} cannot be read as Parquet: {first_line(error)}") from error


def check_once(path: Path, names: Sequence[str], wanted: Iterable[str]) -> None:
    """Refuse a table that has one of some columns twice: which one is meant, nobody can say.

    Raises:
        DataError: It has.
    """
    for name in wanted:
        if names.count(name) > 1:
            raise DataError(f"{path} has the column {name!r} more than once")


def read_exactly(path: Path, schema: pa.Schema) -> pa.Table:
    """A Parquet file of exactly these columns, in any order, NULL where the schema allows it.

    Raises:
        DataError: It is missing or damaged, or has other columns.
    """
    table = read_whole(path)
    want, got = _types(schema), _types(table.schema)
    if got != want:
        raise DataError(f"{path} must have the columns {_listed(want)}, got {_listed(got)}")
    for field in schema:
        if not field.nullable and table[field.name].null_count:
            raise DataError(f"{path}: {field.name} must not be NULL")
    return table.select(schema.names).cast(schema)


def _types(schema: pa.Schema) -> list[tuple[str, str]]:
    """(name, type) of each column, by name; what lists call their elements does not count."""
    return sorted((one.name, str(one.type).replace("<element:", "<item:")) for one in schema)


def _listed(columns: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns) or "none"


def first_line(error: BaseException) -> str:
    """An error's first line; its kind where it says nothing."""
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
