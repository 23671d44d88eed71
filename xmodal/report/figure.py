"""The demo's figure: macro-F1 of each condition beside guessing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from xmodal.report.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, inline


def condition_chart(
    rows: Sequence[Mapping[str, Any]], losses: Sequence[Mapping[str, Any]], title: str
) -> alt.VConcatChart:
    """Dots for each condition's leaf and hypernym questions; a tick where guessing lies.

    Below them the training loss of some of the conditions.

    Args:
        rows: condition, questions ("leaf", or the relation that is asked), macro_f1, low, high
            (range over seeds), blind_f1; fractions.
        losses: condition, step, value (mean cross-entropy, nats), run.
        title: Above the chart.
    """
    order = list(dict.fromkeys(row["condition"] for row in rows))
    relations = dict.fromkeys(row["questions"] for row in rows if row["questions"] != "leaf")
    colours = {**dict.fromkeys(relations, BLUE), "leaf": ORANGE}
    base = alt.Chart(inline(rows)).encode(
        y=alt.Y("condition:N", sort=order, title=None, axis=alt.Axis(labelLimit=260)),
        yOffset=alt.YOffset("questions:N", sort=list(colours)),
    )
    scale = alt.Scale(domain=[0.2, 1.0])
    colour = alt.Color(
        "questions:N",
        title="questions",
        scale=alt.Scale(domain=list(colours), range=list(colours.values())),
    )
    x = alt.X("macro_f1:Q", scale=scale, title="macro-F1 on test pictures (fraction)")
    # the colour's domain: with another one it would be a legend of its own
    shape = alt.Shape("questions:N", title="questions", scale=alt.Scale(domain=list(colours)))
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(x=x, color=colour, shape=shape)
    spans = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", scale=scale), x2="high:Q", color=colour
    )
    guess = base.mark_tick(color=GREY, thickness=2, size=14).encode(
        x=alt.X("blind_f1:Q", scale=scale)
    )
    text = (
        "grey tick: the better of always Yes and always No; bar: from the lowest to the highest run"
    )
    note = (
        alt.Chart(inline([{"text": text}]))
        .mark_text(align="left", color=GREY, fontSize=11, baseline="top")
        .encode(text="text:N", x=alt.value(0), y=alt.value(0))
    )
    main = alt.layer(spans, guess, dots).properties(width=420, height=alt.Step(16), title=title)
    panels = [main, note.properties(width=420, height=14)]
    if losses:
        panels.append(_loss_chart(losses).properties(width=420, height=120))
    whole: alt.VConcatChart = (
        alt.vconcat(*panels)
        .resolve_scale(color="independent", shape="independent")
        .configure_view(stroke=None)
    )
    return whole


def _loss_chart(losses: Sequence[Mapping[str, Any]]) -> alt.Chart:
    """Training loss by step, each point the mean of five logged ones."""
    chart: alt.Chart = (
        alt.Chart(inline(losses), title="Training loss")
        .transform_window(
            smooth="mean(value)",
            frame=[-2, 2],
            groupby=["condition", "run"],
            sort=[{"field": "step"}],
        )
        .mark_line(strokeWidth=1.5)
        .encode(
            x=alt.X("step:Q", title="optimiser step"),
            y=alt.Y("smooth:Q", title="cross-entropy (nats)", scale=alt.Scale(zero=True)),
            detail="run:N",
            color=alt.Color(
                "condition:N",
                title=None,
                scale=alt.Scale(range=[BLUE, VERMILION]),
                legend=alt.Legend(labelLimit=200),
            ),
        )
    )
    return chart


LEVELS = ("none", "lemma", "synset", "subtree", "branch", "similar")
"""Of separation, from the least removed to the most."""
SERIES = (BLUE, SKY, VERMILION, GREEN, PURPLE)


def level_chart(points: Sequence[Mapping[str, Any]]) -> alt.TopLevelMixin:
    """Zero-shot accuracy by level of separation: a line for each reader of the class names.

    Args:
        points: series, level, measure, score, low, high (95 % interval over classes), chance;
            fractions. A panel for each measure.
    """
    there = [level for level in LEVELS if any(point["level"] == level for point in points)]
    series = list(dict.fromkeys(point["series"] for point in points))
    measures = dict.fromkeys(point["measure"] for point in points)
    panels = [
        _level_panel([p for p in points if p["measure"] == measure], there, series, measure)
        for measure in measures
    ]
    whole: Any = alt.hconcat(
        *panels,
        title=alt.Title(
            "Pictures of unseen classes whose own class text is ...",
            subtitle="bars: 95 % interval over classes; dashed: guessing",
            anchor="start",
        ),
    )
    final: alt.TopLevelMixin = whole.configure_view(stroke=None)
    return final


def _level_panel(
    points: Sequence[Mapping[str, Any]], levels: Sequence[str], series: Sequence[str], title: str
) -> Any:
    x = alt.X(
        "level:N",
        sort=levels,
        title="level of separation",
        axis=alt.Axis(labelAngle=0),
        scale=alt.Scale(type="point", padding=0.3),
    )
    colour = alt.Color(
        "series:N",
        title=None,
        scale=alt.Scale(domain=series, range=list(SERIES[: len(series)])),
        legend=alt.Legend(orient="bottom", columns=2, labelLimit=320),
    )
    shift = alt.XOffset("series:N", sort=series, scale=alt.Scale(range=[-9, 9]))
    base = alt.Chart(inline(points))
    lines = base.mark_line(strokeWidth=1.5, opacity=0.6).encode(
        x=x, xOffset=shift, y="score:Q", color=colour
    )
    dots = base.mark_point(filled=True, size=55, opacity=1).encode(
        x=x,
        xOffset=shift,
        # most of it happens near guessing
        y=alt.Y(
            "score:Q",
            title="fraction of pictures (square-root scale)",
            scale=alt.Scale(type="sqrt", domain=[0, 1]),
            axis=alt.Axis(
                values=[0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1], format="~g", labelOverlap=False
            ),
        ),
        color=colour,
    )
    spans = base.mark_rule(strokeWidth=1.5).encode(
        x=x, xOffset=shift, y="low:Q", y2="high:Q", color=colour
    )
    guess = base.mark_line(color=GREY, strokeDash=[4, 3], strokeWidth=1.2).encode(
        x=x, y="max(chance):Q"
    )
    return alt.layer(guess, lines, spans, dots, title=title).properties(width=330, height=250)
