"""Figures of binding: accuracy by number of objects, and what each layer holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from xmodal.report.figure import GREY, ORANGE, inline

Row = Mapping[str, Any]
COLOURS = ("#0072B2", "#D55E00", "#009E73", ORANGE, "#CC79A7", "#56B4E9", "#000000")
"""Of Okabe and Ito, neighbours far apart."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2])
VARIED = ("position", "start", "scene_layout", "encoder", "recipe", "n_layers", "n_to", "condition")
"""What tells conditions of one arm apart in a legend, the most telling first."""
OUTCOMES = {
    "positional_rate": "positional",
    "symbolic_rate": "symbolic",
    "reflexive_rate": "reflexive",
    "no_effect_rate": "no effect",
}
"""By column of @binding-mechanism, what is drawn."""
OUTCOME_COLOURS = ("#D55E00", "#0072B2", "#009E73", GREY)


def accuracy_chart(rows: Sequence[Row]) -> alt.TopLevelMixin:
    """Accuracy by number of objects: a line for each arm and stage, with its interval.

    Args:
        rows: Of @binding-accuracy; a panel for each context and vocabulary. Grey: the largest
            number of objects that training shows, and guessing among the items of the scene.
    """
    names = _names(rows)
    arms = list(dict.fromkeys(names[row["condition"]] for row in rows))
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
            "accuracy": row["accuracy"],
            # an interval may leave what an accuracy can be
            "low": row["accuracy"] if row["low"] is None else max(0.0, row["low"]),
            "high": row["accuracy"] if row["high"] is None else min(1.0, row["high"]),
            "chance": row["chance"],
        }
        for row in rows
    ]
    order = list(said.values())
    panels = [
        _accuracy_panel([p for p in points if p["panel"] == panel], panel, arms, order)
        for panel in dict.fromkeys(point["panel"] for point in points)
    ]
    return _whole(
        panels,
        "Accuracy on the two-hop question by number of objects",
        "mean over runs; band: 95 % interval over seeds; dotted: guessing among the scene's items",
    )


def _accuracy_panel(
    points: Sequence[dict[str, Any]],
    panel: tuple[str, str],
    arms: Sequence[str],
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
    y = alt.Y("accuracy:Q", title="share of right answers", scale=scale)
    colours = [COLOURS[n % len(COLOURS)] for n in range(len(arms))]
    colour = alt.Color(
        "series:N",
        title="arm",
        scale=alt.Scale(domain=list(arms), range=colours),
        # of the bands it would take their faintness
        legend=alt.Legend(orient="right", labelLimit=320, symbolSize=80, symbolOpacity=1),
    )
    shape = alt.Shape(
        "series:N",
        title="arm",
        scale=alt.Scale(
            domain=list(arms), range=[SHAPES[n % len(SHAPES)] for n in range(len(arms))]
        ),
    )
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
    rules = [{"n_to": n, "text": f"trained up to {n}"} for n in found]
    x = alt.X("n_to:Q", scale=_count_scale(counts))
    made: list[Any] = [
        alt.Chart(inline(rules)).mark_rule(color=GREY, strokeWidth=1, strokeDash=[5, 3]).encode(x=x)
    ]
    for n, rule in enumerate(rules):
        left = found[n] > middle
        text = alt.Chart(inline([rule])).mark_text(
            color=GREY, align="right" if left else "left", dx=-5 if left else 5, fontSize=11
        )
        made.append(text.encode(x=x, y=alt.value(252 - 14 * n), text="text:N"))
    return made


def mechanism_chart(rows: Sequence[Row]) -> alt.TopLevelMixin:
    """What the last token's activation holds after each layer: a panel for each arm or LM.

    Args:
        rows: Of @binding-mechanism; the counterfactual patch counts, each at its last step. A
            ring marks the layer of peak effect.
    """
    shown = [row for row in rows if row["patch"] == "counterfactual"]
    names = _names(shown)
    last: dict[tuple[Any, ...], int | None] = {}
    for row in shown:
        key, step = _look(row), row["step"]
        if step is not None:
            last[key] = max(step, last.get(key) or 0)
    shown = [row for row in shown if row["step"] == last.get(_look(row))]
    looks = list(dict.fromkeys(_look(row) for row in shown))
    panels = [
        _mechanism_panel([row for row in shown if _look(row) == look], _look_title(look, names))
        for look in looks
    ]
    return _whole(
        panels,
        "What the last token's activation holds, by layer",
        "share of answers after patching it from the counterfactual, mean over runs; "
        "bars: 95 % interval over seeds; ring: layer of peak effect",
    )


def _look(row: Row) -> tuple[Any, ...]:
    subject = (row["condition"], row["lm"], row["lm_revision"], row["is_vlm"])
    return (*subject, row["context"], row["vocabulary"], row["n_objects"], row["as_published"])


def _look_title(look: tuple[Any, ...], names: Mapping[Any, str]) -> list[str]:
    condition, lm, revision, is_vlm, context, vocabulary, n_objects, as_published = look
    of_lm = f"{lm}{'' if revision is None else f' {revision[:8]}'}{' (VLM)' if is_vlm else ''}"
    said = f"{context} context, {n_objects} objects"
    said += "" if vocabulary == "base" else f", {vocabulary} vocabulary"
    said += ", drawn as published" if as_published else ""
    return [of_lm if condition is None else names[condition], said]


def _mechanism_panel(rows: Sequence[Row], title: list[str]) -> Any:
    points = []
    for row in rows:
        for column, outcome in OUTCOMES.items():
            kind = column.removesuffix("_rate")
            low, high = row.get(f"{kind}_low"), row.get(f"{kind}_high")
            points.append(
                {
                    "layer": row["layer"],
                    "outcome": outcome,
                    "rate": row[column],
                    "low": row[column] if low is None else max(0.0, low),
                    "high": row[column] if high is None else min(1.0, high),
                    "peak": row["is_peak"] and kind in ("positional", "symbolic"),
                }
            )
    layers = sorted({point["layer"] for point in points})
    base = alt.Chart(inline(points))
    x = alt.X(
        "layer:Q",
        title="layer (0: embeddings)",
        scale=alt.Scale(domain=[layers[0], layers[-1]], nice=False, zero=False, padding=8),
        axis=alt.Axis(tickMinStep=1, format="d", grid=False),
    )
    scale = alt.Scale(domain=[0, 1])
    y = alt.Y("rate:Q", title="share of answers", scale=scale)
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


def _whole(panels: Sequence[Any], title: str, subtitle: str) -> alt.TopLevelMixin:
    columns = 2 if len(panels) == 4 else 3
    whole: Any = alt.concat(
        *panels,
        columns=columns,
        title=alt.Title(title, subtitle=subtitle, anchor="start", offset=14),
    )
    final: alt.TopLevelMixin = whole.configure_view(stroke=None).configure_title(subtitleColor=GREY)
    return final


def _names(rows: Sequence[Row]) -> dict[Any, str]:
    """By condition its arm, with as much else as tells it from others of that arm."""
    of = {row["condition"]: row for row in rows}
    names: dict[Any, str] = {}
    for condition, row in of.items():
        others = [other for other in of.values() if other["arm"] == row["arm"]]
        said = [str(row["arm"])]
        for name in VARIED:
            if len(others) < 2:
                break
            if name in row and len({other[name] for other in others}) > 1:
                said.append(str(row[name]))
                others = [other for other in others if other[name] == row[name]]
        names[condition] = ", ".join(said)
    return names
