"""From run folders to the store: one transaction a folder, idempotent by content hash."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from taxonomy.errors import StoreError
from xmodal.binding_tables import PROBES
from xmodal.store.align_runs import is_alignment, sync_align_evaluations, sync_align_run
from xmodal.store.binding_probes import sync_probes
from xmodal.store.binding_runs import is_binding, starts_first, sync_binding_run
from xmodal.store.broken import BrokenFolders
from xmodal.store.evaluations import IMAGE_MODES, remove_evaluations, sync_evaluations
from xmodal.store.folders import (
    METRIC,
    FolderError,
    check_examples,
    check_logits,
    check_seal,
    is_begun,
    read_parquet,
    read_record,
)
from xmodal.store.folders import content_hash as hash_of
from xmodal.store.rows import RunRecord, RunRow
from xmodal.store.scan import Scan
from xmodal.store.setups import read_setup, replace_setup

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
_FILES = ("run.json", "metrics.parquet", "predictions.parquet")
_RUNS = """
SELECT run_id, content_hash
FROM run
UNION ALL
SELECT run_id, content_hash
FROM align_run
UNION ALL
SELECT run_id, content_hash
FROM binding_run
"""


@dataclass(frozen=True, kw_only=True)
class SyncReport:
    """What one sync did, by folder."""

    n_ingested: int
    n_unchanged: int
    n_running: int
    rejected: tuple[tuple[str, str], ...]
    """(folder name, reason), by name."""
    n_evaluations: int = 0
    """Evaluations of runs brought in."""
    n_probes: int = 0
    """Probes of binding brought in."""

    def summary(self) -> str:
        """The counts in one line."""
        evaluations = f", {self.n_evaluations} evaluations brought in" if self.n_evaluations else ""
        probes = f", {self.n_probes} probes brought in" if self.n_probes else ""
        return (
            f"{self.n_ingested} runs brought in, {self.n_unchanged} unchanged, "
            f"{self.n_running} still running, {len(self.rejected)} rejected{evaluations}{probes}"
        )

    def problems(self) -> list[str]:
        """One line a rejected folder."""
        return [f"rejected {name}: {reason}" for name, reason in self.rejected]


def sync_runs(store: Store, runs_dir: Path, scanned: Scan | None = None) -> SyncReport:
    """Bring every finished run folder under runs_dir into the store, and the probes beside it.

    Args:
        store: Open, to write.
        runs_dir: Folder of run folders.
        scanned: What these held before the store was opened: what is stored as it was then is not
            read again, so that the store is open for a shorter time.

    Raises:
        StoreError: runs_dir is not a folder, nor is there one of probes beside it.
    """
    probes_dir = runs_dir.parent / PROBES
    if not runs_dir.is_dir() and not probes_dir.is_dir():
        raise StoreError(f"no folder of runs at {runs_dir}: `xmodal train` makes one")
    known = {row["run_id"]: row["content_hash"] for row in store.query(_RUNS).to_pylist()}
    settled = scanned.settled(store, known) if scanned is not None else frozenset()
    counts = {"ingested": 0, "unchanged": 0, "running": 0}
    n_evaluations = 0
    broken = BrokenFolders(store, runs_dir)
    for folder in _folders(runs_dir, settled):
        if is_begun(folder):
            counts["running"] += 1
            continue
        if broken.known(folder.name, folder):
            continue
        try:
            found = _sync_folder(store, folder, known.get(folder.name))
        except FolderError as reason:
            broken.refuse(folder.name, reason)
            continue
        counts[found] += 1
        if found != "running":
            n_evaluations += _sync_evaluations(store, folder, broken)
    counts["unchanged"] += len(settled)
    n_probes = sync_probes(store, probes_dir, broken)
    broken.write()
    return SyncReport(
        n_ingested=counts["ingested"],
        n_unchanged=counts["unchanged"],
        n_running=counts["running"],
        rejected=broken.rejected(),
        n_evaluations=n_evaluations,
        n_probes=n_probes,
    )


def _folders(runs_dir: Path, settled: frozenset[str]) -> list[Path]:
    """Those that may hold something new: by name, but what a run starts from comes before it."""
    if not runs_dir.is_dir():
        return []
    return starts_first(
        folder
        for folder in sorted(runs_dir.iterdir())
        if folder.name not in settled and not folder.name.startswith(".") and folder.is_dir()
    )


def _sync_evaluations(store: Store, folder: Path, broken: BrokenFolders) -> int:
    if is_alignment(folder):
        return sync_align_evaluations(store, folder, broken)
    if is_binding(folder):
        return 0
    return sync_evaluations(store, folder, broken)


def _sync_folder(store: Store, folder: Path, known_hash: str | None) -> str:
    if is_alignment(folder):
        return sync_align_run(store, folder, known_hash)
    if is_binding(folder):
        return sync_binding_run(store, folder, known_hash)
    record = read_record(folder, RunRecord, "run")
    if record is None:
        return "running"
    content_hash = hash_of(folder, _FILES)
    if content_hash == known_hash:
        return "unchanged"
    check_seal(folder / "run.json")
    row = RunRow(**record.values(), content_hash=content_hash)
    metrics = read_parquet(folder / "metrics.parquet", METRIC)
    predictions = read_parquet(folder / "predictions.parquet", PREDICTION)
    _check_predictions(predictions)
    _check_references(store, row, predictions)
    setup = read_setup(folder)
    with store.transaction():
        remove_evaluations(store, row.run_id)
        replace_setup(store, row.run_id, setup)
        store.replace_run(row, metrics, predictions)
    return "ingested"


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


def _check_references(store: Store, row: RunRow, predictions: pa.Table) -> None:
    manifests = {m["manifest_id"]: m["dataset_id"] for m in store.manifests().to_pylist()}
    if row.manifest_id not in manifests:
        raise FolderError(f"manifest {row.manifest_id!r} is not in this store")
    if manifests[row.manifest_id] != row.dataset_id:
        raise FolderError(
            f"manifest {row.manifest_id!r} is of dataset {manifests[row.manifest_id]!r}, "
            f"got {row.dataset_id!r}"
        )
    check_examples(store, row.manifest_id, predictions)
