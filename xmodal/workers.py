"""Train several runs, one after another or some at a time in processes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from taxonomy.errors import ConfigError
from xmodal.jobs import TrainJob, shared_groups, train_group
from xmodal.processes import each, mover, run_parts
from xmodal.progress import bars
from xmodal.vlm.experiment import RunResult


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
    with bars() as shown:
        tasks = [shown.add_task(name, total=None, note="waits") for name in names]
        movers = [mover(shown, task) for task in tasks]
        parts = [[jobs[i] for i in places] for places in groups]
        moves = [each([movers[i] for i in places]) for places in groups]
        found = run_parts(train_group, parts, moves, workers)
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
