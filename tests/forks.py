"""Processes that start warm, for tests that need many of them or end them."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

# imported once, in a server without threads that every process is forked from
WARM = ("tests.xmodal.store.crowd",)


def context() -> Any:
    """To start processes in, in milliseconds each but for the first."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(list(WARM))
    return found


def lead(work: Callable[..., Any], *given: Any) -> None:
    """Do some work as the leader of a process group, so that all it starts can be ended."""
    os.setsid()
    work(*given)


def start(work: Callable[..., Any], *given: Any) -> Any:
    """A process with a group of its own."""
    process = context().Process(target=lead, args=(work, *given), daemon=False)
    process.start()
    return process


def end_group(process: Any) -> None:
    """End a process of start() and all that it started, as the system does for want of memory."""
    os.killpg(process.pid, signal.SIGKILL)
    process.join()
