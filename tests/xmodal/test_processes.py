"""Processes that work on runs: they end with the one that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

PROGRAM = """
    import multiprocessing, os, signal, sys, threading, time
    from pathlib import Path
    from xmodal.processes import run_parts

    def kill():
        while len(workers := multiprocessing.active_children()) < 2:
            time.sleep(0.01)
        Path(sys.argv[1]).write_text(" ".join(str(one.pid) for one in workers))
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=kill).start()
    run_parts(print, ["a part", "another"], [None, None], 2)
"""


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    """The workers have its stdout: that ends only once all of them have."""
    pids = tmp_path / "pids"
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), str(pids)],
        stdout=subprocess.PIPE, cwd=Path.cwd(),
    )  # fmt: skip
    try:
        parent.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        for pid in pids.read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        raise AssertionError("the workers went on") from None
    assert parent.returncode == -signal.SIGKILL
    assert len(pids.read_text().split()) == 2
