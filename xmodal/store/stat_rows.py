"""Typed rows of statistics and of frozen plans."""

from __future__ import annotations

from typing import Literal

from xmodal.store.rows import JsonText, Row


class PlanRow(Row):
    """One frozen plan."""

    plan_id: str
    name: str
    plan_toml: str
    manifests_json: JsonText
    n_contrasts: int
    versions_json: JsonText
    created_at: str


class StatRow(Row):
    """One method's result on one comparison, or on one side of it."""

    stat_id: str
    family: str
    plan_id: str | None
    contrast: str | None
    confirmatory: bool
    exploratory_because: str | None
    kind: Literal["level", "difference", "coefficient"]
    method: Literal["bootstrap", "permutation", "mcnemar", "tost", "mixed"]
    metric: str
    a: str
    b: str | None
    given: str
    sides_json: JsonText
    runs_json: JsonText
    term: str | None
    estimate: float
    low: float | None
    high: float | None
    confidence: float | None
    se: float | None
    p: float | None
    p_holm: float | None
    effect: float | None
    effect_name: str | None
    margin: float | None
    paired: bool
    n_leaves: int | None
    n_hypernyms: int
    n_questions: int | None
    n_runs_a: int
    n_runs_b: int | None
    n_designs: int | None
    n_inits: int | None
    settings_json: JsonText
    note: str | None
    versions_json: JsonText
    created_at: str
