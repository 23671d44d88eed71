"""What run folders hold, by hash, read before a store is opened to write.

Others wait for as long as a store is open. Hashing all folders needs no store; a sync then only
reads those whose hashes are not the stored ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xmodal.store.folders import FolderError, content_hash, kind_said, read_json
from xmodal.store.run_files import HASHED
from xmodal.tables import ANSWERS, COMPOSITIONS, EVALUATION, EVALUATIONS

if TYPE_CHECKING:
    from xmodal.store.store import Store

_SCORED = {
    "projector": ("predictions.parquet",),
    "alignment": (ANSWERS, COMPOSITIONS),
    "decoder": (),
    "card": ("predictions.parquet",),
}
"""By kind of run the tables that an evaluation may hold."""
_STORED = """
SELECT
    run_id,
    evaluation_id,
    content_hash
FROM evaluation
UNION ALL
SELECT
    run_id,
    evaluation_id,
    content_hash
FROM align_evaluation
"""


@dataclass(frozen=True)
class Scan:
    """The hashes of finished runs and of their evaluations."""

    runs: Mapping[str, tuple[str, Mapping[str, str]]]
    """By folder: the run's content hash, and those of its evaluations by their folders."""

    def settled(self, store: Store, known: Mapping[str, str]) -> frozenset[str]:
        """The folders of which everything is stored as it was when they were scanned.

        Args:
            store: Open, to read.
            known: Content hash of each run that is stored.
        """
        evaluations: dict[str, dict[str, str]] = {}
        for row in store.query(_STORED).to_pylist():
            evaluations.setdefault(row["run_id"], {})[row["evaluation_id"]] = row["content_hash"]
        return frozenset(
            name
            for name, (found, scored) in self.runs.items()
            if known.get(name) == found and scored.items() <= evaluations.get(name, {}).items()
        )


def scan(runs_dir: Path) -> Scan:
    """Hash every finished run under runs_dir; a folder that cannot be used is left out."""
    found = {}
    for folder in sorted(runs_dir.iterdir()) if runs_dir.is_dir() else ():
        if folder.name.startswith(".") or not folder.is_dir():
            continue
        try:
            found[folder.name] = _hashes(folder)
        except (FolderError, OSError):  # the sync says why
            continue
    return Scan(found)


def _hashes(folder: Path) -> tuple[str, dict[str, str]]:
    kind = kind_said(read_json(folder / "run.json"))
    scored = {}
    for one in (folder / EVALUATIONS).iterdir() if (folder / EVALUATIONS).is_dir() else ():
        if not one.name.startswith(".") and (one / EVALUATION).is_file():
            if not one.resolve().is_relative_to(folder.resolve()):
                raise FolderError("it is a link that leads out of the run's folder")
            there = [name for name in _SCORED[kind] if (one / name).is_file()]
            scored[one.name] = content_hash(one, (EVALUATION, *there))
    return content_hash(folder, HASHED[kind]), scored
