"""Plans of comparisons, frozen before the runs are trained."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from taxonomy.errors import ConfigError, unknown
from taxonomy.hashing import content_id
from taxonomy.reading import read_text
from xmodal.provenance import now, versions
from xmodal.stats.compare import Settings
from xmodal.stats.results import Contrast, Standing
from xmodal.stats.select import KEYS, QUESTION_SETS, Side, side
from xmodal.store import Store
from xmodal.store.ids import resolve_id
from xmodal.store.stat_rows import PlanRow
from xmodal.store.stats import add_plan, plans, run_units

_SETTINGS = tuple(field.name for field in fields(Settings))


@dataclass(frozen=True)
class PlannedContrast:
    """One comparison of a plan; `b` is empty where one side's level is asked for."""

    name: str
    a: Mapping[str, str]
    b: Mapping[str, str]
    settings: Settings


@dataclass(frozen=True)
class Plan:
    """What a plan's file says."""

    name: str
    manifests: tuple[str, ...]
    """Ids, or their beginnings."""
    contrasts: tuple[PlannedContrast, ...]


def parse_plan(text: str, where: str) -> Plan:
    """Read a plan's TOML.

    Args:
        text: `name`, `manifests` (ids), settings for all contrasts if any, and tables
            [[contrast]] with `name`, `a`, `b` (column to value) and settings of their own.
        where: What to call it in messages.

    Raises:
        ConfigError: It is no TOML, or something in it is unknown, missing or out of range.
    """
    try:
        said = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, deep nesting
        raise ConfigError(f"{where} is not TOML: {str(error).splitlines()[0]}") from None
    _only(said, ("name", "manifests", "contrast", *_SETTINGS), where)
    name, manifests = said.get("name"), said.get("manifests")
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f'{where}: give the plan a name, name = "..."')
    if (
        not isinstance(manifests, list)
        or not manifests
        or not all(isinstance(one, str) and one for one in manifests)
    ):
        raise ConfigError(f'{where}: manifests must list manifest ids, such as ["3f2a..."]')
    tables = said.get("contrast")
    if not isinstance(tables, list) or not tables:
        raise ConfigError(f"{where}: add a table [[contrast]] for each comparison")
    general = {key: value for key, value in said.items() if key in _SETTINGS}
    contrasts = tuple(
        _contrast(table, general, f"{where}, contrast {number}")
        for number, table in enumerate(tables, 1)
    )
    names = [contrast.name for contrast in contrasts]
    if twice := next((n for n in names if names.count(n) > 1), None):
        raise ConfigError(f"{where}: two contrasts are called {twice!r}: give each its own name")
    return Plan(name, tuple(manifests), contrasts)


def _contrast(table: Any, general: Mapping[str, Any], where: str) -> PlannedContrast:
    if not isinstance(table, dict):
        raise ConfigError(f"{where} must be a table [[contrast]]")
    _only(table, ("name", "a", "b", *_SETTINGS), where)
    name = table.get("name")
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f'{where}: give it a name, name = "..."')
    settings = {**general, **{k: v for k, v in table.items() if k in _SETTINGS}}
    return PlannedContrast(
        name, _columns(table.get("a"), f"{where}, a", needed=True),
        _columns(table.get("b", {}), f"{where}, b"), _settings(settings, where),
    )  # fmt: skip


def _columns(said: Any, where: str, *, needed: bool = False) -> dict[str, str]:
    if not isinstance(said, dict) or (needed and not said):
        raise ConfigError(f'{where} must say which runs, such as {{lm_init = "pretrained"}}')
    for key, value in said.items():
        if key not in KEYS:
            raise ConfigError(f"{where}: {unknown('column', key, KEYS)}")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ConfigError(f"{where}: {key} must be a text or a number, got {value!r}")
        if key == "question_set" and value not in QUESTION_SETS:
            raise ConfigError(
                f"{where}: question_set must be one of {', '.join(QUESTION_SETS)}, got {value!r}"
            )
    return {key: str(value) for key, value in said.items()}


def _settings(said: Mapping[str, Any], where: str) -> Settings:
    kinds = {"n_resamples": int, "seed": int, "confidence": (int, float), "margin": (int, float)}
    for key, value in said.items():
        kind = kinds.get(key, str)
        if isinstance(value, bool) or not isinstance(value, kind):  # type: ignore[arg-type]
            what = "a text" if kind is str else "a whole number" if kind is int else "a number"
            raise ConfigError(f"{where}: {key} must be {what}, got {value!r}")
    try:
        return Settings(**said)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _only(said: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in said:
        if key not in known:
            raise ConfigError(f"{where}: {unknown('key', key, known)}")


def freeze(path: Path, file: Path) -> tuple[PlanRow, bool]:
    """Store a plan with the hashes of its manifests, for good.

    Args:
        path: The store.
        file: The plan's TOML.

    Returns:
        The plan's row as it is stored, and whether it is new.

    Raises:
        ConfigError: The plan cannot be read.
        StoreError: No such store, or a manifest that it does not hold.
    """
    text = read_text(file, "plan ")
    plan = parse_plan(text, str(file))
    with Store.open(path) as store:
        stored = {
            row["manifest_id"]: row["rows_sha256"]
            for row in store.query("SELECT manifest_id, rows_sha256 FROM manifest").to_pylist()
        }
        hashes = {}
        for given in plan.manifests:
            one = resolve_id("manifest", given, list(stored))
            hashes[one] = stored[one]
        row = PlanRow(
            plan_id=content_id([_content(plan), sorted(hashes.items())]),
            name=plan.name,
            plan_toml=text,
            manifests_json=json.dumps(hashes, sort_keys=True),
            n_contrasts=len(plan.contrasts),
            versions_json=json.dumps(versions()),
            created_at=now(),
        )
        if add_plan(store, row):
            return row, True
        known = next(old for old in plans(store) if old["plan_id"] == row.plan_id)
        return PlanRow(**known), False


def _content(plan: Plan) -> list[Any]:
    """All of a plan that bears on results: comments and order of keys do not."""
    return [
        plan.name,
        [[c.name, dict(c.a), dict(c.b), vars(c.settings)] for c in plan.contrasts],
    ]


def planned_contrasts(store: Store, plan_id: str) -> list[Contrast]:
    """A frozen plan's comparisons over the runs there are now.

    Args:
        store: An open store.
        plan_id: Of a plan, or its beginning.

    Returns:
        Each with the reasons, if any, why its result is exploratory all the same.

    Raises:
        ConfigError: A side has no runs on the plan's manifests, or runs of several conditions.
        StoreError: No such plan.
    """
    known = {row["plan_id"]: row for row in plans(store)}
    row = known[resolve_id("plan", plan_id, list(known))]
    plan = parse_plan(row["plan_toml"], f"plan {row['plan_id']}")
    hashes = json.loads(row["manifests_json"])
    units = [unit for unit in run_units(store) if unit["manifest_id"] in hashes]
    if not units:
        raise ConfigError(
            f"plan {row['plan_id']}: no finished run on its manifests "
            f"{', '.join(sorted(hashes)[:4])}: train them first"
        )
    out = []
    for contrast in plan.contrasts:
        a = side(units, contrast.a)
        b = side(units, contrast.b) if contrast.b else None
        why = _exploratory((a, b), hashes, row["created_at"])
        standing = Standing(row["plan_id"], contrast.name, why)
        out.append(Contrast(a, b, contrast.settings, standing))
    return out


def _exploratory(
    sides: Sequence[Side | None], hashes: Mapping[str, str], frozen_at: str
) -> str | None:
    """Why a planned comparison confirms nothing; None where it does."""
    runs = [run for one in sides if one for run in one.runs]
    changed = sorted(
        {r["manifest_id"] for r in runs if r["rows_sha256"] != hashes[r["manifest_id"]]}
    )
    if changed:
        return f"manifest {changed[0]} has other rows than when the plan was frozen"
    # times are of whole seconds: a run of the same one may have come first
    early = sorted(r["run_id"] for r in runs if r["started_at"] <= frozen_at)
    if early:
        return f"{len(early)} of its runs began before the plan was frozen, such as {early[0]}"
    return None
