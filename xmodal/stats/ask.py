"""What the commands of `xmodal stats` and `xmodal plan` do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa

from taxonomy.errors import ConfigError, unknown
from xmodal.stats.compare import Settings, check_confidence
from xmodal.stats.plan import planned_contrasts
from xmodal.stats.results import Contrast, mixed_rows, stat_rows
from xmodal.stats.select import CONDITION, Side, as_text, has, side
from xmodal.store import Store
from xmodal.store.stat_rows import StatRow
from xmodal.store.stats import add_stats, run_units


def compare_groups(
    path: Path,
    *,
    where: Mapping[str, str],
    a: Mapping[str, str],
    b: Mapping[str, str],
    by: str | None,
    against: str | None,
    settings: Settings,
) -> list[StatRow]:
    """Compare two conditions, or those of all values of a column, and store what came out.

    Args:
        path: The store.
        where: What both sides have, column to value.
        a: What the first side has beside it.
        b: What the second has; both are empty with `by`.
        by: A column of the condition, each of whose values is a side.
        against: The value of it that all others are held against; None for every pair.
        settings: How.

    Raises:
        ConfigError: Sides that are not told apart, no runs, or runs of several conditions.
        StoreError: No such store.
    """
    with Store.open(path, read_only=True) as store:
        units = run_units(store)
        if by is None:
            if against is not None:
                raise ConfigError("--against goes with --by: it is one of the column's values")
            pairs = [_two(units, where, a, b)]
        else:
            if a or b:
                raise ConfigError("give --a and --b, or --by, not both")
            pairs = _by(units, where, by, against)
        rows = stat_rows(store, [Contrast(x, y, settings) for x, y in pairs])
    return _stored(path, rows)


def measure_level(path: Path, *, where: Mapping[str, str], settings: Settings) -> list[StatRow]:
    """Score of one condition with its interval, stored.

    Raises:
        ConfigError: No runs, or runs of several conditions.
        StoreError: No such store.
    """
    with Store.open(path, read_only=True) as store:
        rows = stat_rows(store, [Contrast(side(run_units(store), where), None, settings)])
    return _stored(path, rows)


def run_plan(path: Path, plan_id: str) -> list[StatRow]:
    """All comparisons of a frozen plan, stored.

    Raises:
        ConfigError: A side has no runs yet, or runs of several conditions.
        StoreError: No such store or plan.
    """
    with Store.open(path, read_only=True) as store:
        rows = stat_rows(store, planned_contrasts(store, plan_id))
    return _stored(path, rows)


def fit_mixed(
    path: Path,
    formula: str,
    *,
    where: Mapping[str, str],
    slopes: Sequence[str] | None,
    confidence: float,
) -> tuple[list[StatRow], list[str]]:
    """A mixed model's effects, stored, and what it assumes.

    Raises:
        ConfigError: A formula that cannot be read or fitted.
        StoreError: No such store.
    """
    check_confidence(confidence)
    with Store.open(path, read_only=True) as store:
        rows, assumed = mixed_rows(
            store, formula, where=where, slopes=slopes, confidence=confidence
        )
    return _stored(path, rows), assumed


SHOWN = (
    *("kind", "method", "metric", "a", "b", "term", "estimate", "low", "high", "confidence"),
    *("p", "p_holm"),
    *("effect", "effect_name", "margin", "n_runs_a", "n_runs_b", "n_leaves", "n_hypernyms"),
)


def table_of(rows: Sequence[StatRow]) -> pa.Table:
    """Results for the reader: the columns of SHOWN that say anything."""
    listed = [row.values() for row in rows]
    names = [name for name in SHOWN if any(row[name] is not None for row in listed)]
    return pa.Table.from_pylist([{name: row[name] for name in names} for row in listed])


def notes_of(rows: Sequence[StatRow]) -> list[str]:
    """What a reader must know beside the table, each once."""
    given = [f"given: {row.given}" for row in rows[:1] if row.given]
    notes = [row.note for row in rows if row.note]
    plain = [
        f"exploratory: {row.contrast}: {row.exploratory_because}"
        for row in rows
        if row.contrast and row.exploratory_because
    ]
    return list(dict.fromkeys([*given, *plain, *notes]))


def _two(
    units: Sequence[Mapping[str, Any]],
    where: Mapping[str, str],
    a: Mapping[str, str],
    b: Mapping[str, str],
) -> tuple[Side, Side]:
    if not a or not b:
        raise ConfigError(
            "give both sides, such as --a lm_init=pretrained --b lm_init=random, or --by lm_init"
        )
    for name, chosen in (("a", a), ("b", b)):
        if twice := sorted(set(where) & set(chosen)):
            raise ConfigError(f"{twice[0]} is in --where and in --{name}: leave one")
    first, second = side(units, {**where, **a}), side(units, {**where, **b})
    if first.described() == second.described() and first.run_ids == second.run_ids:
        raise ConfigError("a and b are the same runs and questions: there is nothing to compare")
    return first, second


def _by(
    units: Sequence[Mapping[str, Any]],
    where: Mapping[str, str],
    by: str,
    against: str | None,
) -> list[tuple[Side, Side]]:
    if by not in CONDITION:
        raise ConfigError(unknown("column", by, CONDITION))
    if by in where:
        raise ConfigError(f"{by} is in --where and in --by: leave one")
    fitting = [u for u in units if all(has(u[k], v) for k, v in where.items() if k in u)]
    there = {u[by] for u in fitting if u[by] is not None}
    texts = [as_text(value) for value in sorted(there, key=lambda v: (isinstance(v, str), v))]
    if len(texts) < 2:
        raise ConfigError(f"{by} has {len(texts)} value among these runs: nothing to compare")
    sides = {text: side(units, {**where, by: text}) for text in texts}
    if against is None:
        return [(sides[x], sides[y]) for x, y in combinations(texts, 2)]
    if against not in sides:
        raise ConfigError(unknown(f"value of {by}", against, texts))
    return [(sides[x], sides[against]) for x in texts if x != against]


def _stored(path: Path, rows: list[StatRow]) -> list[StatRow]:
    with Store.open(path) as store:
        add_stats(store, rows)
    return rows
