"""The answer of a store in a few sentences, whichever way its numbers point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xmodal.report.demo import SHUFFLES, against_guessing, reading
from xmodal.stats.select import CONDITION

Row = Mapping[str, Any]

_KIND = ("lm", "encoder", "recipe", "prompt", "relation")
_SHARED = tuple(name for name in CONDITION if name not in ("lm", "lm_init", "shuffle"))
"""What a control has in common with the condition that it stands beside."""
MOST = 3
"""LMs, encoders and so on that are told in words; the tables have all."""


def answers(own: Sequence[Row], scrambled: Sequence[Row], released: Sequence[Row]) -> list[str]:
    """What a pretrained LM's condition with most removed shows, beside its controls.

    Args:
        own: Rows of @conditions with label.
        scrambled: Rows of @scrambled.
        released: Rows of @sets of released runs with label.

    Returns:
        A text for each of the first MOST LMs, encoders and so on; of released runs where no own
        one says anything; nothing where none does.
    """
    told = [row for row in own if row["ratio"] > 0 and row["hypernym_f1"] is not None]
    told.sort(key=lambda row: -row["ratio"])
    mains: dict[tuple[Any, ...], Row] = {}
    for row in told:
        if row["lm_init"] == "pretrained" and row["shuffle"] == "none":
            mains.setdefault(tuple(row[name] for name in _KIND), row)
    texts = []
    for main in list(mains.values())[:MOST]:
        named = f"{main['lm']}, {main['encoder']}: " if len(mains) > 1 else ""
        texts.append(f"{named}{_answer(main, told, scrambled)}")
    return texts or _of_released(released)


def _answer(main: Row, told: Sequence[Row], scrambled: Sequence[Row]) -> str:
    relation = main["relation"]
    beside = [
        row
        for row in told
        if all(row[name] == main[name] for name in _SHARED)
        and (row["lm"] == main["lm"] or row["lm_init"] == "scrambled")
    ]
    runs = {run for row in beside if row["lm_init"] == "scrambled" for run in row["run_ids"]}
    followed = [row for row in scrambled if row["run_id"] in runs]
    if main["ratio"] == 1 and main["mentions"] == "drop_all" and relation in SHUFFLES:
        found = {"pretrained, all removed": main}
        (within, _), (across, _) = SHUFFLES[relation]
        wanted = {
            "random weights, all removed": ("random", "none"),
            within: ("pretrained", "within"),
            across: ("pretrained", "across"),
        }
        for name, kind in wanted.items():
            same = [row for row in beside if (row["lm_init"], row["shuffle"]) == kind]
            if len(same) == 1:  # of several, with other settings, none is the control
                found[name] = same[0]
        return reading(found, followed, relation).strip()
    first = (
        f"With {100 * main['ratio']:g} % of the {relation} evidence removed from training "
        f"({main['label']}), the projector {against_guessing(main)} on the {relation} questions "
        "that were held out."
    )
    others = [f"{r['hypernym_f1']:.2f} in “{r['label']}”" for r in beside if r is not main]
    return f"{first} The same questions come out at {', '.join(others)}." if others else first


def _of_released(released: Sequence[Row]) -> list[str]:
    rows = [
        row
        for row in released
        if row["lm_init"] == "pretrained"
        and row["shuffle"] == "none"
        and row["ratio"] == 1
        and row["held_out_f1"] is not None
        and row["held_out_blind_f1"] is not None
    ]
    return [
        f"Released runs of {row['lm']} ({row['label']}) reach {row['held_out_f1']:.2f} macro-F1 on "
        f"held-out {row['relation']} questions, where the better of always Yes and always No has "
        f"{row['held_out_blind_f1']:.2f}."
        for row in rows[:MOST]
    ]
