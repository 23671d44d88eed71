"""What interchange interventions say: rates by layer, and the ratio at the peak."""

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

    @property
    def ratio(self) -> float | None:
        """Symbolic over positional; None where nothing is positional."""
        return self.symbolic / self.positional if self.positional else None


def rates(table: pa.Table) -> list[Mechanism]:
    """Rates of each row of a table of schema INTERCHANGE, in its order."""
    return [_rates(row) for row in table.to_pylist()]


def peaks(table: pa.Table, patch: str = "counterfactual") -> list[Mechanism]:
    """For each number of objects, the layer with the most positional and symbolic answers.

    The first of several. Layer 0 is left out: where a question ends with the queried word, its
    embedding is that word, so that the patch replaces the question and every answer of a subject
    that can do the task is symbolic whatever the mechanism; where it ends with an answer token,
    the patch changes nothing.

    Args:
        table: Of schema INTERCHANGE.
        patch: Which kind of patch.
    """
    best: dict[int, Mechanism] = {}
    found = [one for one in rates(table) if one.patch == patch and one.layer > 0]
    for one in sorted(found, key=lambda one: (one.n_objects, one.layer)):
        if one.n_objects not in best or one.effect > best[one.n_objects].effect:
            best[one.n_objects] = one
    return list(best.values())


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
