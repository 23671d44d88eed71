"""What figures of binding share: names, order and looks of conditions, intervals, layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from xmodal.report.style import BLUE, GREEN, GREY, VERMILION, inline

Row = Mapping[str, Any]
Names = Mapping[Any, str]
OUTCOMES = {
    "positional_rate": "positional",
    "symbolic_rate": "symbolic",
    "reflexive_rate": "reflexive",
    "no_effect_rate": "no effect",
}
"""By column of @binding-mechanism, what is drawn."""
OUTCOME_COLOURS = (VERMILION, BLUE, GREEN, GREY)
STARTS = ("scratch", "text-trained")
ARMS = (
    *("text", "noise-text", "image-text", "noise-image-text"),
    *("grounding-text", "grounding-image-text"),
)
"""In the order of the recipes; others follow by name."""
VARIED = (
    *("position", "start", "scene_layout", "encoder", "recipe", "n_layers", "n_to", "n_steps"),
    "condition",
)
"""What tells conditions of one arm apart in a legend, the most telling first."""


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Rows by condition: start, arm, then the rest by name; LMs last. Else as they were."""
    return sorted(rows, key=_place)


def _place(row: Row) -> tuple[Any, ...]:
    start, arm = row.get("start"), row.get("arm")
    return (
        row["condition"] is None,
        STARTS.index(start) if start in STARTS else len(STARTS),
        str(start),
        ARMS.index(arm) if arm in ARMS else len(ARMS),
        str(arm),
        *(str(row.get(name)) for name in VARIED),
    )


def names_of(rows: Sequence[Row]) -> dict[Any, str]:
    """By condition, in order, its arm with as much else as tells it from others of that arm."""
    of = {row["condition"]: row for row in in_order(rows) if row["condition"] is not None}
    names: dict[Any, str] = {}
    for condition, row in of.items():
        others = [other for other in of.values() if other["arm"] == row["arm"]]
        said = [str(row["arm"])]
        for name in VARIED:
            if len(others) < 2:
                break
            if name in row and len({other[name] for other in others}) > 1:
                said.append(_said(name, row[name]))
                others = [other for other in others if other[name] == row[name]]
        names[condition] = ", ".join(said)
    return names


def _said(name: str, value: Any) -> str:
    if name in ("n_layers", "n_steps"):
        return f"{value:g} {name.removeprefix('n_')}"
    return f"up to {value} objects" if name == "n_to" else str(value)


def span(row: Row, value: str, low: str, high: str, least: float = 0.0) -> dict[str, float | None]:
    """A value and its interval, which may leave what the value can be and is cut there.

    Args:
        row: Of an analysis.
        value: Its column.
        low: The interval's lower end, which may be NULL or missing.
        high: Its upper end.
        least: The least value there can be; 1 is the most.

    Returns:
        value, low, high; where there is no interval, low and high are the value.
    """
    of = row[value]
    below, above = row.get(low), row.get(high)
    if below is None or above is None:
        return {"value": of, "low": of, "high": of}
    return {"value": of, "low": max(least, below), "high": min(1.0, above)}


def counted(n: int, what: str) -> str:
    """A number of things, such as 1 run or 3 runs."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def between(least: int, most: int) -> str:
    """A range of whole numbers, such as 5 to 8, or the one there is."""
    return str(least) if least == most else f"{least} to {most}"


def look_title(row: Row) -> str:
    """Context, objects and vocabulary of a look by interventions."""
    said = f"{row['context']} context, {row['n_objects']} objects"
    said += "" if row["vocabulary"] == "base" else f", {row['vocabulary']} vocabulary"
    return said + (", drawn as published" if row["as_published"] else "")


def rules(values: Sequence[float], field: str, scale: alt.Scale) -> Any:
    """Dashed grey rules across a panel.

    Args:
        values: Where on the x axis.
        field: What the x axis shows.
        scale: Of the x axis.
    """
    data = inline([{field: value} for value in values])
    drawn = alt.Chart(data).mark_rule(color=GREY, strokeWidth=1, strokeDash=[5, 3])
    return drawn.encode(x=alt.X(f"{field}:Q", scale=scale))


def whole(
    groups: Sequence[Sequence[Any]], title: str, subtitle: Sequence[str], *, wide: bool = False
) -> alt.TopLevelMixin:
    """Panels under one title, those of a group in one row.

    Args:
        groups: Panels; where each group is one, three stand in a row, two of four.
        title: Of all.
        subtitle: Lines.
        wide: Each panel fills a row.
    """
    heading = alt.Title(title, subtitle=list(subtitle), anchor="start", offset=14)
    made: Any
    if all(len(group) == 1 for group in groups):
        columns = 1 if wide else 2 if len(groups) == 4 else 3
        made = alt.concat(*(group[0] for group in groups), columns=columns, title=heading)
    else:
        made = alt.vconcat(*(alt.hconcat(*group) for group in groups), title=heading)
    final: alt.TopLevelMixin = made.configure_view(stroke=None).configure_title(subtitleColor=GREY)
    return final
