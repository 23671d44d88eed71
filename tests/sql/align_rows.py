"""Rows of alignments by hand: runs, evaluations and answers, straight into a store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from xmodal.store import Store
from xmodal.store.rows import AlignEvaluationRow, AlignRunRow, TextFeatureSetRow

ANSWER = pa.schema(
    [
        ("evaluation_id", pa.string()),
        ("task", pa.string()),
        ("query_id", pa.int64()),
        ("class_id", pa.int32()),
        ("unseen", pa.bool_()),
        ("rank", pa.int64()),
        ("n_right", pa.int64()),
        ("n_candidates", pa.int64()),
        ("first_id", pa.int64()),
        ("edges", pa.int32()),
        ("cosine_right", pa.float32()),
        ("cosine_first", pa.float32()),
    ]
)
COMPOSITION = pa.schema(
    [("evaluation_id", pa.string()), ("example_id", pa.int64()), ("tag", pa.string())]
    + [(name, pa.float32()) for name in ("c0_i0", "c1_i0", "c0_i1", "c1_i1")]
)
MLP: dict[str, Any] = {
    "kind": "mlp",
    "depth": 4,
    "width": 64,
    "activation": "relu",
    "dropout": 0.2,
}
NONE = MLP | {"kind": "identity"}


def recipe(name: str = "s2", text: Any = MLP, image: Any = NONE, **more: Any) -> str:
    aligner = {"text": text, "image": image, "dim": None, "scale": 14.28}
    return json.dumps({"name": name, "aligner": aligner, "learning_rate": 0.001} | more)


def text_set(text_feature_set_id: str, **changes: Any) -> TextFeatureSetRow:
    row: dict[str, Any] = {
        "text_feature_set_id": text_feature_set_id,
        "dataset_id": "d1",
        "templates_json": '["name"]',
        "lm": "qwen",
        "lm_revision": None,
        "lm_hash": "h",
        "lm_init": "pretrained",
        "lm_kind": "decoder",
        "n_lm_parameters": 100,
        "pooling": "last",
        "layer": "last",
        "longest": 512,
        "n_rows": 3,
        "n_texts": 3,
        "n_cut": 0,
        "n_unknown": 0,
        "width": 16,
        "sha256": "f",
        "path": "a",
        "names": None,
        "texts_sha256": "x",
    }
    return TextFeatureSetRow(**(row | changes))


def run(run_id: str, **changes: Any) -> AlignRunRow:
    row: dict[str, Any] = {
        "run_id": run_id,
        "experiment": "s2",
        "dataset_id": "d1",
        "caption_set_id": None,
        "separation_id": "s1",
        "level": "branch",
        "arm": "separated",
        "text_feature_set_id": "t1",
        "feature_set_id": "f1",
        "lm": "qwen",
        "lm_revision": None,
        "lm_hash": "h",
        "lm_init": "pretrained",
        "lm_kind": "decoder",
        "n_lm_parameters": 100,
        "lm_pooling": "last",
        "lm_layer": "last",
        "templates_json": '["name"]',
        "encoder": "dino",
        "recipe": "s2",
        "recipe_json": recipe(),
        "side": "text",
        "projection": "mlp",
        "depth": 4,
        "width": 64,
        "activation": "relu",
        "batch_size": 16,
        "n_pairs": 100,
        "n_texts": 10,
        "n_images": 100,
        "n_classes": 10,
        "n_validation_pairs": 5,
        "validation": "pictures",
        "seed_init": 0,
        "seed_order": 0,
        "n_steps": 10,
        "best_step": 10,
        "n_params": 1000,
        "seconds": 1.0,
        "device": "cpu",
        "status": "finished",
        "versions_json": "{}",
        "command": "xmodal align train",
        "git_commit": None,
        "started_at": "2026",
        "content_hash": "x",
    }
    return AlignRunRow(**(row | changes))


def evaluation(evaluation_id: str, of: AlignRunRow, **changes: Any) -> AlignEvaluationRow:
    row: dict[str, Any] = {
        "evaluation_id": evaluation_id,
        "run_id": of.run_id,
        "dataset_id": "d1",
        "caption_set_id": None,
        "text_feature_set_id": of.text_feature_set_id,
        "feature_set_id": of.feature_set_id,
        "names": None,
        "class_list": None,
        "example_set": None,
        "split": "test",
        "aligner_sha256": "a",
        "seconds": 1.0,
        "device": "cpu",
        "versions_json": "{}",
        "command": "xmodal align evaluate",
        "created_at": "2026",
        "content_hash": "x",
    }
    return AlignEvaluationRow(**(row | changes))


def answers(
    evaluation_id: str,
    ranks: dict[int, Sequence[int]],
    task: str = "zero-shot",
    **changes: Any,
) -> list[dict[str, Any]]:
    """Answers whose ranks are given class by class."""
    found: list[dict[str, Any]] = []
    for class_id, given in ranks.items():
        for number, rank in enumerate(given):
            answer: dict[str, Any] = {
                "evaluation_id": evaluation_id,
                "task": task,
                "query_id": 100 * class_id + number,
                "class_id": class_id,
                "unseen": True,
                "rank": rank,
                "n_right": 1,
                "n_candidates": 4,
                "first_id": class_id if rank == 1 else 99,
                "edges": None,
                "cosine_right": 0.5,
                "cosine_first": 0.5,
            }
            found.append(answer | changes)
    return found


def insert(store: Store, table: str, schema: pa.Schema, rows: list[dict[str, Any]]) -> None:
    with store.transaction():
        store.insert(table, pa.Table.from_pylist(rows, schema=schema), schema)


def add(
    store: Store,
    run_id: str,
    ranks: dict[int, Sequence[int]] | None = None,
    asked: dict[str, Any] | None = None,
    rows: list[dict[str, Any]] | None = None,
    **changes: Any,
) -> None:
    """A run with one evaluation of its own id: answers by class, or as they are given."""
    made = run(run_id, **changes)
    add_all(store, [(made, asked or {}, rows or answers(run_id, ranks or {}))])


def add_all(
    store: Store, made: Sequence[tuple[AlignRunRow, dict[str, Any], list[dict[str, Any]]]]
) -> None:
    """Runs, what their one evaluation has otherwise, and its answers."""
    with store.transaction():
        store.insert_rows("align_run", [of for of, _, _ in made])
        store.insert_rows(
            "align_evaluation", [evaluation(of.run_id, of, **asked) for of, asked, _ in made]
        )
    insert(store, "align_answer", ANSWER, [row for _, _, rows in made for row in rows])
