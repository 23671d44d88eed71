"""Train several runs, one after another or some at a time in processes of their own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from rich.progress import Progress, TaskID

from taxonomy.errors import XmodalError
from xmodal.pipeline import TrainJob, train_job
from xmodal.progress import bars
from xmodal.vlm.experiment import OnStep, RunResult

_EVERY = 10
"""Steps between two messages of a worker."""

_LINE_EVERY_S = 60.0
"""Seconds between two lines of a run where there is no terminal for a bar."""

_messages: Any = None


def n_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def label(job: TrainJob) -> str:
    """A job's name on its progress bar."""
    return f"{job.manifest_id[:8]} {job.lm_init} seed {job.seed}"


def train_jobs(
    jobs: Sequence[TrainJob], workers: int = 1, labels: Sequence[str] | None = None
) -> list[RunResult]:
    """Train all jobs.

    Args:
        jobs: What to train.
        workers: Runs at a time; more than one share the cores out among processes.
        labels: Names on the progress bars.

    Returns:
        One result a job, in the order of the jobs.

    Raises:
        XmodalError: Of the first job that failed, or a process was ended from outside;
            finished runs stay.
    """
    names = labels or [label(job) for job in jobs]
    workers = min(workers, len(jobs))
    with bars() as shown:
        tasks = [shown.add_task(name, total=None, note="waits") for name in names]
        if workers <= 1:
            return [
                train_job(job, _mover(shown, task)) for job, task in zip(jobs, tasks, strict=True)
            ]
        return _in_processes(jobs, workers, shown, tasks)


def _mover(shown: Progress, task: TaskID) -> OnStep:
    said = time.monotonic()

    def move(step: int, total: int, loss: float) -> None:
        nonlocal said
        shown.update(task, completed=step, total=total, note=f"loss {loss:.3f}")
        if shown.disable and (step == total or time.monotonic() - said >= _LINE_EVERY_S):
            said = time.monotonic()
            name = shown.tasks[task].description
            shown.console.print(f"{name}: step {step} of {total}, loss {loss:.3f}", highlight=False)

    return move


def _in_processes(
    jobs: Sequence[TrainJob], workers: int, shown: Progress, tasks: Sequence[TaskID]
) -> list[RunResult]:
    context = multiprocessing.get_context("spawn")
    messages = context.Queue()
    with (
        _listening(messages, shown, tasks),
        ProcessPoolExecutor(
            workers, context, _prepare, (messages, max(1, n_cores() // workers))
        ) as pool,
    ):
        futures = [pool.submit(_work, number, job) for number, job in enumerate(jobs)]
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


@contextlib.contextmanager
def _listening(messages: Any, shown: Progress, tasks: Sequence[TaskID]) -> Iterator[None]:
    """Move the bars by the workers' messages."""

    movers = [_mover(shown, task) for task in tasks]

    def listen() -> None:
        while (message := messages.get()) is not None:
            number, step, total, loss = message
            movers[number](step, total, loss)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield
    finally:
        messages.put(None)
        thread.join(timeout=5)


def _prepare(messages: Any, threads: int) -> None:
    """Set a worker process up."""
    import torch

    global _messages
    _messages = messages
    torch.set_num_threads(threads)


def _work(number: int, job: TrainJob) -> RunResult:
    def on_step(step: int, total: int, loss: float) -> None:
        if step % _EVERY == 0 or step == total:
            _messages.put((number, step, total, loss))

    return train_job(job, on_step)
