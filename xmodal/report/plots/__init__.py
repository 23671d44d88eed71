"""Figures of runs, from what is in a store: one look, each from a named analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from taxonomy.errors import ConfigError, unknown
from xmodal.report.plots.figures import FIGURES
from xmodal.report.plots.rows import Figure, Picked
from xmodal.store import Store

__all__ = ["FIGURES", "Figure", "figure"]


def figure(
    store: Store,
    name: str,
    *,
    runs: Sequence[str] = (),
    where: Mapping[str, str] = MappingProxyType({}),
) -> Figure:
    """Draw one figure.

    Args:
        store: An open store.
        name: Of FIGURES.
        runs: Ids or their unique beginnings: points are of these runs alone. None for all.
        where: Column to value, of the figure's rows: those that have all of them.

    Returns:
        The chart with its title, its caption and the number of rows that are drawn.

    Raises:
        ConfigError: No such figure, column or value.
        StoreError: No such run, or nothing to draw.
    """
    if name not in FIGURES:
        raise ConfigError(unknown("figure", name, FIGURES))
    drawn = FIGURES[name].draw(Picked(store, runs, where))
    chosen = [*(f"{column} {value}" for column, value in where.items())]
    chosen += [f"run {', '.join(runs)}"] if runs else []
    note = f" Chosen: {'; '.join(chosen)}." if chosen else ""
    return replace(drawn, caption=drawn.caption + note)
