"""Which runs of two stores agree: what `xmodal compare` does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from taxonomy.errors import ConfigError, StoreError
from xmodal.reproduce.compare import Compared, compare_tables
from xmodal.reproduce.parts import TIMINGS
from xmodal.reproduce.verdict import DIFFERENT, IDENTICAL, WITHIN, Reproduction
from xmodal.sharing.compared import DATASETS, DESIGNS, KINDS, METRICS, OF_DATASET, Part
from xmodal.store import Store

ONLY_A, ONLY_B = "only in A", "only in B"
_COLUMNS = pa.schema(
    [
        ("kind", pa.string()),
        ("id", pa.string()),
        ("verdict", pa.string()),
        ("n_answers", pa.int64()),
        ("n_otherwise", pa.int64()),
        ("largest_difference", pa.float64()),
        ("note", pa.string()),
    ]
)


_FOLLOWED = ("manifest", "dataset")
"""Designs that must be the same: of features the runs tell."""


@dataclass(frozen=True)
class Comparison:
    """What came of holding two stores against one another."""

    table: pa.Table
    """A row for each run of either store, and for each design that differs under one id."""
    tolerance: float

    def _runs(self, *verdicts: str) -> int:
        """How many runs have one of these verdicts."""
        of_runs = pc.is_in(self.table["kind"], value_set=pa.array(list(KINDS)))
        meant = pc.is_in(self.table["verdict"], value_set=pa.array(verdicts))
        return int(pc.sum(pc.and_(of_runs, meant), min_count=0).as_py())

    @property
    def is_same(self) -> bool:
        """Whether there are common runs, all agree, and so do manifests and datasets."""
        asked = pc.is_in(self.table["kind"], value_set=pa.array(_FOLLOWED))
        differ = pc.sum(asked, min_count=0).as_py()
        return not differ and not self._runs(DIFFERENT) and self._runs(IDENTICAL, WITHIN) > 0

    def line(self) -> str:
        """The counts."""
        n = self._runs(IDENTICAL, WITHIN, DIFFERENT)
        within = f"{self._runs(WITHIN)} {WITHIN} of {self.tolerance:g}, " * (self.tolerance > 0)
        return (
            f"{n} runs in both: {self._runs(IDENTICAL)} {IDENTICAL}, {within}"
            f"{self._runs(DIFFERENT)} {DIFFERENT}; {self._runs(ONLY_A)} {ONLY_A}, "
            f"{self._runs(ONLY_B)} {ONLY_B}"
        )


def compare_stores(a: Path, b: Path, *, tolerance: float = 0.0) -> Comparison:
    """Hold the runs of two stores against one another, by id, and what they were made from.

    Args:
        a: A DuckDB file, only read.
        b: Another.
        tolerance: Largest difference of metrics, logits, cosines, scores and losses that is called
            equal.

    Raises:
        ConfigError: A tolerance out of range.
        StoreError: A store that is missing, foreign, of another version or in use; or with rows
            that are there twice.
    """
    if not 0 <= tolerance < math.inf:
        raise ConfigError(f"tolerance must be at least 0 and finite, got {tolerance}")
    with Store.open(a, read_only=True) as first, Store.open(b, read_only=True) as second:
        stores = (first, second)
        rows = [
            row
            for kind, (ids, parts) in KINDS.items()
            for row in _runs(stores, kind, ids, parts, tolerance)
        ]
        rows += _designs(stores)
    return Comparison(pa.Table.from_pylist(rows, schema=_COLUMNS), tolerance)


def _runs(
    stores: tuple[Store, Store], kind: str, ids: str, parts: Sequence[Part], tolerance: float
) -> list[dict[str, Any]]:
    a, b = (set(store.query(ids)["run_id"].to_pylist()) for store in stores)
    rows = []
    for run_id in sorted(a | b):
        row: dict[str, Any] = {"kind": kind, "id": run_id}
        if run_id not in a or run_id not in b:
            rows.append(row | {"verdict": ONLY_A if run_id in a else ONLY_B})
            continue
        found = [_compared(stores, run_id, part) for part in parts]
        rows.append(row | _said(run_id, kind, found, tolerance))
    return rows


def _compared(stores: tuple[Store, Store], run_id: str, part: Part) -> Compared:
    sides = [store.query(part.text, {"id": run_id}) for store in stores]
    if part is METRICS:
        timed = pa.array(TIMINGS)
        sides = [one.filter(pc.invert(pc.is_in(one["name"], value_set=timed))) for one in sides]
    if part.asked:
        first, second = (one["asked"].unique() for one in sides)
        both = first.filter(pc.is_in(first, value_set=second))
        sides = [one.filter(pc.is_in(one["asked"], value_set=both)) for one in sides]
    try:
        return compare_tables(
            part.name,
            *sides,
            keys=part.keys,
            numbers=part.numbers,
            exact=part.exact,
            by_row=part.by_row,
            alone=(ONLY_A, ONLY_B),
        )
    except ValueError as error:
        raise StoreError(
            f"{part.name} of run {run_id} are there twice in {stores[0].path} or "
            f"{stores[1].path} ({error}): `xmodal store verify` looks closer"
        ) from error


def _said(run_id: str, kind: str, parts: Sequence[Compared], tolerance: float) -> dict[str, Any]:
    """The verdict of the worst part, and numbers over all of them."""
    of = Reproduction(
        run_id=run_id,
        kind=kind,
        tolerance=tolerance,
        steps=None,
        parts=parts,
        environment=(),
        notes=(),
    )
    answers = [part for part in parts if part.part != METRICS.name]
    return {
        "verdict": of.verdict,
        "n_answers": sum(part.n for part in answers),
        "n_otherwise": sum(part.n_otherwise for part in answers),
        "largest_difference": max(part.largest for part in parts),
        "note": "; ".join(
            f"{part.part}: {part.note or f'{part.n - part.n_equal} of {part.n} rows differ'}"
            for part in parts
            if not part.identical
        ),
    }


def _designs(stores: tuple[Store, Store]) -> list[dict[str, Any]]:
    """What differs under one id."""
    rows = []
    for kind, text in DESIGNS.items():
        a, b = (
            {row["id"]: row["said"] for row in store.query(text).to_pylist()} for store in stores
        )
        rows += [
            {
                "kind": kind,
                "id": one,
                "verdict": DIFFERENT,
                "note": f"sha256 {a[one][:16]} in A, {b[one][:16]} in B",
            }
            for one in a
            if one in b and a[one] != b[one]
        ]
    a, b = (store.query(DATASETS)["id"].to_pylist() for store in stores)
    for one in a:
        if one in b and (others := _other_tables(stores, one)):
            note = f"other {', '.join(others)}"
            rows.append({"kind": "dataset", "id": one, "verdict": DIFFERENT, "note": note})
    return rows


def _other_tables(stores: tuple[Store, Store], dataset_id: str) -> list[str]:
    """Which tables of a dataset differ."""
    of = {"id": dataset_id}
    first, second = stores
    return [
        name
        for name, text in OF_DATASET.items()
        if not first.query(text, of).equals(second.query(text, of))
    ]
