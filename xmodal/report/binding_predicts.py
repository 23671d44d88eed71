"""Figure of binding: symbolic share against accuracy beyond training, run by run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt

from xmodal.report.binding_style import (
    Names,
    Row,
    between,
    counted,
    in_order,
    look_title,
    names_of,
    whole,
)
from xmodal.report.style import inline, series_scales

KEYS = ("n_layers", "n_to", "context", "vocabulary", "as_published", "n_objects", "out_objects")
"""Of @binding-points and of @binding-predicts."""


def placed(rows: Iterable[Row]) -> list[Row]:
    """Rows of @binding-points with both coordinates, each run at its last look."""
    return [
        row
        for row in rows
        if row["is_last"] and row["symbolic_share"] is not None and row["out_accuracy"] is not None
    ]


def predicts_chart(
    rows: Sequence[Row], correlations: Sequence[Row] = (), names: Names | None = None
) -> alt.TopLevelMixin:
    """One dot a run: what it binds by, and how it does with more objects than trained with.

    Args:
        rows: Of @binding-points; last looks with both values count. A panel for each size, kind of
            look and range of objects.
        correlations: Of @binding-predicts, for the panels' subtitles.
        names: By condition; told by what differs if None.
    """
    shown = in_order(placed(rows))
    names = names_of(shown) if names is None else names
    scales = series_scales(names, [row["condition"] for row in shown])
    by: dict[str, list[Row]] = {}
    for row in shown:
        by.setdefault(_key(row), []).append(row)
    sizes = len({row["n_layers"] for row in shown}) > 1
    panels = []
    for key, of in by.items():
        found = [row for row in correlations if _key(row) == key]
        # of two lines, so that panels in one row stand on one height
        said = [*correlation(found), ""][:2]
        title = [look_title(of[0]), _asked(of[0], sizes)]
        panels.append([_panel(of, alt.Title(title, subtitle=said), scales, names)])
    return whole(
        panels,
        "Does mechanism predict accuracy with more objects than trained with?",
        [
            "a dot is a run at its last look; symbolic share: of the symbolic and positional "
            "answers at the layer of peak effect",
        ],
    )


def _key(row: Row) -> str:
    return str([row[name] for name in KEYS])


def _asked(row: Row, sizes: bool) -> str:
    said = f"trained up to {row['n_to']}, asked about "
    said += between(min(row["out_objects"]), max(row["out_objects"]))
    return said + (f", {row['n_layers']} layers" if sizes else "")


def correlation(rows: Sequence[Row]) -> list[str]:
    """What @binding-predicts says of a panel, in one or two lines.

    Args:
        rows: Its rows for the panel: none where runs do not count for it, several where they
            differ in a setting that the panel does not tell apart.
    """
    if len(rows) != 1:
        return ["no correlation of these runs" if not rows else "runs of several kinds: no one r"]
    (row,) = rows
    n = counted(row["n_runs"], "run")
    said = f"{_r('r', row['r'], row['low'], row['high'])}; {n}"
    if row["r"] is None:
        said = f"no r: {'too few runs' if row['n_runs'] < 2 else 'one side is constant'}; {n}"
    # runs without a value are not drawn; those that fail at the look's objects are
    if row.get("n_failed"):
        said += f", {row['n_failed']} that fail there left out"
    within = _r("within arms r", row["within_r"], row["within_low"], row["within_high"])
    return [said] if row["within_r"] is None else [said, within]


def _r(name: str, r: float | None, low: float | None, high: float | None) -> str:
    interval = "" if low is None or high is None else f" ({low:.2f} to {high:.2f})"
    return "" if r is None else f"{name} = {r:.2f}{interval}"


def _panel(
    rows: Sequence[Row], title: alt.Title, scales: tuple[alt.Scale, alt.Scale], names: Names
) -> Any:
    points = [
        {
            "series": names[row["condition"]],
            "run": row["run_id"],
            "share": row["symbolic_share"],
            "accuracy": row["out_accuracy"],
        }
        for row in rows
    ]
    scale = alt.Scale(domain=[0, 1])
    dots = (
        alt.Chart(inline(points), title=title)
        # runs may lie on one another
        .mark_point(filled=True, size=85, opacity=0.85)
        .encode(
            x=alt.X("share:Q", title="symbolic share at the peak layer", scale=scale),
            y=alt.Y("accuracy:Q", title="share of right answers beyond training", scale=scale),
            color=alt.Color(
                "series:N",
                title="arm",
                scale=scales[0],
                legend=alt.Legend(orient="right", labelLimit=320, symbolSize=80, symbolOpacity=1),
            ),
            shape=alt.Shape("series:N", title="arm", scale=scales[1]),
            detail="run:N",
        )
    )
    return dots.properties(width=260, height=260)
