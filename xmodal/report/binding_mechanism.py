"""Figure of binding: what the last token's activation holds, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from xmodal.report.binding_style import (
    OUTCOME_COLOURS,
    OUTCOMES,
    Names,
    Row,
    in_order,
    look_title,
    names_of,
    span,
    whole,
)
from xmodal.report.style import GREY, SHAPES, inline


def mechanism_chart(rows: Sequence[Row], names: Names | None = None) -> alt.TopLevelMixin:
    """What the last token's activation holds after each layer: a row for each arm or LM.

    Args:
        rows: Of @binding-mechanism; the counterfactual patch counts, each at its last step. A
            panel for each context, vocabulary and number of objects; a ring marks the layer of
            peak effect.
        names: By condition; told by what differs if None.
    """
    shown = in_order([row for row in rows if row["patch"] == "counterfactual"])
    names = names_of(shown) if names is None else names
    last: dict[tuple[Any, ...], int | None] = {}
    for row in shown:
        key, step = _look(row), row["step"]
        if step is not None:
            last[key] = max(step, last.get(key) or 0)
    groups: dict[Any, dict[Any, list[Row]]] = {}
    for row in shown:
        if row["step"] == last.get(_look(row)):
            groups.setdefault(_look(row)[:4], {}).setdefault(_look(row), []).append(row)
    panels = [
        [_panel(of, [_subject(of[0], names), look_title(of[0])]) for of in looks.values()]
        for looks in groups.values()
    ]
    return whole(
        panels,
        "What the last token's activation holds, by layer",
        [
            "share of answers after patching it from the counterfactual, mean over runs;",
            "bars: 95 % interval over seeds; ring: layer of peak effect",
        ],
    )


def _look(row: Row) -> tuple[Any, ...]:
    """Whose row it is, which comes first, and how it was looked at."""
    subject = (row["condition"], row["lm"], row["lm_revision"], row["is_vlm"])
    return (*subject, row["context"], row["vocabulary"], row["n_objects"], row["as_published"])


def _subject(row: Row, names: Names) -> str:
    if row["condition"] is not None:
        return names[row["condition"]]
    revision = "" if row["lm_revision"] is None else f" {row['lm_revision'][:8]}"
    return f"{row['lm']}{revision}{' (VLM)' if row['is_vlm'] else ''}"


def _panel(rows: Sequence[Row], title: list[str]) -> Any:
    points = []
    for row in rows:
        for column, outcome in OUTCOMES.items():
            kind = column.removesuffix("_rate")
            of = span(row, column, f"{kind}_low", f"{kind}_high")
            peak = row["is_peak"] and kind in ("positional", "symbolic")
            points.append({"layer": row["layer"], "outcome": outcome, "peak": peak} | of)
    layers = sorted({point["layer"] for point in points})
    base = alt.Chart(inline(points))
    x = alt.X(
        "layer:Q",
        title="layer (0: embeddings)",
        scale=alt.Scale(domain=[layers[0], layers[-1]], nice=False, zero=False, padding=8),
        axis=alt.Axis(tickMinStep=1, format="d", grid=False),
    )
    scale = alt.Scale(domain=[0, 1])
    y = alt.Y("value:Q", title="share of answers", scale=scale)
    kinds = list(OUTCOMES.values())
    colour = alt.Color(
        "outcome:N",
        title="answer",
        scale=alt.Scale(domain=kinds, range=list(OUTCOME_COLOURS)),
        legend=alt.Legend(orient="right", symbolSize=80),
    )
    shape = alt.Shape(
        "outcome:N",
        title="answer",
        scale=alt.Scale(domain=kinds, range=list(SHAPES[: len(kinds)])),
    )
    spans = base.mark_rule(strokeWidth=1.5).encode(
        x=x, y=alt.Y("low:Q", scale=scale), y2="high:Q", color=colour
    )
    lines = base.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour)
    dots = base.mark_point(filled=True, size=45, opacity=1).encode(
        x=x, y=y, color=colour, shape=shape
    )
    rings = alt.Chart(inline([point for point in points if point["peak"]])).mark_point(
        shape="circle", filled=False, size=190, strokeWidth=1.5, color=GREY
    )
    drawn = [spans, lines, dots]
    if any(point["peak"] for point in points):
        drawn.append(rings.encode(x=x, y=y))
    # titles of two lines keep panels in one row on one height
    return alt.layer(*drawn, title=alt.Title(title[0], subtitle=title[1])).properties(
        width=260, height=200
    )
