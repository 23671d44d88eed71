"""Figures of binding, from what is in a store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from taxonomy.errors import StoreError
from xmodal.files import make_folder
from xmodal.report.binding import accuracy_chart, mechanism_chart
from xmodal.report.figure import save_chart
from xmodal.store import Store, need_store
from xmodal.store.ids import resolve_id


def draw(store: Path, folder: Path, runs: Sequence[str] = ()) -> Iterator[str]:
    """Draw accuracy after the last stage, and mechanism where there are interventions.

    Args:
        store: The DuckDB file.
        folder: Where the figures go: binding-accuracy and binding-mechanism, .png and .svg.
        runs: The conditions of these runs, ids or beginnings; none for all.

    Yields:
        One line a figure.

    Raises:
        StoreError: No binding run is in the store, or no such run.
        DataError: The folder cannot be made.
    """
    need_store(store, "`xmodal binding train`")
    with Store.open(store, read_only=True) as opened:
        there = opened.query("SELECT run_id FROM binding_run ORDER BY 1")["run_id"].to_pylist()
        runs = [resolve_id("binding run", one, there) for one in runs]
        accuracy = _of(opened, "binding-accuracy", runs)
        mechanism = _of(opened, "binding-mechanism", runs)
    last: dict[str, int] = {}
    for row in accuracy:
        last[row["condition"]] = max(row["stage_number"], last.get(row["condition"], 0))
    accuracy = [row for row in accuracy if row["stage_number"] == last[row["condition"]]]
    mechanism = [row for row in mechanism if row["patch"] == "counterfactual"]
    if not accuracy and not mechanism:
        raise StoreError(f"nothing of binding is in {store}: `xmodal binding train` makes runs")
    make_folder(folder, "the figures' folder")
    for name, rows, chart in (
        ("binding-accuracy", accuracy, accuracy_chart),
        ("binding-mechanism", mechanism, mechanism_chart),
    ):
        if rows:
            made = save_chart(chart(rows), folder / name)
            yield ", ".join(str(path) for path in made)


def _of(store: Store, name: str, runs: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of an analysis, of some runs' conditions or of all; each once."""
    if not runs:
        every: list[dict[str, Any]] = store.analysis(name).to_pylist()
        return every
    found = [row for run in runs for row in store.analysis(name, run=run).to_pylist()]
    return [row for n, row in enumerate(found) if row not in found[:n]]
