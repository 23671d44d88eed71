"""How far two results are from one another: weights by tensor, tables by their keys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from xmodal.files import file_sha256

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


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
    n_otherwise: int = 0
    """Rows of both tables in which a value that is no number differs: answers, of predictions."""


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
    alone: tuple[str, str] = ("are not there again", "are new"),
) -> Compared:
    """Two tables, row by row of equal keys.

    Args:
        part: What they are called.
        stored: Columns keys, numbers and exact; keys are unique.
        again: The same.
        keys: What makes two rows the same one.
        numbers: Whose largest difference counts; not NULL.
        exact: What follows from the numbers: it may differ only where these do, and has no
            difference of its own.
        by_row: Each row's exact values follow from its own numbers; else from those of all rows.
        alone: What is said of rows of the first or the second table alone.
    """
    at, to = _same_rows(stored, again, keys)
    a, b = stored.take(at), again.take(to)
    missing, more = stored.num_rows - len(at), again.num_rows - len(to)
    shape = (len(numbers), len(at))
    one, other = (
        np.array([np.asarray(side[name], dtype=float) for name in numbers]).reshape(shape).T
        for side in (a, b)
    )
    numbers_equal = ((one == other) | (np.isnan(one) & np.isnan(other))).all(axis=1)
    said = np.ones(len(at), dtype=bool)
    for name in exact:
        said &= _equal(a[name], b[name])
    n_equal = int((numbers_equal & said).sum())
    # a row cannot answer otherwise for no reason: one of the two tables was changed
    odd = ~said & numbers_equal if by_row else ~said & numbers_equal.all()
    notes = [
        f"{count} rows {what}"
        for count, what in (
            (missing, alone[0]),
            (more, alone[1]),
            (int(odd.sum()), f"differ in {' or '.join(exact)} though their numbers are equal"),
        )
        if count
    ]
    n = len(at) + missing + more
    return Compared(
        part=part,
        n=n,
        n_equal=n_equal,
        largest=math.inf if notes else largest_difference(one, other),
        identical=n == n_equal,
        note="; ".join(notes),
        n_otherwise=int((~said).sum()),
    )


def _same_rows(a: pa.Table, b: pa.Table, keys: Sequence[str]) -> tuple[Ints, Ints]:
    """Places of the rows of equal keys in both tables; NULL is a key like any other.

    Raises:
        ValueError: Keys are not unique.
    """
    whole = pa.concat_tables([a.select(keys), b.select(keys)], promote_options="permissive")
    number = np.zeros(whole.num_rows, dtype=np.int64)
    for name in keys:
        coded = whole[name].combine_chunks().dictionary_encode("encode").indices
        codes = coded.to_numpy(zero_copy_only=False).astype(np.int64)
        # numbered anew after each key, so that products stay below the square of the rows
        number = np.unique(number * (codes.max(initial=0) + 1) + codes, return_inverse=True)[1]
    sides = number[: a.num_rows], number[a.num_rows :]
    for side in sides:
        if n_twice := len(side) - len(np.unique(side)):
            raise ValueError(f"{', '.join(keys)} must be unique, got {n_twice} more")
    _, at, to = np.intersect1d(*sides, assume_unique=True, return_indices=True)
    return at, to


def _equal(a: pa.ChunkedArray, b: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Value by value; NULL is equal to NULL."""
    same = pc.fill_null(pc.equal(a, b), False)
    both = pc.and_(pc.is_null(a), pc.is_null(b))
    found: np.ndarray[Any, np.dtype[np.bool_]] = np.asarray(pc.or_(same, both), dtype=bool)
    return found
