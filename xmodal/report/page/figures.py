"""Figures as they are embedded: specifications that are drawn in the browser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from taxonomy.errors import StoreError
from xmodal.report.plots import FIGURES, figure
from xmodal.report.style import printed
from xmodal.store import Store


@dataclass(frozen=True)
class Embedded:
    """One figure of a page."""

    name: str
    title: str
    caption: str
    spec: dict[str, Any]
    """Vega-Lite, with its data."""


def figures(store: Store, run_ids: Sequence[str]) -> list[Embedded]:
    """Every figure that has something to draw of these runs."""
    out = []
    for name in FIGURES:
        try:
            drawn = figure(store, name, runs=run_ids)
        except StoreError:  # it has no rows: there are others
            continue
        out.append(
            Embedded(name, drawn.title, drawn.caption, printed(drawn.chart).to_dict(validate=False))
        )
    return out
