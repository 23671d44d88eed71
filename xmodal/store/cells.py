"""Values of a result as text, as JSON and by column."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa


def column_names(table: pa.Table) -> list[str]:
    """Column names, a repeated one numbered: objects need distinct keys."""
    names: list[str] = []
    for name in table.column_names:
        n_before = table.column_names[: len(names)].count(name)
        names.append(f"{name}_{n_before + 1}" if n_before else name)
    return names


def numeric_columns(table: pa.Table) -> list[bool]:
    """Which columns hold numbers."""
    types = pa.types
    return [
        types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
        for kind in table.schema.types
    ]


def rows_of(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """The table row by row, as Python values."""
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def objects(table: pa.Table) -> Iterator[dict[str, Any]]:
    """The table row by row, as JSON objects."""
    names = column_names(table)
    for row in rows_of(table):
        yield dict(zip(names, map(plain, row), strict=True))


def plain(value: Any) -> Any:
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
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)


def cell_text(value: Any, *, rounded: bool = False) -> str:
    """One cell: exact, or with floats rounded to four decimals for reading."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _float(value) if rounded and math.isfinite(value) else _exact_float(value)
    simple = plain(value)
    if isinstance(simple, (list, dict)):
        return json.dumps(simple, ensure_ascii=False)
    return str(value if isinstance(value, Decimal) else simple)


def _float(value: float) -> str:
    small_or_big = value != 0 and not 5e-4 <= abs(value) < 1e7
    return f"{value:.3e}" if small_or_big else f"{value:.4f}"


def _exact_float(value: float) -> str:
    return "NaN" if math.isnan(value) else repr(value)
