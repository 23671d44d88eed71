"""What tells series and panels of a figure apart, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from xmodal.report.facts.conditions import INITS
from xmodal.report.plots.rows import Picked, Row, Rows
from xmodal.stats.select import as_text

SHUFFLES = {
    "none": "true labels",
    "within": "shuffled within",
    "across": "shuffled across",
    "across_s1": "shuffled across (S1)",
    "swap": "categories swapped",
    "swap_control": "swap's control",
}
PANEL = ("source", "lm", "dataset")
"""What figures have panels by."""
KEYS = ("lm", "lm_init", "shuffle")
OTHERS = (
    *("dataset", "relation", "encoder", "recipe", "prompt", "unit", "mentions", "negatives"),
    *("design", "ratio", "n_held_out_hypernyms"),
)
"""What may tell series apart beside LM, weights and shuffle."""


def named(rows: Rows, *, apart_from: Sequence[str] = ()) -> Rows:
    """The rows with a `series` each, in order: what tells their condition from the others.

    Args:
        rows: With the columns of a condition, hidden_settings and run_ids.
        apart_from: Columns that the figure shows by other means, as by panels. Of rows that
            stand in different panels nothing else is said.

    Returns:
        Rows by series. Those of conditions that no column tells apart get a number.
    """
    panel = [k for k in (*PANEL, "design") if k in apart_from]
    columns = [k for k in (*PANEL, *KEYS, *OTHERS) if k in rows[0]]
    of = {tuple(row[k] for k in columns): row for row in rows}
    told: dict[Any, str] = {}
    for key, row in of.items():
        beside = [r for r in of.values() if all(r[k] == row[k] for k in panel)]
        told[key] = ", ".join(_told(row, beside, [k for k in columns if k not in apart_from]))
    settings: dict[str, list[str]] = {}
    out = []
    for row in sorted(rows, key=lambda row: (*_place(row), row["run_ids"])):
        name = told[tuple(row[k] for k in columns)] or "all"
        # conditions that no column tells apart: by their settings, so that no line joins two
        own = settings.setdefault(name, [])
        if row["hidden_settings"] not in own:
            own.append(row["hidden_settings"])
        number = own.index(row["hidden_settings"]) + 1
        out.append({**row, "series": name if number == 1 else f"{name} ({number})"})
    return out


def where_most(picked: Picked, rows: Rows) -> Rows:
    """Of each design the rows where most is held out, unless a ratio was chosen."""
    if "ratio" in picked.where or picked.runs:
        return rows
    keys = ("source", "lm", "dataset", "relation", "design")
    most: dict[Any, float] = {}
    for row in rows:
        key = tuple(row[k] for k in keys)
        most[key] = max(row["ratio"], most.get(key, 0.0))
    return [row for row in rows if row["ratio"] == most[tuple(row[k] for k in keys)]]


def held(picked: Picked) -> str:
    """For captions: what where_most has left."""
    return "" if "ratio" in picked.where or picked.runs else ", where most is held out"


def in_panels(rows: Rows) -> dict[str, Rows]:
    """By LM and design, each with its title.

    What holds nothing out begins the lines of every design of its LM.
    """
    panels: dict[str, Rows] = {}
    keys = list(dict.fromkeys(tuple(row[k] for k in PANEL) for row in rows))
    for key in keys:
        own = [row for row in rows if tuple(row[k] for k in PANEL) == key]
        designs = [d for d in dict.fromkeys(row["design"] for row in own) if d != "none"]
        words = lm_of(own[0])
        if sum(other[:2] == key[:2] for other in keys) > 1:
            words += f", {key[2]}"
        for design in designs or ["none"]:
            what = "nothing held out" if design == "none" else f"{design} ablation"
            panels[f"{words}, {what}"] = [r for r in own if r["design"] in (design, "none")]
    return panels


def side_by_side(panels: Sequence[Any], columns: int = 2) -> Any:
    """Panels two by two; one stays alone."""
    return panels[0] if len(panels) == 1 else alt.concat(*panels, columns=columns)


def _place(row: Row) -> tuple[Any, ...]:
    inits, shuffles = list(INITS), list(SHUFFLES)
    return (
        row["source"] != "own",
        row["lm"],
        shuffles.index(row["shuffle"]) if row["shuffle"] in shuffles else len(shuffles),
        inits.index(row["lm_init"]) if row["lm_init"] in inits else len(inits),
        row["ratio"],
    )


def _told(row: Row, rows: Sequence[Row], columns: Sequence[str]) -> list[str]:
    """LM where there are several, weights or shuffle, and what else tells a row from the rest."""

    def differ(*names: str) -> bool:
        return len({tuple(r[k] for k in names) for r in rows if names[-1] in columns}) > 1

    said = [lm_of(row)] if differ("source", "lm") else []
    shuffled = differ("shuffle") and row["shuffle"] != "none"
    if shuffled:
        said.append(shuffle_of(row))
    if differ("lm_init") and not (shuffled and row["lm_init"] == "pretrained"):
        said.append(init_of(row))
    elif differ("shuffle") and not shuffled:
        said.append(SHUFFLES["none"])
    alike = [r for r in rows if all(r[k] == row[k] for k in ("source", *KEYS) if k in columns)]
    for name in OTHERS:
        if name in columns and len({r[name] for r in alike}) > 1:
            alike = [r for r in alike if r[name] == row[name]]
            if name == "design":
                said.append(f"{row[name]} ablation" if row[name] != "none" else "nothing held out")
            elif row[name] is not None:
                said.append(f"{name.replace('_', ' ')} {as_text(row[name])}")
    if not said and "lm_init" in columns:
        said.append(init_of(row))
    return said


def init_of(row: Row) -> str:
    """The LM's weights in words."""
    return INITS.get(row["lm_init"]) or str(row["lm_init"])


def shuffle_of(row: Row) -> str:
    """The labels in words."""
    return SHUFFLES.get(row["shuffle"]) or str(row["shuffle"])


def lm_of(row: Row) -> str:
    """The LM of a row, and whether others released its runs."""
    return str(row["lm"]) if row["source"] == "own" else f"{row['lm']} (released)"
