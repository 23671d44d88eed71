"""Asking a process of its own, which can be ended whatever it is doing.

DuckDB can be interrupted between two batches of rows, but not while it plans a query or works
out one huge value, and it does not count all its memory. So a query runs in a helper process:
it is told to stop first, and ended where it does not, or where it takes too much memory. The
helper reads only, so that nothing is lost with it.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa

from taxonomy.errors import StoreError
from xmodal.store import frames
from xmodal.store.frames import Request

_GRACE_S = 1.0
"""At most this long after the time limit, as long as the limit at most, the helper is ended."""
_LOOK_S = 0.02
"""Seconds between two looks at clock and memory."""
_KEPT_BYTES = 512 * 2**20
"""A helper that holds more than this after a query is not kept for the next."""
_START_S = 120.0
"""Seconds for the helper to start and to open the store, beside waiting for a lock."""


@dataclass(frozen=True)
class Answer:
    """The result of a query."""

    table: pa.Table
    more: bool
    """Rows were left out, by the limit on rows."""


class Helper:
    """One process that answers one query at a time."""

    def __init__(self) -> None:
        """Start it; it is not waited for."""
        # where the package lies need not be on the path of a plain new interpreter
        root = str(Path(__file__).resolve().parents[2])
        places = [root, *(place or os.getcwd() for place in sys.path)]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "xmodal.store.asked"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(dict.fromkeys(places))},
        )
        self._base_bytes: int | None = None
        self._deadline = 0.0

    def ask(self, request: Request) -> Answer:
        """Run one query; the helper is of no more use where anything but StoreError is raised.

        Raises:
            StoreError: As run_user_query has it.
            RuntimeError: A bug, with the helper's traceback.
        """
        self._deadline = time.monotonic() + _START_S + request.wait_s
        self._base_bytes = None
        try:
            content = pickle.dumps(request)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise StoreError(frames.bad_parameter(error)) from error
        # a helper that has ended says why where it is read from
        with contextlib.suppress(BrokenPipeError):
            _write(self._pipe(self._process.stdin), frames.size(len(content)) + content)
        parts: list[pa.Table] = []
        n_bytes = 0
        while True:
            kind, length = frames.read_header(self._read(frames.HEADER_BYTES, request))
            n_bytes += length
            if n_bytes > request.memory_bytes:
                self._stop(frames.stopped_by_memory(request.memory_bytes))
            frame = self._read(length, request)
            if kind == frames.OPENED:
                self._deadline = time.monotonic() + request.timeout_s
                self._deadline += min(_GRACE_S, request.timeout_s)
                self._base_bytes = self.memory_bytes()
            elif kind == frames.ROWS:
                parts.append(pa.ipc.open_stream(pa.py_buffer(frame)).read_all())
            elif kind == frames.DONE:
                return Answer(pa.concat_tables(parts), frame == b"1")
            elif kind == frames.REFUSED:
                raise StoreError(frame.decode())
            else:
                self.end()
                raise RuntimeError(f"in the process of the query:\n{frame.decode()}")

    def _read(self, n_bytes: int, request: Request) -> bytearray:
        """So many bytes of its answer, while clock and memory are looked at."""
        stdout = self._pipe(self._process.stdout)
        content = bytearray(n_bytes)
        left = memoryview(content)
        looked = time.monotonic()
        while left:
            ready, _, _ = select.select([stdout], [], [], _LOOK_S)
            if ready:
                n_read = stdout.readinto(left)  # type: ignore[attr-defined]
                if not n_read:
                    self._ended()
                left = left[n_read:]
            if not ready or time.monotonic() - looked > _LOOK_S:
                self._look(request)
                looked = time.monotonic()
        return content

    def _look(self, request: Request) -> None:
        if time.monotonic() > self._deadline:
            if self._base_bytes is None:
                self._stop(f"{request.path} cannot be opened: no answer in {_START_S:g} s")
            self._stop(frames.stopped_by_time(request.timeout_s))
        now = self.memory_bytes()
        base = self._base_bytes
        if now is not None and base is not None and now - base > request.memory_bytes:
            self._stop(frames.stopped_by_memory(request.memory_bytes))

    def memory_bytes(self) -> int | None:
        """What it holds in memory; None where the system does not say (it is Linux that does)."""
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return None
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def _stop(self, message: str) -> None:
        self.end()
        raise StoreError(message)

    def _ended(self) -> None:
        status = self._process.wait()
        self.end()
        if status >= 0:
            raise RuntimeError(f"the process of the query ended by itself with status {status}")
        name = signal.Signals(-status).name
        raise StoreError(
            f"query: its process was ended by {name}; nothing is lost, but this query cannot be run"
        )

    @property
    def usable(self) -> bool:
        """Whether it can be asked again."""
        return self._process.poll() is None

    def end(self) -> None:
        """End it, whatever it is doing."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            self._pipe(pipe).close()
        self._process.wait()

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe


def _write(pipe: IO[bytes], content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[pipe.write(left) :]


_lock = threading.Lock()
_idle: dict[int, Helper] = {}
"""By process id: a fork must not speak to its parent's helper."""


def ask(request: Request) -> Answer:
    """The answer of a helper; one is kept for the next query.

    Raises:
        StoreError: As run_user_query has it.
    """
    with _lock:
        helper = _idle.pop(os.getpid(), None)
    if helper is None or not helper.usable:
        helper = Helper()
    try:
        answer = helper.ask(request)
    except StoreError:
        _keep(helper)
        raise
    except BaseException:
        helper.end()
        raise
    _keep(helper)
    return answer


def _keep(helper: Helper) -> None:
    held = helper.memory_bytes() if helper.usable else None
    with _lock:
        if helper.usable and os.getpid() not in _idle and (held or 0) <= _KEPT_BYTES:
            _idle[os.getpid()] = helper
            return
    helper.end()


@atexit.register
def _end_idle() -> None:
    helper = _idle.pop(os.getpid(), None)
    if helper is not None:
        helper.end()
