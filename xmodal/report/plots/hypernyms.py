"""F1 hypernym by hypernym: all of them, and beside coherence, depth and the text probe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import altair as alt

from taxonomy.errors import StoreError
from xmodal.report.plots.rows import Figure, Picked, Row, Rows, counted, flat, fraction, n_of, said
from xmodal.report.plots.scores import F1_AXIS, RUN_TIPS, guessing, sets, single_runs
from xmodal.report.plots.series import PANEL, held, in_panels, named, side_by_side, where_most
from xmodal.report.style import COLUMN, GREY, packed, series_channels

ANALYSIS = "hypernym-points"
FRACTION = alt.Scale(domain=[0, 1])
NEAR = alt.Scale(zero=False, nice=False, padding=8)
"""Of what has no natural ends: as far as the points go."""
TIPS = [
    said("hypernym", "hypernym"),
    said("series", "condition"),
    fraction("macro_f1", "macro-F1"),
    fraction("blind_f1", "guessing"),
    fraction("coherence", "coherence"),
    fraction("probe_f1", "text probe"),
    counted("depth", "WordNet depth"),
    said("question_set", "questions"),
    counted("n_questions", "test questions of a run"),
    counted("n_runs", "runs"),
    said("run_ids", "run ids"),
]
ROW = 9
"""Points: the height of a hypernym's row."""


def categories(picked: Picked) -> Figure:
    """A row a hypernym, a dot a condition, guessing as a tick."""
    rows = _of(picked, apart_from=(*PANEL, "design"))
    series = list(dict.fromkeys(row["series"] for row in rows))
    panels = [_rows(part, series).properties(title=t) for t, part in in_panels(rows).items()]
    several = any(row["n_runs"] > 1 for row in rows)
    return Figure(
        chart=side_by_side(panels),
        title="Macro-F1 of every hypernym",
        caption=f"Macro-F1 on {sets(rows)}{held(picked)}, mean over runs"
        f"{', with the single runs as small dots' if several else ''}; best hypernyms of the first "
        f"condition on top. {guessing(rows, 'Grey tick')} {_counts(rows)}",
        n_rows=len(rows),
    )


def _rows(rows: Rows, series: Sequence[str]) -> Any:
    first = [row for row in rows if row["series"] == rows[0]["series"]]
    order = [r["hypernym"] for r in sorted(first, key=lambda r: (-r["macro_f1"], r["hypernym"]))]
    order += sorted({row["hypernym"] for row in rows} - set(order))
    colour, shape = series_channels("series", series)
    y = alt.Y("hypernym:N", sort=order, title=None, axis=alt.Axis(grid=True))
    x = alt.X("macro_f1:Q", scale=FRACTION, title=F1_AXIS)
    base = alt.Chart(packed(flat(rows))).encode(y=y)
    return alt.layer(
        base.mark_tick(color=GREY, thickness=1.2, size=7).encode(
            x=alt.X("blind_f1:Q", scale=FRACTION, title=F1_AXIS),
            tooltip=[said("hypernym", "hypernym"), fraction("blind_f1", "guessing")],
        ),
        alt.Chart(packed(single_runs(rows)))
        .mark_point(filled=True, size=5, opacity=0.5)
        .encode(x=x, y=y, color=colour, tooltip=[said("hypernym", "hypernym"), *RUN_TIPS]),
        base.mark_point(filled=True, size=26, opacity=0.9).encode(
            x=x, color=colour, shape=shape, tooltip=TIPS
        ),
    ).properties(width=COLUMN - 100, height=alt.Step(ROW))


def coherence(picked: Picked) -> Figure:
    """Visual coherence of a hypernym's training pictures against F1, by shuffle."""
    rows = _of(
        picked,
        lambda row: row["coherence"] is not None,
        "no features' coherence is known: `xmodal coherence` measures it",
        usual={"lm_init": "pretrained"},
        apart_from=(*PANEL, "design"),
    )
    return Figure(
        chart=_scatter(rows, "coherence", "visual coherence (mean cosine)", NEAR),
        title="Visual coherence and macro-F1",
        caption="A dot a hypernym and shuffle. x: mean cosine of the hypernym's training pictures "
        f"to the encoder; y: macro-F1 on {sets(rows)}{held(picked)}. Means over runs. "
        f"{_counts(rows)} Correlations: `xmodal query @coherence-f1`.",
        n_rows=len(rows),
    )


def agreement(picked: Picked) -> Figure:
    """What the LM knows in text against what it says of pictures."""
    rows = _of(
        picked,
        lambda row: row["probe_f1"] is not None,
        "no run's LM was asked yes-no in text: `xmodal probe` does",
        usual={"shuffle": "none"},
        apart_from=(*PANEL, "design"),
    )
    return Figure(
        chart=_scatter(rows, "probe_f1", "text probe (macro-F1)", FRACTION, diagonal=True),
        title="What the LM knows in text, and says of pictures",
        caption="A dot a hypernym. x: macro-F1 of the LM alone, asked in text, mean over Yes-No "
        f"phrasings; y: macro-F1 on {sets(rows)}{held(picked)}. Means over runs. Dashed: the same "
        f"in both. {_counts(rows)} Answer by answer: `xmodal query @probe-vlm-hypernym`.",
        n_rows=len(rows),
    )


def depth(picked: Picked) -> Figure:
    """F1 by WordNet depth of the hypernym, and by its distance from the leaves."""
    rows = _of(picked, usual={"shuffle": "none"}, apart_from=(*PANEL, "design"))
    places = {
        _place(row): row["distance"] for row in picked.store.analysis("hypernym-depth").to_pylist()
    }
    rows = [{**row, "distance": places.get(_place(row))} for row in rows]
    drawn = [row for row in rows if row["depth"] is not None or row["distance"] is not None]
    if not drawn:
        raise StoreError("nothing to draw: no hypernym has a place in WordNet")
    n_placeless = len(_names(rows)) - len(_names(drawn))
    series = list(dict.fromkeys(row["series"] for row in rows))
    panels = []
    for title, part in in_panels(rows).items():
        for field, what in (
            ("depth", "depth (steps from WordNet's root)"),
            ("distance", "distance (mean steps from its leaves)"),
        ):
            if there := [row for row in part if row[field] is not None]:
                panels.append(_dots(there, field, what, NEAR, series).properties(title=title))
    return Figure(
        chart=side_by_side(panels),
        title="Macro-F1 by how general the hypernym is",
        caption="A dot a hypernym and condition. Depth: least number of steps from WordNet's root. "
        "Distance: WordNet's steps from a leaf up to the hypernym, mean over its leaves that have "
        f"such a path. y: macro-F1 on {sets(rows)}{held(picked)}, mean over runs. {_counts(drawn)} "
        f"Not drawn, without a place in WordNet: {n_of(n_placeless, 'hypernym')}.",
        n_rows=len(drawn),
    )


def _place(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("source", "dataset", "relation", "hypernym"))


def _names(rows: Rows) -> set[tuple[str, str]]:
    return {(row["dataset"], row["hypernym"]) for row in rows}


def _of(
    picked: Picked,
    keep: Callable[[Row], bool] = lambda _: True,
    lacking: str = "",
    *,
    usual: dict[str, str] | None = None,
    apart_from: Sequence[str],
) -> Rows:
    """Rows by hypernym, where most is held out, with their series.

    Args:
        picked: What is drawn.
        keep: Rows that can be drawn.
        lacking: Why there are none.
        usual: Column to value: what is drawn where the column was not chosen by, if any is.
        apart_from: As in named.
    """
    rows = where_most(picked, picked.by_set(picked.rows(ANALYSIS, keep, lacking)))
    for column, value in (usual or {}).items():
        if column not in picked.where and not picked.runs:
            rows = [row for row in rows if row[column] == value] or rows
    return named(rows, apart_from=apart_from)


def _scatter(
    rows: Rows, field: str, title: str, scale: alt.Scale, *, diagonal: bool = False
) -> Any:
    series = list(dict.fromkeys(row["series"] for row in rows))
    panels = []
    for name, part in in_panels(rows).items():
        layers = [_dots(part, field, title, scale, series)]
        if diagonal:
            ends = packed([{field: 0, "macro_f1": 0}, {field: 1, "macro_f1": 1}])
            line = alt.Chart(ends).mark_line(color=GREY, strokeDash=[3, 2], strokeWidth=1)
            layers.insert(0, line.encode(x=f"{field}:Q", y="macro_f1:Q"))
        panels.append(alt.layer(*layers).properties(title=name, width=COLUMN - 40, height=150))
    return side_by_side(panels)


def _dots(rows: Rows, field: str, title: str, scale: alt.Scale, series: Sequence[str]) -> Any:
    colour, shape = series_channels("series", series)
    return (
        alt.Chart(packed(flat(rows)))
        .mark_point(size=22, opacity=0.8, strokeWidth=1.2)
        .encode(
            x=alt.X(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5)),
            y=alt.Y("macro_f1:Q", title=F1_AXIS, scale=FRACTION),
            color=colour,
            shape=shape,
            tooltip=[*TIPS, *([fraction(field, title)] if field == "distance" else [])],
        )
        .properties(width=COLUMN - 40, height=150)
    )


def _counts(rows: Rows) -> str:
    runs = {run for row in rows for run in row["run_ids"]}
    return f"{n_of(len(runs), 'run')}, {n_of(len(_names(rows)), 'hypernym')}."
