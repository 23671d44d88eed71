"""F1 by condition: by what is held out, and by how labels are shuffled."""

from __future__ import annotations

from typing import Any

import altair as alt

from xmodal.report.plots.rows import (
    SHUFFLES,
    Figure,
    Picked,
    Rows,
    counted,
    flat,
    fraction,
    n_of,
    named,
    said,
    spread,
)
from xmodal.report.style import COLUMN, GREY, inline, series_scales

F1_AXIS = "macro-F1 (fraction)"
SETS = {
    "held_out": "held-out questions",
    "held_out_s1": "held-out questions",
    "seen": "seen questions",
    "unasked": "unasked questions",
    "leaf": "leaf questions",
    "seen_s1": "seen questions",
}
TIPS = [
    said("series", "condition"),
    fraction("macro_f1", "macro-F1"),
    fraction("low", "low"),
    fraction("high", "high"),
    fraction("blind_f1", "guessing"),
    fraction("ratio", "ratio asked for"),
    fraction("ratio_test", "ratio held out"),
    said("question_set", "questions"),
    counted("n_questions", "test questions of a run"),
    counted("n_hypernyms", "hypernyms"),
    counted("n_runs", "runs"),
    said("run_ids", "run ids"),
]
RUN_TIPS = [said("series", "condition"), fraction("macro_f1", "macro-F1"), said("run_id", "run")]


def ablation(picked: Picked) -> Figure:
    """F1 by share of the questions that is held out: the paper's main figure."""
    rows = picked.by_set(
        picked.rows("score-points", lambda row: row["ratio_test"] is not None), seen=True
    )
    rows = named(rows, apart_from=("source", "design", "ratio", "n_held_out_hypernyms", "lm"))
    every = {row["series"]: row["series"] for row in rows}
    panels = []
    for title, part in _panels(rows).items():
        panels.append(_by_ratio(part, every).properties(title=title))
    return Figure(
        chart=panels[0] if len(panels) == 1 else alt.concat(*panels, columns=2),
        title="Macro-F1 by what training does not see",
        caption=f"Macro-F1 on {_sets(rows)}: mean over hypernyms, then over runs. x: share of the "
        f"hypernym test questions that is held out. {intervals(rows)} Dashed: the better of always "
        f"Yes and always No. {_counts(rows)}",
        n_rows=len(rows),
    )


def _panels(rows: Rows) -> dict[str, Rows]:
    """By LM and design; conditions that hold nothing out begin the lines of every design."""
    panels: dict[str, Rows] = {}
    lms = list(dict.fromkeys((row["source"], row["dataset"], row["lm"]) for row in rows))
    for source, dataset, lm in lms:
        own = [r for r in rows if (r["source"], r["dataset"], r["lm"]) == (source, dataset, lm)]
        designs = [d for d in dict.fromkeys(row["design"] for row in own) if d != "none"]
        several = len([1 for s, _, name in lms if (s, name) == (source, lm)]) > 1
        for design in designs or ["none"]:
            words = [lm if source == "own" else f"{lm} (released)"]
            words += [dataset] if several else []
            words += ["nothing held out"] if design == "none" else [f"{design} ablation"]
            panels[", ".join(words)] = [r for r in own if r["design"] in (design, "none")]
    return panels


def _by_ratio(rows: Rows, every: dict[str, str]) -> Any:
    """Lines with intervals over what is held out; series a little apart."""
    series = list(dict.fromkeys(row["series"] for row in rows))
    colours, shapes = series_scales(every, series)
    ratios = alt.Scale(domain=[0, 1], padding=8)
    x = alt.X("ratio_test:Q", title="held out (fraction of questions)", scale=ratios)
    y = alt.Y("macro_f1:Q", title=F1_AXIS, scale=alt.Scale(domain=[0, 1]))
    legend = alt.Legend(orient="bottom", columns=2, title=None)
    colour = alt.Color("series:N", scale=colours, sort=None, legend=legend)
    shape = alt.Shape("series:N", scale=shapes, sort=None, legend=legend)
    guess = alt.Chart(inline(flat(rows))).encode(x=x, y=alt.Y("blind_f1:Q", title=F1_AXIS))
    layers: list[Any] = [
        guess.mark_line(color=GREY, strokeDash=[3, 2], strokeWidth=1).encode(detail="series:N"),
        guess.mark_tick(color=GREY, size=12, thickness=1.2, orient="horizontal").encode(
            tooltip=[said("series", "condition"), fraction("blind_f1", "guessing")]
        ),
    ]
    for n, name in enumerate(series):
        of = [row for row in rows if row["series"] == name]
        shift = 3.0 * (n - (len(series) - 1) / 2)
        base = alt.Chart(inline(flat(of))).encode(x=x, color=colour)
        layers.append(base.mark_line(strokeWidth=1.2, xOffset=shift).encode(y=y))
        layers.append(
            base.transform_filter("datum.low !== null")
            .mark_rule(strokeWidth=1.2, xOffset=shift)
            .encode(y="low:Q", y2="high:Q")
        )
        if single := _without_interval(of):
            layers.append(
                alt.Chart(inline(single))
                .mark_point(filled=True, size=8, opacity=0.7, xOffset=shift)
                .encode(x=x, y=y, color=colour, shape=shape, tooltip=RUN_TIPS)
            )
        layers.append(
            base.mark_point(filled=True, size=38, opacity=1, xOffset=shift).encode(
                y=y, shape=shape, tooltip=TIPS
            )
        )
    return alt.layer(*layers).properties(width=COLUMN - 40, height=150)


def shuffles(picked: Picked) -> Figure:
    """F1 with true and with shuffled labels, condition by condition."""
    rows = picked.by_set(picked.rows("score-points"))
    shuffled = {_base(row) for row in rows if row["shuffle"] != "none"}
    if shuffled:
        rows = [row for row in rows if _base(row) in shuffled]
    rows = named(rows, apart_from=("shuffle",))
    words = {"none": "true labels", **SHUFFLES}
    for row in rows:
        row["labels"] = words.get(row["shuffle"], row["shuffle"])
        row["group"] = _group(row)
    order = [words[k] for k in words if any(r["shuffle"] == k for r in rows)]
    order += sorted({row["labels"] for row in rows} - set(order))
    colours, shapes = series_scales({name: name for name in order}, order)
    scale = alt.Scale(domain=[0, 1])
    groups = list(dict.fromkeys(row["group"] for row in rows))
    y = alt.Y("group:N", sort=groups, title=None, axis=alt.Axis(labelLimit=150))
    apart = alt.YOffset("labels:N", sort=order)
    legend = alt.Legend(orient="bottom", columns=2, title=None)
    colour = alt.Color("labels:N", scale=colours, sort=None, legend=legend)
    shape = alt.Shape("labels:N", scale=shapes, sort=None, legend=legend)
    base = alt.Chart(inline(flat(rows))).encode(y=y, yOffset=apart)
    x = alt.X("macro_f1:Q", scale=scale, title=F1_AXIS)
    layers = [
        base.mark_tick(color=GREY, thickness=1.5, size=8).encode(
            x=alt.X("blind_f1:Q", scale=scale)
        ),
        base.transform_filter("datum.low !== null")
        .mark_rule(strokeWidth=1.4)
        .encode(x=alt.X("low:Q", scale=scale), x2="high:Q", color=colour),
        alt.Chart(inline(_without_interval(rows)))
        .mark_point(filled=True, size=8, opacity=0.7)
        .encode(x=x, y=y, yOffset=apart, color=colour, tooltip=RUN_TIPS),
        base.mark_point(filled=True, size=38, opacity=1).encode(
            x=x, color=colour, shape=shape, tooltip=[said("labels", "labels"), *TIPS]
        ),
    ]
    return Figure(
        chart=alt.layer(*layers).properties(width=COLUMN - 90, height=alt.Step(11)),
        title="Macro-F1 with true and with shuffled labels",
        caption=f"Macro-F1 on {_sets(rows)}: mean over hypernyms, then over runs. "
        f"{intervals(rows)} Grey tick: the better of always Yes and always No. {_counts(rows)}",
        n_rows=len(rows),
    )


def _base(row: Any) -> tuple[Any, ...]:
    names = ("source", "dataset", "relation", "lm", "encoder", "recipe", "design", "unit", "ratio")
    return tuple(row[name] for name in names)


def _group(row: Any) -> str:
    return str(row["series"])


def _without_interval(rows: Rows) -> Rows:
    """The single runs of points of several runs that have no interval."""
    return spread([row for row in rows if row["low"] is None and row["n_runs"] > 1])


def intervals(rows: Rows) -> str:
    """What bars and small dots are."""
    with_ = [row for row in rows if row["low"] is not None]
    several = [row for row in rows if row["low"] is None and row["n_runs"] > 1]
    parts = []
    if with_:
        levels = sorted({row["confidence"] for row in with_})
        of = " and ".join(f"{level:g}" for level in levels)
        parts.append(
            f"Bars: {of} bootstrap intervals, leaves and seeds drawn again, of {len(with_)} of "
            f"{n_of(len(rows), 'point')}."
        )
    if several:
        rest = " of the others" if with_ else ""
        parts.append(f"Small dots: single runs{rest}; no interval is stored (`xmodal stats`).")
    if not with_ and not several:
        parts.append("One run a point: no interval is stored (`xmodal stats`).")
    return " ".join(parts)


def _sets(rows: Rows) -> str:
    there = dict.fromkeys(SETS.get(row["question_set"], row["question_set"]) for row in rows)
    sets = " and ".join(there)
    if any(row["question_set"] == "held_out_s1" for row in rows):
        sets += " (released runs: as their paper drew them)"
    if {"held_out", "seen"} <= {row["question_set"] for row in rows}:
        sets += " (seen: where nothing is held out)"
    return sets


def _counts(rows: Rows) -> str:
    runs = {run for row in rows for run in row["run_ids"]}
    ns = sorted({row["n_hypernyms"] for row in rows if row["n_hypernyms"] is not None})
    of = "" if not ns else f" over {ns[0]}" + (f" to {ns[-1]}" if len(ns) > 1 else "")
    return f"{n_of(len(runs), 'run')}{of} hypernyms." if of else f"{n_of(len(runs), 'run')}."
