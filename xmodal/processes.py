"""Runs in processes of their own, some at a time, with their bars in this one."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from rich.progress import Progress, TaskID

from taxonomy.errors import ConfigError, XmodalError
from xmodal.machine import n_cores
from xmodal.progress import bars

T = TypeVar("T")
R = TypeVar("R")
Mover = Callable[[int, int, float], None]
"""Moves one run's bar to (step, steps in all, loss)."""
OnStep = Callable[[int, int, int, float], None]
"""Called with (place among the runs of a part, step, steps in all, loss)."""
Work = Callable[[T, OnStep | None], R]

_EVERY = 10
"""Steps between two messages of a worker."""

_LINE_EVERY_S = 60.0
"""Seconds between two lines of a run where there is no terminal for a bar."""

_messages: Any = None


def mover(shown: Progress, task: TaskID) -> Mover:
    """What moves a bar, or says a line a minute where there is none."""
    said = time.monotonic()

    def move(step: int, total: int, loss: float) -> None:
        nonlocal said
        shown.update(task, completed=step, total=total, note=f"loss {loss:.3f}")
        if shown.disable and (step == total or time.monotonic() - said >= _LINE_EVERY_S):
            said = time.monotonic()
            name = shown.tasks[task].description
            shown.console.print(f"{name}: step {step} of {total}, loss {loss:.3f}", highlight=False)

    return move


def each(movers: Sequence[Mover]) -> OnStep:
    """One function for the bars of the runs of a part."""

    def move(place: int, step: int, total: int, loss: float) -> None:
        movers[place](step, total, loss)

    return move


def run_parts(
    work: Work[T, R], parts: Sequence[T], movers: Sequence[OnStep], workers: int
) -> list[R]:
    """Work on all parts, here or in processes that share the cores out.

    Args:
        work: Called with (part, what to call after each step); a function of a module.
        parts: What to work on; small enough to send to a process.
        movers: Of each part, what to call after each step.
        workers: Parts at a time; 1 works in this process.

    Returns:
        One result a part, in their order.

    Raises:
        XmodalError: Of the first part that failed, or a process was ended from outside.
    """
    workers = min(workers, len(parts))
    if workers <= 1:
        return [work(part, move) for part, move in zip(parts, movers, strict=True)]
    context = multiprocessing.get_context("spawn")
    messages = context.Queue()
    with (
        _listening(messages, movers),
        ProcessPoolExecutor(
            workers, context, _prepare, (messages, max(1, n_cores() // workers))
        ) as pool,
    ):
        futures = [pool.submit(_work, work, number, part) for number, part in enumerate(parts)]
        try:
            return [future.result() for future in futures]
        except BrokenProcessPool as error:
            raise XmodalError(
                "a training process was ended from outside, often for want of memory; run the "
                f"command again to go on, with fewer workers than {workers}"
            ) from error
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def check_workers(workers: int) -> None:
    """Raise ConfigError unless something can be worked on at a time."""
    if workers < 1:
        raise ConfigError(f"workers must be at least 1, got {workers}")


def run_each(
    work: Work[list[T], R], jobs: Sequence[T], labels: Sequence[str], workers: int
) -> list[R]:
    """Work on jobs one by one, some at a time, with a bar each; see run_parts.

    Args:
        work: Called with (list of one job, what to call after each step).
        jobs: What to work on.
        labels: What the bars are called.
        workers: Jobs at a time.

    Raises:
        ConfigError: workers is below 1.
    """
    check_workers(workers)
    if not jobs:
        return []
    with bars() as shown:
        moves = [mover(shown, shown.add_task(name, total=None, note="waits")) for name in labels]
        return run_parts(work, [[job] for job in jobs], [each([m]) for m in moves], workers)


@contextlib.contextmanager
def _listening(messages: Any, movers: Sequence[OnStep]) -> Iterator[None]:
    """Move the bars by the workers' messages."""

    def listen() -> None:
        while (message := messages.get()) is not None:
            number, place, step, total, loss = message
            movers[number](place, step, total, loss)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield
    finally:
        messages.put(None)
        thread.join(timeout=5)


def _prepare(messages: Any, threads: int) -> None:
    """Set a worker process up."""
    end_with_parent()
    import torch

    global _messages
    _messages = messages
    torch.set_num_threads(threads)


def end_with_parent() -> None:
    """End this process as soon as the one that started it has ended, however it did.

    Else a worker whose parent was killed would go on, and hold its runs.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, name="end with parent", daemon=True).start()


def _work(work: Work[T, R], number: int, part: T) -> R:
    def on_step(place: int, step: int, total: int, loss: float) -> None:
        if step % _EVERY == 0 or step == total:
            _messages.put((number, place, step, total, loss))

    return work(part, on_step)
