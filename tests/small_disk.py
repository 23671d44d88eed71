"""Disks with little room: a small file system of its own, or a limit on the size of files."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def files_at_most(n_bytes: int) -> Iterator[None]:
    """No file of this process grows beyond this; Python ignores the signal for it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def mounted(folder: Path, n_bytes: int) -> Iterator[str | None]:
    """A file system of a few MB at a folder; yields why there is none, where there cannot be."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={n_bytes}", "none", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        why = done.stderr.strip() if done.returncode else None
    except OSError as error:
        why = str(error)
    yield why and f"needs a small disk to mount, as root or under `unshare -rm`: {why}"
    if why is None:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(folder: Path, n_left: int) -> Iterator[None]:
    """The disk of a folder has only so many bytes left."""
    ballast = folder / ".ballast"
    state = os.statvfs(folder)
    ballast.write_bytes(bytes(max(0, state.f_bavail * state.f_frsize - n_left)))
    try:
        yield
    finally:
        ballast.unlink()
