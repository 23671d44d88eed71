"""From the folders of alignments to the store: one transaction each, idempotent."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from xmodal.store.folders import (
    METRIC,
    FolderError,
    check_seal,
    checked,
    content_hash,
    count,
    each_evaluation,
    file_sha256,
    read_json,
    read_parquet,
    read_record,
)
from xmodal.store.rows import (
    AlignEvaluationRecord,
    AlignEvaluationRow,
    AlignRunRecord,
    AlignRunRow,
)
from xmodal.store.run_files import HASHED
from xmodal.store.setups import read_setup, replace_setup
from xmodal.tables import ANSWER, ANSWERS, COMPOSITION, COMPOSITIONS, EVALUATION, WEIGHTS

if TYPE_CHECKING:
    from xmodal.store.broken import BrokenFolders
    from xmodal.store.store import Store

TASKS = ("zero-shot", "seen", "generalised", "text-to-image", "image-to-text")

_TABLES = (
    (ANSWERS, "align_answer", ANSWER),
    (COMPOSITIONS, "align_composition", COMPOSITION),
)

# what a run and an evaluation name, and where it must be; one statement a table
_REFERENCES = {
    "dataset_id": "SELECT dataset_id AS id FROM dataset",
    "caption_set_id": "SELECT caption_set_id AS id FROM caption_set",
    "separation_id": "SELECT separation_id AS id FROM separation",
    "text_feature_set_id": "SELECT text_feature_set_id AS id FROM text_feature_set",
    "feature_set_id": "SELECT feature_set_id AS id FROM feature_set",
}
_KNOWN = "SELECT evaluation_id, content_hash FROM align_evaluation WHERE run_id = $id"


def sync_align_run(store: Store, folder: Path, known_hash: str | None) -> str:
    """Bring one alignment in.

    Args:
        store: Open, to write.
        folder: Of the run.
        known_hash: Of what is stored of it; None for nothing.

    Returns:
        running, unchanged or ingested.

    Raises:
        FolderError: The folder cannot be used.
    """
    record = read_record(folder, AlignRunRecord, "align_run")
    if record is None:
        return "running"
    found = content_hash(folder, HASHED["alignment"])
    if found == known_hash:
        return "unchanged"
    check_seal(folder / "run.json")
    row = AlignRunRow(**record.values(), content_hash=found)
    metrics = read_parquet(folder / "metrics.parquet", METRIC)
    _check_references(store, row.values())
    setup = read_setup(folder)
    with store.transaction():
        of = {"id": row.run_id}
        replace_setup(store, row.run_id, setup)
        for one in store.query(_KNOWN, of).to_pylist():
            _remove(store, one["evaluation_id"])
        store.execute("DELETE FROM align_run WHERE run_id = $id", of)
        store.execute("DELETE FROM metric WHERE run_id = $id", of)
        store.insert_rows("align_run", [row])
        store.insert("metric", metrics, METRIC, {"run_id": row.run_id})
    return "ingested"


def sync_align_evaluations(store: Store, run_folder: Path, broken: BrokenFolders) -> int:
    """Bring in the evaluations of a run that is in the store; see each_evaluation."""
    rows = store.query(_KNOWN, {"id": run_folder.name}).to_pylist()
    known = {row["evaluation_id"]: row["content_hash"] for row in rows}
    return each_evaluation(run_folder, known, functools.partial(_sync_one, store), broken)


def _sync_one(store: Store, folder: Path, known_hash: str | None) -> bool:
    there = [part for part in _TABLES if (folder / part[0]).is_file()]
    if not there:
        raise FolderError(f"{ANSWERS} or {COMPOSITIONS} must be there")
    found = content_hash(folder, (EVALUATION, *(name for name, _, _ in there)))
    if found == known_hash:
        return False
    path = folder / EVALUATION
    check_seal(path)
    record = checked(read_json(path), AlignEvaluationRecord, path, "align_evaluation")
    row = AlignEvaluationRow(**record.values(), content_hash=found)
    for name, want in (("evaluation_id", folder.name), ("run_id", folder.parent.parent.name)):
        if (got := getattr(row, name)) != want:
            raise FolderError(f"{name} must be that of its folder, {want!r}, got {got!r}")
    if file_sha256(folder.parent.parent / WEIGHTS) != row.aligner_sha256:
        raise FolderError("the run was trained again since: `xmodal align evaluate` scores it anew")
    _check_references(store, row.values())
    tables = {}
    for name, table, schema in there:
        rows = read_parquet(folder / name, schema)
        if name == ANSWERS:
            _check_answers(rows)
        tables[table] = (rows, schema)
    with store.transaction():
        _remove(store, row.evaluation_id)
        store.insert_rows("align_evaluation", [row])
        for table, (rows, schema) in tables.items():
            store.insert(table, rows, schema, {"evaluation_id": row.evaluation_id})
    return True


def _remove(store: Store, evaluation_id: str) -> None:
    of = {"id": evaluation_id}
    store.execute("DELETE FROM align_answer WHERE evaluation_id = $id", of)
    store.execute("DELETE FROM align_composition WHERE evaluation_id = $id", of)
    store.execute("DELETE FROM align_evaluation WHERE evaluation_id = $id", of)


def _check_answers(rows: pa.Table) -> None:
    tasks = set(rows["task"].unique().to_pylist())
    if odd := sorted(tasks - set(TASKS)):
        raise FolderError(f"task must be one of {', '.join(TASKS)}, got {', '.join(odd)}")
    n_twice = rows.num_rows - rows.group_by(["task", "query_id"]).aggregate([]).num_rows
    if n_twice:
        raise FolderError(f"each query once per task, got {n_twice} more")
    for name in ("cosine_right", "cosine_first"):
        if n_bad := count(pc.invert(pc.is_finite(rows[name]))):
            raise FolderError(f"{name} must be finite, got {n_bad} NaN or infinite values")
    n_odd = count(pc.or_(pc.less(rows["rank"], 1), pc.greater(rows["rank"], rows["n_candidates"])))
    if n_odd:
        raise FolderError(f"rank must be from 1 to n_candidates, got {n_odd} others")


def _check_references(store: Store, row: dict[str, Any]) -> None:
    for name, text in _REFERENCES.items():
        wanted = row.get(name)
        if wanted is not None and wanted not in store.query(text)["id"].to_pylist():
            raise FolderError(f"{name} {wanted!r} is not in this store")
