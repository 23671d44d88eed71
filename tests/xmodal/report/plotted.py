"""A store with a little of everything that figures draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.sql import released
from tests.xmodal.store import world
from tests.xmodal.store.world import BIRD, GEM, PARROT, RUBY, SAW
from xmodal.store import METRIC, Store
from xmodal.store.rows import RunRow
from xmodal.store.stat_rows import StatRow
from xmodal.store.stats import add_stats

QUESTIONS = [
    (1, PARROT, BIRD, True, "held_out"),
    (2, RUBY, BIRD, False, "held_out"),
    (3, RUBY, GEM, True, "held_out"),
    (4, PARROT, GEM, False, "held_out"),
    (5, RUBY, GEM, True, "seen"),
    (6, PARROT, GEM, False, "seen"),
    (7, SAW, SAW, True, "leaf"),
    (8, SAW, RUBY, False, "leaf"),
]
"""Two hypernyms with two held-out questions each, one of them with two seen ones."""
RIGHT = {number: answer for number, _, _, answer, _ in QUESTIONS}


def add_run(store: Store, run_id: str, of: Any, wrong: tuple[int, ...], **changes: Any) -> None:
    """An own run that answers all but some questions right."""
    row = RunRow(**world.record(run_id, of, **changes), content_hash="x")
    metrics = world.table(METRIC, [(0, "train_loss", 2.0), (10, "train_loss", 0.5)])
    answers = [(number, said != (number in wrong)) for number, said in RIGHT.items()]
    with store.transaction():
        store.replace_runs([(row, metrics, world.predictions(answers))])


def stat(stat_id: str, runs: list[str], estimate: float, **changes: Any) -> StatRow:
    """A level by bootstrap."""
    ids = ", ".join(f'"{run}"' for run in runs)
    nothing = dict.fromkeys(
        ("plan_id", "contrast", "exploratory_because", "b", "term", "p", "p_holm", "effect",
         "effect_name", "margin", "n_runs_b", "note")
    )  # fmt: skip
    row: dict[str, Any] = nothing | {
        "stat_id": stat_id, "family": "f", "confirmatory": False, "kind": "level",
        "method": "bootstrap", "metric": "macro_f1", "a": "a", "given": "",
        "sides_json": '{"a": {"ratio": "0.5"}}', "runs_json": f'{{"a": [{ids}]}}',
        "estimate": estimate, "low": 0.25, "high": 0.9, "confidence": 0.95, "se": 0.1,
        "paired": False, "n_leaves": 2, "n_hypernyms": 2, "n_questions": 4, "n_runs_a": len(runs),
        "n_designs": 1, "n_inits": 2, "settings_json": '{"hypernyms": "fixed"}',
        "versions_json": "{}", "created_at": "2026-01-01",
    }  # fmt: skip
    return StatRow(**(row | changes))


def coherent(hypernym: str, value: float) -> Mapping[str, Any]:
    """Coherence of the own runs' features."""
    return released.coherence(
        hypernym, value, coherence_id="own", source="own", dataset="d1", feature_set_id="f1",
        encoder="classical", shuffle_id=None,
    )  # fmt: skip


def fill(store: Store) -> None:
    """Two runs of one condition, one with random weights, and released ones.

    a answers all right; b errs on 3 and 4, which are gem's held-out questions; r always.
    """
    of = world.manifest(QUESTIONS, ratio=0.5)
    store.add_taxonomy(world.taxonomy())
    store.add_manifest(of)
    add_run(store, "a", of, ())
    add_run(store, "b", of, (3, 4), seed_init=7)
    add_run(store, "r", of, (1, 2, 3, 4), lm_init="random")
    scores = [("held_out_s1", "bird", 0.8, 0.4, 6, True), ("seen_s1", "gem", 0.9, 0.4, 2, False)]
    released.add(
        store,
        [
            (released.run("s-none", ratio=0.5), scores),
            (released.run("s-across", ratio=0.5, shuffle="across_s1"), scores[:1] + scores[1:]),
        ],
        hypernyms=[{"source": "s1", "hypernym": "bird", "released_as": "bird", "depth": 8}],
        probes=[
            {"source": "s1", "dataset": "things-s1", "lm": "Qwen3-0.6B", "hypernym": "bird",
             "accuracy": 0.75, "macro_f1": 0.7}
        ],
        coherences=[
            released.coherence("bird", 0.3),
            released.coherence("bird", 0.1, shuffle="across_s1"),
            coherent("bird", 0.25),
            coherent("gem", -0.05),
        ],
    )  # fmt: skip
    # a: 1; b: bird 1, gem 0 -> 1/2; their mean is 3/4
    add_stats(store, [stat("level", ["b", "a"], 0.75)])
