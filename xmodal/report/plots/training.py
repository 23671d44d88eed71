"""What training shows of every hypernym, and how it went."""

from __future__ import annotations

from typing import Any

import altair as alt

from xmodal.report.plots.rows import (
    INITS,
    SHUFFLES,
    Figure,
    Picked,
    Row,
    Rows,
    counted,
    fraction,
    n_of,
    said,
    side_by_side,
)
from xmodal.report.style import COLUMN, inline, series_channels
from xmodal.stats.select import as_text

MOST = 6
"""Panels of one figure."""
COUNTS = {"n_yes": "Yes questions", "n_no": "No questions", "n_word": "mentions of the word"}


def exposure(picked: Picked) -> Figure:
    """Yes and No questions and mentions of each hypernym in training."""
    rows = picked.rows("exposure")
    panels: dict[str, Rows] = {}
    for row in sorted(rows, key=lambda r: (r["ratio_nominal"], r["design"], _nth(r["shuffle"]))):
        panels.setdefault(_design(row), []).append(row)
    shown = dict(list(panels.items())[:MOST])
    drawn = [row for part in shown.values() for row in part]
    of_all = len({row["manifest_id"] for row in drawn})
    left = len(panels) - len(shown)
    rest = f" {n_of(left, 'more design')} not drawn: choose by --where." if left else ""
    charts = [_counts(part).properties(title=title) for title, part in shown.items()]
    return Figure(
        chart=side_by_side(charts),
        title="What training shows of every hypernym",
        caption="Training questions that ask the hypernym, by true answer, and occurrences of its "
        "word, whole, in any training question; symmetric logarithmic scale. A mark a manifest: "
        f"{n_of(of_all, 'manifest')}.{rest}",
        n_rows=len(drawn),
    )


def _design(row: Row) -> str:
    if row["design"] == "none":
        words = "nothing held out"
    else:
        words = f"{row['design']} ablation, ratio {as_text(row['ratio_nominal'])}"
    return words if row["shuffle"] == "none" else f"{words}, {_shuffled(row)}"


def _shuffled(row: Row) -> str:
    return SHUFFLES.get(row["shuffle"], row["shuffle"])


def _nth(shuffle: str) -> int:
    return list(SHUFFLES).index(shuffle) if shuffle in SHUFFLES else len(SHUFFLES)


def _counts(rows: Rows) -> Any:
    long = [
        {**row, "what": words, "n": row[column]} for row in rows for column, words in COUNTS.items()
    ]
    colour, shape = series_channels("what", list(COUNTS.values()), columns=3)
    ticks = [0, 10, 100, 1000, 10_000, 100_000, 1_000_000]
    return (
        alt.Chart(inline(long))
        .mark_point(size=20, strokeWidth=1.2, opacity=0.8)
        .encode(
            y=alt.Y("hypernym:N", title=None, axis=alt.Axis(grid=True)),
            x=alt.X(
                "n:Q",
                title="training questions; mentions (counts)",
                scale=alt.Scale(type="symlog", domainMin=0, nice=False),
                axis=alt.Axis(values=ticks, format="~s"),
            ),
            color=colour,
            shape=shape,
            tooltip=[
                said("hypernym", "hypernym"),
                said("manifest_id", "manifest"),
                said("shuffle", "shuffle"),
                *(counted(column, words) for column, words in COUNTS.items()),
                fraction("ratio_cells", "cells held out"),
                fraction("ratio_questions", "questions held out"),
            ],
        )
        .properties(width=COLUMN - 100, height=alt.Step(9))
    )


def learning(picked: Picked) -> Figure:
    """Loss in training and on validation pictures, step by step."""
    rows = picked.rows("loss-curve", lambda row: row["design"] is not None)
    rows = [{**row, "series": _condition(row)} for row in rows]
    rows.sort(key=lambda r: (r["ratio"], r["design"], _nth(r["shuffle"]), r["lm_init"]))
    series = list(dict.fromkeys(row["series"] for row in rows))
    colour, shape = series_channels("series", series)
    panels = []
    for name in sorted({row["name"] for row in rows}):
        of = [row for row in rows if row["name"] == name]
        x = alt.X("step:Q", title="optimiser step", axis=alt.Axis(tickCount=5, format="~s"))
        unit = "cross-entropy (nats)" if name.endswith("loss") else name.replace("_", " ")
        y = alt.Y("value:Q", title=unit, scale=alt.Scale(zero=True))
        base = alt.Chart(inline(of)).encode(x=x, y=y, color=colour)
        last = base.transform_joinaggregate(last="max(step)", groupby=["run_id"]).transform_filter(
            "datum.step === datum.last"
        )
        tips = [
            said("series", "condition"),
            said("run_id", "run"),
            counted("step", "step"),
            fraction("value", name.replace("_", " ")),
        ]
        lines = base.mark_line(strokeWidth=1, opacity=0.7).encode(detail="run_id:N", tooltip=tips)
        ends = last.mark_point(filled=True, size=26, opacity=1).encode(shape=shape, tooltip=tips)
        panels.append(
            alt.layer(lines, ends).properties(
                width=COLUMN - 40, height=150, title=name.replace("_", " ")
            )
        )
    runs = {row["run_id"] for row in rows}
    return Figure(
        chart=side_by_side(panels),
        title="Learning curves",
        caption="Metrics that training logged, a line a run; the mark is its last step. The loss "
        "is the mean cross-entropy at the answer, in nats. "
        f"{n_of(len(runs), 'run')}.",
        n_rows=len(rows),
    )


def _condition(row: Row) -> str:
    words = [INITS.get(row["lm_init"], row["lm_init"])]
    words += [_shuffled(row)] if row["shuffle"] != "none" else []
    return ", ".join([*words, _design({**row, "ratio_nominal": row["ratio"], "shuffle": "none"})])
