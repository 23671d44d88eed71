"""From the folders of a run's evaluations to the store: one transaction each, idempotent."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from xmodal.store.folders import (
    FolderError,
    check_examples,
    check_logits,
    check_seal,
    checked,
    content_hash,
    each_evaluation,
    file_sha256,
    read_json,
    read_parquet,
)
from xmodal.store.rows import EvaluationRecord, EvaluationRow
from xmodal.tables import EVALUATION

if TYPE_CHECKING:
    from xmodal.store.broken import BrokenFolders
    from xmodal.store.store import Store

ANSWERS = "predictions.parquet"
IMAGE_MODES = ("real", "mean", "zero", "noise", "other-leaf")

EVALUATION_PREDICTION = pa.schema(
    [
        pa.field("example_id", pa.int64(), nullable=False),
        pa.field("logit_yes", pa.float32(), nullable=False),
        pa.field("logit_no", pa.float32(), nullable=False),
        pa.field("predicted", pa.bool_(), nullable=False),
    ]
)
_KNOWN = "SELECT evaluation_id, content_hash FROM evaluation WHERE run_id = $id"
_DATASET = """
SELECT dataset_id
FROM run
WHERE run_id = $id
UNION ALL
SELECT dataset_id
FROM card_run
WHERE run_id = $id
"""
_ANSWERED = """
WITH said AS (
    SELECT prediction.example_id
    FROM prediction
    JOIN run USING (run_id)
    WHERE
        prediction.run_id = $run_id
        AND run.manifest_id = $manifest_id
        AND prediction.image_mode = $image_mode
    UNION ALL
    SELECT other.example_id
    FROM evaluation_prediction AS other
    JOIN evaluation USING (evaluation_id)
    WHERE
        evaluation.run_id = $run_id
        AND evaluation.manifest_id = $manifest_id
        AND evaluation.image_mode = $image_mode
        AND evaluation.evaluation_id <> $evaluation_id
)

SELECT count(*) AS n
FROM said
WHERE example_id IN (SELECT unnest($ids::BIGINT[]))
"""


def sync_evaluations(store: Store, run_folder: Path, broken: BrokenFolders) -> int:
    """Bring in the evaluations of a run that is in the store; see each_evaluation."""
    rows = store.query(_KNOWN, {"id": run_folder.name}).to_pylist()
    known = {row["evaluation_id"]: row["content_hash"] for row in rows}
    return each_evaluation(run_folder, known, functools.partial(_sync_one, store), broken)


def _sync_one(store: Store, folder: Path, known_hash: str | None) -> bool:
    found = content_hash(folder, (EVALUATION, ANSWERS))
    if found == known_hash:
        return False
    path = folder / EVALUATION
    check_seal(path)
    record = checked(read_json(path), EvaluationRecord, path, "evaluation")
    row = EvaluationRow(**record.values(), content_hash=found)
    predictions = read_parquet(folder / ANSWERS, EVALUATION_PREDICTION)
    _check_record(row, folder)
    check_logits(predictions)
    n_twice = predictions.num_rows - len(predictions["example_id"].unique())
    if n_twice:
        raise FolderError(f"each example once, got {n_twice} more")
    _check_references(store, row, predictions)
    with store.transaction():
        _remove(store, row.evaluation_id)
        store.insert_rows("evaluation", [row])
        owner = {"evaluation_id": row.evaluation_id}
        store.insert("evaluation_prediction", predictions, EVALUATION_PREDICTION, owner)
    return True


def remove_evaluations(store: Store, run_id: str) -> None:
    """Remove what is stored of all evaluations of a run. Call in a transaction."""
    for row in store.query(_KNOWN, {"id": run_id}).to_pylist():
        _remove(store, row["evaluation_id"])


def _remove(store: Store, evaluation_id: str) -> None:
    of = {"id": evaluation_id}
    store.execute("DELETE FROM evaluation_prediction WHERE evaluation_id = $id", of)
    store.execute("DELETE FROM evaluation WHERE evaluation_id = $id", of)


def _check_record(row: EvaluationRow, folder: Path) -> None:
    for name, want in (("evaluation_id", folder.name), ("run_id", folder.parent.parent.name)):
        got = getattr(row, name)
        if got != want:
            raise FolderError(f"{name} must be that of its folder, {want!r}, got {got!r}")
    if row.image_mode not in IMAGE_MODES:
        raise FolderError(
            f"image_mode must be one of {', '.join(IMAGE_MODES)}, got {row.image_mode}"
        )
    weights = folder.parent.parent / "projector.safetensors"
    if weights.is_file() and file_sha256(weights) != row.projector_sha256:
        raise FolderError("the run was trained again since: `xmodal eval` scores it anew")


def _check_references(store: Store, row: EvaluationRow, predictions: pa.Table) -> None:
    manifests = {m["manifest_id"]: m["dataset_id"] for m in store.manifests().to_pylist()}
    (dataset_id,) = store.query(_DATASET, {"id": row.run_id})["dataset_id"].to_pylist()
    if row.manifest_id not in manifests:
        raise FolderError(f"manifest {row.manifest_id!r} is not in this store")
    if manifests[row.manifest_id] != dataset_id:
        raise FolderError(
            f"manifest {row.manifest_id!r} is of dataset {manifests[row.manifest_id]!r}, its run "
            f"of {dataset_id!r}"
        )
    check_examples(store.example_ids(row.manifest_id), row.manifest_id, predictions)
    named = ("run_id", "manifest_id", "image_mode", "evaluation_id")
    said = {name: getattr(row, name) for name in named}
    found = store.query(_ANSWERED, said | {"ids": predictions["example_id"].to_pylist()})
    (n_answered,) = found["n"].to_pylist()
    if n_answered:
        raise FolderError(
            f"the run has answered {n_answered} of these questions before the {row.image_mode} "
            "picture already"
        )
