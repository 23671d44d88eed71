"""What users know of LMs from elsewhere, such as MMLU-Pro: from a table into the store."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from taxonomy.errors import DataError
from taxonomy.reading import read_text, short
from xmodal.parquet import read_whole
from xmodal.store import Store
from xmodal.store.rows import CapabilityRow

REQUIRED, OPTIONAL = ("lm", "capability", "value"), ("source",)
_KNOWN_LMS = "SELECT lm FROM text_feature_set UNION SELECT lm FROM align_run"


@dataclass(frozen=True)
class Imported:
    """What an import brought."""

    n_values: int
    n_lms: int
    unknown_lms: tuple[str, ...]
    """Those that no text features and no alignment in the store are of, by name."""


def import_capabilities(store: Path, path: Path) -> Imported:
    """Store the values of a table; each replaces an earlier one of its LM and capability.

    Args:
        store: The DuckDB file.
        path: A .csv or .parquet file with columns lm, capability, value and, if wanted, source.

    Raises:
        DataError: The file cannot be used as it is.
        StoreError: There is no store, or the file gives two values of one LM and capability.
    """
    rows = read_capabilities(path)
    with Store.open(store, read_only=True) as opened:
        known = set(opened.query(_KNOWN_LMS)["lm"].to_pylist())
    with Store.open(store) as opened:
        opened.add_capabilities(rows)
    lms = {row.lm for row in rows}
    return Imported(len(rows), len(lms), tuple(sorted(lms - known)))


def read_capabilities(path: Path) -> list[CapabilityRow]:
    """The rows of a table of capabilities, checked.

    Args:
        path: A .csv or .parquet file.

    Raises:
        DataError: It is not there, of another kind, damaged, empty, without a column or with one
            too many; or a row without an LM, a capability or a finite number.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise DataError(f"{path} must be a .csv or .parquet file of capabilities")
    names, records = _csv(path) if path.suffix == ".csv" else _parquet(path)
    have = ", ".join(names) or "none"
    for name in REQUIRED:
        if name not in names:
            raise DataError(f"{path} has no column {name}, only {have}")
    for name in names:
        if name not in REQUIRED + OPTIONAL or names.count(name) > 1:
            raise DataError(
                f"{path} must have columns lm, capability, value and perhaps source, each once, "
                f"got {have}"
            )
    if not records:
        raise DataError(f"{path} holds no value")
    return [_row(path, line, record) for line, record in records]


def _csv(path: Path) -> tuple[list[str], list[tuple[str, dict[str, Any]]]]:
    """Names of the columns, and each row with where it stands."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    found = []
    try:
        names = [name.strip() for name in next(reader, [])]
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(names):
                raise DataError(
                    f"{path} cannot be read: line {reader.line_num} has {len(cells)} fields, its "
                    f"header {len(names)}"
                )
            found.append((f"line {reader.line_num}", dict(zip(names, cells, strict=True))))
    except csv.Error as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return names, found


def _parquet(path: Path) -> tuple[list[str], list[tuple[str, dict[str, Any]]]]:
    table = read_whole(path)
    names = list(table.column_names)
    if len(set(names)) < len(names):
        return names, []
    return names, [(f"row {n}", record) for n, record in enumerate(table.to_pylist(), 1)]


def _row(path: Path, where: str, record: dict[str, Any]) -> CapabilityRow:
    texts = {name: _text(record[name]) for name in ("lm", "capability")}
    for name, text in texts.items():
        if not text:
            raise DataError(f"{path} has no {name} in {where}: got {short(record[name])}")
    value = _number(record["value"])
    if not math.isfinite(value):
        raise DataError(
            f"{path}: value must be a finite number in {where}, got {short(record['value'])}"
        )
    return CapabilityRow(**texts, value=value, source=_text(record.get("source")) or None)


def _number(given: Any) -> float:
    """A number, or the text of one; NaN for anything else."""
    if isinstance(given, bool) or not isinstance(given, str | int | float | Decimal):
        return math.nan
    try:
        return float(given)
    except (ValueError, OverflowError):
        return math.nan


def _text(given: Any) -> str:
    return given.strip() if isinstance(given, str) else ""
