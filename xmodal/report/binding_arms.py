"""Figure of binding: arms beyond training, beside the paper's numbers and guessing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from xmodal.report.binding_style import (
    Names,
    Row,
    between,
    counted,
    in_order,
    names_of,
    span,
    whole,
)
from xmodal.report.style import BLUE, GREEN, GREY, ORANGE, inline

OUT, IN, PAPER = "beyond training", "within training", "the paper, beyond training"
COLOURS = {OUT: BLUE, IN: GREEN, PAPER: ORANGE}
MARKS = {OUT: "circle", IN: "triangle-up", PAPER: "diamond"}


def arms_chart(rows: Sequence[Row], names: Names | None = None) -> alt.TopLevelMixin:
    """Accuracy of arms at their end, beyond what they were trained on and within it.

    Args:
        rows: Of @binding-arms; those without an accuracy beyond training are left out. A panel
            for each vocabulary and range of objects asked beyond training.
        names: By condition; told by what differs if None.
    """
    shown = in_order([row for row in rows if row["out_accuracy"] is not None])
    names = names_of(shown) if names is None else names
    by: dict[tuple[Any, ...], list[Row]] = {}
    for row in shown:
        by.setdefault((row["vocabulary"], row["n_to"], tuple(row["out_objects"])), []).append(row)
    return whole(
        [[_panel(of, names)] for of in by.values()],
        "Accuracy of arms at their end, text context",
        [
            "mean over object counts and runs; bars: 95 % interval over seeds; dashed: guessing "
            "among the scene's items.",
            "The paper's objects, vocabulary and training are other than these: its numbers are "
            "no target to be read to the point.",
        ],
        wide=True,
    )


def _panel(rows: Sequence[Row], names: Names) -> Any:
    points: list[dict[str, Any]] = []
    order = []
    for row in rows:
        arm = f"{names[row['condition']]} ({counted(row['n_runs'], 'run')})"
        order.append(arm)
        points.append({"arm": arm, "what": OUT} | span(row, "out_accuracy", "out_low", "out_high"))
        if row["in_accuracy"] is not None:
            points.append({"arm": arm, "what": IN} | span(row, "in_accuracy", "in_low", "in_high"))
        if row["paper"] is not None:
            points.append({"arm": arm, "what": PAPER} | span(row, "paper", "", ""))
    whats = [what for what in MARKS if any(point["what"] == what for point in points)]
    base = alt.Chart(inline(points)).encode(
        y=alt.Y("arm:N", sort=order, title=None, axis=alt.Axis(labelLimit=280, grid=False)),
        yOffset=alt.YOffset("what:N", sort=whats, scale=alt.Scale(domain=whats)),
    )
    scale = alt.Scale(domain=[0, 1])
    x = alt.X("value:Q", title="share of right answers", scale=scale)
    colour = alt.Color(
        "what:N",
        title=None,
        scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())),
        legend=alt.Legend(orient="right", symbolSize=80, labelLimit=220),
    )
    shape = alt.Shape(
        "what:N",
        title=None,
        scale=alt.Scale(domain=list(MARKS), range=list(MARKS.values())),
    )
    spans = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", scale=scale), x2="high:Q", color=colour
    )
    dots = base.mark_point(filled=True, size=75, opacity=1).encode(x=x, color=colour, shape=shape)
    # of one object count each, they are the same for all rows
    chances = [{"chance": rows[0]["out_chance"]}]
    guess = alt.Chart(inline(chances)).mark_rule(color=GREY, strokeDash=[4, 3], strokeWidth=1.3)
    first, *_ = rows
    asked = between(min(first["out_objects"]), max(first["out_objects"]))
    title = f"trained with up to {first['n_to']} objects, asked about {asked}"
    title += "" if first["vocabulary"] == "base" else f", {first['vocabulary']} vocabulary"
    layers = [guess.encode(x=alt.X("chance:Q", scale=scale)), spans, dots]
    return alt.layer(*layers, title=title).properties(width=340, height=alt.Step(13))
