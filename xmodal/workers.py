"""Train several runs, one after another or some at a time in processes of their own."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain
from typing import Any

from rich.progress import Progress, TaskID

from taxonomy.errors import ConfigError, XmodalError
from xmodal.jobs import TrainJob, shared_groups, train_group
from xmodal.machine import n_cores
from xmodal.progress import bars
from xmodal.vlm.experiment import RunResult
from xmodal.vlm.group_run import OnRunStep

Mover = Callable[[int, int, float], None]
"""Moves one run's bar to (step, steps in all, loss)."""

_EVERY = 10
"""Steps between two messages of a worker."""

_LINE_EVERY_S = 60.0
"""Seconds between two lines of a run where there is no terminal for a bar."""

_messages: Any = None


def label(job: TrainJob) -> str:
    """A job's name on its progress bar."""
    return f"{job.manifest_id[:8]} {job.lm_init} seed {job.seed}"


def train_jobs(
    jobs: Sequence[TrainJob],
    workers: int = 1,
    labels: Sequence[str] | None = None,
    co_train: str = "auto",
) -> list[RunResult]:
    """Train all jobs, those that share an LM together.

    Args:
        jobs: What to train.
        workers: Groups at a time; more than one share the cores out among processes.
        labels: Names on the progress bars.
        co_train: Runs in a group: a number, or auto.

    Returns:
        One result a job, in the order of the jobs.

    Raises:
        ConfigError: co_train is neither auto nor a number from 1.
        XmodalError: Of the first group that failed, or a process was ended from outside;
            finished runs stay.
    """
    names = labels or [label(job) for job in jobs]
    groups = shared_groups(jobs, group_size(co_train, jobs))
    workers = min(workers, len(groups))
    with bars() as shown:
        tasks = [shown.add_task(name, total=None, note="waits") for name in names]
        movers = [_mover(shown, task) for task in tasks]
        parts = [([jobs[i] for i in places], [movers[i] for i in places]) for places in groups]
        if workers <= 1:
            found = [train_group(part, _each(moves)) for part, moves in parts]
        else:
            found = _in_processes(parts, workers)
    results = dict(zip(chain.from_iterable(groups), chain.from_iterable(found), strict=True))
    return [results[i] for i in range(len(jobs))]


def group_size(co_train: str, jobs: Sequence[TrainJob]) -> int:
    """How many runs train together at most.

    Args:
        co_train: A number from 1, or auto: as many as there are on a GPU, where a group that does
            not fit goes on in halves; one by one on a CPU, where there is nothing to gain.
        jobs: What to train.

    Raises:
        ConfigError: Neither auto nor a number from 1.
    """
    if co_train == "auto":
        on_gpu = any(job.device != "cpu" for job in jobs)
        return max(1, len(jobs)) if on_gpu else 1
    if not co_train.isdecimal() or int(co_train) < 1:
        raise ConfigError(f"co-train must be auto or a whole number from 1, got {co_train!r}")
    return int(co_train)


def _mover(shown: Progress, task: TaskID) -> Mover:
    said = time.monotonic()

    def move(step: int, total: int, loss: float) -> None:
        nonlocal said
        shown.update(task, completed=step, total=total, note=f"loss {loss:.3f}")
        if shown.disable and (step == total or time.monotonic() - said >= _LINE_EVERY_S):
            said = time.monotonic()
            name = shown.tasks[task].description
            shown.console.print(f"{name}: step {step} of {total}, loss {loss:.3f}", highlight=False)

    return move


def _each(movers: Sequence[Mover]) -> OnRunStep:
    def move(place: int, step: int, total: int, loss: float) -> None:
        movers[place](step, total, loss)

    return move


_Part = tuple[list[TrainJob], list[Mover]]
"""The jobs of a group and their bars."""


def _in_processes(parts: Sequence[_Part], workers: int) -> list[list[RunResult]]:
    context = multiprocessing.get_context("spawn")
    messages = context.Queue()
    with (
        _listening(messages, [_each(movers) for _, movers in parts]),
        ProcessPoolExecutor(
            workers, context, _prepare, (messages, max(1, n_cores() // workers))
        ) as pool,
    ):
        futures = [pool.submit(_work, number, jobs) for number, (jobs, _) in enumerate(parts)]
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
def _listening(messages: Any, movers: Sequence[OnRunStep]) -> Iterator[None]:
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
    import torch

    global _messages
    _messages = messages
    torch.set_num_threads(threads)


def _work(number: int, jobs: list[TrainJob]) -> list[RunResult]:
    def on_step(place: int, step: int, total: int, loss: float) -> None:
        if step % _EVERY == 0 or step == total:
            _messages.put((number, place, step, total, loss))

    return train_group(jobs, on_step)
