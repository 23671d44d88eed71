"""From run folders to the store: each whole or not at all, idempotent by content hash."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from taxonomy.errors import StoreError
from xmodal.binding_tables import PROBES
from xmodal.store.align_runs import sync_align_evaluations, sync_align_run
from xmodal.store.binding_probes import sync_probes
from xmodal.store.binding_runs import starts_first, sync_binding_run
from xmodal.store.broken import BrokenFolders
from xmodal.store.card_runs import sync_card_run
from xmodal.store.evaluations import sync_evaluations
from xmodal.store.folders import FolderError, is_begun, kind_of
from xmodal.store.projector_runs import ProjectorRun, RunBatch, read_run
from xmodal.store.scan import Scan

if TYPE_CHECKING:
    from xmodal.store.store import Store

_OTHERS = {
    "alignment": sync_align_run,
    "decoder": sync_binding_run,
    "card": sync_card_run,
}
"""What brings a run in that is no projector."""
_Found: TypeAlias = ProjectorRun | str | FolderError | None
_AHEAD = 12
"""Folders that are read while another is written."""
_RUNS = """
SELECT run_id, content_hash
FROM run
UNION ALL
SELECT run_id, content_hash
FROM align_run
UNION ALL
SELECT run_id, content_hash
FROM binding_run
UNION ALL
SELECT run_id, content_hash
FROM card_run
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
    broken = BrokenFolders(store, runs_dir)
    batch = RunBatch(store)
    stored = []
    for folder, kind, found in _read_ahead(_folders(runs_dir, settled), known, broken):
        try:
            if isinstance(found, FolderError):
                raise found
            if isinstance(found, ProjectorRun):
                batch.add(found)
                found = "ingested"
            elif found is None:
                found = _OTHERS[kind](store, folder, known.get(folder.name))
        except FolderError as reason:
            broken.refuse(folder.name, reason)
            continue
        counts[found] += 1
        if found != "running":
            stored.append((folder, kind))
    batch.flush()
    n_evaluations = sum(_sync_evaluations(store, one, kind, broken) for one, kind in stored)
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


def _sync_evaluations(store: Store, folder: Path, kind: str, broken: BrokenFolders) -> int:
    if kind == "alignment":
        return sync_align_evaluations(store, folder, broken)
    if kind == "decoder":
        return 0
    return sync_evaluations(store, folder, broken)


def _read_ahead(
    folders: Sequence[Path], known: Mapping[str, str], broken: BrokenFolders
) -> Iterator[tuple[Path, str, _Found]]:
    """Each folder with its kind and what it holds; None for other kinds than projector.

    Read by another thread while what came before is stored.
    """

    def read(folder: Path) -> tuple[str, _Found]:
        if is_begun(folder):
            return "projector", "running"
        kind = kind_of(folder)
        if kind != "projector":
            return kind, None
        try:
            return kind, read_run(folder, known.get(folder.name))
        except FolderError as reason:
            return kind, reason

    unknown = (folder for folder in folders if not broken.known(folder.name, folder))
    with ThreadPoolExecutor(1) as reader:
        running: deque[tuple[Path, Future[tuple[str, _Found]]]] = deque()
        try:
            for folder in unknown:
                running.append((folder, reader.submit(read, folder)))
                if len(running) > _AHEAD:
                    first, future = running.popleft()
                    yield first, *future.result()
            for first, future in running:
                yield first, *future.result()
        finally:
            reader.shutdown(wait=True, cancel_futures=True)
