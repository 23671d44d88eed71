"""Arms of binding at equal steps and questions: accuracy, lift, mechanism, shifts, what each cost.

What `xmodal binding train` and `probe` make, and the rows of the named analyses as JSON. Runs
that are there are not trained again: after `xmodal binding demo`, give its store.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks.result import report
from xmodal.bindings.looks import SHIFT, Look, look_into
from xmodal.bindings.runs import train_binding
from xmodal.store import Store

ARMS = ("text", "noise-text", "image-text", "noise-image-text")
_KEPT = (
    *("arm", "start", "position", "scene_layout", "encoder", "n_runs", "in_accuracy"),
    *("out_objects", "out_accuracy", "out_low", "out_high", "out_chance", "paper", "n_steps"),
    *("n_questions", "n_tokens", "n_tokens_computed", "flops"),
)
_LIFT = (
    *("arm_a", "arm_b", "position", "start", "scene_layout", "out_accuracy_a", "out_accuracy_b"),
    *("difference", "low", "high", "n_seeds", "tokens_ratio", "flops_ratio"),
)
_SHIFTED = ("n_objects", "shift", "accuracy", "low", "high", "n_questions")
_RATES = ("positional_rate", "symbolic_rate", "reflexive_rate", "no_effect_rate", "other_rate")


def tables(store: Path) -> dict[str, Any]:
    """Rows of the analyses, with the columns that are told."""
    with Store.open(store, read_only=True) as opened:
        arms = opened.analysis("binding-arms").to_pylist()
        accuracy = opened.analysis("binding-accuracy").to_pylist()
        mechanism = opened.analysis("binding-mechanism").to_pylist()
        factors = opened.analysis("binding-factors").to_pylist()
        lift = opened.analysis("binding-lift").to_pylist()
        shifted = opened.analysis("binding-shift").to_pylist()
    last: dict[str, int] = {}
    for row in accuracy:
        last[row["condition"]] = max(row["stage_number"], last.get(row["condition"], 0))
    by_count: dict[tuple[str, str], dict[str, float]] = {}
    for row in accuracy:
        if row["stage_number"] == last[row["condition"]] and row["vocabulary"] == "base":
            counts = by_count.setdefault((row["condition"], row["context"]), {})
            counts[str(row["n_objects"])] = round(row["accuracy"], 4)
    names = {row["condition"]: _named(row) for row in arms}
    return {
        "arms": [{name: row[name] for name in _KEPT if name in row} for row in arms],
        "accuracy": [
            {"of": names[condition], "context": context, "by_n_objects": counts}
            for (condition, context), counts in by_count.items()
        ],
        "mechanism": [
            {"of": names.get(row["condition"]), "context": row["context"]}
            | {name: row[name] for name in ("n_objects", "layer", "patch", "is_peak")}
            | {name: round(row[name], 4) for name in _RATES}
            for row in mechanism
        ],
        "shifted": [
            {"of": names.get(row["condition"])} | {name: row[name] for name in _SHIFTED}
            for row in shifted
        ],
        "lift": [{name: row[name] for name in _LIFT} for row in lift],
        "factors": factors,
    }


def _named(row: dict[str, Any]) -> str:
    return f"{row['arm']}, {row['position']}, {row['start']}"


def main() -> None:
    """Train, look into and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--arm", action="append", default=[])
    parser.add_argument("--size", default="small")
    parser.add_argument("--start", default="text-trained")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--set", action="append", default=[], dest="changes")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--only-tell", action="store_true", help="of what is in the store")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    if not given.only_tell:
        lines = train_binding(
            given.store,
            size=given.size,
            arms=given.arm or ARMS,
            start=given.start,
            seeds=[int(seed) for seed in given.seeds.split(",")],
            changes=given.changes,
            workers=given.workers,
            device=given.device,
        )
        look = Look(kinds=("interchange", SHIFT), device=given.device)
        for line in (*lines, *look_into(given.store, (), look)):
            sys.stderr.write(f"{line}\n")
    report(tables(given.store), ("torch", "duckdb"), given.output)


if __name__ == "__main__":
    main()
