"""Rates of interchange interventions by layer, from the counts alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class Mechanism:
    """Rates, 0 to 1, of one number of objects, kind of patch and layer."""

    n_objects: int
    patch: str
    layer: int
    n_examples: int
    positional: float
    symbolic: float
    """With the ambiguous, which cannot be told from reflexive; there are none unless s and t
    were drawn as published."""
    reflexive: float
    no_effect: float
    other: float
    ambiguous: float

    @property
    def effect(self) -> float:
        """Answers that follow a binding: positional or symbolic."""
        return self.positional + self.symbolic


def rates(table: pa.Table) -> list[Mechanism]:
    """Rates of each row of a table of schema INTERCHANGE, in its order."""
    return [_rates(row) for row in table.to_pylist()]


def _rates(row: dict[str, Any]) -> Mechanism:
    n = row["n_examples"]
    return Mechanism(
        n_objects=row["n_objects"],
        patch=row["patch"],
        layer=row["layer"],
        n_examples=n,
        positional=row["n_positional"] / n,
        symbolic=(row["n_symbolic"] + row["n_ambiguous"]) / n,
        reflexive=row["n_reflexive"] / n,
        no_effect=row["n_no_effect"] / n,
        other=row["n_other"] / n,
        ambiguous=row["n_ambiguous"] / n,
    )
