"""Figures of the audit of released results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert as vlc

from xmodal.files import write_whole
from xmodal.report.style import BLUE, GREEN, GREY, ORANGE, VERMILION

WIDTH = 420
"""Points: about a column of text."""


def _chart(rows: Sequence[Mapping[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=[dict(row) for row in rows]))


def _percent(title: str, low: float, high: float, field: str, kind: Any) -> Any:
    return kind(
        f"{field}:Q", title=title, scale=alt.Scale(domain=[low, high]), axis=alt.Axis(tickCount=6)
    )


def _finish(chart: Any) -> Any:
    return (
        chart.configure_view(stroke=None)
        .configure_axis(labelFontSize=12, titleFontSize=12, grid=True, gridOpacity=0.35)
        .configure_legend(labelFontSize=12, titleFontSize=12, labelLimit=260)
        .configure_title(fontSize=13, anchor="start")
    )


def realised_chart(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Realised against nominal ablation, with the diagonal where they would be equal.

    Args:
        rows: nominal, realised; percent.
    """
    x = _percent("nominal ablation (% of leaves of each hypernym)", 0, 100, "nominal", alt.X)
    y = _percent("hypernym questions held out (%)", 0, 100, "realised", alt.Y)
    same = (
        _chart([{"nominal": at, "realised": at} for at in (0, 100)])
        .mark_line(color=GREY, strokeDash=[5, 4])
        .encode(x=x, y=y)
    )
    base = _chart(rows).encode(x=x, y=y)
    line = base.mark_line(color=BLUE, strokeWidth=2)
    dots = base.mark_point(color=BLUE, filled=True, size=70, opacity=1)
    labels = base.mark_text(
        align="right", dx=-8, dy=-6, fontSize=12, color=BLUE, fontWeight="bold"
    ).encode(text=alt.Text("realised:Q", format=".1f"))
    note = (
        _chart([{"nominal": 76, "realised": 62, "text": "as labelled"}])
        .mark_text(align="left", color=GREY, fontSize=12)
        .encode(x=x, y=y, text="text:N")
    )
    return _finish(alt.layer(same, line, dots, labels, note).properties(width=WIDTH, height=260))


PARTS = {
    "the whole set, as reported": (GREY, "diamond"),
    "its trained hypernyms": (ORANGE, "square"),
    "ablated categories, all 53 held out": (GREEN, "triangle-up"),
    "ablated categories, only they held out": (VERMILION, "circle"),
}
"""Colour and shape by series of systematic_chart."""


def systematic_chart(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Parts of the systematic held-out sets, a panel an LM; a tick where the blind guess is.

    Args:
        rows: lm, n_categories, part (a key of PARTS), f1 (percent), blind (percent).
    """
    models = list(dict.fromkeys(row["lm"] for row in rows))
    shapes = [shape for _, shape in PARTS.values()]
    colours = [colour for colour, _ in PARTS.values()]
    x = alt.X("n_categories:O", title="categories ablated", axis=alt.Axis(labelAngle=0))
    y = _percent("macro-F1 (%)", 20, 100, "f1", alt.Y)
    panels = []
    for name in models:
        base = _chart([row for row in rows if row["lm"] == name]).encode(x=x)
        colour = alt.Color(
            "part:N",
            title=None,
            scale=alt.Scale(domain=list(PARTS), range=colours),
            legend=alt.Legend(orient="bottom", columns=1),
        )
        shape = alt.Shape("part:N", title=None, scale=alt.Scale(domain=list(PARTS), range=shapes))
        lines = base.mark_line(strokeWidth=1.5).encode(y=y, color=colour)
        dots = base.mark_point(filled=True, size=80, opacity=1).encode(
            y=y, color=colour, shape=shape
        )
        blind = base.mark_tick(color="black", thickness=2, size=26).encode(
            y=_percent("macro-F1 (%)", 20, 100, "blind", alt.Y)
        )
        panels.append(
            alt.layer(blind, lines, dots).properties(
                width=(WIDTH - 60) // max(2, len(models)), height=240, title=name
            )
        )
    return _finish(alt.hconcat(*panels).resolve_scale(color="shared", shape="shared"))


def adjusted_chart(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Held-out F1 against the realised ablation, with intervals over hypernyms.

    Args:
        rows: series, realised, f1, low, high, blind; percent.
    """
    series = list(dict.fromkeys(row["series"] for row in rows))
    x = _percent("hypernym questions held out (%)", 0, 100, "realised", alt.X)
    base = _chart(rows).encode(x=x)
    colour = alt.Color(
        "series:N",
        title=None,
        scale=alt.Scale(domain=series, range=[BLUE, GREEN, VERMILION, ORANGE][: len(series)]),
        legend=alt.Legend(orient="bottom", columns=2),
    )
    shape = alt.Shape("series:N", title=None, scale=alt.Scale(domain=series))
    y = _percent("macro-F1 (%)", 30, 100, "f1", alt.Y)
    spans = base.mark_rule(strokeWidth=2, opacity=0.7).encode(
        y=_percent("macro-F1 (%)", 30, 100, "low", alt.Y), y2="high:Q", color=colour
    )
    lines = base.mark_line(strokeWidth=1.5).encode(y=y, color=colour)
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(y=y, color=colour, shape=shape)
    first = [row for row in rows if row["series"] == series[0]]
    blind = (
        _chart(first)
        .mark_line(color="black", strokeDash=[3, 3], strokeWidth=1.5)
        .encode(x=x, y=_percent("macro-F1 (%)", 30, 100, "blind", alt.Y))
    )
    return _finish(alt.layer(blind, spans, lines, dots).properties(width=WIDTH, height=280))


def save_svg(chart: alt.TopLevelMixin, path: Path) -> Path:
    """Write the chart as SVG, which a page can show at any width.

    Returns:
        The path.
    """
    drawn = vlc.vegalite_to_svg(chart.to_dict())
    write_whole(path, lambda made: made.write_text(drawn, encoding="utf-8"))
    return path
