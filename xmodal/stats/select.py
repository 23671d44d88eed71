"""Which runs a comparison is about: chosen by columns, told apart in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taxonomy.errors import ConfigError, unknown
from xmodal.stats.intervals import Units

QUESTION_SETS = ("held_out", "seen", "unasked", "leaf")
CONDITION = (
    *("dataset", "relation", "lm", "lm_init", "encoder", "recipe", "prompt"),
    *("design", "unit", "ratio", "n_held_out_hypernyms", "mentions", "negatives", "shuffle"),
)
"""Columns of run_unit that make a condition."""
_ONE_RUN = {"run": "run_id", "manifest": "manifest_id"}
_SEEDS = ("manifest_seed", "seed_init", "seed_order")
_OTHER = ("question_set", "image_mode")
KEYS = (*CONDITION, *_ONE_RUN, *_SEEDS, *_OTHER)
"""What a side may be chosen by."""


@dataclass(frozen=True)
class Side:
    """Runs of one condition, and what of their answers is looked at."""

    chosen_by: Mapping[str, str]
    """Column to value, as given."""
    runs: tuple[Mapping[str, Any], ...]
    """Rows of run_unit, by seeds."""
    question_set: str
    image_mode: str

    @property
    def run_ids(self) -> list[str]:
        """In the order of the runs."""
        return [run["run_id"] for run in self.runs]

    def seeds(self) -> list[tuple[int, int, int]]:
        """Of each run: of its manifest, its projector and its order."""
        return [(r["manifest_seed"], r["seed_init"], r["seed_order"]) for r in self.runs]

    def units(self, which: Sequence[int]) -> Units:
        """The runs at these places as what is repeated."""
        seeds = self.seeds()
        return Units(tuple(seeds[i][0] for i in which), tuple(seeds[i][1:] for i in which))

    def described(self) -> dict[str, str]:
        """Every column of the condition that has a value, as text, and what is looked at."""
        first = self.runs[0]
        known = {name: first[name] for name in CONDITION if first[name] is not None}
        single = {name: self.chosen_by[name] for name in _ONE_RUN if name in self.chosen_by}
        return {
            **{name: as_text(value) for name, value in known.items()},
            "question_set": self.question_set,
            "image_mode": self.image_mode,
            **single,
        }


def side(units: Iterable[Mapping[str, Any]], chosen_by: Mapping[str, str]) -> Side:
    """Choose the runs of one condition.

    Args:
        units: Rows of run_unit.
        chosen_by: Column (of KEYS) to value; of run and manifest an id or its beginning, several
            with commas between. question_set is held_out where the condition holds cells out
            and seen where it does not, if it is not chosen; image_mode is real.

    Returns:
        The runs, in the order of their seeds.

    Raises:
        ConfigError: An unknown column or value, no run, or runs of several conditions.
    """
    rows = list(units)
    if not rows:
        raise ConfigError(
            "no finished run with answers is in the store: `xmodal train` makes one (released "
            "runs have scores alone, which cannot be resampled)"
        )
    for key, value in chosen_by.items():
        if key not in KEYS:
            raise ConfigError(unknown("column", key, KEYS))
        if key not in _OTHER:
            rows = _matching(rows, key, value, chosen_by)
    _check_one_condition(rows, chosen_by)
    ratio = rows[0]["ratio"]
    question_set = chosen_by.get("question_set", "held_out" if ratio > 0 else "seen")
    if question_set not in QUESTION_SETS:
        raise ConfigError(
            f"question_set must be one of {', '.join(QUESTION_SETS)}, got {question_set!r}"
        )
    ordered = sorted(rows, key=lambda r: (*(r[name] for name in _SEEDS), r["run_id"]))
    return Side(dict(chosen_by), tuple(ordered), question_set, chosen_by.get("image_mode", "real"))


def _matching(
    rows: Sequence[Mapping[str, Any]], key: str, value: str, chosen_by: Mapping[str, str]
) -> list[Mapping[str, Any]]:
    """Those of the rows that have this value."""
    column = _ONE_RUN.get(key, key)
    if key in _ONE_RUN:
        ids = {row[column] for row in rows}
        parts = [part.strip() for part in value.split(",") if part.strip()]
        meant = {_id_meant(key, part, ids) for part in parts or [""]}
        return [row for row in rows if row[column] in meant]
    found = [row for row in rows if has(row[column], value)]
    if not found:
        there = {as_text(row[column]) for row in rows if row[column] is not None}
        others = ", ".join(f"{k}={v}" for k, v in chosen_by.items() if k != key)
        where = f" (with {others})" if others else ""
        raise ConfigError(f"no run with {key}={value}{where}: {unknown('value', value, there)}")
    return found


def _id_meant(key: str, given: str, ids: set[str]) -> str:
    """The id that is given or that begins so."""
    matches = sorted(i for i in ids if given and i.startswith(given))
    if not matches:
        raise ConfigError(unknown(key, given, ids))
    if len(matches) > 1 and given not in ids:
        raise ConfigError(f"{key} {given!r} is ambiguous: {', '.join(matches[:5])}")
    return given if given in ids else matches[0]


def _check_one_condition(rows: Sequence[Mapping[str, Any]], chosen_by: Mapping[str, str]) -> None:
    """Refuse runs that differ in more than seeds: their mean would be of no condition."""
    said = " ".join(f"{k}={v}" for k, v in chosen_by.items()) or "every run"
    differ = {
        name: sorted({as_text(row[name]) for row in rows})
        for name in CONDITION
        if len({as_text(row[name]) for row in rows}) > 1
    }
    if differ:
        listed = "; ".join(f"{name} ({', '.join(values[:6])})" for name, values in differ.items())
        raise ConfigError(f"{said} has runs of several conditions, choose one: {listed}")
    if len({row["hidden_settings"] for row in rows}) > 1:
        runs = ", ".join(sorted(row["run_id"] for row in rows)[:8])
        raise ConfigError(
            f"{said} has runs with different recipes, LM weights or features; `xmodal runs show "
            f"ID --provenance` tells them apart; choose with run=ID,ID: {runs}"
        )
    seen: dict[tuple[Any, ...], str] = {}
    for row in rows:
        key = tuple(row[name] for name in (*_SEEDS, "manifest_id"))
        if key in seen:
            raise ConfigError(
                f"{said} has two runs of the same manifest and seeds, {seen[key]} and "
                f"{row['run_id']}: choose with run=ID,ID"
            )
        seen[key] = row["run_id"]


def has(stored: Any, value: str) -> bool:
    """Whether a column's value is the one given as text; numbers are compared as numbers."""
    if isinstance(stored, int | float) and not isinstance(stored, bool):
        try:
            return float(value) == float(stored)
        except ValueError:
            return False
    return bool(stored is not None and str(stored) == value)


def as_text(value: Any) -> str:
    """A column's value as it is given and shown."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def in_words(a: Side, b: Side | None) -> tuple[str, str | None, str]:
    """What tells two sides apart, and what they have in common.

    Returns:
        a, b (None without one) and the rest, each as "column value, column value".
    """
    first = a.described()
    second = b.described() if b else first
    names = list(dict.fromkeys([*first, *second]))
    apart = [n for n in names if first.get(n) != second.get(n)]
    if b is None:
        apart = [n for n in names if n in a.chosen_by] or ["question_set"]
    common = [n for n in names if n not in apart]
    # a side that is chosen by nothing else is told by what was given
    given = ", ".join(_named(n, first[n]) for n in common)
    words_a = ", ".join(_named(n, first[n]) for n in apart if n in first) or "a"
    if b is None:
        return words_a, None, given
    return words_a, ", ".join(_named(n, second[n]) for n in apart if n in second) or "b", given


def _named(name: str, value: str) -> str:
    return f"{name.replace('lm', 'LM').replace('_', ' ')} {value}"
