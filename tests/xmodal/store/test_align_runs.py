"""Folders of alignments: brought in once, refused whole when they do not fit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.xmodal.store import world
from tests.xmodal.store.empty import empty_store
from tests.xmodal.store.world import PARROT
from xmodal.store import METRIC, Store
from xmodal.store.rows import AlignEvaluationRecord, AlignRunRecord, TextFeatureSetRow
from xmodal.tables import ANSWER, COMPOSITION

TEXTS = {
    "text_feature_set_id": "t1",
    "dataset_id": "d1",
    "templates_json": "[]",
    "lm": "qwen",
    "lm_hash": "h",
    "lm_init": "pretrained",
    "lm_kind": "decoder",
    "n_lm_parameters": 5,
    "layer": "last",
}
RUN: dict[str, Any] = {
    **dict.fromkeys(AlignRunRecord.model_fields),
    **{name: value for name, value in TEXTS.items() if name != "layer"},
    "lm_pooling": "last",
    "lm_layer": "last",
    "run_id": "r1",
    "experiment": "s2",
    "encoder": "dino",
    "recipe": "s2",
    "recipe_json": "{}",
    "side": "text",
    "projection": "linear",
    **dict.fromkeys(("depth", "batch_size", "n_pairs", "n_texts", "n_images"), 2),
    **dict.fromkeys(("n_validation_pairs", "seed_init", "seed_order", "n_steps"), 0),
    **{"best_step": 0, "n_params": 3, "seconds": 1.5, "device": "cpu", "status": "finished"},
    "validation": "none",
    "versions_json": "{}",
    "command": "xmodal",
    "started_at": "2026-01-01",
}


@pytest.fixture
def store() -> Iterator[Store]:
    with empty_store() as opened:
        opened.add_taxonomy(world.taxonomy())
        made: dict[str, Any] = dict.fromkeys(TextFeatureSetRow.model_fields)
        counts = dict.fromkeys(("longest", "n_rows", "n_texts", "n_cut", "n_unknown", "width"), 1)
        made |= TEXTS | counts | {"pooling": "last", "sha256": "s", "path": "p"}
        opened.add_text_feature_set(TextFeatureSetRow(**made))
        yield opened


def run(runs: Path, **changes: Any) -> Path:
    """A folder as `xmodal align train` leaves it."""
    folder = runs / "r1"
    (folder / "evals").mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(RUN | changes))
    pq.write_table(world.table(METRIC, [(1, "train_loss", 2.0)]), folder / "metrics.parquet")
    (folder / "aligner.safetensors").write_bytes(b"weights")
    return folder


def evaluation(runs: Path, answers: pa.Table | None = None, **changes: Any) -> Path:
    folder = runs / "r1" / "evals" / "e1"
    folder.mkdir(exist_ok=True)
    record: dict[str, Any] = {
        **dict.fromkeys(AlignEvaluationRecord.model_fields),
        "evaluation_id": "e1",
        "run_id": "r1",
        "dataset_id": "d1",
        "text_feature_set_id": "t1",
        "split": "test",
        "aligner_sha256": sha256(b"weights").hexdigest(),
        "seconds": 0.5,
        "device": "cpu",
        "versions_json": "{}",
        "command": "xmodal",
        "created_at": "2026-01-01",
    }
    (folder / "evaluation.json").write_text(json.dumps(record | changes))
    table = world.table(ANSWER, [answer()]) if answers is None else answers
    pq.write_table(table, folder / "answers.parquet")
    return folder


def answer(**changes: Any) -> list[Any]:
    row = {
        "task": "zero-shot",
        "query_id": 0,
        "class_id": PARROT,
        "unseen": True,
        "rank": 1,
        "n_right": 1,
        "n_candidates": 2,
        "first_id": PARROT,
        "edges": 0,
        "cosine_right": 0.5,
        "cosine_first": 0.5,
    }
    return list((row | changes).values())


def counts(store: Store) -> list[int]:
    tables = ("align_run", "metric", "align_evaluation", "align_answer", "align_composition")
    return [store.query("FROM query_table($name)", {"name": name}).num_rows for name in tables]


def test_a_run_and_its_evaluation_come_in_once(store: Store, tmp_path: Path) -> None:
    run(tmp_path)
    folder = evaluation(tmp_path)
    first = store.sync(tmp_path)
    assert (first.n_ingested, first.n_evaluations, first.rejected) == (1, 1, ())
    assert counts(store) == [1, 1, 1, 1, 0]
    again = store.sync(tmp_path)
    assert (again.n_ingested, again.n_unchanged, again.n_evaluations) == (0, 1, 0)
    composed = world.table(COMPOSITION, [(7, None, 0.1, 0.2, 0.3, 0.4)])
    pq.write_table(composed, folder / "composition.parquet")
    assert store.sync(tmp_path).n_evaluations == 1
    assert counts(store) == [1, 1, 1, 1, 1]
    # trained again: what was said of the old weights goes
    (tmp_path / "r1" / "aligner.safetensors").write_bytes(b"others")
    third = store.sync(tmp_path)
    assert (third.n_ingested, counts(store)) == (1, [1, 1, 0, 0, 0])
    assert third.rejected == (
        (
            "r1/evals/e1",
            "the run was trained again since: `xmodal align evaluate` scores it anew",
        ),
    )


def test_a_run_that_goes_on_is_left_alone(store: Store, tmp_path: Path) -> None:
    run(tmp_path, status="running")
    assert store.sync(tmp_path).n_running == 1
    assert counts(store) == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"run_id": "r2"}, "run.json is of run 'r2', the folder's name must be the same"),
        ({"side": "left"}, "side: "),
        ({"n_pairs": "many"}, "n_pairs: "),
        ({"colour": 1}, "colour is not a column of align_run"),
        ({"dataset_id": "d9"}, "dataset_id 'd9' is not in this store"),
        ({"text_feature_set_id": "t9"}, "text_feature_set_id 't9' is not in this store"),
        ({"separation_id": "s9"}, "separation_id 's9' is not in this store"),
        ({"status": "failed"}, "status: "),
    ],
)
def test_a_run_that_does_not_fit(
    store: Store, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    run(tmp_path, **changes)
    ((name, said),) = store.sync(tmp_path).rejected
    assert name == "r1"
    assert reason in said
    assert counts(store) == [0, 0, 0, 0, 0]


def cut(folder: Path) -> None:
    path = folder / "answers.parquet"
    path.write_bytes(path.read_bytes()[:40])


@pytest.mark.parametrize(
    ("rows", "changes", "spoil", "reason"),
    [
        ([answer(), answer()], {}, None, "each query once per task, got 1 more"),
        ([answer(task="guess")], {}, None, "task must be one of zero-shot, "),
        ([answer(rank=3)], {}, None, "rank must be from 1 to n_candidates, got 1 others"),
        ([answer(cosine_first=float("nan"))], {}, None, "cosine_first must be finite, got 1 "),
        ([answer()], {"evaluation_id": "e2"}, None, "evaluation_id must be that of its folder"),
        ([answer()], {"run_id": "r2"}, None, "run_id must be that of its folder, 'r1', got 'r2'"),
        ([answer()], {"feature_set_id": "f9"}, None, "feature_set_id 'f9' is not in this store"),
        ([answer()], {}, cut, "answers.parquet is not readable Parquet"),
        (
            [answer()],
            {},
            lambda folder: (folder / "answers.parquet").unlink(),
            "answers.parquet or composition.parquet must be there",
        ),
    ],
)
def test_an_evaluation_that_does_not_fit(
    store: Store,
    tmp_path: Path,
    rows: list[list[Any]],
    changes: dict[str, Any],
    spoil: Callable[[Path], None] | None,
    reason: str,
) -> None:
    run(tmp_path)
    folder = evaluation(tmp_path, world.table(ANSWER, rows), **changes)
    if spoil is not None:
        spoil(folder)
    report = store.sync(tmp_path)
    ((name, said),) = report.rejected
    assert (report.n_ingested, name) == (1, "r1/evals/e1")
    assert said.startswith(reason)
    assert counts(store) == [1, 1, 0, 0, 0]
