"""Runs that ship with the package: text-trained small decoders, to start from."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from xmodal.binding.run_folder import BindingFolder
from xmodal.bundle.files import data_folder


def ships(run_id: str) -> bool:
    """Whether a run comes with the package."""
    return (data_folder("binding") / run_id).is_dir()


def lay_shipped(run_id: str, runs_dir: Path) -> bool:
    """Put a shipped run's folder among the runs, unless something is there.

    A shipped run has the id that its command gives on any machine: the same recipe and seed.

    Args:
        run_id: Of the run that is wanted.
        runs_dir: Folder of run folders.

    Returns:
        Whether it was put there now.
    """
    if not ships(run_id) or (runs_dir / run_id).exists():
        return False
    runs_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".shipped-", dir=runs_dir) as name:
        made = Path(name) / run_id
        shutil.copytree(data_folder("binding") / run_id, made)
        try:
            os.replace(made, runs_dir / run_id)
        except OSError:
            if not (runs_dir / run_id).exists():
                raise
            return False  # another process was faster
    return True


def shipped_runs() -> list[BindingFolder]:
    """Every run that ships, by id."""
    return [
        BindingFolder(path) for path in sorted(data_folder("binding").iterdir()) if path.is_dir()
    ]
