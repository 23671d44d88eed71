"""What figures share: their rows, chosen by run and column, and what tells series apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from taxonomy.errors import ConfigError, StoreError, unknown
from xmodal.stats.select import as_text, has
from xmodal.store import Store
from xmodal.store.analyses import Analysis
from xmodal.store.ids import resolve_id

Row = Mapping[str, Any]
Rows = list[dict[str, Any]]
RUN_IDS = "SELECT run_id FROM run UNION SELECT run_id FROM released_run ORDER BY run_id"
INITS = {"pretrained": "pretrained", "random": "random weights", "scrambled": "scrambled taxonomy"}
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
POINT = ("question_set", "hypernym")
"""What tells points of a condition apart."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure, drawn."""

    chart: Any
    """Altair's, at print size (one pixel a point), without title and caption."""
    title: str
    caption: str
    """What is drawn, what bars are, over how many."""
    n_rows: int
    """Rows of the analysis that are drawn."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A figure that there is."""

    shows: str
    """In a few words."""
    draw: Callable[[Picked], Figure]


@dataclass(frozen=True)
class Picked:
    """A store, and what of it is drawn."""

    store: Store
    runs: Sequence[str]
    where: Mapping[str, str]

    def run_ids(self) -> list[str]:
        """The chosen runs, by whole id.

        Raises:
            StoreError: No such run, or the beginning of several.
        """
        known = self.store.query(RUN_IDS)["run_id"].to_pylist()
        return [resolve_id("run", run, known) for run in self.runs]

    def rows(self, analysis: str, keep: Callable[[Row], bool] = lambda _: True) -> Rows:
        """Rows of an analysis that are of the chosen runs and have the chosen values.

        Args:
            analysis: Its name. What of $runs, run_id or manifest_id it has chooses by run.
            keep: Which rows the figure can draw at all.

        Raises:
            ConfigError: A column that the rows do not have, or a value that none of them has.
            StoreError: No row is left, with what to do.
        """
        of = Analysis.load(analysis)
        ids = self.run_ids()
        given = {"runs": ",".join(ids)} if ids and "runs" in of.params else {}
        found: Rows = self.store.analysis(analysis, **given).to_pylist()
        if ids and found and "runs" not in of.params:
            found = [row for row in found if self._is_of(row, ids)]
        found = [row for row in found if keep(row)]
        if not found:
            of_runs = f"nothing of run {', '.join(self.runs)}, or " if ids else ""
            raise StoreError(f"nothing to draw: {of_runs}{of.empty}")
        for n, (column, value) in enumerate(self.where.items()):
            columns = [k for k, v in found[0].items() if not isinstance(v, list)]
            if column not in columns:
                raise ConfigError(unknown("column", column, columns))
            there = {as_text(row[column]) for row in found if row[column] is not None}
            found = [r for r in found if has(r[column], value) or as_text(r[column]) == value]
            if not found:
                before = ", ".join(f"{k}={v}" for k, v in list(self.where.items())[:n])
                with_ = f" (with {before})" if before else ""
                raise ConfigError(
                    f"no row has {column}={value}{with_}: {unknown('value', value, there)}"
                )
        return found

    def _is_of(self, row: Row, ids: Sequence[str]) -> bool:
        if "run_id" in row:
            return row["run_id"] in ids
        of = "SELECT DISTINCT manifest_id FROM run WHERE list_contains($ids, run_id)"
        known = self.store.query(of, {"ids": list(ids)})["manifest_id"].to_pylist()
        return row["manifest_id"] in known

    def by_set(self, found: Rows, *, seen: bool = False) -> Rows:
        """Rows of the held-out questions, or of the question set that was chosen.

        Args:
            found: Rows with source, ratio and question_set.
            seen: Of conditions that hold nothing out, the seen ones.

        Returns:
            Of own runs held_out; of released ones held_out_s1, the set as it was published.

        Raises:
            StoreError: No row is left.
        """
        if "question_set" in self.where:
            return found
        held = [row for row in found if row["question_set"] == _usual_set(row, seen)]
        if not held:
            there = ", ".join(sorted({row["question_set"] for row in found}))
            raise StoreError(
                "nothing to draw: no run with held-out questions; choose another set by "
                f"`--where question_set=...`: {there}"
            )
        return held


def _usual_set(row: Row, seen: bool) -> str:
    if row["source"] != "own":
        return "held_out_s1"
    return "seen" if seen and row["ratio"] == 0 else "held_out"


def named(rows: Rows, *, apart_from: Sequence[str] = ()) -> Rows:
    """The rows with a `series` each, in order: what tells their condition from the others.

    Args:
        rows: With the columns of a condition, run_ids and, where it is the grain, hypernym.
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
    seen: dict[tuple[Any, ...], int] = {}
    out = []
    for row in sorted(rows, key=lambda row: (*_place(row), row["run_ids"])):
        name = told[tuple(row[k] for k in columns)] or "all"
        # conditions that differ in hidden settings alone
        point = (name, *(row.get(k) for k in (*apart_from, *POINT)))
        seen[point] = seen.get(point, 0) + 1
        out.append({**row, "series": name if seen[point] == 1 else f"{name} ({seen[point]})"})
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
        said.append(SHUFFLES.get(row["shuffle"], row["shuffle"]))
    if differ("lm_init") and not (shuffled and row["lm_init"] == "pretrained"):
        said.append(INITS.get(row["lm_init"], row["lm_init"]))
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
        said.append(INITS.get(row["lm_init"], row["lm_init"]))
    return said


def lm_of(row: Row) -> str:
    """The LM of a row, and whether others released its runs."""
    return str(row["lm"]) if row["source"] == "own" else f"{row['lm']} (released)"


def n_of(n: float, what: str) -> str:
    """A number of things, such as 1 run or 3 runs."""
    return f"{n:g} {what}" if n == 1 else f"{n:g} {what}s"


def fraction(field: str, title: str) -> alt.Tooltip:
    """A fraction in a tooltip, three digits."""
    return alt.Tooltip(field=field, type="quantitative", title=title, format=".3f")


def said(field: str, title: str) -> alt.Tooltip:
    """A name in a tooltip."""
    return alt.Tooltip(field=field, type="nominal", title=title)


def counted(field: str, title: str) -> alt.Tooltip:
    """A count in a tooltip."""
    return alt.Tooltip(field=field, type="quantitative", title=title, format=",.0f")


def spread(rows: Rows) -> Rows:
    """A row for each run of the rows: its run_id, and its F1 as macro_f1."""
    return [
        {**{k: v for k, v in row.items() if not isinstance(v, list)}, "run_id": run, "macro_f1": f1}
        for row in rows
        for run, f1 in zip(row["run_ids"], row["run_f1s"], strict=True)
    ]


def flat(rows: Rows) -> Rows:
    """The rows with their lists of runs as one text."""
    return [
        {
            **{k: v for k, v in row.items() if not isinstance(v, list)},
            "run_ids": ", ".join(row["run_ids"]),
        }
        for row in rows
    ]
