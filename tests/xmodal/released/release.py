"""The committed rows of S1's release, and copies of them to damage."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

FIXTURE = Path(__file__).parents[2] / "fixtures" / "s1"
MAIN = "results/main-results"
F1 = f"{MAIN}/macro-f1s"
Edit = Callable[[str], str]


def copy_to(folder: Path) -> Path:
    """A copy of the fixture that a test may change."""
    return Path(shutil.copytree(FIXTURE, folder / "s1"))


def change(root: Path, name: str, edit: Edit) -> Path:
    """Rewrite one file of a copy; the edit must change something."""
    path = root / name
    before = path.read_text()
    after = edit(before)
    assert after != before
    path.write_text(after)
    return path


def without_line(start: str) -> Edit:
    """An edit that drops the lines that begin so."""
    return lambda text: "".join(
        line for line in text.splitlines(keepends=True) if not line.startswith(start)
    )
