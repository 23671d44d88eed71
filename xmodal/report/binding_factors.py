"""Figure of binding: what each factor does to accuracy beyond training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from xmodal.report.binding_style import Row, between, counted, span, whole
from xmodal.report.style import BLUE, GREY, inline

FACTORS = (
    *("uses_noise", "uses_grounding", "uses_image", "uses_mixing", "position", "scene_layout"),
)
"""In this order, from the top."""
SETTINGS = (
    *("vocabulary", "n_layers", "width", "n_from", "n_to", "start", "n_steps", "n_questions"),
    "out_objects",
)
"""Of @binding-factors: effects of one panel agree in them."""


def factors_chart(rows: Sequence[Row]) -> alt.TopLevelMixin:
    """The effect of each factor, all else equal, with its interval over seeds.

    Args:
        rows: Of @binding-factors. A panel for all effects that agree in sizes, start, steps and
            what was asked.
    """
    by: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        by.setdefault(tuple(str(row[name]) for name in SETTINGS), []).append(row)
    ends = [value for row in rows for value in _span(row).values() if value is not None]
    # one axis for all panels
    scale = alt.Scale(domain=[min(0.0, *ends), max(0.0, *ends)], nice=True)
    several = [name for name in SETTINGS if len({str(row[name]) for row in rows}) > 1]
    return whole(
        [[_panel(of, scale, several)] for of in by.values()],
        "Effect of each factor on accuracy with more objects than trained with",
        [
            "text context; difference between runs that differ in this factor alone, mean over "
            "seeds;",
            "bars: 95 % interval over seeds, none of a single one",
        ],
        wide=True,
    )


def _span(row: Row) -> dict[str, float | None]:
    return span(row, "difference", "low", "high", least=-1.0)


def _panel(rows: Sequence[Row], scale: alt.Scale, several: Sequence[str]) -> Any:
    points, order = [], list[str]()
    for row in sorted(rows, key=lambda row: FACTORS.index(row["factor"])):
        said = effect_name(row)
        # a setting without a column differs
        same = sum(name == said or name.startswith(f"{said} [") for name in order)
        order.append(said if not same else f"{said} [{same + 1}]")
        n = f"{counted(row['n_pairs'], 'pair')}, {counted(row['n_seeds'], 'seed')}"
        points.append({"effect": order[-1], "n": n} | _span(row))
    base = alt.Chart(inline(points)).encode(
        y=alt.Y("effect:N", sort=order, title=None, axis=alt.Axis(labelLimit=280, grid=False))
    )
    x = alt.X(
        "value:Q",
        title="difference in the share of right answers",
        scale=scale,
        axis=alt.Axis(tickCount=6),
    )
    zero = alt.Chart(inline([{"zero": 0}])).mark_rule(color=GREY, strokeWidth=1.3)
    spans = base.mark_rule(strokeWidth=2, color=BLUE).encode(
        x=alt.X("low:Q", scale=scale), x2="high:Q"
    )
    dots = base.mark_point(filled=True, size=75, opacity=1, color=BLUE).encode(x=x)
    text = base.mark_text(align="left", color=GREY, fontSize=11).encode(
        text="n:N", x=alt.value(348)
    )
    layers = [zero.encode(x=alt.X("zero:Q", scale=scale)), spans, dots, text]
    return alt.layer(*layers, title=_title(rows[0], several)).properties(
        width=340, height=alt.Step(26)
    )


def effect_name(row: Row) -> str:
    """What a row of @binding-factors holds against what, such as noise, or rope to learned."""
    if row["factor"].startswith("uses_"):
        return f"with {row['factor'].removeprefix('uses_')}"
    return f"{row['factor'].replace('_', ' ')}: {row['level_a']} to {row['level_b']}"


def _title(row: Row, several: Sequence[str]) -> list[str]:
    asked = between(min(row["out_objects"]), max(row["out_objects"]))
    first = f"trained with {row['n_from']} to {row['n_to']} objects, asked about {asked}"
    second = f"{row['start']}, {row['n_steps']} steps"
    said = {
        "vocabulary": f"{row['vocabulary']} vocabulary",
        "n_layers": f"{row['n_layers']} layers",
        "width": f"width {row['width']}",
        "n_questions": f"{row['n_questions']} questions",
    }
    return [first, ", ".join([second, *(said[name] for name in several if name in said)])]
