"""F1 by condition: by what is held out, and by how labels are shuffled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from xmodal.report.plots.rows import (
    Figure,
    Picked,
    Row,
    Rows,
    counted,
    flat,
    fraction,
    n_of,
    said,
    spread,
)
from xmodal.report.plots.series import (
    PANEL,
    held,
    in_panels,
    named,
    shuffle_of,
    side_by_side,
    where_most,
)
from xmodal.report.style import COLUMN, GREY, packed, series_channels

F1_AXIS = "macro-F1 (fraction)"
SETS = {
    "seen": "seen questions",
    "held_out": "held-out questions",
    "unasked": "questions about unasked hypernyms",
    "leaf": "leaf questions",
}
RATIOS = alt.Scale(domain=[-0.05, 1.05], nice=False, zero=False)
APART = 0.02
"""Fractions: points whose shares differ by less than half of it are drawn so far apart."""
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
    found = picked.rows(
        "score-points",
        lambda row: row["ratio_test"] is not None,
        "the numbers of questions were not released, so that nobody knows what was held out",
    )
    rows = named(
        picked.by_set(found, seen=True),
        apart_from=(*PANEL, "design", "ratio", "n_held_out_hypernyms"),
    )
    series = list(dict.fromkeys(row["series"] for row in rows))
    panels = [
        _by_ratio(part, series).properties(title=title) for title, part in in_panels(rows).items()
    ]
    return Figure(
        chart=side_by_side(panels),
        title="Macro-F1 by what training does not see",
        caption=f"Macro-F1 on {sets(rows)}, mean over hypernyms, then over runs, by the share of "
        "the hypernym test questions that is held out; series at the same share are drawn side by "
        f"side. {intervals(rows)} {guessing(rows, 'Dashed')} {_counts(rows)}",
        n_rows=len(rows),
    )


def _by_ratio(rows: Rows, series: Sequence[str]) -> Any:
    """Lines with intervals over what is held out."""
    rows = _moved(rows)
    title = "held out (fraction of questions)"
    x = alt.X("x:Q", title=title, scale=RATIOS, axis=alt.Axis(tickCount=6))
    y = alt.Y("macro_f1:Q", title=F1_AXIS, scale=alt.Scale(domain=[0, 1]))
    colour, shape = series_channels("series", series)
    base = alt.Chart(packed(flat(rows))).encode(x=x)
    guess = alt.Chart(packed(flat(rows))).encode(
        x=alt.X("ratio_test:Q", title=title, scale=RATIOS), y=alt.Y("blind_f1:Q", title=F1_AXIS)
    )
    layers = [
        guess.mark_line(color=GREY, strokeDash=[3, 2], strokeWidth=1).encode(detail="series:N"),
        guess.mark_tick(color=GREY, size=10, thickness=1.2, orient="horizontal").encode(
            tooltip=[said("series", "condition"), fraction("blind_f1", "guessing")]
        ),
        base.mark_line(strokeWidth=1.2).encode(y=y, color=colour),
        base.transform_filter("datum.low !== null")
        .mark_rule(strokeWidth=1.2)
        .encode(y="low:Q", y2="high:Q", color=colour),
        alt.Chart(packed(single_runs([row for row in rows if row["low"] is None])))
        .mark_point(filled=True, size=9, opacity=0.6)
        .encode(x=x, y=y, color=colour, shape=shape, tooltip=RUN_TIPS),
        base.mark_point(filled=True, size=34, opacity=1).encode(
            y=y, color=colour, shape=shape, tooltip=TIPS
        ),
    ]
    return alt.layer(*layers).properties(width=COLUMN - 40, height=150)


def _moved(rows: Rows) -> Rows:
    """The rows with an x each: what is held out, moved a little where several would lie on it."""
    out = []
    for row in rows:
        near = [other for other in rows if abs(other["ratio_test"] - row["ratio_test"]) < APART / 2]
        at = next(n for n, other in enumerate(near) if other is row)
        out.append({**row, "x": row["ratio_test"] + APART * (at - (len(near) - 1) / 2)})
    return out


def shuffles(picked: Picked) -> Figure:
    """F1 with true and with shuffled labels, condition by condition."""
    found = picked.by_set(picked.rows("score-points"))
    shuffled = {_base(row) for row in found if row["shuffle"] != "none"}
    rows = where_most(picked, [row for row in found if _base(row) in shuffled] or found)
    rows = named(rows, apart_from=("shuffle",))
    for row in rows:
        row["labels"] = shuffle_of(row)
    order = list(dict.fromkeys(row["labels"] for row in rows))
    conditions = list(dict.fromkeys(row["series"] for row in rows))
    scale = alt.Scale(domain=[0, 1])
    y = alt.Y("series:N", sort=conditions, title=None)
    apart = alt.YOffset("labels:N", sort=order)
    colour, shape = series_channels("labels", order)
    base = alt.Chart(packed(flat(rows))).encode(y=y, yOffset=apart)
    x = alt.X("macro_f1:Q", scale=scale, title=F1_AXIS)
    layers = [
        base.mark_tick(color=GREY, thickness=1.5, size=9).encode(
            x=alt.X("blind_f1:Q", scale=scale, title=F1_AXIS)
        ),
        base.transform_filter("datum.low !== null")
        .mark_rule(strokeWidth=1.4)
        .encode(x=alt.X("low:Q", scale=scale, title=F1_AXIS), x2="high:Q", color=colour),
        alt.Chart(packed(single_runs([row for row in rows if row["low"] is None])))
        .mark_point(filled=True, size=9, opacity=0.6)
        .encode(x=x, y=y, yOffset=apart, color=colour, shape=shape, tooltip=RUN_TIPS),
        base.mark_point(filled=True, size=34, opacity=1).encode(
            x=x, color=colour, shape=shape, tooltip=[said("labels", "labels"), *TIPS]
        ),
    ]
    return Figure(
        chart=alt.layer(*layers).properties(width=COLUMN - 90, height=alt.Step(11)),
        title="Macro-F1 with true and with shuffled labels",
        caption=f"Macro-F1 on {sets(rows)}{held(picked)}, mean over hypernyms, then over "
        f"runs. {intervals(rows)} {guessing(rows, 'Grey tick')} "
        f"{_counts(rows)}",
        n_rows=len(rows),
    )


def _base(row: Row) -> tuple[Any, ...]:
    """What shuffles are compared in."""
    names = ("source", "dataset", "relation", "lm", "lm_init", "encoder", "recipe", "design")
    return tuple(row[name] for name in (*names, "unit", "mentions", "negatives", "ratio"))


def single_runs(rows: Rows) -> Rows:
    """The runs of points of several, one by one."""
    return spread([row for row in rows if row["n_runs"] > 1])


def intervals(rows: Rows) -> str:
    """What bars and small dots are."""
    with_ = [row for row in rows if row["low"] is not None]
    several = [row for row in rows if row["low"] is None and row["n_runs"] > 1]
    parts = []
    if with_:
        levels = sorted({row["confidence"] for row in with_})
        of = " and ".join(f"{100 * level:g} %" for level in levels)
        too = {True: "leaves, seeds and hypernyms", False: "leaves and seeds"}
        drawn = {too[row["hypernyms"] == "random"] for row in with_}
        parts.append(
            f"Bars: {of} bootstrap intervals ({' or '.join(sorted(drawn))} drawn again) of "
            f"{len(with_)} of {n_of(len(rows), 'point')}."
        )
    if several:
        rest = " of the others" if with_ else ""
        parts.append(f"Small dots: single runs{rest}; no interval is stored (`xmodal stats`).")
    if not with_ and not several:
        parts.append("One run a point: no interval is stored (`xmodal stats`).")
    return " ".join(parts)


def guessing(rows: Rows, mark: str) -> str:
    """What a mark of guessing is."""
    published = any(row["question_set"] in ("held_out_s1", "seen_s1") for row in rows)
    one = "; as published, 1 where all answers are the same" if published else ""
    return f"{mark}: the better of always Yes and always No{one}."


def sets(rows: Rows) -> str:
    """Which questions the rows are about."""
    there = {row["question_set"] for row in rows}
    own = [SETS[name] for name in SETS if name in there]
    if own == [SETS["seen"], SETS["held_out"]]:
        own = ["held-out questions (seen ones where nothing is held out)"]
    released = "the held-out sets as published" if "held_out_s1" in there else ""
    if "seen_s1" in there:
        released = "the seen sets as published"
    if not released:
        return "; ".join(own)
    return "; ".join([*own, f"of released runs {released}" if own else released])


def _counts(rows: Rows) -> str:
    runs = {run for row in rows for run in row["run_ids"]}
    ns = sorted({row["n_hypernyms"] for row in rows if row["n_hypernyms"] is not None})
    of = "" if not ns else f" over {ns[0]}" + (f" to {ns[-1]}" if len(ns) > 1 else "")
    return f"{n_of(len(runs), 'run')}{of} hypernyms." if of else f"{n_of(len(runs), 'run')}."
