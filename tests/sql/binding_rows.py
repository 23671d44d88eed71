"""Rows of binding by hand: runs, accuracies and probes, straight into a store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from xmodal.binding_tables import ACCURACY, INTERCHANGE, KNOCKOUT, LINEAR, RETRIEVAL, SHIFTED
from xmodal.store import Store
from xmodal.store.binding_rows import BindingProbeRow, BindingRunRow

ANSWERED = {"stage": "text", "ends_stage": True, "context": "text", "vocabulary": "base"}
TABLES = (
    *("scene_set", "binding_run", "binding_accuracy", "binding_probe", "binding_interchange"),
    *("binding_knockout", "binding_linear", "binding_retrieval", "binding_shifted"),
)


def recipe(name: str = "text", **more: Any) -> str:
    return json.dumps({"name": name, "stages": [name], "learning_rate": 0.001} | more)


def run(run_id: str, **changes: Any) -> BindingRunRow:
    row: dict[str, Any] = {
        "run_id": run_id,
        "experiment": "s3",
        "arm": "text",
        **dict.fromkeys(
            ("uses_noise", "uses_grounding", "uses_image", "uses_mixing", "uses_expansion"), False
        ),
        "position": "rope",
        **dict.fromkeys(("scene_set_id", "scene_layout", "encoder")),
        "start": "scratch",
        "start_run_id": None,
        "recipe": "text",
        "recipe_json": recipe(),
        **{"n_layers": 4, "width": 64, "n_heads": 4, "n_params": 1000},
        **{"n_from": 2, "n_to": 4, "seed_init": 0, "seed_order": 0},
        **{"n_steps": 10, "n_questions": 100, "n_tokens": 1000, "n_tokens_computed": 900},
        **{"flops": 1e6, "n_together": 1, "seconds": 1.0, "device": "cpu"},
        "precision": "float32",
        "status": "finished",
        "weights_sha256": "w",
        "versions_json": "{}",
        "command": "xmodal binding train",
        "git_commit": None,
        "started_at": "2026",
        "content_hash": "x",
    }
    return BindingRunRow(**(row | changes))


def probe(probe_id: str, **changes: Any) -> BindingProbeRow:
    row: dict[str, Any] = {
        "probe_id": probe_id,
        "kind": "interchange",
        "run_id": None,
        "step": None,
        **dict.fromkeys(("lm", "lm_revision", "lm_hash")),
        "is_vlm": False,
        "pair_id": None,
        "context": "text",
        "vocabulary": "base",
        "n_layers": 4,
        "n_examples": 10,
        "as_published": False,
        "seed": 0,
        "settings_json": "{}",
        "seconds": 1.0,
        "device": "cpu",
        "versions_json": "{}",
        "command": "xmodal binding probe",
        "created_at": "2027",
        "content_hash": "x",
    }
    return BindingProbeRow(**(row | changes))


def answers(
    right: Mapping[int, int], n_questions: int = 10, *, step: int = 10, n_to: int = 4, **of: Any
) -> list[dict[str, Any]]:
    """Accuracies at one moment, by number of objects how many answers are right."""
    return [
        ANSWERED
        | {
            "step": step,
            "question": "two",
            "n_objects": n,
            "in_distribution": n <= n_to,
            "n_questions": n_questions,
            "n_right": n_right,
            "n_in_scene": n_questions,
            "loss": 0.5,
        }
        | of
        for n, n_right in right.items()
    ]


def interchange(
    layer: int,
    counts: Sequence[int],
    *,
    n_objects: int = 4,
    patch: str = "counterfactual",
    n_ambiguous: int = 0,
) -> dict[str, Any]:
    """One layer; counts: positional, symbolic, reflexive, no effect, other."""
    names = ("n_positional", "n_symbolic", "n_reflexive", "n_no_effect", "n_other")
    return {
        "n_objects": n_objects,
        "layer": layer,
        "patch": patch,
        "n_examples": sum(counts) + n_ambiguous,
        **dict(zip(names, counts, strict=True)),
        "n_ambiguous": n_ambiguous,
    }


def controlled(*rows: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Layers of the counterfactual, each with its two controls in which nothing is bound."""
    nothing = {"n_positional": 0, "n_symbolic": 0, "n_reflexive": 0, "n_other": 0}
    nothing["n_ambiguous"] = 0
    controls = [
        {**row, **nothing, "patch": patch, "n_no_effect": row["n_examples"]}
        for row in rows
        for patch in ("permuted", "random-direction")
    ]
    return [*rows, *controls]


def shifts(n_objects: int, right: Mapping[int, int], n_questions: int = 10) -> list[dict[str, Any]]:
    """By shift, how many answers are right."""
    return [
        {"n_objects": n_objects, "shift": shift, "n_questions": n_questions, "n_right": n_right}
        for shift, n_right in right.items()
    ]


def retrieval(n_objects: int, n_right: int, n_open: int = 0, **changes: Any) -> dict[str, Any]:
    row = {"n_objects": n_objects, "n_tokens": 10.0 * n_objects, "n_questions": 10}
    return row | {"n_right": n_right, "n_right_open": n_open} | changes


Rows = Sequence[Mapping[str, Any]]


def _insert(
    store: Store, table: str, schema: pa.Schema, key: str, made: Mapping[str, Rows]
) -> None:
    with_key = schema.append(pa.field(key, pa.string()))
    rows = [{**row, key: of} for of, given in made.items() for row in given]
    store.insert(table, pa.Table.from_pylist(rows, schema=with_key), with_key)


def add(store: Store, made: Sequence[tuple[BindingRunRow, Rows]]) -> None:
    """Runs with their accuracies."""
    with store.transaction():
        store.insert_rows("binding_run", [of for of, _ in made])
        answered = {of.run_id: rows for of, rows in made}
        _insert(store, "binding_accuracy", ACCURACY, "run_id", answered)


def look(store: Store, made: Sequence[tuple[BindingProbeRow, Rows]]) -> None:
    """Probes with what they saw."""
    tables = {
        "interchange": ("binding_interchange", INTERCHANGE),
        "knockout": ("binding_knockout", KNOCKOUT),
        "linear": ("binding_linear", LINEAR),
        "retrieval": ("binding_retrieval", RETRIEVAL),
        "shift": ("binding_shifted", SHIFTED),
    }
    with store.transaction():
        store.insert_rows("binding_probe", [of for of, _ in made])
        for kind, (table, schema) in tables.items():
            seen = {of.probe_id: rows for of, rows in made if of.kind == kind}
            _insert(store, table, schema, "probe_id", seen)


def scenes(store: Store, scene_set_id: str, **changes: Any) -> None:
    """A set of scenes, without its files."""
    row: dict[str, Any] = {
        "scene_set_id": scene_set_id,
        "encoder": "e",
        "revision": "1",
        "weights_sha256": None,
        "layer": "last",
        "scene_layout": "random",
        **{"size_from": 0.1, "size_to": 0.2, "n_colours": 16, "n_shapes": 16},
        **{"n_from": 2, "n_to": 8, "n_scenes": 100, "side": 64, "n_image_tokens": 16},
        **{"width": 32, "seed": 0, "sha256": "s", "path": "p"},
    }
    columns = {name: f"${name}" for name in row}
    with store.transaction():
        store.execute(
            f"INSERT INTO scene_set ({', '.join(columns)}) VALUES ({', '.join(columns.values())})",  # noqa: S608
            row | changes,
        )
