"""A user's own table: reading and checking the CSV text, row by row.

Columns `leaf` and `image`, and at least one of `synset` and `hypernym`; `split` and
`group` where the user has them. Several rows may speak of one leaf: its pictures and its
hypernyms add up. `hypernym` may name several, parted by `|`; a row without an image only
adds hypernyms. Names are compared in lower case.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taxonomy.errors import DataError
from taxonomy.model import SPLITS
from taxonomy.reading import read_text

REQUIRED = ("leaf", "image")
OPTIONAL = ("synset", "hypernym", "split", "group")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the table, cleaned; empty cells are empty strings."""

    where: str
    """File and line, for messages."""
    leaf: str
    image: str
    synset: str
    hypernyms: tuple[str, ...]
    split: str
    group: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """A checked table."""

    rows: tuple[Row, ...]
    columns: frozenset[str]
    """The known columns that the table has."""
    ignored: tuple[str, ...]
    """Columns that mean nothing here."""


def clean(name: str) -> str:
    """A name as questions use it: lower case, single spaces."""
    return " ".join(name.lower().split())


def read_table(path: Path) -> Table:
    """Read and check the table.

    Args:
        path: A CSV file in UTF-8 with a header line.

    Returns:
        The rows in the file's order.

    Raises:
        DataError: Not readable, not UTF-8, columns missing, a malformed or repeated row.
    """
    header, records = read_records(path)
    missing = [name for name in REQUIRED if name not in header]
    if missing or not {"synset", "hypernym"} & set(header):
        lacks = ", ".join(missing) if missing else "synset or hypernym (one of them)"
        raise DataError(
            f"{path} lacks the column {lacks}; it must have leaf, image and at least one of "
            f"synset and hypernym, got {', '.join(header)}"
        )
    rows: list[Row] = []
    first_line: dict[Sequence[str], int] = {}
    for n_line, cells in records:
        row = _row(f"{path} line {n_line}", dict(zip(header, cells, strict=True)))
        seen = first_line.setdefault(tuple(cells), n_line)
        if seen != n_line:
            raise DataError(
                f"{row.where} repeats line {seen} (leaf {row.leaf!r}, image {row.image!r}); "
                "take one of them out"
            )
        rows.append(row)
    if not rows:
        raise DataError(f"{path} has a header but no rows; it needs one row an image")
    known = {*REQUIRED, *OPTIONAL}
    return Table(
        rows=tuple(rows),
        columns=frozenset(known & set(header)),
        ignored=tuple(name for name in header if name not in known),
    )


def read_edges(path: Path) -> list[tuple[str, str]]:
    """Read the second, optional file: columns `hyponym` and `hypernym`, one edge a row.

    Raises:
        DataError: As for read_table.
    """
    header, records = read_records(path)
    if not {"hyponym", "hypernym"} <= set(header):
        raise DataError(
            f"{path} must have the columns hyponym and hypernym, got {', '.join(header)}"
        )
    below, above = header.index("hyponym"), header.index("hypernym")
    edges = [(n_line, clean(cells[below]), clean(cells[above])) for n_line, cells in records]
    for n_line, hyponym, hypernym in edges:
        if not (hyponym and hypernym):
            raise DataError(f"{path} line {n_line} must name both a hyponym and a hypernym")
    return [(hyponym, hypernym) for _, hyponym, hypernym in edges]


def read_records(
    path: Path, delimiter: str = ","
) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The header, cleaned, and line number and cells of every row that is not blank.

    Raises:
        DataError: Not readable, not UTF-8, a column twice, or a row unlike the header.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter, strict=True)
    try:
        header = [clean(name) for name in next(reader, [])]
    except csv.Error as error:
        raise DataError(f"{path} line 1 is not CSV: {error}") from error
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise DataError(f"{path} has the column {repeated[0]!r} more than once")
    return header, _body(path, reader, len(header), delimiter)


def _body(
    path: Path, reader: Any, n_columns: int, delimiter: str
) -> Iterator[tuple[int, list[str]]]:
    mark = "tab" if delimiter == "\t" else "comma"
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise DataError(f"{path} line {reader.line_num} is not CSV: {error}") from error
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        n_line = reader.line_num
        if len(cells) != n_columns:
            raise DataError(
                f"{path} line {n_line} must have {n_columns} cells like the header, "
                f"got {len(cells)}; put quotes around a cell with a {mark} in it"
            )
        yield n_line, cells


def _row(where: str, cells: dict[str, str]) -> Row:
    leaf = clean(cells["leaf"])
    if not leaf:
        raise DataError(f"{where} must name a leaf, got an empty cell")
    split = clean(cells.get("split", ""))
    if split and split not in SPLITS:
        raise DataError(f"{where}: split must be one of {', '.join(SPLITS)}, got {split!r}")
    words = (clean(word) for word in cells.get("hypernym", "").split("|"))
    return Row(
        where=where,
        leaf=leaf,
        image=cells["image"].strip(),
        synset=cells.get("synset", "").strip().lower().replace(" ", "_"),
        hypernyms=tuple(dict.fromkeys(word for word in words if word)),
        split=split,
        group=cells.get("group", "").strip(),
    )
