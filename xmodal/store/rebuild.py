"""Every table of runs made anew from the folders of runs alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from taxonomy.errors import StoreError
from xmodal.binding_tables import PROBES
from xmodal.store.copies import rewritten
from xmodal.store.references import FOLDER_TABLES
from xmodal.store.sync import SyncReport
from xmodal.tables import EVALUATIONS

if TYPE_CHECKING:
    from xmodal.store.store import Store

_FILLED = (*FOLDER_TABLES, "broken_folder")
_CLEAR = "".join(f"DELETE FROM {table};" for table in _FILLED)  # noqa: S608 -- the names above
_RUNS = """
SELECT run_id AS id
FROM run
UNION ALL
SELECT run_id AS id
FROM align_run
UNION ALL
SELECT run_id AS id
FROM binding_run
UNION ALL
SELECT run_id AS id
FROM card_run
"""
_EVALUATIONS = """
SELECT run_id, evaluation_id
FROM evaluation
UNION ALL
SELECT run_id, evaluation_id
FROM align_evaluation
"""
_PROBES = "SELECT probe_id AS id FROM binding_probe"


@dataclass(frozen=True, kw_only=True)
class RebuildReport:
    """What a rebuild brought in and left behind."""

    sync: SyncReport
    dropped: tuple[str, ...]
    """What was stored and has no folder any more, as sync names folders."""

    def summary(self) -> str:
        """The counts in one line."""
        return f"{self.sync.summary()}, {len(self.dropped)} without a folder dropped"


def rebuild(path: Path, runs_dir: Path, *, drop_missing: bool = False) -> RebuildReport:
    """Make every table of runs anew from their folders; all other tables stay as they are.

    It is done in a copy that takes the store's place at the end. The store stays as it was when
    anything that it holds would be lost.

    Args:
        path: The store.
        runs_dir: Folder of run folders; probes lie beside it.
        drop_missing: Drop what has no folder any more.

    Raises:
        StoreError: Something stored has no folder (unless drop_missing), or one that cannot be
            used; or see rewritten.
    """
    if not runs_dir.is_dir() and not (runs_dir.parent / PROBES).is_dir():
        raise StoreError(f"no folder of runs at {runs_dir}: `xmodal store rebuild` reads from it")
    with rewritten(path) as (old, new):
        clear(new)
        report = new.sync(runs_dir)
        lost = _stored(old) - _stored(new)
        broken = sorted(name for name in lost if _folder(runs_dir, name).is_dir())
        if broken:
            reasons = dict(report.rejected)
            reason = reasons.get(broken[0], "it is not finished, or its run cannot be used")
            raise StoreError(
                f"{path} holds {len(broken)} whose folders cannot be used, such as {broken[0]} "
                f"({reason}): mend or delete these folders; nothing was changed"
            )
        if lost and not drop_missing:
            raise StoreError(
                f"{path} holds {len(lost)} without a folder in {runs_dir}, such as "
                f"{min(lost)}: bring the folders back, or drop these with --drop-missing; "
                "nothing was changed"
            )
    return RebuildReport(sync=report, dropped=tuple(sorted(lost)))


def clear(store: Store) -> None:
    """Remove every row that came from a folder."""
    with store.transaction():
        store.execute_all(_CLEAR)


def _stored(store: Store) -> set[str]:
    """Runs, evaluations and probes, as sync names their folders."""
    evaluations = store.query(_EVALUATIONS).to_pylist()
    return {
        *store.query(_RUNS)["id"].to_pylist(),
        *(f"{one['run_id']}/{EVALUATIONS}/{one['evaluation_id']}" for one in evaluations),
        *(f"{PROBES}/{one}" for one in store.query(_PROBES)["id"].to_pylist()),
    }


def _folder(runs_dir: Path, name: str) -> Path:
    return (runs_dir.parent if name.startswith(f"{PROBES}/") else runs_dir) / name
