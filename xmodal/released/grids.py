"""Wide CSV files, a run a row and a concept a column, read strictly: all of it or nothing."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from taxonomy.errors import DataError
from taxonomy.reading import read_text

KEY = "run_name"
_EMPTY = {"", "na", "nan", "null", "none"}


@dataclass(frozen=True)
class Grid:
    """A file's numbers by run."""

    path: Path
    columns: tuple[str, ...]
    """Names of the columns after the run's."""
    rows: dict[str, tuple[float | None, ...]]
    """Run name to its cells; None where a cell is empty or NaN."""
    n_duplicates: int
    """Rows that only repeated an earlier one."""

    def at(self, run: str, column: str) -> float | None:
        """One cell; None when the file lacks the run or the column, too."""
        if run not in self.rows or column not in self.columns:
            return None
        return self.rows[run][self.columns.index(column)]


def read_lines(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a CSV file, every row as wide as the header.

    Raises:
        DataError: Unreadable, not UTF-8, empty, a row of another width, a column twice, or a
            last line without its end, which is how a file looks that was cut short.
    """
    text = read_text(path)
    if not text.endswith("\n"):
        raise DataError(f"{path} ends in the middle of a line: it was cut short; fetch it again")
    try:
        lines = list(csv.reader(text.splitlines(), strict=True))
    except csv.Error as error:
        raise DataError(f"{path} is no CSV file: {error}; fetch it again") from error
    if len(lines) < 2:
        raise DataError(f"{path} must have a header and at least one row; fetch it again")
    header, rows = lines[0], lines[1:]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{path} has the column {twice[0]!r} twice: columns must differ")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise DataError(
                f"{path} line {number} has {len(row)} cells where the header has {len(header)}: "
                "it was cut short or damaged; fetch it again"
            )
    return header, rows


def as_written(grid: Grid, run: str, column: str) -> str:
    """A cell's text in the file, for messages: quoted, or "an empty cell".

    The file is read again: a Grid has numbers only.
    """
    _, lines = read_lines(grid.path)
    at = 1 + grid.columns.index(column)
    text = next(line[at] for line in lines if line[0] == run)
    return repr(text) if text.strip() else "an empty cell"


def number(text: str, where: str) -> float | None:
    """A finite number, or None for an empty cell.

    Raises:
        DataError: Neither; where says which cell.
    """
    if text.strip().lower() in _EMPTY:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise DataError(f"{where} must be a number, got {text!r}: fetch the file again")
    return value


def read_grid(path: Path, *, high: float, whole: bool = False) -> Grid:
    """Read a file of one number a run and concept.

    Args:
        path: A CSV file whose first column is run_name.
        high: The largest number that makes sense; the smallest is 0.
        whole: Whether numbers must be whole.

    Raises:
        DataError: As in read_lines; a cell that is no number or out of range; two rows of one
            run that contradict each other.
    """
    header, lines = read_lines(path)
    if header[0] != KEY or len(header) < 2:
        raise DataError(
            f"{path} must begin with the column {KEY!r} and have others, got {header[:2]}"
        )
    rows: dict[str, tuple[float | None, ...]] = {}
    n_duplicates = 0
    for line_number, (run, *texts) in enumerate(lines, start=2):
        cells = tuple(
            number(text, f"{path} line {line_number} column {name!r}")
            for name, text in zip(header[1:], texts, strict=True)
        )
        _in_range(path, line_number, header[1:], cells, high, whole)
        if run in rows:
            if rows[run] != cells:
                raise DataError(f"{path} has two rows of {run!r} that contradict each other")
            n_duplicates += 1
        rows[run] = cells
    return Grid(path, tuple(header[1:]), rows, n_duplicates)


def _in_range(
    path: Path,
    line_number: int,
    columns: Sequence[str],
    cells: Sequence[float | None],
    high: float,
    whole: bool,
) -> None:
    for name, value in zip(columns, cells, strict=True):
        if value is None:
            continue
        if not 0.0 <= value <= high or (whole and not value.is_integer()):
            kind = "a whole number" if whole else f"in [0, {high:g}]"
            raise DataError(
                f"{path} line {line_number} column {name!r} must be {kind}, got {value:g}"
            )
