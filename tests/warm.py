"""A process that has imported everything: it starts a command in milliseconds, which can be killed.

Each command runs in a process group of its own, forked from a server that has no threads.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

SERVE = "from tests.warm import serve; serve()"


def serve() -> None:
    """Start the commands that stdin names, one after the other, and say how each ended."""
    import torch

    from cli.main import app
    from xmodal import manifests, pipeline, taxonomies, workers  # noqa: F401 -- to have them
    from xmodal.lms.causal import load_lm
    from xmodal.vlm import group_run

    # these import as much again when first used
    load_lm(sys.argv[1])
    torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])

    group_run.SAVE_EVERY_S = 0.0
    for line in sys.stdin:
        said = json.loads(line)
        pid = os.fork()
        if not pid:
            os.setpgid(0, 0)
            os._exit(_run(app, said["arguments"], said["log"], said["file_bytes"]))
        os.setpgid(pid, pid)
        print(pid, flush=True)
        print(os.waitpid(pid, 0)[1], flush=True)


def _run(app: Callable[..., Any], arguments: list[str], log: str, file_bytes: int | None) -> int:
    """In the forked process: run a command with its output in a file."""
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number, handle in enumerate((os.open(os.devnull, os.O_RDONLY), out, out)):
        os.dup2(handle, number)
    if file_bytes is not None:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    sys.argv = ["xmodal", *arguments]
    status = 0
    try:
        app(arguments)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        status = 70
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return status


class Warm:
    """The server and the command that it runs."""

    def __init__(self, environment: dict[str, str], lm: Path, log: Path) -> None:
        self._log = log
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(lm)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._pid = 0

    def start(self, *arguments: str | Path, file_bytes: int | None = None) -> None:
        """Begin a command; the one before must have ended.

        Args:
            *arguments: Of the command.
            file_bytes: How large a file it may write, for what happens where there is no room.
        """
        said = {
            "arguments": [str(one) for one in arguments],
            "log": str(self._log),
            "file_bytes": file_bytes,
        }
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(json.dumps(said) + "\n")
        stdin.flush()
        self._pid = int(self._line())

    def wait(self) -> int:
        """How the command ended: its exit status, or less than 0 for the signal."""
        return os.waitstatus_to_exitcode(int(self._line()))

    def kill(self) -> bool:
        """End the command and all that it started, now; False if it had ended by itself."""
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(self._pid, signal.SIGKILL)
        return self.wait() == -signal.SIGKILL

    def run(self, *arguments: str | Path, file_bytes: int | None = None) -> float:
        """Run a command to its end; the seconds it took.

        Raises:
            AssertionError: It failed, with what it said.
        """
        start = time.monotonic()
        self.start(*arguments, file_bytes=file_bytes)
        status = self.wait()
        assert status == 0, self.said()
        return time.monotonic() - start

    def said(self) -> str:
        """The output of the last command."""
        return self._log.read_text()

    def close(self) -> None:
        """End the server."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _line(self) -> str:
        stdout: IO[str] | None = self._process.stdout
        assert stdout is not None
        return stdout.readline()
