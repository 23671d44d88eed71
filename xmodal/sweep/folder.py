"""sweeps/<sweep id>/ beside a store: the tasks of a sweep, what they read, and how far they are.

Everything that a node needs lies here and in the folders of features and runs. Files appear whole;
each is written by one process: the plan and the submissions by the one that submits, a task's own
folder by the task.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from taxonomy.errors import DataError, StoreError
from taxonomy.hashing import content_id
from taxonomy.reading import read_object, record_of
from xmodal.features.config import FeatureConfig
from xmodal.files import is_owned, make_folder, write_whole
from xmodal.jobs import TrainJob
from xmodal.store.ids import resolve_id
from xmodal.sweep.inputs import Inputs
from xmodal.vlm.recipes import Recipe

TRAIN, FEATURES = "train", "features"


def key_of(job: TrainJob) -> str:
    """What makes a run of a sweep the run it is, before weights and features are read."""
    said = {**asdict(RunOf.of(job)), "recipe": job.recipe.as_dict()}
    return content_id({name: value for name, value in said.items() if name != "device"})


def sweeps_dir(store: Path) -> Path:
    """Where the sweeps of a store lie: beside it."""
    return store.parent / "sweeps"


@dataclass(frozen=True, kw_only=True)
class RunOf:
    """One run of a task, as a file says it; see TrainJob."""

    manifest_id: str
    lm: str
    lm_init: str
    revision: str | None
    recipe: Recipe
    prompt: str
    feature_set_id: str | None
    device: str
    seed: int

    @classmethod
    def of(cls, job: TrainJob) -> RunOf:
        """The run of a job."""
        return cls(**{name: getattr(job, name) for name in cls.__dataclass_fields__})

    def job(self, store: Path) -> TrainJob:
        """The job of a store."""
        given = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return TrainJob(store=store, **given)


@dataclass(frozen=True, kw_only=True)
class TaskOf:
    """One task, as a file says it: runs to train, or a part of a dataset's features."""

    kind: str = TRAIN
    runs: tuple[RunOf, ...] = ()
    co_train: int = 1
    seconds: float | None = None
    memory_mb: float | None = None
    dataset_id: str | None = None
    config: FeatureConfig | None = None
    part: tuple[int, int] | None = None
    """Which of how many, from 1."""
    device: str = "auto"
    """Of features; runs have their own."""
    skip_bad: bool = False

    def label(self) -> str:
        """What the task is about, in a few words."""
        if self.kind == FEATURES:
            assert self.config is not None
            assert self.part is not None
            return f"{self.config.encoder}, part {self.part[0]}/{self.part[1]}"
        first = self.runs[0]
        return f"{first.lm}, {first.lm_init}"


@dataclass(frozen=True, kw_only=True)
class SweepOf:
    """The whole sweep, as sweep.json says it."""

    sweep_id: str
    name: str
    store: str
    """Name of the DuckDB file beside the folder of sweeps."""
    folder: str
    """Where the command was given: names of local LMs may be relative to it."""
    created_at: str
    tasks: tuple[TaskOf, ...]


@dataclass(frozen=True, kw_only=True)
class Submission:
    """Tasks that were given to an executor in one go."""

    executor: str
    name: str
    """Of the job, by which a submission is found that was interrupted."""
    tasks: tuple[int, ...]
    job_ids: tuple[str, ...] = ()
    """Of the tasks, in their order; none while it is being submitted."""
    host: str = ""
    at: str = ""
    cancelled: tuple[int, ...] = ()
    """Of the tasks, those that the user ended."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a task is, as it says itself."""

    runs: Mapping[str, str]
    """Key of a run to its run id, of those that were begun."""
    step: int = 0
    n_steps: int = 0
    """Of all its runs, as far as they are known; for features pictures."""
    seconds_left: float | None = None
    host: str = ""
    at: float = 0.0
    """Seconds since 1970."""
    finished: bool = False
    error: str | None = None
    """Why it ended before its time, in one line."""
    user_error: bool = False
    """The error will come again until the user mends it."""


class SweepFolder:
    """One sweep's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    # -- what it is -------------------------------------------------------------------------

    def read(self) -> SweepOf:
        """The sweep.

        Raises:
            DataError: Its file is damaged.
        """
        path = self.path / "sweep.json"
        return record_of(SweepOf, read_object(path), str(path))

    def write(self, sweep: SweepOf) -> None:
        """Write sweep.json, whole or not at all."""
        make_folder(self.path, "a sweep's folder")
        self._write(self.path / "sweep.json", asdict(sweep))

    def exists(self) -> bool:
        """Whether the sweep has been begun."""
        return (self.path / "sweep.json").is_file()

    def keys(self) -> frozenset[str]:
        """Of every run in its tasks; see key_of."""
        if not self.exists():
            return frozenset()
        store = self.beside
        return frozenset(key_of(run.job(store)) for task in self.read().tasks for run in task.runs)

    @property
    def inputs(self) -> Inputs:
        """What its tasks read."""
        return Inputs(self.path / "inputs")

    @property
    def jobs(self) -> Path:
        """Where submitit keeps its files, logs among them."""
        return self.path / "jobs"

    @property
    def beside(self) -> Path:
        """The folder of the store, its runs and features."""
        return self.path.parent.parent

    # -- submissions ------------------------------------------------------------------------

    def submissions(self) -> list[tuple[Path, Submission]]:
        """Every submission with its file, oldest first."""
        paths = sorted((self.path / "submissions").glob("[0-9]*.json"))
        return [(path, record_of(Submission, read_object(path), str(path))) for path in paths]

    def add_submission(self, submission: Submission) -> Path:
        """A new submission's file."""
        folder = self.path / "submissions"
        make_folder(folder, "a sweep's folder of submissions")
        numbers = [int(path.stem) for path in folder.glob("[0-9]*.json")]
        path = folder / f"{max(numbers, default=0) + 1:04d}.json"
        self.put_submission(path, submission)
        return path

    def put_submission(self, path: Path, submission: Submission) -> None:
        """Write a submission's file anew."""
        self._write(path, asdict(submission))

    @property
    def stop(self) -> Path:
        """A file that tells a command that hands out tasks here to start no more of them."""
        return self.path / "stop"

    # -- tasks ------------------------------------------------------------------------------

    def task_folder(self, number: int) -> Path:
        """A task's own folder; only the task writes there."""
        return self.path / "tasks" / f"{number:04d}"

    def progress(self, number: int) -> Progress | None:
        """How far a task is; None if it never began."""
        path = self.task_folder(number) / "progress.json"
        if not path.is_file():
            return None
        return record_of(Progress, read_object(path), str(path))

    def write_progress(self, number: int, progress: Progress) -> None:
        """Say how far a task is."""
        said = asdict(replace(progress, at=time.time()))
        self._write(self.task_folder(number) / "progress.json", said)

    def pid(self, number: int) -> int | None:
        """The process that works on a task, or did, on the machine where it runs."""
        try:
            return int((self.task_folder(number) / "pid").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def write_pid(self, number: int) -> None:
        """Note that this process works on a task."""
        path = self.task_folder(number) / "pid"
        write_whole(path, lambda made: made.write_text(str(os.getpid())))

    def is_running_here(self, number: int) -> bool:
        """Whether a process of this machine, or one whose locks reach it, works on a task."""
        return is_owned(self.task_folder(number))

    @staticmethod
    def _write(path: Path, said: Mapping[str, Any]) -> None:
        text = json.dumps(said, indent=1)
        write_whole(path, lambda made: made.write_text(text))


def find_sweep(store: Path, given: str | None) -> SweepFolder:
    """A store's sweep by its id or the beginning of it; the latest one when None.

    Raises:
        StoreError: There is none, or the id is unknown or ambiguous.
    """
    found = {path.parent.name: path for path in sweeps_dir(store).glob("*/sweep.json")}
    if not found:
        raise StoreError(f"{store} has no sweep yet: begin one with `xmodal sweep run`")
    if given is None:
        latest = max(found.values(), key=lambda path: path.stat().st_mtime)
        return SweepFolder(latest.parent)
    return SweepFolder(found[resolve_id("sweep", given, sorted(found))].parent)


def all_sweeps(store: Path) -> Iterator[SweepFolder]:
    """Every sweep of a store, by id."""
    for path in sorted(sweeps_dir(store).glob("*/sweep.json")):
        yield SweepFolder(path.parent)


def check_tasks(numbers: Sequence[int], n_tasks: int) -> None:
    """Raise DataError unless a sweep has these tasks."""
    for number in numbers:
        if not 0 <= number < n_tasks:
            raise DataError(f"the sweep has tasks 0 to {n_tasks - 1}, got {number}")
