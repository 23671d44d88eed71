"""Taking turns at a store, so that who waits to write is neither starved nor in a crowd.

Readers who come and go would keep the file open between them for ever, and each look whether
DuckDB's lock is free costs milliseconds. So the one writer who is next has a gate: a hidden file
beside the store with a lock on it. Only the writer who has it looks often. Other writers wait at
the gate, and so do readers who come, for half of their time at most: a gate delays, it refuses
nobody. The lock ends with its process, so a gate that a killed one left stops no one.
"""

from __future__ import annotations

import os
import random
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

try:
    import fcntl
except ImportError:  # no such locks on this system: whoever is lucky is next
    fcntl = None  # type: ignore[assignment]

_PAUSE_S = 0.05
"""Between two looks, at most."""
_NEXT_PAUSE_S = 0.01
"""Of the writer who is next."""
_READER_SHARE = 0.5
"""Of its time that a reader waits at the gate."""


class Turn:
    """One opener's wait for a store."""

    def __init__(self, path: Path, *, read_only: bool, wait_s: float) -> None:
        self._gate = path.with_name(f".{path.name}.wait")
        self._read_only = read_only
        self._wait_s = wait_s
        self._start = time.monotonic()
        self._mine: int | None = None

    def __enter__(self) -> Turn:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    def come(self) -> None:
        """Return when it is this one's turn to try, or its time is over."""
        share = _READER_SHARE if self._read_only else 1.0
        while self._mine is None and self._left_s(share) > 0 and self._is_taken():
            self._sleep(_PAUSE_S)

    def refused(self) -> None:
        """The store is in use: wait a little; who wants to write is next from here on."""
        if not self._read_only and self._mine is None:
            self._mine = self._take(make=True)
        self._sleep(_PAUSE_S if self._mine is None else _NEXT_PAUSE_S)

    def is_over(self) -> bool:
        """Whether the time to wait has passed."""
        return self._left_s() <= 0

    def _left_s(self, share: float = 1.0) -> float:
        return self._start + share * self._wait_s - time.monotonic()

    def _sleep(self, longest_s: float) -> None:
        # shorter with time, so that who has waited long comes first; by chance, so that those
        # who were refused together do not come back together
        longest_s *= max(0.2, self._left_s() / self._wait_s if self._wait_s else 0.0)
        time.sleep(min(random.uniform(0.3, 1.0) * longest_s, max(0.0, self._left_s())))

    def _is_taken(self) -> bool:
        """Whether another waits to write; a writer who finds the gate free has it then."""
        if not self._gate.exists():
            return False
        if not self._read_only:
            self._mine = self._take(make=False)
            return self._mine is None and self._gate.exists()
        try:
            handle = os.open(self._gate, os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # a file system without locks
            return False
        finally:
            os.close(handle)
        return False

    def _take(self, *, make: bool) -> int | None:
        """A handle on the gate, locked; None where it cannot be had."""
        if fcntl is None:
            return None
        try:
            handle = os.open(self._gate, os.O_RDWR | (os.O_CREAT if make else 0), 0o666)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # who had it may have removed the file since it was opened here
            if os.path.samestat(os.fstat(handle), self._gate.stat()):
                return handle
        except OSError:
            pass
        os.close(handle)
        return None

    def _leave(self) -> None:
        if self._mine is None:
            return
        with suppress(OSError):
            self._gate.unlink()
        os.close(self._mine)
        self._mine = None
