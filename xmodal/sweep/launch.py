"""What submitit calls on a node: a task in a process of its own, started anew when it fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-u", "-m", "xmodal.sweep.task")
"""Starts a task's own process; its options, folder and number follow."""
_GRACE_S = 20.0
"""Seconds that a process has to end once it is told to."""
_STOPPED = tuple(-one for one in (signal.SIGTERM, signal.SIGINT))


def tell(line: str) -> None:
    """Say something in a task's log."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _deafen() -> None:
    """Let a child pass over signals that go to every process of a job and that its parent answers.

    SLURM ends nobody by SIGTERM alone: it comes first where a job must make way, and SIGKILL later.
    """
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    if os.environ.get("SUBMITIT_EXECUTOR") == "slurm":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


class TaskFailedError(RuntimeError):
    """A task ended before its time."""


class TaskCall:
    """One task of a sweep, for an executor of submitit; small enough to pickle.

    The work is done by a child, so that nothing that ends it (a fault of the GPU, want of memory)
    ends the retries too. Told by submitit that its time is up or that another job comes first, the
    child is ended, and the job queued again: what it saved last is where it goes on.
    """

    def __init__(self, folder: str, number: int, retries: int, threads: int | None = None) -> None:
        self.folder = folder
        self.number = number
        self.retries = retries
        self.threads = threads
        self._child: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Do the task.

        Returns:
            How often it was started anew.

        Raises:
            TaskFailedError: It failed more often than it may, in a way that will come again, or
                was stopped from outside.
        """
        for attempt in range(self.retries + 1):
            code = self._once()
            if code == 0:
                return attempt
            if code in _STOPPED:
                raise TaskFailedError(f"task {self.number} was stopped from outside")
            if error := self._user_error():
                raise TaskFailedError(f"task {self.number}: {error}")
            tell(f"task {self.number} ended with status {code}, attempt {attempt + 1}")
        raise TaskFailedError(f"task {self.number} failed {self.retries + 1} times")

    def checkpoint(self) -> Any:
        """Called by submitit when the job must make way: end the child, and come back later."""
        import submitit

        self._end()
        again = TaskCall(self.folder, self.number, self.retries, self.threads)
        return submitit.helpers.DelayedSubmission(again)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_child": None}

    def _once(self) -> int:
        threads = [] if self.threads is None else ["--threads", str(self.threads)]
        command = [*COMMAND, *threads, self.folder, str(self.number)]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, preexec_fn=_deafen)
        try:
            return self._child.wait()
        finally:
            self._end()

    def _end(self) -> None:
        """End the child, if there is one.

        By its number and not through Popen: a signal's handler calls this while wait holds the
        lock of Popen, for which it would wait in vain.
        """
        child, self._child = self._child, None
        if child is None or child.returncode is not None:
            return
        assert child.stdin is not None
        child.stdin.close()  # it ends when nobody holds the other end
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(child.pid, signal.SIGTERM)
            until = time.monotonic() + _GRACE_S
            while os.waitpid(child.pid, os.WNOHANG) == (0, 0):
                if time.monotonic() > until:
                    os.kill(child.pid, signal.SIGKILL)
                time.sleep(0.05)

    def _user_error(self) -> str | None:
        """The error that will come again, if the child ended with one.

        Read without the package's own readers: this process stays small beside its child.
        """
        path = Path(self.folder) / "tasks" / f"{self.number:04d}" / "progress.json"
        try:
            said = json.loads(path.read_text())
        except (OSError, ValueError):
            return None
        return str(said["error"]) if said.get("user_error") else None
