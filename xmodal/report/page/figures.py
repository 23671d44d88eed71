"""Figures as they are embedded: specifications that are drawn in the browser."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from taxonomy.errors import StoreError
from xmodal.report.plots import FIGURES
from xmodal.report.plots.rows import Picked
from xmodal.report.style import printed
from xmodal.store import Store

Row = dict[str, Any]

MOST_BYTES = 1_500_000
"""Of one figure's specification with its data, as JSON."""


@dataclass(frozen=True)
class Embedded:
    """One figure of a page."""

    name: str
    title: str
    caption: str
    spec: dict[str, Any] | None
    """Vega-Lite, with its data; None where it is too large for a page."""


def figures(store: Store, run_ids: Sequence[str], looked_at: Sequence[Row]) -> list[Embedded]:
    """Every figure that has something to draw.

    Args:
        store: Open, to read.
        run_ids: The runs that a page is about.
        looked_at: Rows of featured(): where a figure of all runs is too large, their conditions
            are drawn alone, or else the one run of each.
    """
    conditions = sorted({run for row in looked_at for run in row["run_ids"]})
    choices = [
        (run_ids, ""),
        (conditions, "The conditions that are looked at picture by picture below, alone. "),
        ([row["run_id"] for row in looked_at], "Those runs that are looked at below, alone. "),
    ]
    out = []
    for name, kind in FIGURES.items():
        left_out = None
        for runs, said in choices:
            try:
                drawn = kind.draw(Picked(store, runs, {})) if runs else None
            except StoreError:  # it has no rows: there are others
                break
            if drawn is None:
                continue
            spec = printed(drawn.chart).to_dict(validate=False)
            if len(json.dumps(spec)) <= MOST_BYTES:
                out.append(Embedded(name, drawn.title, said + drawn.caption, spec))
                break
            left_out = drawn.title
        else:
            if left_out:
                out.append(Embedded(name, left_out, "", None))
    return out
