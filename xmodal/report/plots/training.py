"""What training shows of every hypernym, and how it went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from xmodal.report.plots.rows import Figure, Picked, Row, Rows, counted, fraction, n_of, said
from xmodal.report.plots.series import SHUFFLES, init_of, shuffle_of, side_by_side
from xmodal.report.style import COLUMN, packed, series_channels
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
    most = max(row[column] for row in drawn for column in COUNTS)
    charts = [_counts(part, most).properties(title=title) for title, part in shown.items()]
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
    return words if row["shuffle"] == "none" else f"{words}, {shuffle_of(row)}"


def _nth(shuffle: str) -> int:
    return list(SHUFFLES).index(shuffle) if shuffle in SHUFFLES else len(SHUFFLES)


def _counts(rows: Rows, most: int) -> Any:
    long = [
        {**row, "what": words, "n": row[column]} for row in rows for column, words in COUNTS.items()
    ]
    colour, shape = series_channels("what", list(COUNTS.values()))
    ticks = [0, 10, 100, 1000, 10_000, 100_000, 1_000_000]
    return (
        alt.Chart(packed(long))
        .mark_point(size=20, strokeWidth=1.2, opacity=0.8)
        .encode(
            y=alt.Y("hypernym:N", title=None, axis=alt.Axis(grid=True)),
            x=alt.X(
                "n:Q",
                title="training questions; mentions (counts)",
                scale=alt.Scale(type="symlog", domain=[0, most], nice=False),
                axis=alt.Axis(values=ticks, format=",d"),
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
    rows = picked.rows(
        "loss-curve",
        lambda row: row["design"] is not None,
        "no run on a manifest is in the store: `xmodal train` makes one",
    )
    rows = [{**row, "series": _condition(row)} for row in rows]
    rows.sort(key=lambda r: (r["ratio"], r["design"], _nth(r["shuffle"]), r["lm_init"]))
    series = list(dict.fromkeys(row["series"] for row in rows))
    panels = [
        _curves([row for row in rows if row["name"] == name], name, series)
        for name in sorted({row["name"] for row in rows})
    ]
    runs = {row["run_id"] for row in rows}
    return Figure(
        chart=side_by_side(panels),
        title="Learning curves",
        caption="Metrics that training logged, a line a run, each point the mean of five logged "
        "ones in a row (fewer at the ends); the mark is the last. Loss: mean cross-entropy at the "
        f"answer. {n_of(len(runs), 'run')}.",
        n_rows=len(rows),
    )


def _curves(rows: Rows, name: str, series: Sequence[str]) -> Any:
    """One metric by step."""
    colour, shape = series_channels("series", series)
    values = [row["value"] for row in rows]
    # a loss that begins ten times as high as others end would press them together
    wide = min(values) > 0 and max(values) > 10 * min(values)
    scale = alt.Scale(type="log", nice=False) if wide else alt.Scale(zero=True)
    words = name.replace("train_", "training ").replace("_", " ")
    unit = "cross-entropy (nats)" if name.endswith("loss") else words
    base = (
        alt.Chart(packed(rows))
        .transform_window(
            smooth="mean(value)", frame=[-2, 2], groupby=["run_id"], sort=[{"field": "step"}]
        )
        .transform_joinaggregate(last="max(step)", groupby=["run_id"])
        .encode(
            x=alt.X("step:Q", title="optimiser step", axis=alt.Axis(tickCount=5, format=",d")),
            y=alt.Y("smooth:Q", title=unit, scale=scale),
            color=colour,
            tooltip=[
                said("series", "condition"),
                said("run_id", "run"),
                counted("step", "step"),
                fraction("value", words),
            ],
        )
    )
    lines = base.mark_line(strokeWidth=1, opacity=0.8).encode(detail="run_id:N")
    ends = base.transform_filter("datum.step === datum.last").mark_point(
        filled=True, size=26, opacity=1
    )
    return alt.layer(lines, ends.encode(shape=shape)).properties(
        width=COLUMN - 40, height=150, title=words
    )


def _condition(row: Row) -> str:
    words = [init_of(row)]
    words += [shuffle_of(row)] if row["shuffle"] != "none" else []
    return ", ".join([*words, _design({**row, "ratio_nominal": row["ratio"], "shuffle": "none"})])
