"""A process that has imported everything: it starts a command in milliseconds, which can be killed.

Each command runs in a process group of its own, forked from a server that has no threads.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

SERVE = "from tests.warm import serve; serve()"


def serve() -> None:
    """Start the commands that stdin names, one after the other, and say how each ended."""
    import pandas  # noqa: F401 -- pyarrow looks for it
    from PIL import PngImagePlugin  # noqa: F401
    from typer.main import get_command

    from cli.main import app
    from taxonomy.wordnet import WordNet
    from xmodal import manifests, taxonomies  # noqa: F401 -- to have them
    from xmodal.bundle import wordnet_files
    from xmodal.store import Store  # noqa: F401

    command = get_command(app)
    WordNet.open(wordnet_files.wordnet_dir())
    if lm := sys.argv[1]:
        _warm_training(lm)
    for line in sys.stdin:
        said = json.loads(line)
        pid = os.fork()
        if not pid:
            os.setpgid(0, 0)
            os._exit(_run(command, said["arguments"], said["log"], said["file_bytes"]))
        os.setpgid(pid, pid)
        print(pid, flush=True)
        print(os.waitpid(pid, 0)[1], flush=True)


def _warm_training(lm: str) -> None:
    import torch

    from xmodal import pipeline, workers  # noqa: F401
    from xmodal.lms.causal import load_lm
    from xmodal.vlm import group_run

    # these import as much again when first used
    load_lm(lm)
    torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])
    group_run.SAVE_EVERY_S = 0.0


def _run(
    command: Callable[..., Any], arguments: list[str], log: str, file_bytes: int | None
) -> int:
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
        command(arguments)
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

    def __init__(self, environment: dict[str, str], lm: Path | None, log: Path) -> None:
        """Start it; with an LM it can train, and saves after every step."""
        self._log = log
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(lm or "")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
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
        stdin.write(json.dumps(said).encode() + b"\n")
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

    def is_running(self) -> bool:
        """Whether the command has not ended yet."""
        return not select.select([self._process.stdout], [], [], 0)[0]

    def _line(self) -> bytes:
        """Byte by byte: what is read ahead would be hidden from is_running()."""
        assert self._process.stdout is not None
        found = b""
        while not found.endswith(b"\n"):
            one = os.read(self._process.stdout.fileno(), 1)
            assert one, "the server has ended"
            found += one
        return found
