"""Of whose pictures a run says Yes to which hypernym."""

from __future__ import annotations

import altair as alt

from xmodal.report.plots.rows import Figure, Picked, counted, flat, fraction, n_of, said
from xmodal.report.plots.series import named, where_most
from xmodal.report.style import BLUE, packed
from xmodal.stats.select import as_text

FEW = 5
"""Test questions: a cell of fewer is drawn small."""
CELL = 9
"""Points: the side of a cell."""


def confusion(picked: Picked) -> Figure:
    """Yes rates by true hypernym of the picture and asked hypernym, of one condition."""
    rows = where_most(picked, picked.by_set(picked.rows("confusion")))
    pairs = ("true_hypernym", "asked_hypernym")
    rows = named(rows)
    conditions = list(dict.fromkeys(row["series"] for row in rows))
    drawn = [row for row in rows if row["series"] == conditions[0]]
    names = sorted({row[k] for row in drawn for k in pairs}, key=lambda name: (name.lower(), name))
    base = alt.Chart(packed(flat(drawn))).encode(
        x=alt.X(
            "asked_hypernym:N",
            sort=names,
            title="asked: is there a ... in the image?",
            axis=alt.Axis(labelAngle=-90, orient="bottom"),
            scale=alt.Scale(domain=names),
        ),
        y=alt.Y(
            "true_hypernym:N",
            sort=names,
            title="true hypernym of the picture",
            scale=alt.Scale(domain=names),
        ),
    )
    encoded = base.encode(
        color=alt.Color(
            "yes_rate:Q",
            title="answered Yes (fraction)",
            scale=alt.Scale(domain=[0, 1], range=["#EBEBEB", BLUE]),
            legend=alt.Legend(orient="bottom", gradientLength=120, gradientThickness=8),
        ),
        tooltip=[
            said("true_hypernym", "picture of"),
            said("asked_hypernym", "asked"),
            fraction("yes_rate", "answered Yes"),
            fraction("answer_rate", "truly Yes"),
            counted("n_questions", "test questions of a run"),
            counted("n_runs", "runs"),
            said("run_ids", "run ids"),
        ],
    )
    few = f"datum.n_questions < {FEW}"
    cells = alt.layer(
        encoded.transform_filter(f"!({few})").mark_rect(),
        encoded.transform_filter(few).mark_square(size=16, opacity=1),
    )
    runs = {run for row in drawn for run in row["run_ids"]}
    others = ""
    if len(conditions) > 1:
        others = (
            f" Of {len(conditions)} conditions, this is the first: choose another by --where "
            "or --run."
        )
    first = drawn[0]
    what = ", ".join(
        f"{name.replace('_', ' ')} {as_text(first[name])}"
        for name in ("lm", "lm_init", "shuffle", "design", "ratio")
    )
    return Figure(
        chart=cells.properties(width=alt.Step(CELL), height=alt.Step(CELL)),
        title="Whose pictures are taken for what",
        caption="Share of test questions that are answered Yes, mean over runs; on the diagonal "
        "the right Yes. A picture of several hypernyms is in the row of each, so that Yes off the "
        f"diagonal may be right. Small: fewer than {FEW} questions; blank: none. Test questions: "
        f"{first['question_set'].replace('_', '-')} ones of {what}: {n_of(len(runs), 'run')}."
        f"{others}",
        n_rows=len(drawn),
    )
