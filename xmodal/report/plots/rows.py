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

    def rows(
        self, analysis: str, keep: Callable[[Row], bool] = lambda _: True, lacking: str = ""
    ) -> Rows:
        """Rows of an analysis that are of the chosen runs and have the chosen values.

        Args:
            analysis: Its name. What of $runs, run_id or manifest_id it has chooses by run.
            keep: Which rows the figure can draw at all.
            lacking: What it means where there are rows, but none of those.

        Raises:
            ConfigError: A column that the rows do not have, or a value that none of them has.
            StoreError: No row is left, with what to do.
        """
        of = Analysis.load(analysis)
        ids = self.run_ids()
        given = {"runs": ",".join(ids)} if ids and "runs" in of.params else {}
        found: Rows = self.store.analysis(analysis, **given).to_pylist()
        if ids and found and "runs" not in of.params:
            key = "run_id" if "run_id" in found[0] else "manifest_id"
            of_ids = set(ids) if key == "run_id" else self._manifests(ids)
            found = [row for row in found if row[key] in of_ids]
        drawable = [row for row in found if keep(row)]
        if not drawable:
            of_runs = f"nothing of run {', '.join(self.runs)}, or " if ids else ""
            raise StoreError(f"nothing to draw: {of_runs}{lacking if found else of.empty}")
        found = drawable
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

    def _manifests(self, ids: Sequence[str]) -> set[str]:
        of = "SELECT manifest_id FROM run WHERE list_contains($ids, run_id)"
        return set(self.store.query(of, {"ids": list(ids)})["manifest_id"].to_pylist())

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
