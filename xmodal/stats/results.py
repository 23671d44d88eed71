"""Comparisons as rows of the table stat, corrected for the size of their family."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from taxonomy.hashing import canonical_json, content_id
from xmodal.provenance import now, versions
from xmodal.stats.compare import Comparison, Level, Settings, compare, level
from xmodal.stats.intervals import holm
from xmodal.stats.mixed import mixed_model
from xmodal.stats.select import Side, in_words
from xmodal.store import Store
from xmodal.store.stat_rows import StatRow


@dataclass(frozen=True)
class Standing:
    """Whether a result was asked for before its runs were trained."""

    plan_id: str | None = None
    contrast: str | None = None
    exploratory_because: str | None = "not in a frozen plan"

    @property
    def confirmatory(self) -> bool:
        """Whether nothing speaks against it."""
        return self.exploratory_because is None


@dataclass(frozen=True)
class Contrast:
    """Two sides to be held against each other, or one side alone."""

    a: Side
    b: Side | None
    settings: Settings
    standing: Standing = Standing()


def stat_rows(store: Store, contrasts: Sequence[Contrast]) -> list[StatRow]:
    """Compute a family of contrasts; nothing is stored yet.

    Args:
        store: An open store.
        contrasts: Their p values are corrected for one another, method by method.

    Returns:
        For two sides: both levels, the bootstrapped difference, the paired tests that can be
        made, and equivalence where a margin is given. For one side its level.

    Raises:
        ConfigError: A side without answers, or sides without common questions.
    """
    drafts: list[dict[str, Any]] = []
    for contrast in contrasts:
        drafts += _drafts(store, contrast)
    family = content_id(sorted(canonical_json(_identity(draft)) for draft in drafts))
    for method in {draft["method"] for draft in drafts}:
        own = [d for d in drafts if d["method"] == method and d["p"] is not None]
        for draft, corrected in zip(own, holm([d["p"] for d in own]), strict=True):
            draft["p_holm"] = corrected
    made: dict[str, Any] = {
        "versions_json": json.dumps(versions()),
        "created_at": now(),
        "family": family,
    }
    rows = [
        StatRow(**draft, **made, stat_id=content_id([family, _identity(draft)])) for draft in drafts
    ]
    return list({row.stat_id: row for row in rows}.values())


def mixed_rows(
    store: Store,
    formula: str,
    *,
    where: Mapping[str, str],
    slopes: Sequence[str] | None,
    confidence: float,
) -> tuple[list[StatRow], list[str]]:
    """A mixed model's fixed effects; nothing is stored yet.

    Args:
        store: An open store.
        formula: As mixed_model takes it.
        where: Column to value: which scores.
        slopes: Effects with a random slope by hypernym; None for all that can have one.
        confidence: Of the intervals.

    Returns:
        One row an effect, and the model's assumptions.

    Raises:
        ConfigError: As mixed_model does.
    """
    found = mixed_model(store, formula, where=where, slopes=slopes)
    assumed = found.assumptions()
    said = {"formula": formula, "slopes": None if slopes is None else list(slopes)}
    shared: dict[str, Any] = {
        "plan_id": None,
        "contrast": None,
        "confirmatory": False,
        "exploratory_because": Standing().exploratory_because,
        "kind": "coefficient",
        "method": "mixed",
        "metric": formula.partition("~")[0].strip(),
        "a": formula,
        "b": None,
        "given": ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in where.items()),
        "sides_json": canonical_json({"a": dict(where)}),
        "runs_json": canonical_json({"a": list(found.run_ids)}),
        "confidence": confidence,
        **dict.fromkeys(("p_holm", "effect", "effect_name", "margin", "n_leaves", "n_questions")),
        **dict.fromkeys(("n_runs_b", "n_designs", "n_inits")),
        "paired": False,
        "n_hypernyms": found.n_hypernyms,
        "n_runs_a": len(found.run_ids),
        "settings_json": canonical_json({**said, "confidence": confidence, "sd": dict(found.sd)}),
        "note": "assumes: " + "; ".join(assumed),
        "versions_json": json.dumps(versions()),
        "created_at": now(),
    }
    family = content_id([formula, shared["sides_json"], shared["runs_json"], said, confidence])
    rows = []
    for term in found.terms:
        low, high = term.interval(confidence)
        rows.append(
            StatRow(
                **{
                    **shared,
                    "family": family,
                    "stat_id": content_id([family, term.name]),
                    "term": term.name,
                    "estimate": term.estimate,
                    "low": low,
                    "high": high,
                    "se": term.se,
                    "p": term.p,
                }
            )
        )
    return rows, assumed


def _drafts(store: Store, contrast: Contrast) -> list[dict[str, Any]]:
    a, b, settings = contrast.a, contrast.b, contrast.settings
    words_a, words_b, given = in_words(a, b)
    shared = {
        "plan_id": contrast.standing.plan_id,
        "contrast": contrast.standing.contrast,
        "confirmatory": contrast.standing.confirmatory,
        "exploratory_because": contrast.standing.exploratory_because,
        "metric": settings.metric,
        "given": given,
        "term": None,
        "settings_json": canonical_json(asdict(settings)),
    }
    if b is None:
        return [_level_row(shared, settings, words_a, a, level(store, a, settings))]
    found = compare(store, a, b, settings)
    assert words_b is not None
    note = _note(found)
    return [
        _level_row(shared, settings, words_a, a, found.a, note),
        _level_row(shared, settings, words_b, b, found.b, note),
        *_difference_rows(shared, settings, (words_a, words_b), (a, b), found, note),
    ]


def _note(found: Comparison) -> str | None:
    """What a reader must know of a comparison."""
    parts = []
    if found.left_out:
        parts.append(f"{found.left_out} answers left out: the other side was not asked those")
    if not found.paired:
        parts.append("runs not paired: their seeds differ")
    if found.why_not:
        parts.append(found.why_not)
    return "; ".join(parts) or None


def _seeds_note(n_designs: int, n_inits: int) -> str | None:
    if n_designs == n_inits == 1:
        return "one run: the interval is over leaves alone, other seeds may differ by more"
    if n_designs == 1:
        return "one draw of the manifest: the interval is about this draw"
    return None


def _joined(*notes: str | None) -> str | None:
    return "; ".join(note for note in notes if note) or None


def _level_row(
    shared: Mapping[str, Any],
    settings: Settings,
    words: str,
    chosen: Side,
    found: Level,
    note: str | None = None,
) -> dict[str, Any]:
    low, high = found.spread.interval(settings.confidence)
    return {
        **shared,
        "kind": "level",
        "method": "bootstrap",
        "a": words,
        "b": None,
        "sides_json": canonical_json({"a": dict(chosen.chosen_by)}),
        "runs_json": canonical_json({"a": chosen.run_ids}),
        "estimate": found.spread.estimate,
        # scores cannot leave [0, 1]
        "low": max(0.0, low),
        "high": min(1.0, high),
        "confidence": settings.confidence,
        "se": found.spread.se,
        "p": None,
        "p_holm": None,
        "effect": None,
        "effect_name": None,
        "margin": None,
        "paired": False,
        "n_leaves": found.n_leaves,
        "n_hypernyms": found.n_hypernyms,
        "n_questions": found.n_questions,
        "n_runs_a": len(chosen.runs),
        "n_runs_b": None,
        "n_designs": found.n_designs,
        "n_inits": found.n_inits,
        "note": _joined(_seeds_note(found.n_designs, found.n_inits), note),
    }


def _difference_rows(
    shared: Mapping[str, Any],
    settings: Settings,
    words: tuple[str, str],
    sides: tuple[Side, Side],
    found: Comparison,
    note: str | None,
) -> list[dict[str, Any]]:
    a, b = sides
    gap = found.difference
    n_designs = min(found.a.n_designs, found.b.n_designs)
    n_inits = min(found.a.n_inits, found.b.n_inits)
    base = {
        **shared,
        "kind": "difference",
        "a": words[0],
        "b": words[1],
        "sides_json": canonical_json({"a": dict(a.chosen_by), "b": dict(b.chosen_by)}),
        "runs_json": canonical_json({"a": a.run_ids, "b": b.run_ids}),
        "estimate": gap.estimate,
        **dict.fromkeys(("low", "high", "confidence", "se", "p_holm", "effect", "effect_name")),
        "margin": None,
        "paired": found.paired,
        "n_leaves": found.n_leaves,
        "n_hypernyms": found.n_hypernyms,
        "n_questions": found.a.n_questions + found.b.n_questions,
        "n_runs_a": len(a.runs),
        "n_runs_b": len(b.runs),
        "n_designs": n_designs,
        "n_inits": n_inits,
        "note": _joined(_seeds_note(n_designs, n_inits), note),
    }
    low, high = gap.interval(settings.confidence)
    rows = [
        {
            **base,
            "method": "bootstrap",
            "low": max(-1.0, low),
            "high": min(1.0, high),
            "confidence": settings.confidence,
            "se": gap.se,
            "p": gap.p_differs(),
            **_effect(found.effect, "d_z over leaves"),
        }
    ]
    if found.permutation_p is not None:
        rows.append({**base, "method": "permutation", "p": found.permutation_p})
    if found.mcnemar is not None:
        rows.append(
            {
                **base,
                "method": "mcnemar",
                "metric": "accuracy",
                "estimate": found.mcnemar.difference,
                "p": found.mcnemar.p,
                **_effect(found.mcnemar.odds_ratio, "odds ratio"),
                "note": _joined(
                    base["note"],
                    f"right on a alone {found.mcnemar.n_only_a}, on b alone "
                    f"{found.mcnemar.n_only_b}",
                ),
            }
        )
    if settings.margin is not None:
        low, high = gap.interval(2 * settings.confidence - 1)
        rows.append(
            {
                **base,
                "method": "tost",
                "low": max(-1.0, low),
                "high": min(1.0, high),
                "confidence": 2 * settings.confidence - 1,
                "se": gap.se,
                "p": gap.p_equivalent(settings.margin),
                "margin": settings.margin,
            }
        )
    return rows


def _effect(value: float, name: str) -> dict[str, Any]:
    """NaN and infinity are not stored: there is no effect size then."""
    known = value == value and abs(value) != float("inf")
    return {"effect": value if known else None, "effect_name": name if known else None}


_IDENTITY = ("kind", "method", "metric", "a", "b", "given", "runs_json", "term", "settings_json")


def _identity(draft: Mapping[str, Any]) -> dict[str, Any]:
    """What makes a result another one: question, method, settings and runs, not its number."""
    return {key: draft[key] for key in (*_IDENTITY, "plan_id", "contrast")}
