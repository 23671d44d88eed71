"""Figure of binding: accuracy by number of objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from xmodal.report.binding_style import Names, Row, in_order, names_of, rules, span, whole
from xmodal.report.style import DASHES, GREY, inline, series_scales


def accuracy_chart(rows: Sequence[Row], names: Names | None = None) -> alt.TopLevelMixin:
    """Accuracy by number of objects: a line for each arm and stage, with its interval.

    Args:
        rows: Of @binding-accuracy; a panel for each context and vocabulary. Grey: the largest
            number of objects that training shows, and guessing among the items of the scene.
        names: By condition; told by what differs if None.
    """
    rows = in_order(rows)
    names = names_of(rows) if names is None else names
    scales = series_scales(names, [row["condition"] for row in rows])
    stages = list(dict.fromkeys((row["stage_number"], row["stage"]) for row in rows))
    # a stage may come twice
    twice = len({stage for _, stage in stages}) < len(stages)
    said = {at: f"{at[0]} {at[1]}" if twice else at[1] for at in stages}
    points = [
        {
            "series": names[row["condition"]],
            "stage": said[row["stage_number"], row["stage"]],
            "panel": (row["context"], row["vocabulary"]),
            "n_objects": row["n_objects"],
            "n_to": row["n_to"],
            "chance": row["chance"],
        }
        | span(row, "accuracy", "low", "high")
        for row in rows
    ]
    kinds = sorted({point["panel"] for point in points}, key=lambda of: (of[0] != "text", of))
    panels = [
        [_panel([p for p in points if p["panel"] == kind], kind, scales, list(said.values()))]
        for kind in kinds
    ]
    return whole(
        panels,
        "Accuracy on the two-hop question by number of objects",
        [
            "mean over runs; band: 95 % interval over seeds;",
            "dotted: guessing among the scene's items",
        ],
    )


def _panel(
    points: Sequence[dict[str, Any]],
    panel: tuple[str, str],
    scales: tuple[alt.Scale, alt.Scale],
    stages: Sequence[str],
) -> Any:
    context, vocabulary = panel
    counts = sorted({point["n_objects"] for point in points})
    base = alt.Chart(inline(points))
    x = alt.X(
        "n_objects:Q",
        title="objects in the scene",
        scale=_count_scale(counts),
        axis=alt.Axis(values=counts, format="d", grid=False),
    )
    scale = alt.Scale(domain=[0, 1])
    y = alt.Y("value:Q", title="share of right answers", scale=scale)
    # of the bands it would take their faintness
    legend = alt.Legend(orient="right", labelLimit=320, symbolSize=80, symbolOpacity=1)
    colour = alt.Color("series:N", title="arm", scale=scales[0], legend=legend)
    shape = alt.Shape("series:N", title="arm", scale=scales[1])
    drawn = {"x": x, "y": y, "color": colour, "detail": "stage:N"}
    lines = base.mark_line(strokeWidth=2)
    if len(stages) > 1:
        dash = alt.StrokeDash(
            "stage:N",
            title="after stage",
            # the last one is drawn whole
            scale=alt.Scale(
                domain=list(stages),
                range=[DASHES[n % len(DASHES)] for n in reversed(range(len(stages)))],
            ),
            legend=alt.Legend(orient="right", symbolStrokeWidth=2, symbolSize=400),
        )
        lines = lines.encode(**drawn, strokeDash=dash)
    else:
        lines = lines.encode(**drawn)
    bands = base.mark_area(opacity=0.18).encode(
        x=x, y=alt.Y("low:Q", scale=scale), y2="high:Q", color=colour, detail="stage:N"
    )
    dots = base.mark_point(filled=True, size=55, opacity=1).encode(**drawn, shape=shape)
    guess = base.mark_line(color=GREY, strokeDash=[2, 3], strokeWidth=1.3).encode(
        x=x, y=alt.Y("mean(chance):Q", scale=scale)
    )
    title = f"{context} context" + ("" if vocabulary == "base" else f", {vocabulary} vocabulary")
    layers = [*_limits(points, counts), guess, bands, lines, dots]
    return alt.layer(*layers, title=title).properties(width=360, height=260)


def _count_scale(counts: Sequence[int]) -> alt.Scale:
    return alt.Scale(domain=[counts[0], counts[-1]], nice=False, zero=False, padding=8)


def _limits(points: Sequence[Row], counts: Sequence[int]) -> list[Any]:
    """A rule at each largest number of objects trained with, and what it says."""
    found = [n for n in sorted({point["n_to"] for point in points}) if n <= counts[-1]]
    if not found:
        return []
    # beside the rule where there is room
    middle = (counts[0] + counts[-1]) / 2
    made: list[Any] = [rules(found, "n_to", _count_scale(counts))]
    for n, most in enumerate(found):
        left = most > middle
        data = inline([{"n_to": most, "text": f"trained up to {most}"}])
        text = alt.Chart(data).mark_text(
            color=GREY, align="right" if left else "left", dx=-5 if left else 5, fontSize=11
        )
        x = alt.X("n_to:Q", scale=_count_scale(counts))
        made.append(text.encode(x=x, y=alt.value(252 - 14 * n), text="text:N"))
    return made
