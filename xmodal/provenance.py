"""Where a result comes from: versions, commit, command and time."""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def versions() -> dict[str, str]:
    """Of the packages that bear on a result."""
    found = {"python": platform.python_version()}
    for package in ("xmodal", "torch", "transformers", "numpy", "duckdb", "nltk"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def git_commit() -> str | None:
    """Commit of the checkout this package runs from; None outside one.

    An environment may lie inside the checkout of another project: its commit is not ours.
    """
    root = Path(__file__).resolve().parents[1]
    try:
        said = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "--show-prefix", "HEAD"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    below, commit = said.stdout.splitlines()
    return commit if not below else None


def command() -> str:
    """The command line of this process, as it can be given again."""
    return shlex.join(["xmodal", *sys.argv[1:]])


def now() -> str:
    """The time, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
