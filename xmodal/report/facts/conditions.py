"""Conditions in words, those that a page is about, and those it looks at picture by picture."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taxonomy.errors import ConfigError, unknown
from xmodal.stats.select import CONDITION, as_text, has
from xmodal.store import Store
from xmodal.store.ids import resolve_id

Row = dict[str, Any]

INITS = {"pretrained": "pretrained", "random": "random weights", "scrambled": "scrambled LM"}
"""By lm_init, how a condition is called."""
SHUFFLES = {
    "within": "shuffled within categories",
    "across": "shuffled across categories",
    "across_s1": "shuffled across categories as the paper's code did",
    "swap": "categories exchanged",
    "swap_control": "categories exchanged, its control",
}
"""By shuffle, how a condition is called."""
PART_SHUFFLES = {"within": "shuffled, the same parts", "across": "shuffled, no part in common"}
"""The same where questions are about parts."""
WHERE = tuple(name for name in CONDITION if name != "dataset")
"""Columns that conditions may be chosen by; the dataset has an option of its own."""
_IN_LABEL = ("lm_init", "design", "ratio", "n_held_out_hypernyms", "shuffle")
_BY_RUN = """
SELECT run_id, run_condition.* EXCLUDE (run_id)
FROM run_condition
ORDER BY run_id
"""
_SEEDS = """
SELECT run_id, manifest_id, manifest_seed, seed_init, seed_order
FROM run_unit
WHERE run_id IN (SELECT unnest($runs))
ORDER BY manifest_seed, seed_init, seed_order, run_id
"""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What a page is about."""

    dataset_id: str | None
    """None where the store holds released runs alone."""
    own: list[Row]
    """Rows of @conditions, each with its label: those with less removed first."""
    released: list[Row]
    """Rows of @sets of released runs, each with its label and its run_ids."""
    run_ids: frozenset[str]
    """Of these conditions, own and released."""


def choose(
    store: Store,
    dataset: str | None = None,
    runs: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
) -> Chosen:
    """The conditions that a page is about, each with all of its runs.

    Args:
        store: Open, to read.
        dataset: Id of a dataset or its beginning; None for the latest, and released runs, which
            have no dataset in the store, beside it.
        runs: Ids or beginnings: the conditions of these runs alone; all if there are none.
        where: Column of WHERE to value: the conditions that have them.

    Raises:
        StoreError: An id that is unknown or ambiguous.
        ConfigError: An unknown column, or a value that no run has.
    """
    known: list[str] = store.datasets()["dataset_id"].to_pylist()
    chosen_id = resolve_id("dataset", dataset, known) if dataset is not None else None
    dataset_id = chosen_id or (known[-1] if known else None)
    asked = dict(where or {})
    for name in asked:
        if name not in WHERE:
            raise ConfigError(unknown("column", name, WHERE))
    of_run = {row["run_id"]: row for row in store.query(_BY_RUN).to_pylist()}
    there = {
        run_id: row
        for run_id, row in of_run.items()
        if row["dataset"] == dataset_id or (row["source"] != "own" and chosen_id is None)
    }
    found = {resolve_id("run", given, sorted(there)) for given in runs}
    kept = _conditions_of(there, found) if found else dict(there)
    for name, value in asked.items():
        fitting = {key: row for key, row in kept.items() if has(row[name], value)}
        if not fitting and kept:
            values = {as_text(row[name]) for row in kept.values() if row[name] is not None}
            raise ConfigError(f"no run with {name}={value}: {unknown('value', value, values)}")
        kept = fitting
    own = [
        row for row in store.analysis("conditions").to_pylist() if set(row["run_ids"]) & set(kept)
    ]
    own.sort(key=_place)
    released = _released(store, kept)
    _label(own)
    _label(released)
    return Chosen(dataset_id=dataset_id, own=own, released=released, run_ids=frozenset(kept))


def featured(store: Store, own: Sequence[Row], most: int = 6) -> list[Row]:
    """The conditions that are looked at picture by picture, each with one run.

    First, of every LM, encoder, recipe and shuffle the condition with most removed, then the others
    with most removed, as many as `most`; of each the run with the smallest seeds.

    Args:
        store: Open, to read.
        own: Rows of Chosen.own.
        most: How many.

    Returns:
        The rows with run_id, manifest_id, manifest_seed, seed_init and seed_order beside.
    """
    rows = [row for row in own if row["hypernym_f1"] is not None]
    rows.sort(key=lambda row: (-row["ratio"], *_place(row)[1:]))
    seen: set[tuple[Any, ...]] = set()
    first: list[Row] = []
    others: list[Row] = []
    for row in rows:
        key = tuple(row[name] for name in CONDITION if name not in ("ratio", "design", "unit"))
        (others if key in seen else first).append(row)
        seen.add(key)
    out: list[Row] = []
    for row in (*first, *others)[:most]:
        units = store.query(_SEEDS, {"runs": row["run_ids"]}).to_pylist()
        if units:
            out.append(row | units[0])
    return out


def label(row: Mapping[str, Any]) -> str:
    """A condition in words, as the demo's table has it: "pretrained, all removed"."""
    ratio, shuffle = row["ratio"], row["shuffle"]
    names = PART_SHUFFLES if row["relation"] == "part" else {}
    parts = [INITS.get(row["lm_init"], str(row["lm_init"]))]
    if shuffle != "none":
        shuffled = names.get(shuffle) or SHUFFLES.get(shuffle) or f"shuffled, {shuffle}"
        parts = [shuffled] if row["lm_init"] == "pretrained" else [*parts, shuffled]
    if row["n_held_out_hypernyms"] is not None and row["design"] == "systematic":
        n = row["n_held_out_hypernyms"]
        parts.append(f"all of {n} {row['relation']}{'' if n == 1 else 's'} removed")
    else:
        said = {0.0: "nothing", 0.5: "half", 1.0: "all"}.get(ratio, f"{100 * ratio:g} %")
        parts.append(f"{said} removed")
    return ", ".join(parts)


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Order of conditions: less removed first, the pretrained LM before its controls."""
    inits, shuffles = list(INITS), ["none", *SHUFFLES]
    init, shuffle = row["lm_init"], row["shuffle"]
    return (
        row["ratio"],
        inits.index(init) if init in inits else len(inits),
        shuffles.index(shuffle) if shuffle in shuffles else len(shuffles),
        *(as_text(row[name]) for name in CONDITION),
    )


def _conditions_of(there: Mapping[str, Row], found: set[str]) -> dict[str, Row]:
    """Every run of the conditions that these runs are of."""

    def key(row: Row) -> tuple[Any, ...]:
        return tuple(value for name, value in row.items() if name != "run_id")

    wanted = {key(there[run_id]) for run_id in found}
    return {run_id: row for run_id, row in there.items() if key(row) in wanted}


def _released(store: Store, kept: Mapping[str, Row]) -> list[Row]:
    """Rows of @sets of the released runs among these."""

    def key(row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in ("source", *CONDITION))

    of: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for run_id, row in kept.items():
        if row["source"] != "own":
            of[key(row)].append(run_id)
    rows = store.analysis("sets").to_pylist() if of else []
    found = [row | {"run_ids": sorted(of[key(row)])} for row in rows if key(row) in of]
    return sorted(found, key=_place)


def _label(rows: Sequence[Row]) -> None:
    """Give every row its label; equal ones are told apart by what else differs."""
    for row in rows:
        row["label"] = label(row)
    counted = Counter(row["label"] for row in rows)
    for said in [said for said, n in counted.items() if n > 1]:
        same = [row for row in rows if row["label"] == said]
        names = [name for name in CONDITION if len({as_text(row[name]) for row in same}) > 1]
        for row in same:
            beside = [
                f"{name.replace('_', ' ')} {as_text(row[name])}"
                for name in names
                if name not in _IN_LABEL
            ]
            row["label"] = " · ".join([said, *beside])
        again = Counter(row["label"] for row in same)
        for text in [text for text, n in again.items() if n > 1]:
            for number, row in enumerate((r for r in same if r["label"] == text), 1):
                row["label"] = f"{text} · other settings, {number}"
