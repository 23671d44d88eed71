"""How far two results are from one another: weights by tensor, tables by their keys."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from xmodal.files import file_sha256

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One part of a result, as stored and made again."""

    part: str
    """weights, metrics, predictions and so on."""
    n: int
    """What was compared: values of weights, rows of tables, whichever side has them."""
    n_equal: int
    """Of these, equal to the last bit."""
    largest: float
    """Largest absolute difference; infinite where one side lacks something, or has NaN alone."""
    identical: bool
    """Nothing differs: for weights the bytes of the file."""
    note: str = ""
    """What else to know, such as what is missing."""


def largest_difference(a: Floats, b: Floats) -> float:
    """The largest |a - b| over two arrays of one shape; 0 for none.

    Equal values do not differ, infinite ones neither, and NaN does not differ from NaN: that is
    what was stored and what came again. A NaN or an infinite value on one side alone is infinitely
    far.
    """
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(a[~same] - b[~same])
    return float(np.where(np.isnan(apart), math.inf, apart).max())


def compare_weights(stored: Path, again: Path) -> Compared:
    """Two files of weights: equal bytes, or how far their tensors are apart.

    Args:
        stored: safetensors.
        again: safetensors.
    """
    from xmodal.tensors import read_tensors

    a, b = (read_tensors(path, "restore it to compare") for path in (stored, again))
    identical = file_sha256(stored) == file_sha256(again)
    n = n_equal = 0
    largest, odd = 0.0, []
    for name in sorted(a.keys() | b.keys()):
        if name not in a or name not in b or a[name].shape != b[name].shape:
            odd.append(name)
            n += max(one[name].numel() for one in (a, b) if name in one)
            continue
        # every format of weights fits into float64 exactly
        one, other = (side[name].double().numpy().ravel() for side in (a, b))
        n += one.size
        n_equal += int(((one == other) | (np.isnan(one) & np.isnan(other))).sum())
        largest = max(largest, largest_difference(one, other))
    note = f"shape or name differs: {', '.join(odd[:3])}" if odd else ""
    if not identical and not odd and n == n_equal:
        note = "equal weights in files that differ in what they say beside them"
    return Compared(
        part="weights",
        n=n,
        n_equal=n_equal,
        largest=math.inf if odd else largest,
        identical=identical,
        note=note,
    )


def compare_tables(
    part: str,
    stored: pa.Table,
    again: pa.Table,
    *,
    keys: Sequence[str],
    numbers: Sequence[str],
    exact: Sequence[str] = (),
    by_row: bool = False,
) -> Compared:
    """Two tables, row by row of equal keys.

    Args:
        part: What they are called.
        stored: Columns keys, numbers and exact; keys are unique and not NULL.
        again: The same.
        keys: What makes two rows the same one.
        numbers: Whose largest difference counts; not NULL.
        exact: What follows from the numbers: it may differ only where these do, and has no
            difference of its own.
        by_row: Each row's exact values follow from its own numbers; else from those of all rows.
    """
    a, b = (_by_key(one, keys, (*numbers, *exact)) for one in (stored, again))
    both = a.keys() & b.keys()
    missing, more = len(a) - len(both), len(b) - len(both)
    rows = [(a[key], b[key]) for key in both]
    sides = [np.array([pair[i][: len(numbers)] for pair in rows], dtype=float) for i in (0, 1)]
    shape = (len(rows), len(numbers))
    one, other = (side.reshape(shape) for side in sides)
    numbers_equal = ((one == other) | (np.isnan(one) & np.isnan(other))).all(axis=1)
    said = np.array([x[len(numbers) :] == y[len(numbers) :] for x, y in rows], dtype=bool)
    n_equal = int((numbers_equal & said).sum())
    # a row cannot answer otherwise for no reason: one of the two tables was changed
    odd = ~said & numbers_equal if by_row else ~said & numbers_equal.all()
    notes = [
        f"{count} rows {what}"
        for count, what in (
            (missing, "are not there again"),
            (more, "are new"),
            (int(odd.sum()), f"differ in {' or '.join(exact)} though their numbers are equal"),
        )
        if count
    ]
    n = len(both) + missing + more
    return Compared(
        part=part,
        n=n,
        n_equal=n_equal,
        largest=math.inf if notes else largest_difference(one, other),
        identical=n == n_equal,
        note="; ".join(notes),
    )


def _by_key(
    table: pa.Table, keys: Sequence[str], values: Sequence[str]
) -> Mapping[tuple[Any, ...], tuple[Any, ...]]:
    columns = [table[name].to_pylist() for name in (*keys, *values)]
    rows = zip(*columns, strict=True) if columns else ()
    found = {row[: len(keys)]: row[len(keys) :] for row in rows}
    if len(found) != table.num_rows:
        raise ValueError(
            f"{', '.join(keys)} must be unique, got {table.num_rows - len(found)} more"
        )
    return found
