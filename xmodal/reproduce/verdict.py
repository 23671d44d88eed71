"""What came of making a run again: the parts, the verdict, and how the machines differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from xmodal.reproduce.compare import Compared
from xmodal.store.cells import cell_text

IDENTICAL, WITHIN, DIFFERENT = "identical", "equal within tolerance", "different"


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A run made again, held against what is stored."""

    run_id: str
    kind: str
    """projector, alignment or decoder."""
    tolerance: float
    """Largest difference that is called equal."""
    steps: int | None
    """Only the metrics up to this step were compared; None for the whole run."""
    parts: Sequence[Compared]
    environment: Sequence[tuple[str, Any, Any]]
    """(name, then, now) of what differs in versions, commit and machine."""
    notes: Sequence[str]
    """What bears on the verdict and is no number."""
    changed: bool = False
    """The run's folder is not what was brought into the store any more."""
    folder: Path | None = None
    """Where the run made again lies; None if it was not kept."""

    @property
    def verdict(self) -> str:
        """identical, equal within tolerance, or different: of all parts together."""
        found = [self.verdict_of(part) for part in self.parts]
        if self.changed or not found:
            return DIFFERENT
        return max(found, key=(IDENTICAL, WITHIN, DIFFERENT).index)

    @property
    def is_same(self) -> bool:
        """Whether it is identical, or equal within the tolerance."""
        return self.verdict != DIFFERENT

    def verdict_of(self, part: Compared) -> str:
        """The same of one part."""
        if part.identical:
            return IDENTICAL
        return WITHIN if part.largest <= self.tolerance else DIFFERENT

    def table(self) -> pa.Table:
        """One row a part."""
        return pa.table(
            {
                "part": pa.array([one.part for one in self.parts], pa.string()),
                "verdict": pa.array([self.verdict_of(one) for one in self.parts], pa.string()),
                "n": pa.array([one.n for one in self.parts], pa.int64()),
                "equal_ratio": pa.array(
                    [one.n_equal / one.n if one.n else None for one in self.parts], pa.float64()
                ),
                "largest_difference": pa.array([one.largest for one in self.parts], pa.float64()),
                "note": pa.array([one.note for one in self.parts], pa.string()),
            }
        )

    def lines(self) -> list[str]:
        """The verdict, what differs in the environment, and what else bears on it; a line each."""
        what = f"run {self.run_id}" + (f", first {self.steps} steps" if self.steps else "")
        within = f" of {self.tolerance:g}" if self.verdict == WITHIN else ""
        said = [f"{what}: {self.verdict}{within}"]
        said += [
            f"{name}: {cell_text(then)} then, {cell_text(now)} now"
            for name, then, now in self.environment
        ]
        kept = [] if self.folder is None else [f"made again in {self.folder}"]
        return [*said, *self.notes, *kept]
