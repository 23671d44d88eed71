"""Run folders into a store, whatever command asks for it. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

from xmodal.store import Store, SyncReport
from xmodal.store.scan import scan
from xmodal.taught import note_taught


def sync_store(store: Path, runs: Path | None = None) -> SyncReport:
    """Bring finished runs into a store, and note what the embedded LMs of its runs were taught.

    Args:
        store: The DuckDB file.
        runs: Folder of run folders; the one beside the store if None.
    """
    folder = runs or store.parent / "runs"
    scanned = scan(folder)
    with Store.open(store) as opened:
        report = opened.sync(folder, scanned)
        note_taught(opened)
    return report
