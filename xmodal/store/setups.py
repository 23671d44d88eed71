"""What a run's folder says of the machine and the checkout that it was trained with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xmodal.provenance import SETUP
from xmodal.store.folders import FolderError, checked, read_json
from xmodal.store.rows import Row

if TYPE_CHECKING:
    from xmodal.store.store import Store


class RunSetupRow(Row):
    """Machine and checkout of one run."""

    run_id: str
    git_dirty: bool | None
    threads: int
    precision: str
    platform: str
    processor: str


def read_setup(folder: Path) -> RunSetupRow | None:
    """What run.json says of it; None for runs of before it was kept.

    Args:
        folder: Of a finished run of any kind.

    Raises:
        FolderError: It is not what is written there.
    """
    path = folder / "run.json"
    said = read_json(path).get(SETUP)
    if said is None:
        return None
    if not isinstance(said, dict):
        raise FolderError(f"{path.name}: {SETUP} must be an object, got {said!r}")
    return checked({**said, "run_id": folder.name}, RunSetupRow, path, "run_setup")


def replace_setup(store: Store, run_id: str, row: RunSetupRow | None) -> None:
    """Write it over what is stored of a run. Call in a transaction."""
    store.execute("DELETE FROM run_setup WHERE run_id = $id", {"id": run_id})
    if row is not None:
        store.insert_rows("run_setup", [row])
