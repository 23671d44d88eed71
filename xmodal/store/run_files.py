"""The files of a run's folder, held against what was brought into the store."""

from __future__ import annotations

from pathlib import Path

from xmodal.binding_tables import ACCURACY_FILE, RUN_WEIGHTS
from xmodal.store.folders import FolderError, content_hash, file_sha256
from xmodal.tables import WEIGHTS

HASHED = {
    "projector": ("run.json", "metrics.parquet", "predictions.parquet"),
    "alignment": ("run.json", "metrics.parquet", WEIGHTS),
    "decoder": ("run.json", "metrics.parquet", ACCURACY_FILE, RUN_WEIGHTS),
    "card": ("run.json", "projector.safetensors"),
}
"""By kind of run the files that its content_hash is of, in their order."""
_MORE = {"projector": ("projector.safetensors",)}
"""By kind of run the further files: a sync's hash is not of a projector's weights."""


def file_hashes(folder: Path, kind: str) -> dict[str, str | None]:
    """sha256 of each file of a finished run as it is now; None for one that is gone.

    Args:
        folder: Of the run.
        kind: projector, alignment or decoder.
    """
    found: dict[str, str | None] = {}
    for name in (*HASHED[kind], *_MORE.get(kind, ())):
        try:
            found[name] = file_sha256(folder / name)
        except FolderError:
            found[name] = None
    return found


def as_synced(folder: Path, kind: str, stored: str) -> bool | None:
    """Whether a run's files are still those that were brought in; None if one is gone.

    Args:
        folder: Of the run.
        kind: projector, alignment or decoder.
        stored: Its content_hash.
    """
    try:
        return content_hash(folder, HASHED[kind]) == stored
    except FolderError:
        return None
