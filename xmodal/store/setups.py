"""What a run's folder says of the machine and the checkout that it was trained with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from taxonomy.errors import DataError
from taxonomy.reading import parse_json, short
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
    together_json: str | None


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
        raise FolderError(f"{path.name}: {SETUP} must be an object, got {short(said)}")
    row = checked({**said, "run_id": folder.name}, RunSetupRow, path, "run_setup")
    if row.together_json is not None and folder.name not in _ids(row.together_json):
        raise FolderError(
            f"{path.name}: together_json must be a JSON list of run ids, {folder.name} among "
            f"them, got {row.together_json!r}"
        )
    return row


def _ids(text: str) -> list[str]:
    """The texts of a JSON list; none if it is something else."""
    try:
        said = parse_json(text, "together_json")
    except DataError:
        return []
    return said if isinstance(said, list) and all(isinstance(one, str) for one in said) else []


def replace_setup(store: Store, run_id: str, row: RunSetupRow | None) -> None:
    """Write it over what is stored of a run. Call in a transaction."""
    store.execute("DELETE FROM run_setup WHERE run_id = $id", {"id": run_id})
    if row is not None:
        store.insert_rows("run_setup", [row])
