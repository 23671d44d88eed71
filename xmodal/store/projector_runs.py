"""Runs of projectors: read and checked ahead, many of them brought in by one transaction.

A commit of a few thousand predictions is written twice, to the log and to the file; one of a row
group or more (122,880 rows) goes into the file at once, and fills it better.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from xmodal.store.evaluations import IMAGE_MODES, remove_evaluations
from xmodal.store.folders import (
    METRIC,
    FolderError,
    check_examples,
    check_logits,
    check_seal,
    content_hash,
    read_parquet,
    read_record,
)
from xmodal.store.rows import RunRecord, RunRow
from xmodal.store.run_files import HASHED
from xmodal.store.setups import RunSetupRow, read_setup, replace_setup

if TYPE_CHECKING:
    from xmodal.store.store import Store

PREDICTION = pa.schema(
    [
        pa.field("image_mode", pa.string(), nullable=False),
        pa.field("example_id", pa.int64(), nullable=False),
        pa.field("logit_yes", pa.float32(), nullable=False),
        pa.field("logit_no", pa.float32(), nullable=False),
        pa.field("predicted", pa.bool_(), nullable=False),
    ]
)
_FULL = 500_000
"""Predictions that are enough for a transaction."""
_KEPT = 16
"""Manifests whose example ids are kept while runs come in."""


@dataclass(frozen=True, kw_only=True)
class ProjectorRun:
    """What the folder of a finished run holds."""

    row: RunRow
    metrics: pa.Table
    predictions: pa.Table
    setup: RunSetupRow | None


def read_run(folder: Path, known_hash: str | None) -> ProjectorRun | str:
    """Read and check a folder by itself, without the store: safe in another thread.

    Args:
        folder: Of a run of a projector.
        known_hash: Of what is stored of it; None if nothing is.

    Returns:
        What it holds; "running" or "unchanged" where there is nothing to bring in.

    Raises:
        FolderError: It cannot be used.
    """
    record = read_record(folder, RunRecord, "run")
    if record is None:
        return "running"
    found = content_hash(folder, HASHED["projector"])
    if found == known_hash:
        return "unchanged"
    check_seal(folder / "run.json")
    row = RunRow(**record.values(), content_hash=found)
    metrics = read_parquet(folder / "metrics.parquet", METRIC)
    predictions = read_parquet(folder / "predictions.parquet", PREDICTION)
    _check_predictions(predictions)
    setup = read_setup(folder)
    return ProjectorRun(row=row, metrics=metrics, predictions=predictions, setup=setup)


class RunBatch:
    """Runs on their way into the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._manifests = {m["manifest_id"]: m["dataset_id"] for m in store.manifests().to_pylist()}
        self._examples: dict[str, pa.ChunkedArray] = {}
        self._runs: list[ProjectorRun] = []

    def add(self, run: ProjectorRun) -> None:
        """Take a run in; it is stored with the next flush, which a full batch does by itself.

        Raises:
            FolderError: Its manifest or its examples are not in the store.
        """
        self._check_references(run)
        self._runs.append(run)
        if sum(one.predictions.num_rows for one in self._runs) >= _FULL:
            self.flush()

    def flush(self) -> None:
        """Store all that were taken in: each whole, or none of them."""
        if not self._runs:
            return
        store = self._store
        with store.transaction():
            for run in self._runs:
                remove_evaluations(store, run.row.run_id)
                replace_setup(store, run.row.run_id, run.setup)
            store.replace_runs([(run.row, run.metrics, run.predictions) for run in self._runs])
        self._runs = []

    def _check_references(self, run: ProjectorRun) -> None:
        row = run.row
        if row.manifest_id not in self._manifests:
            raise FolderError(f"manifest {row.manifest_id!r} is not in this store")
        if (dataset_id := self._manifests[row.manifest_id]) != row.dataset_id:
            raise FolderError(
                f"manifest {row.manifest_id!r} is of dataset {dataset_id!r}, got {row.dataset_id!r}"
            )
        if row.manifest_id not in self._examples:
            if len(self._examples) == _KEPT:
                self._examples.clear()
            self._examples[row.manifest_id] = self._store.example_ids(row.manifest_id)
        check_examples(self._examples[row.manifest_id], row.manifest_id, run.predictions)


def _check_predictions(predictions: pa.Table) -> None:
    modes = set(predictions["image_mode"].unique().to_pylist())
    if not modes <= set(IMAGE_MODES):
        raise FolderError(
            f"image_mode must be one of {', '.join(IMAGE_MODES)}, got "
            f"{', '.join(sorted(modes - set(IMAGE_MODES)))}"
        )
    check_logits(predictions)
    keys = predictions.select(["image_mode", "example_id"])
    n_twice = keys.num_rows - keys.group_by(keys.column_names).aggregate([]).num_rows
    if n_twice:
        raise FolderError(f"each example once per image_mode, got {n_twice} more")
