"""What a store's file is and what lies beside it, in few lines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import sql
from xmodal.store.folders import FolderError, is_begun, read_json
from xmodal.store.on_disk import broken_beside

if TYPE_CHECKING:
    from xmodal.store.store import Store

_N_RUNS = """
SELECT
    (SELECT count(*) FROM run)
    + (SELECT count(*) FROM align_run)
    + (SELECT count(*) FROM binding_run)
    + (SELECT count(*) FROM card_run) AS n
"""


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """A store's file and the folders of runs beside it."""

    n_bytes: int
    schema: str
    """The last schema file that made it."""
    n_runs: int
    """In the store, of every kind but released ones."""
    n_finished: int
    n_unfinished: int
    n_broken: int
    """Run folders beside it: each is one of the three."""
    broken: tuple[tuple[str, str], ...]
    """(folder, reason) of what the last sync refused, evaluations and probes too."""

    def lines(self) -> list[str]:
        """For the reader."""
        return [
            f"file: {self.n_bytes} bytes, schema {self.schema}",
            f"runs: {self.n_runs} in the store; of the folders beside it {self.n_finished} "
            f"finished, {self.n_unfinished} unfinished, {self.n_broken} broken",
            *(f"  broken {name}: {reason}" for name, reason in self.broken),
        ]


def inventory(store: Store, runs_dir: Path) -> Inventory:
    """Count what lies beside a store. Only records are read.

    Args:
        store: Open, to read.
        runs_dir: Folder of run folders; it need not be there.
    """
    broken = dict(broken_beside(store, runs_dir))
    counts = {"finished": 0, "unfinished": 0, "broken": 0}
    for folder in sorted(runs_dir.iterdir()) if runs_dir.is_dir() else ():
        if folder.is_dir() and not folder.name.startswith("."):
            counts["broken" if folder.name in broken else _state(folder)] += 1
    path = Path(store.path)
    return Inventory(
        n_bytes=path.stat().st_size if path.is_file() else 0,
        schema=sql.names("schema")[-1],
        n_runs=int(store.query(_N_RUNS)["n"][0].as_py()),
        n_finished=counts["finished"],
        n_unfinished=counts["unfinished"],
        n_broken=counts["broken"],
        broken=tuple(broken.items()),
    )


def _state(folder: Path) -> str:
    if is_begun(folder):
        return "unfinished"
    try:
        said = read_json(folder / "run.json").get("status")
    except FolderError:
        return "broken"
    return "finished" if said == "finished" else "unfinished"
