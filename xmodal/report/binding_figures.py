"""Figures of binding, from what is in a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt

from taxonomy.errors import ConfigError, StoreError, unknown
from xmodal.files import make_folder
from xmodal.report.binding import accuracy_chart
from xmodal.report.binding_arms import arms_chart
from xmodal.report.binding_factors import factors_chart
from xmodal.report.binding_mechanism import mechanism_chart
from xmodal.report.binding_predicts import placed, predicts_chart
from xmodal.report.binding_steps import stepped, steps_chart
from xmodal.report.binding_style import Names, names_of
from xmodal.report.style import save_chart
from xmodal.store import Store, need_store
from xmodal.store.ids import resolve_id

Rows = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure: what is drawn, and how."""

    analyses: tuple[str, ...]
    """What it reads; without drawable rows of the first there is no figure."""
    drawable: Callable[[Rows], Any]
    """Of the first analysis, the rows that are drawn."""
    chart: Callable[[Sequence[Rows], Names], alt.TopLevelMixin]
    """From the rows of the analyses and the names of conditions."""
    made_by: str
    """What makes such rows, for messages."""
    of_conditions: bool = True
    """Some conditions can be drawn without the others."""


def after_last_stage(rows: Rows) -> Rows:
    """Of @binding-accuracy, each condition at its end."""
    last: dict[str, int] = {}
    for row in rows:
        last[row["condition"]] = max(row["stage_number"], last.get(row["condition"], 0))
    return [row for row in rows if row["stage_number"] == last[row["condition"]]]


FIGURES = {
    "accuracy": Figure(
        analyses=("binding-accuracy",),
        drawable=after_last_stage,
        chart=lambda rows, names: accuracy_chart(rows[0], names),
        made_by="`xmodal binding train` makes runs",
    ),
    "mechanism": Figure(
        analyses=("binding-mechanism",),
        drawable=lambda rows: [row for row in rows if row["patch"] == "counterfactual"],
        chart=lambda rows, names: mechanism_chart(rows[0], names),
        made_by="`xmodal binding probe` looks into runs",
    ),
    "steps": Figure(
        analyses=("binding-mechanism", "binding-steps"),
        drawable=stepped,
        chart=lambda rows, names: steps_chart(rows[0], rows[1], names),
        made_by="`xmodal binding train --set keep_every=100` keeps weights, "
        "`xmodal binding probe --steps kept` looks into them",
    ),
    "arms": Figure(
        analyses=("binding-arms",),
        drawable=lambda rows: [row for row in rows if row["out_accuracy"] is not None],
        chart=lambda rows, names: arms_chart(rows[0], names),
        made_by="`xmodal binding train` makes runs, asked about more objects than they are "
        "trained with where n_most is above n_to",
    ),
    "factors": Figure(
        analyses=("binding-factors",),
        drawable=lambda rows: rows,
        chart=lambda rows, _: factors_chart(rows[0]),
        made_by="`xmodal binding train --grid factorial` makes runs that differ in one factor "
        "alone",
        of_conditions=False,
    ),
    "predicts": Figure(
        analyses=("binding-points", "binding-predicts"),
        drawable=placed,
        chart=lambda rows, names: predicts_chart(rows[0], rows[1], names),
        made_by="`xmodal binding probe` looks into runs that are asked about more objects than "
        "they are trained with",
        of_conditions=False,
    ),
}
"""By name; the file is binding-NAME."""


def draw(
    store: Path, folder: Path, runs: Sequence[str] = (), names: Sequence[str] = ()
) -> Iterator[str]:
    """Draw what the store has rows for.

    Args:
        store: The DuckDB file.
        folder: Where the figures go: binding-NAME.png and .svg.
        runs: The conditions of these runs, ids or beginnings; none for all.
        names: Of FIGURES; none for all that have rows.

    Yields:
        One line a figure.

    Raises:
        ConfigError: A figure that there is not, or one of all runs together beside runs.
        StoreError: No such run, nothing to draw, or nothing for a figure that was named.
        DataError: The folder cannot be made.
    """
    need_store(store, "`xmodal binding train`")
    with Store.open(store, read_only=True) as opened:
        made = charts(opened, runs, names)
    make_folder(folder, "the figures' folder")
    for name, chart in made.items():
        paths = save_chart(chart, folder / f"binding-{name}")
        yield ", ".join(str(path) for path in paths)


def charts(
    store: Store, runs: Sequence[str] = (), names: Sequence[str] = ()
) -> dict[str, alt.TopLevelMixin]:
    """The charts of what the store has rows for, by name.

    Args:
        store: Open.
        runs: As in draw.
        names: As in draw.

    Raises:
        ConfigError: As in draw.
        StoreError: As in draw.
    """
    for name in names:
        if name not in FIGURES:
            raise ConfigError(unknown("figure", name, FIGURES))
        if runs and not FIGURES[name].of_conditions:
            raise ConfigError(f"figure {name} holds all runs against each other: leave --run out")
    asked = [
        name
        for name, figure in FIGURES.items()
        if (name in names if names else figure.of_conditions or not runs)
    ]
    there: Rows = store.analysis("binding-runs").to_pylist()
    ids = [row["run_id"] for row in there]
    chosen = [resolve_id("binding run", one, ids) for one in runs]
    drawn = {row["condition"] for row in there if not chosen or row["run_id"] in chosen}
    said = names_of([row for row in there if row["condition"] in drawn])
    made: dict[str, alt.TopLevelMixin] = {}
    for name in asked:
        figure = FIGURES[name]
        first, *others = (_of(store, one, chosen) for one in figure.analyses)
        if shown := figure.drawable(first):
            made[name] = figure.chart([shown, *others], said)
        elif names:
            raise StoreError(f"nothing for figure {name} is in {store.path}: {figure.made_by}")
    if not made:
        raise StoreError(
            f"nothing of binding is in {store.path}: `xmodal binding train` makes runs"
        )
    return made


def _of(store: Store, name: str, runs: Sequence[str]) -> Rows:
    """Rows of an analysis, of some runs' conditions or of all; each once."""
    if not runs:
        every: Rows = store.analysis(name).to_pylist()
        return every
    found = [row for run in runs for row in store.analysis(name, run=run).to_pylist()]
    return [row for n, row in enumerate(found) if row not in found[:n]]
