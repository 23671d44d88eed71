"""Figure of binding: mechanism and accuracy beyond training, by training step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt

from xmodal.report.binding_style import (
    OUTCOME_COLOURS,
    OUTCOMES,
    Names,
    Row,
    between,
    in_order,
    look_title,
    names_of,
    rules,
    span,
    whole,
)
from xmodal.report.style import GREY, SHAPES, inline

FEW = 4
"""Up to as many blocks, and as many looks, each block has a panel; of more the layer of peak effect
is shown alone."""
MANY = 20
"""More steps are lines without marks, which would hide them."""
DRAWN = {column: OUTCOMES[column] for column in list(OUTCOMES)[:3]}
BEYOND = "right beyond training"


def stepped(rows: Iterable[Row]) -> list[Row]:
    """Rows of runs that were looked at, in one way, at two steps or more.

    Args:
        rows: Of @binding-mechanism.
    """
    shown = [row for row in rows if row["patch"] == "counterfactual" and row["step"] is not None]
    steps: dict[Any, set[int]] = {}
    for row in shown:
        steps.setdefault(_look(row), set()).add(row["step"])
    return [row for row in shown if len(steps[_look(row)]) > 1]


def _look(row: Row) -> tuple[Any, ...]:
    names = ("condition", "context", "vocabulary", "n_objects", "as_published", "n_layers")
    return tuple(row[name] for name in names)


def steps_chart(
    rows: Sequence[Row], accuracy: Sequence[Row] = (), names: Names | None = None
) -> alt.TopLevelMixin:
    """Rates of interventions by training step, with accuracy on more objects than trained with.

    Args:
        rows: Of @binding-mechanism; what was looked at at two steps or more counts. A row of
            panels for each look, one for each block; where there are many a panel for each look,
            of the layer of peak effect.
        accuracy: Of @binding-steps, of the same conditions and vocabulary; text context.
        names: By condition; told by what differs if None.
    """
    shown = in_order(stepped(rows))
    names = names_of(shown) if names is None else names
    looks: dict[Any, list[Row]] = {}
    for row in shown:
        looks.setdefault(_look(row), []).append(row)
    few = len(looks) <= FEW and max(row["layer"] for row in shown) <= FEW
    groups: dict[Any, list[Any]] = {}
    for look, of in looks.items():
        # at the peak, looks at one condition stand in one row
        groups.setdefault(look if few else look[0], []).extend(_panels(of, accuracy, names, few))
    return whole(
        list(groups.values()),
        "What the last token's activation holds, by training step",
        [
            "share of answers after patching it from the counterfactual"
            + (";" if few else ", at the layer of peak effect at each step;"),
            "black: right answers about texts of more objects than trained with; mean over runs;",
            "bars: 95 % interval over seeds; dashed grey: a stage ends"
            + ("; ring: layer of peak effect" if few else ""),
        ],
        wide=few,
    )


def _panels(rows: Sequence[Row], accuracy: Sequence[Row], names: Names, each: bool) -> list[Any]:
    """The panels of one look: of each block, or of the peak."""
    condition, vocabulary = rows[0]["condition"], rows[0]["vocabulary"]
    beside = [
        row
        for row in accuracy
        if (row["condition"], row["vocabulary"]) == (condition, vocabulary)
        and row["out_accuracy"] is not None
    ]
    steps = sorted({row["step"] for row in (*rows, *beside)})
    ends = sorted({row["step"] for row in (*rows, *beside) if row["ends_stage"]} - {steps[-1]})
    runs = f"{_runs(rows)} looked at"
    if beside and _runs(beside) != _runs(rows):
        runs += f", black: {_runs(beside)}"
    heading = [names[condition], look_title(rows[0])]
    black = [
        {"step": row["step"], "what": BEYOND, "asked": str(row["out_objects"]), "peak": False}
        | span(row, "out_accuracy", "out_low", "out_high")
        for row in beside
    ]
    if not each:
        there = [row for row in rows if row["is_peak"]]
        # a step without any positional or symbolic answer has no peak: the line breaks
        gaps = [
            {"step": step, "what": what, "value": None, "peak": False}
            for step in {row["step"] for row in rows} - {row["step"] for row in there}
            for what in DRAWN.values()
        ]
        points = [point for row in there for point in _points(row, ring=False)]
        title = alt.Title(heading, subtitle=runs)
        return [_panel([*points, *gaps, *black], steps, ends, title).properties(width=260)]
    panels: list[Any] = []
    for layer in sorted({row["layer"] for row in rows if row["layer"] > 0}):
        points = [point for row in rows if row["layer"] == layer for point in _points(row)]
        said = f"step (after block {layer})"
        made = _panel([*points, *black], steps, ends, said=said, first=not panels)
        panels.append(made.properties(width=150))
    # a title of the first panel would make it wider than the others
    return [alt.hconcat(*panels, title=alt.Title(heading, subtitle=runs, anchor="start"))]


def _runs(rows: Sequence[Row]) -> str:
    counts = [row["n_runs"] for row in rows]
    return f"{between(min(counts), max(counts))} {'run' if max(counts) == 1 else 'runs'}"


def _points(row: Row, ring: bool = True) -> list[dict[str, Any]]:
    made = []
    for column, what in DRAWN.items():
        kind = column.removesuffix("_rate")
        of = span(row, column, f"{kind}_low", f"{kind}_high")
        peak = ring and bool(row["is_peak"]) and kind in ("positional", "symbolic")
        made.append({"step": row["step"], "what": what, "peak": peak} | of)
    return made


def _panel(
    points: Sequence[dict[str, Any]],
    steps: Sequence[int],
    ends: Sequence[int],
    title: Any = alt.Undefined,
    said: str = "training step",
    first: bool = True,
) -> Any:
    points = sorted(points, key=lambda point: point["step"])
    whats = [*DRAWN.values(), BEYOND]
    along = alt.Scale(domain=[steps[0], steps[-1]], nice=False, zero=False, padding=8)
    axis = alt.Axis(format="d", grid=False, tickCount=4, tickMinStep=1)
    x = alt.X("step:Q", title=said, scale=along, axis=axis)
    scale = alt.Scale(domain=[0, 1])
    y = alt.Y("value:Q", title="share of answers" if first else None, scale=scale)
    colour = alt.Color(
        "what:N",
        title="answer",
        scale=alt.Scale(domain=whats, range=[*OUTCOME_COLOURS[:3], "#000000"]),
        legend=alt.Legend(orient="right", symbolSize=80, labelLimit=200, symbolOpacity=1),
    )
    shape = alt.Shape(
        "what:N",
        title="answer",
        scale=alt.Scale(domain=whats, range=list(SHAPES[: len(whats)])),
    )
    dash = alt.StrokeDash(
        "what:N", legend=None, scale=alt.Scale(domain=whats, range=[[1, 0]] * 3 + [[5, 3]])
    )
    base = alt.Chart(inline(points))
    there = alt.Chart(inline([point for point in points if point["value"] is not None]))
    lines = base.mark_line(strokeWidth=2).encode(
        x=x, y=y, color=colour, strokeDash=dash, detail="asked:N"
    )
    many = len({point["step"] for point in points if point["what"] != BEYOND}) > MANY
    marked = there
    if many:
        marked = alt.Chart(inline([point for point in points if point["what"] == BEYOND]))
    spans = there.mark_rule(strokeWidth=1.5, opacity=0.35 if many else 1).encode(
        x=x, y=alt.Y("low:Q", scale=scale), y2="high:Q", color=colour
    )
    dots = marked.mark_point(filled=True, size=40, opacity=1).encode(
        x=x, y=y, color=colour, shape=shape
    )
    drawn = [rules(ends, "step", along)] if ends else []
    drawn += [spans, lines, dots]
    rung = [point for point in points if point["peak"]]
    if rung and not many:
        rings = alt.Chart(inline(rung)).mark_point(
            shape="circle", filled=False, size=150, strokeWidth=1.3, color=GREY
        )
        drawn.append(rings.encode(x=x, y=y))
    return alt.layer(*drawn, title=title).properties(height=150)
