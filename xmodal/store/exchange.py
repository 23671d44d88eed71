"""A store as a folder of Parquet files, to be read without DuckDB, and back.

One folder a table, with part files; `export.json` is written last and says what they hold.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from taxonomy.errors import DataError
from taxonomy.reading import read_json, short, value_of
from xmodal.files import file_sha256, whole_folder, write_whole
from xmodal.parquet import DAMAGE, first_line
from xmodal.provenance import versions
from xmodal.store import schema

if TYPE_CHECKING:
    from xmodal.store.store import Store

DESCRIPTION = "export.json"
FORMAT = 1
ROWS_A_FILE = 4_000_000
ROWS_A_GROUP = 250_000
_TABLES = "SELECT table_name FROM duckdb_tables() WHERE NOT internal ORDER BY table_name"
_APPLIED = "SELECT name, sha256 FROM schema_step ORDER BY name"
_OURS = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written."""

    folder: Path
    n_tables: int
    n_rows: int
    left_out: tuple[str, ...]
    """Tables that are no part of the schema: the user's own."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """What export.json says."""

    steps: dict[str, str]
    """Hash of each schema file that the store was made by, by name, but the views."""
    tables: dict[str, list[dict[str, Any]]]
    """Part files by table: name, n_rows, sha256."""


def export_store(store: Store, folder: Path, *, rows_a_file: int = ROWS_A_FILE) -> Exported:
    """Write every table of the schema as Parquet.

    Args:
        store: Open, to read.
        folder: Where to; missing or empty. It is filled under another name and renamed.
        rows_a_file: Rows of a part file, at most.

    Raises:
        DataError: The folder is not empty or cannot be written.
    """
    there = store.query(_TABLES)["table_name"].to_pylist()
    ours = [name for name in there if name in schema.tables()]
    with whole_folder(folder) as made:
        tables = {name: write_table(store, name, made, rows_a_file) for name in ours}
        applied = {row["name"]: row["sha256"] for row in store.query(_APPLIED).to_pylist()}
        _describe(made / DESCRIPTION, tables, applied)
    return Exported(
        folder=folder,
        n_tables=len(tables),
        n_rows=sum(part["n_rows"] for parts in tables.values() for part in parts),
        left_out=tuple(name for name in there if name not in ours and name != schema.STEPS),
    )


def write_table(store: Store, name: str, folder: Path, most: int) -> list[dict[str, Any]]:
    """Write the part files of a table, in the order of its rows; an empty table has one too.

    Args:
        store: Open, to read.
        name: Of the table.
        folder: The table's folder is made in it.
        most: Rows of a part file, at most.

    Returns:
        name, n_rows and sha256 of each file.
    """
    (folder / name).mkdir()
    parts: list[dict[str, Any]] = []
    reader = store.batches(name, min(most, ROWS_A_GROUP))
    left = iter(reader)
    batch = next(left, None)
    while batch is not None or not parts:
        path = folder / _part(name, len(parts))
        n_rows = 0
        with pq.ParquetWriter(path, reader.schema, compression="zstd") as writer:
            while batch is not None and (not n_rows or n_rows + batch.num_rows <= most):
                writer.write_batch(batch)
                n_rows += batch.num_rows
                batch = next(left, None)
        with path.open("rb") as file:
            os.fsync(file.fileno())
        said = {"name": _part(name, len(parts)), "n_rows": n_rows, "sha256": file_sha256(path)}
        parts.append(said)
    return parts


def _part(table: str, number: int) -> str:
    return f"{table}/part-{number:05d}.parquet"


def _describe(path: Path, tables: dict[str, list[dict[str, Any]]], applied: dict[str, str]) -> None:
    said = {
        "format": FORMAT,
        "xmodal": versions()["xmodal"],
        "schema": applied,
        "tables": {
            name: {"n_rows": sum(part["n_rows"] for part in parts), "files": parts}
            for name, parts in tables.items()
        },
    }
    text = json.dumps(said, indent=1) + "\n"
    write_whole(path, lambda made: made.write_text(text))


def read_description(folder: Path) -> Description:
    """What an export says of itself.

    Raises:
        DataError: It is no whole export, or one of a later format.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        raise DataError(f"{folder} is no export of a store: {DESCRIPTION} cannot be read")
    try:
        said = read_json(path)
    except DataError as error:
        raise DataError(f"{path} is damaged: it is not JSON") from error
    of = said.get("format", FORMAT) if isinstance(said, dict) else FORMAT
    if of != FORMAT:
        raise DataError(
            f"{folder} has export format {short(of)}, this version reads {FORMAT}: upgrade xmodal"
        )
    try:
        plain = value_of(dict[str, Any], said, "it")
        steps = value_of(dict[str, str], plain.get("schema"), "schema")
        found = value_of(dict[str, _Table], plain.get("tables"), "tables")
        tables = {name: _parts(name, of) for name, of in found.items()}
    except DataError as error:
        raise DataError(f"{path} is damaged: it does not describe an export ({error})") from error
    steps.pop(schema.VIEWS, None)
    return Description(steps=steps, tables=tables)


@dataclass(frozen=True)
class _File:
    """A part file of a table, as described."""

    name: str
    n_rows: int
    sha256: str


@dataclass(frozen=True)
class _Table:
    """A table, as described."""

    n_rows: int
    files: list[_File]


def _parts(table: str, said: _Table) -> list[dict[str, Any]]:
    """The parts of a table; DataError where a name leads elsewhere or counts do not fit."""
    names = [_part(table, number) for number in range(len(said.files))]
    fits = sum(part.n_rows for part in said.files) == said.n_rows
    if not _OURS.fullmatch(table) or [part.name for part in said.files] != names or not fits:
        raise DataError(f"the files of table {short(table)} do not fit one another")
    return [asdict(part) for part in said.files]


def read_parts(folder: Path, parts: list[dict[str, Any]], want: pa.Schema) -> Iterator[pa.Table]:
    """The rows of a table, piece by piece, once each file is held against its hash.

    Args:
        folder: Of the export.
        parts: As described.
        want: Names and types of the columns.

    Raises:
        DataError: A file is missing, changed, or of other columns or another number of rows.
    """
    for part in parts:
        path = folder / part["name"]
        try:
            if not path.is_file():
                raise DataError(f"{path} is missing: export the store anew")
            if file_sha256(path) != part["sha256"]:
                raise DataError(f"{path} is not what was exported, by its sha256: export anew")
            with pq.ParquetFile(path) as file:
                got = file.schema_arrow
                if got.names != want.names or got.types != want.types:
                    raise DataError(
                        f"{path} must have columns {_columns(want)}, got {_columns(got)}"
                    )
                if file.metadata.num_rows != part["n_rows"]:
                    raise DataError(
                        f"{path} must have {part['n_rows']} rows, got {file.metadata.num_rows}"
                    )
                for batch in file.iter_batches(batch_size=ROWS_A_GROUP):
                    batch.validate(full=True)  # text that is no UTF-8
                    yield pa.Table.from_batches([batch])
        except DAMAGE as error:
            raise DataError(f"{path} cannot be read: {first_line(error)}") from error


def _columns(of: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in of)
