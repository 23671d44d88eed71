"""From a declared sweep to tasks: which runs are missing, which belong together, what they take."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from taxonomy.errors import ConfigError
from taxonomy.hashing import content_id
from xmodal.jobs import TrainJob, shared_groups
from xmodal.sweep.chosen import encoders, jobs_of, manifests_of
from xmodal.sweep.declared import Declared, with_manifests
from xmodal.sweep.estimate import Estimate, estimate
from xmodal.sweep.folder import RunOf, SweepFolder, TaskOf, all_sweeps, key_of, sweeps_dir
from xmodal.sweep.status import LIVE, states
from xmodal.sweep.stored import here, stored_runs

TASK_S = 2 * 3600.0
"""Seconds of estimated work that a task gets at most, unless one run alone takes longer."""


@dataclass(frozen=True, kw_only=True)
class Grouping:
    """How runs are dealt out to tasks."""

    task_s: float = TASK_S
    """Estimated seconds of a task at most."""
    runs_per_task: int | None = None
    """So many runs to a task, and nothing is timed; None to go by estimates."""
    co_train: int | None = None
    """Runs in one pass of the LM; None for as many as fit a GPU by estimate, 1 on a CPU."""

    def __post_init__(self) -> None:
        for name in ("task_s", "runs_per_task", "co_train"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ConfigError(f"{name} must be above 0, got {value}")


@dataclass(frozen=True, kw_only=True)
class Task:
    """Runs that one process trains, those that can in one pass together, else one by one."""

    jobs: tuple[TrainJob, ...]
    co_train: int
    seconds: float | None = None
    """By estimate; None where nothing was timed."""
    memory_mb: float | None = None

    def as_said(self) -> TaskOf:
        """As the sweep's file says it."""
        return TaskOf(
            runs=tuple(RunOf.of(job) for job in self.jobs),
            co_train=self.co_train,
            seconds=self.seconds,
            memory_mb=self.memory_mb,
        )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A sweep's runs, and those to be made."""

    name: str
    jobs: tuple[TrainJob, ...]
    """All that are asked for, each once."""
    there: Mapping[int, str]
    """Places of those that the store has, with their run ids."""
    dealt: frozenset[int]
    """Places of those that an earlier call dealt out."""
    tasks: tuple[Task, ...]
    """Of the others."""
    notes: tuple[str, ...] = ()
    """What to tell about questions left out."""
    timed_on: str | None = None
    """The device that estimates are of; None where nothing was timed."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What encoder a feature set is of, by its id."""

    @property
    def sweep_id(self) -> str:
        """Hash of the runs that are asked for."""
        return id_of(self.jobs)

    @property
    def seconds(self) -> float | None:
        """Of all tasks, one after another; None where nothing was timed."""
        said = [task.seconds for task in self.tasks if task.seconds is not None]
        return sum(said) if len(said) == len(self.tasks) else None

    def table(self) -> pa.Table:
        """One row a task."""
        rows = []
        for number, task in enumerate(self.tasks):
            first = task.jobs[0]
            rows.append(
                {
                    "task": number,
                    "lm": first.lm,
                    "lm_init": first.lm_init,
                    "features": self.names.get(first.feature_set_id or "", first.feature_set_id),
                    "recipe": ", ".join(sorted({job.recipe.name for job in task.jobs})),
                    "n_runs": len(task.jobs),
                    "n_manifests": len({job.manifest_id for job in task.jobs}),
                    "co_train": task.co_train,
                    "hours": None if task.seconds is None else round(task.seconds / 3600, 3),
                    "memory_mb": None if task.memory_mb is None else round(task.memory_mb, 1),
                }
            )
        return pa.Table.from_pylist(rows, schema=TABLE)

    def headline(self) -> str:
        """How many runs, how many are there, and how long the others take."""
        n, n_there = len(self.jobs), len(self.there)
        n_dealt = len(self.dealt - self.there.keys())
        before = f", {n_dealt} in its tasks (xmodal sweep status)" if n_dealt else ""
        n_new = sum(len(task.jobs) for task in self.tasks)
        left = f"{n_new} to deal out{before}, {len(self.tasks)} new tasks"
        said = f"sweep {self.sweep_id} ({self.name}): {n} runs, {n_there} in the store, {left}"
        if self.seconds is None or not self.tasks:
            return said
        longest = max(task.seconds or 0.0 for task in self.tasks)
        return (
            f"{said}; about {self.seconds / 3600:.2f} h one after another, {longest / 3600:.2f} h "
            f"the longest task, timed on {self.timed_on}"
        )


TABLE = pa.schema(
    [
        pa.field("task", pa.int64(), nullable=False),
        pa.field("lm", pa.string(), nullable=False),
        pa.field("lm_init", pa.string(), nullable=False),
        pa.field("features", pa.string()),
        pa.field("recipe", pa.string(), nullable=False),
        pa.field("n_runs", pa.int64(), nullable=False),
        pa.field("n_manifests", pa.int64(), nullable=False),
        pa.field("co_train", pa.int64(), nullable=False),
        pa.field("hours", pa.float64()),
        pa.field("memory_mb", pa.float64()),
    ]
)


def id_of(jobs: Sequence[TrainJob]) -> str:
    """Hash of the runs that a sweep asks for."""
    return content_id(["sweep", sorted(key_of(job) for job in jobs)])


def plan_sweep(
    store: Path,
    declared: Declared,
    grouping: Grouping | None = None,
) -> Plan:
    """Every run of a sweep; those that are missing, and in no task of it yet, dealt out to tasks.

    Args:
        store: The DuckDB file.
        declared: What is asked for.
        grouping: How runs are dealt out.

    Raises:
        ConfigError: A setting out of range, or an LM or encoder that is not here.
        StoreError: A manifest or feature set that the store does not hold.
    """
    grouping = grouping or Grouping()
    timed = grouping.runs_per_task is None
    jobs: dict[str, TrainJob] = {}
    notes: list[str] = []
    for block in declared.runs:
        chosen = with_manifests(block, manifests_of(store, block))
        for settings in chosen.settings():
            made, said = jobs_of(store, chosen, settings, load=timed)
            for job in made:  # one run may be asked for twice
                jobs.setdefault(key_of(job), job)
            notes += said
    every = tuple(jobs.values())
    found = stored_runs(store, every, loaded=timed)
    known = SweepFolder(sweeps_dir(store) / id_of(every)).keys()
    dealt = frozenset(i for i, job in enumerate(every) if key_of(job) in known)
    elsewhere, other = _elsewhere(store, every)
    notes += other
    left = [
        job
        for i, job in enumerate(every)
        if i not in found and i not in dealt and i not in elsewhere
    ]
    estimates = estimate([here(job) for job in left]) if timed and left else None
    return Plan(
        name=declared.name,
        jobs=every,
        there=found,
        dealt=dealt,
        tasks=tuple(_tasks(left, estimates, grouping)),
        notes=tuple(dict.fromkeys(notes)),
        timed_on=_device() if estimates else None,
        names=encoders(store),
    )


def _elsewhere(store: Path, jobs: Sequence[TrainJob]) -> tuple[set[int], list[str]]:
    """Places of runs that wait or run in another sweep, and what to tell of them."""
    at = {key_of(job): i for i, job in enumerate(jobs)}
    found: set[int] = set()
    notes = []
    for folder in all_sweeps(store.absolute()):
        if folder.path.name == id_of(jobs):
            continue
        tasks = folder.read().tasks
        runs = [run for task in tasks for run in task.runs if key_of(run.job(store)) in at]
        if not runs:
            continue
        live = {one.task for one in states(folder) if one.state in LIVE}
        keys = {key_of(run.job(store)) for k in live for run in tasks[k].runs} & at.keys()
        if keys:
            found |= {at[key] for key in keys}
            notes.append(
                f"{len(keys)} runs wait or run in sweep {folder.path.name}: left to it; give the "
                "command again when it has ended"
            )
    return found, notes


def _device() -> str:
    """This machine's device, by name."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    return f"this machine's CPU ({torch.get_num_threads()} threads)"


def _tasks(
    jobs: Sequence[TrainJob], estimates: Sequence[Estimate] | None, grouping: Grouping
) -> Iterator[Task]:
    """Runs that share LM and features, cut into tasks of nearly equal work."""
    for places in shared_groups(jobs, max(1, len(jobs))):
        if estimates is None:
            n_tasks = -(-len(places) // (grouping.runs_per_task or 1))
            for part in _cut(places, n_tasks, [1.0] * len(places)):
                size = grouping.co_train or 1
                yield Task(jobs=tuple(jobs[i] for i in part), co_train=min(size, len(part)))
            continue
        fits = grouping.co_train or min(estimates[i].line.together for i in places)
        seconds = [estimates[i].seconds(min(fits, len(places))) for i in places]
        for part in _cut(places, math.ceil(sum(seconds) / grouping.task_s), seconds):
            n = min(fits, len(part))
            yield Task(
                jobs=tuple(jobs[i] for i in part),
                co_train=n,
                seconds=sum(estimates[i].seconds(n) for i in part),
                memory_mb=max(estimates[i].memory_mb(n) for i in part),
            )


def _cut(places: Sequence[int], n: int, weights: Sequence[float]) -> Iterator[list[int]]:
    """Cut a list into n runs of nearly equal weight, none of them empty."""
    n = max(1, min(n, len(places)))
    sums = [0.0, *itertools.accumulate(weights)]
    bounds = [0]
    for k in range(1, n):
        wanted = sums[-1] * k / n
        least, most = bounds[-1] + 1, len(places) - (n - k)
        off = [abs(one - wanted) for one in sums[least : most + 1]]
        bounds.append(least + off.index(min(off)))
    for a, b in itertools.pairwise([*bounds, len(places)]):
        yield list(places[a:b])
