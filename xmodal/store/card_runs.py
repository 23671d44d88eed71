"""Shared projectors that a store asks: from their folders, one transaction each, idempotent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xmodal.store.evaluations import remove_evaluations
from xmodal.store.folders import FolderError, check_seal, content_hash, read_record
from xmodal.store.rows import CardRunRecord, CardRunRow
from xmodal.store.run_files import HASHED

if TYPE_CHECKING:
    from xmodal.store.store import Store

_FEATURES = "SELECT dataset_id FROM feature_set WHERE feature_set_id = $id"


def sync_card_run(store: Store, folder: Path, known_hash: str | None) -> str:
    """Bring one shared projector in; its evaluations follow.

    Args:
        store: Open, to write.
        folder: Of the run.
        known_hash: Of what is stored of it; None if nothing is.

    Returns:
        "ingested", "unchanged" or "running".

    Raises:
        FolderError: It cannot be used.
    """
    record = read_record(folder, CardRunRecord, "card_run")
    if record is None:
        return "running"
    found = content_hash(folder, HASHED["card"])
    if found == known_hash:
        return "unchanged"
    check_seal(folder / "run.json")
    row = CardRunRow(**record.values(), content_hash=found)
    datasets = store.query(_FEATURES, {"id": row.feature_set_id})["dataset_id"].to_pylist()
    if row.dataset_id not in datasets:
        raise FolderError(
            f"feature set {row.feature_set_id!r} of dataset {row.dataset_id!r} is not in this store"
        )
    with store.transaction():
        remove_evaluations(store, row.run_id)
        store.execute("DELETE FROM card_run WHERE run_id = $id", {"id": row.run_id})
        store.insert_rows("card_run", [row])
    return "ingested"
