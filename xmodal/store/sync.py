"""From run folders to the store: one transaction a folder, idempotent by content hash."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from taxonomy.errors import StoreError
from xmodal.store.rows import RunRecord, RunRow

if TYPE_CHECKING:
    from xmodal.store.store import Store

IMAGE_MODES = ("real", "mean", "zero", "noise", "other-leaf")

METRIC = pa.schema(
    [
        pa.field("step", pa.int64(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
    ]
)
PREDICTION = pa.schema(
    [
        pa.field("image_mode", pa.string(), nullable=False),
        pa.field("example_id", pa.int64(), nullable=False),
        pa.field("logit_yes", pa.float32(), nullable=False),
        pa.field("logit_no", pa.float32(), nullable=False),
        pa.field("predicted", pa.bool_(), nullable=False),
    ]
)
_FILES = ("run.json", "metrics.parquet", "predictions.parquet")


class _FolderError(Exception):
    """This folder cannot be used; the message says why."""


@dataclass(frozen=True, kw_only=True)
class SyncReport:
    """What one sync did, by folder."""

    n_ingested: int
    n_unchanged: int
    n_running: int
    rejected: tuple[tuple[str, str], ...]
    """(folder name, reason), by name."""

    def summary(self) -> str:
        """The counts in one line."""
        return (
            f"{self.n_ingested} runs brought in, {self.n_unchanged} unchanged, "
            f"{self.n_running} still running, {len(self.rejected)} rejected"
        )

    def problems(self) -> list[str]:
        """One line a rejected folder."""
        return [f"rejected {name}: {reason}" for name, reason in self.rejected]


def sync_runs(store: Store, runs_dir: Path) -> SyncReport:
    """Bring every finished run folder under runs_dir into the store.

    Raises:
        StoreError: runs_dir is not a folder.
    """
    if not runs_dir.is_dir():
        raise StoreError(f"no folder of runs at {runs_dir}: `xmodal train` makes one")
    known = {row["run_id"]: row["content_hash"] for row in store.runs().to_pylist()}
    counts = {"ingested": 0, "unchanged": 0, "running": 0}
    rejected = []
    for folder in sorted(runs_dir.iterdir()):
        if not folder.is_dir() or folder.name.startswith("."):
            continue
        try:
            counts[_sync_folder(store, folder, known.get(folder.name))] += 1
        except _FolderError as reason:
            rejected.append((folder.name, str(reason)))
    return SyncReport(
        n_ingested=counts["ingested"],
        n_unchanged=counts["unchanged"],
        n_running=counts["running"],
        rejected=tuple(rejected),
    )


def _sync_folder(store: Store, folder: Path, known_hash: str | None) -> str:
    record = _read_record(folder)
    if record is None:
        return "running"
    content_hash = _content_hash(folder)
    if content_hash == known_hash:
        return "unchanged"
    row = RunRow(**record.values(), content_hash=content_hash)
    metrics = _read_parquet(folder / "metrics.parquet", METRIC)
    predictions = _read_parquet(folder / "predictions.parquet", PREDICTION)
    _check_predictions(predictions)
    _check_references(store, row, predictions)
    with store.transaction():
        store.replace_run(row, metrics, predictions)
    return "ingested"


def _read_record(folder: Path) -> RunRecord | None:
    """The validated run.json; None while the run goes on."""
    try:
        content = json.loads((folder / "run.json").read_bytes())
    except OSError as error:
        raise _FolderError(f"run.json cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise _FolderError(f"run.json is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise _FolderError("run.json must hold one object")
    if content.get("status") == "running":
        return None
    try:
        record = RunRecord(**content)
    except ValidationError as error:
        raise _FolderError(f"run.json: {'; '.join(map(_field_problem, error.errors()))}") from error
    if record.run_id != folder.name:
        raise _FolderError(
            f"run.json is of run {record.run_id!r}, the folder's name must be the same"
        )
    return record


def _field_problem(problem: Any) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":
        return f"{name} is missing"
    if problem["type"] == "extra_forbidden":
        return f"{name} is not a column of run"
    return f"{name}: {problem['msg'][0].lower()}{problem['msg'][1:]}, got {problem['input']!r}"


def _content_hash(folder: Path) -> str:
    digest = sha256()
    for name in _FILES:
        try:
            digest.update(sha256((folder / name).read_bytes()).digest())
        except OSError as error:
            raise _FolderError(f"{name} cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def _read_parquet(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise _FolderError(f"{path.name} is not readable Parquet: {reason}") from error
    want = {field.name: str(field.type) for field in schema}
    got = {field.name: str(field.type) for field in table.schema}
    if got != want:
        raise _FolderError(f"{path.name} must have columns {want}, got {got}")
    for field in schema:
        if table[field.name].null_count:
            raise _FolderError(
                f"{path.name}: {field.name} must not be NULL, got "
                f"{table[field.name].null_count} of {table.num_rows}"
            )
    return table.select(schema.names).cast(schema)


def _check_predictions(predictions: pa.Table) -> None:
    modes = set(predictions["image_mode"].unique().to_pylist())
    if not modes <= set(IMAGE_MODES):
        raise _FolderError(
            f"image_mode must be one of {', '.join(IMAGE_MODES)}, got "
            f"{', '.join(sorted(modes - set(IMAGE_MODES)))}"
        )
    for name in ("logit_yes", "logit_no"):
        n_bad = _count(pc.invert(pc.is_finite(predictions[name])))
        if n_bad:
            raise _FolderError(f"{name} must be finite, got {n_bad} NaN or infinite values")
    keys = predictions.select(["image_mode", "example_id"])
    n_twice = keys.num_rows - keys.group_by(keys.column_names).aggregate([]).num_rows
    if n_twice:
        raise _FolderError(f"each example once per image_mode, got {n_twice} more")


def _check_references(store: Store, row: RunRow, predictions: pa.Table) -> None:
    manifests = {m["manifest_id"]: m["dataset_id"] for m in store.manifests().to_pylist()}
    if row.manifest_id not in manifests:
        raise _FolderError(f"manifest {row.manifest_id!r} is not in this store")
    if manifests[row.manifest_id] != row.dataset_id:
        raise _FolderError(
            f"manifest {row.manifest_id!r} is of dataset {manifests[row.manifest_id]!r}, "
            f"got {row.dataset_id!r}"
        )
    known = store.example_ids(row.manifest_id)
    n_dangling = _count(pc.invert(pc.is_in(predictions["example_id"], value_set=known)))
    if n_dangling:
        raise _FolderError(
            f"{n_dangling} of {predictions.num_rows} predictions are of no example of "
            f"manifest {row.manifest_id!r}"
        )


def _count(flags: pa.ChunkedArray) -> int:
    return int(pc.sum(flags, min_count=0).as_py())
