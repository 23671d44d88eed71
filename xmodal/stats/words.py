"""Statistics in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xmodal.store import Store
    from xmodal.store.stat_rows import StatRow

_METRICS = {"macro_f1": "macro-F1", "balanced_accuracy": "balanced accuracy"}
ALPHA = 0.05
"""p below this is called a difference, or equivalence."""


def statement(row: StatRow | Mapping[str, Any]) -> str:
    """One result as a sentence without its full stop."""
    said = row if isinstance(row, Mapping) else row.values()
    metric = _METRICS.get(said["metric"], said["metric"])
    span = ""
    if said["low"] is not None:
        span = f" ({said['confidence'] * 100:g} % interval {said['low']:.3f} to {said['high']:.3f})"
    if said["kind"] == "level":
        return f"{metric} of {said['a']}: {said['estimate']:.3f}{span}"
    if said["kind"] == "coefficient":
        return f"mixed model, {said['term']}: {said['estimate']:+.3f}{span}{_p(said)}"
    pair = f"{said['a']} against {said['b']}"
    if said["method"] == "tost":
        p = said["p"] if said["p_holm"] is None else said["p_holm"]
        verdict = "is equivalent to" if p < ALPHA else "is not shown to be equivalent to"
        return (
            f"{said['a']} {verdict} {said['b']} within {said['margin']:g} {metric}: difference "
            f"{said['estimate']:+.3f}{span}{_p(said)}"
        )
    if said["method"] == "mcnemar":
        ratio = "" if said["effect"] is None else f" odds ratio {said['effect']:.2f},"
        return f"{pair}, McNemar's test by leaf:{ratio} {_p(said).removeprefix(', ')}"
    if said["method"] == "permutation":
        return f"{pair}, permutation of leaves: difference {said['estimate']:+.3f}{_p(said)}"
    return f"{pair}: {metric} differs by {said['estimate']:+.3f}{span}{_p(said)}"


def _p(said: Mapping[str, Any]) -> str:
    if said["p"] is None:
        return ""
    parts = [_equals("p", said["p"])]
    if said["p_holm"] is not None and said["p_holm"] != said["p"]:
        parts.append(_equals("Holm-corrected", said["p_holm"]))
    return f", {', '.join(parts)}"


def _equals(name: str, p: float) -> str:
    return f"{name} < 0.001" if p < 0.001 else f"{name} = {p:.3f}"


def sentence(text: str) -> str:
    """The text with its first letter as a sentence has it."""
    return text[:1].upper() + text[1:]


def standing(row: Mapping[str, Any]) -> str:
    """confirmatory, or exploratory with the reason where a plan asked for the result."""
    if row["confirmatory"]:
        return "confirmatory"
    return f"exploratory: {row['exploratory_because']}" if row["plan_id"] else "exploratory"


def marked(row: Mapping[str, Any]) -> str:
    """A stored result in words, marked confirmatory or exploratory."""
    return f"{statement(row)} [{standing(row)}]"


def statements(store: Store) -> list[str]:
    """Every stored result in words, marked confirmatory or exploratory; the former first."""
    rows: Sequence[Mapping[str, Any]] = store.analysis("stats").to_pylist()
    return [marked(row) for row in rows]
