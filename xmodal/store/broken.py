"""Folders that sync cannot use: left where they are and named.

Damage is not read again until a file of the folder changes.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from xmodal.store.folders import DamageError, FolderError
from xmodal.store.rows import Row

if TYPE_CHECKING:
    from xmodal.store.store import Store

_KNOWN = "SELECT folder, reason, stamp, found_at FROM broken_folder WHERE runs = $runs"
_FORGET = "DELETE FROM broken_folder WHERE runs = $runs"
_STEPS = "SELECT name, sha256 FROM schema_step ORDER BY name"
_TICK_S = 2.0
# a file that changed this short ago may change again without a new time


class BrokenFolderRow(Row):
    """One folder that the last sync refused."""

    runs: str
    folder: str
    reason: str
    stamp: str
    found_at: str


class BrokenFolders:
    """What one sync refuses, held beside what the sync before it refused."""

    def __init__(self, store: Store, runs_dir: Path) -> None:
        self._store = store
        self._runs = runs_name(store, runs_dir)
        rows = store.query(_KNOWN, {"runs": self._runs}).to_pylist()
        self._before = {r["folder"]: BrokenFolderRow(runs=self._runs, **r) for r in rows}
        self._version = str(store.query(_STEPS).to_pylist())
        self._stamps: dict[str, str] = {}
        self._now: dict[str, BrokenFolderRow] = {}

    def known(self, name: str, folder: Path) -> bool:
        """Whether a folder was found damaged before and has not changed; it is refused again."""
        stamp = self._stamps[name] = self._stamp(folder)
        row = self._before.get(name)
        if row is None or not stamp or row.stamp != stamp:
            return False
        self._now[name] = row
        return True

    def refuse(self, name: str, reason: FolderError) -> None:
        """Note why a folder cannot be used; known() was asked before it was read."""
        text = str(reason)
        stamp = self._stamps[name] if isinstance(reason, DamageError) else ""
        old = self._before.get(name)
        same = old is not None and (old.reason, old.stamp) == (text, stamp)
        self._now[name] = BrokenFolderRow(
            runs=self._runs,
            folder=name,
            reason=text,
            stamp=stamp,
            found_at=old.found_at if same and old is not None else _now(),
        )

    def rejected(self) -> tuple[tuple[str, str], ...]:
        """(folder, reason) of all that were refused, in the order in which they were met."""
        return tuple((name, row.reason) for name, row in self._now.items())

    def write(self) -> None:
        """Keep what was refused, unless that is what the store holds."""
        if self._now == self._before:
            return
        with self._store.transaction():
            self._store.execute(_FORGET, {"runs": self._runs})
            self._store.insert_rows("broken_folder", list(self._now.values()))

    def _stamp(self, folder: Path) -> str:
        """Of names, sizes and times of change; empty where that is no proof of sameness.

        The time of change, unlike that of the last writing, cannot be set: a file that is
        restored with its old size and times still counts as changed.
        """
        parts, newest = [self._version], 0.0
        try:
            for entry in sorted(os.scandir(folder), key=lambda one: one.name):
                if entry.name.startswith(".") or entry.is_dir():
                    continue
                state = os.stat(entry.path)
                parts.append(f"{entry.name}|{state.st_size}|{state.st_ctime_ns}|{state.st_ino}")
                newest = max(newest, state.st_ctime)
        except OSError:
            return ""
        if time.time() - newest < _TICK_S:
            return ""
        return sha256("\n".join(parts).encode()).hexdigest()


def runs_name(store: Store, runs_dir: Path) -> str:
    """A folder of runs as the store calls it: from where the store lies, so that both can move."""
    try:
        return Path(
            os.path.relpath(runs_dir.absolute(), Path(store.path).absolute().parent)
        ).as_posix()
    except ValueError:  # another drive
        return runs_dir.absolute().as_posix()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
