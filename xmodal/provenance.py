"""Where a result comes from: versions, commit, command and time."""

from __future__ import annotations

import functools
import json
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

SETUP = "setup"
"""Key of run.json: machine and checkout, see setup()."""


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
    said = _git("rev-parse", "--show-prefix", "HEAD")
    if said is None:
        return None
    below, commit = said.splitlines()
    return commit if not below else None


@functools.cache
def git_dirty() -> bool | None:
    """Whether files under version control differ from the commit; None where there is none.

    Asked once a process: what it computes with is what was there when it began.
    """
    if git_commit() is None:
        return None
    said = _git("status", "--porcelain", "--untracked-files=no")
    return None if said is None else bool(said.strip())


def _git(*arguments: str) -> str | None:
    """What git says about the folder that this package lies in; None if it cannot."""
    root = Path(__file__).resolve().parents[1]
    try:
        said = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout


def setup(device: str, precision: str, together: Sequence[str] = ()) -> dict[str, Any]:
    """What of this machine bears on the last bits of a run, for its run.json.

    Args:
        device: Where the run computes.
        precision: float32 or bfloat16.
        together: Ids of the runs that train in one, in their order; none for a run alone.

    Returns:
        Columns of run_setup but run_id.
    """
    import torch

    if device.startswith("cuda"):
        processor = torch.cuda.get_device_name(torch.device(device))
    else:
        processor = torch.backends.cpu.get_cpu_capability()
    return {
        "git_dirty": git_dirty(),
        "threads": torch.get_num_threads(),
        "precision": precision,
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": processor,
        "together_json": json.dumps(list(together)) if len(together) > 1 else None,
    }


def command() -> str:
    """The command line of this process, as it can be given again."""
    return shlex.join(["xmodal", *sys.argv[1:]])


def now() -> str:
    """The time, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
