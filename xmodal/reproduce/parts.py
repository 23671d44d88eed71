"""What the three kinds of runs share when they are made again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from taxonomy.errors import DataError
from xmodal.reproduce.compare import Compared, compare_tables
from xmodal.store import Store
from xmodal.store.folders import METRIC

TIMINGS = ("seconds_per_step", "drawing_share")
"""Metrics that tell of the machine and the moment, not of the run."""
Metrics = Sequence[tuple[int, str, float]]
"""(step, name, value)."""
OnStep = Callable[[int, int, float], None]
"""Called with (step, steps in all, loss)."""
_METRICS = "SELECT step, name, value FROM metric WHERE run_id = $id ORDER BY step, name"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be made again, and how."""

    store: Path
    row: Mapping[str, Any]
    """The run's, of its table."""
    device: str
    trust_features: bool
    """Do not ask for what the features were made with."""
    together: Sequence[Mapping[str, Any]] = ()
    """Rows of the runs that are made again in one with it, itself among them; none for alone."""
    notes: list[str] = field(default_factory=list)
    """Told beside the verdict; added to."""

    @property
    def run_id(self) -> str:
        """Whose."""
        return str(self.row["run_id"])

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """Of every run that is made again, in their order."""
        return self.together or (self.row,)

    @property
    def place(self) -> int:
        """Of the run among them."""
        return [row["run_id"] for row in self.rows].index(self.run_id)


class Rerun(Protocol):
    """A run whose every part was found here, ready to be made again."""

    def whole(self, out: Path, on_step: OnStep) -> list[Compared]:
        """Make all of it.

        Args:
            out: A folder of its own, for the run's folder.
            on_step: Called after each step.

        Returns:
            Each part against what is stored.
        """

    def first(self, steps: int, on_step: OnStep) -> list[Compared]:
        """Make the first steps, and compare what was noted until then; nothing is written."""


def settings_of(kind: type[Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """What a JSON object says of a dataclass's fields; the other members are left out."""
    return {one.name: said[one.name] for one in fields(kind) if one.name in said}


def recipe_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a run by name."""
    said: dict[str, Any] = json.loads(row["recipe_json"])
    return said


def check_id(run_id: str, found: str) -> None:
    """Refuse a run that what is stored does not give again.

    Args:
        run_id: The run.
        found: The id that everything found here gives: a hash of all of it.

    Raises:
        DataError: It is another one.
    """
    if found != run_id:
        raise DataError(
            f"run {run_id} cannot be made again: what is stored of it gives run {found} "
            "here, as settings or data are read otherwise than by the xmodal that trained it; "
            "`xmodal runs show ID --provenance` names the version"
        )


def stored_metrics(asked: Asked) -> pa.Table:
    """Step, name and value of what the run noted, without timings."""
    with Store.open(asked.store, read_only=True) as opened:
        table = opened.query(_METRICS, {"id": asked.run_id})
    return _untimed(table.select(METRIC.names).cast(METRIC))


def compare_metrics(asked: Asked, again: Metrics | pa.Table, until: int | None = None) -> Compared:
    """Metrics by step and name.

    Args:
        asked: The run.
        again: What it noted now.
        until: Last step that is compared; None for all.
    """
    if not isinstance(again, pa.Table):
        rows = [dict(zip(METRIC.names, row, strict=True)) for row in again]
        again = pa.Table.from_pylist(rows, schema=METRIC)
    sides = [stored_metrics(asked), _untimed(again)]
    if until is not None:
        sides = [side.filter(pc.less_equal(side["step"], until)) for side in sides]
    return compare_tables("metrics", *sides, keys=("step", "name"), numbers=("value",))


def check_steps(asked: Asked, steps: int) -> None:
    """Refuse to compare what there is not.

    Raises:
        DataError: The run has fewer steps, or noted nothing until there.
    """
    n_steps = asked.row["n_steps"]
    noted = pc.min(stored_metrics(asked)["step"]).as_py()
    if not 1 <= steps <= n_steps:
        raise DataError(f"steps must be from 1 to the run's {n_steps}, got {steps}")
    if noted is None or steps < noted:
        first = "nothing" if noted is None else f"its first metric at step {noted}"
        raise DataError(
            f"run {asked.run_id} noted {first}: give more --steps than {steps}, or leave it out"
        )


def _untimed(table: pa.Table) -> pa.Table:
    timed = pc.is_in(table["name"], value_set=pa.array(TIMINGS))
    return table.filter(pc.invert(timed))
