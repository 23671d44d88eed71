"""How far the tasks of a sweep are: from run folders, what tasks say, and who runs them."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa

from taxonomy.errors import DataError, XmodalError, one_line
from xmodal.jobs import runs_dir
from xmodal.store import Store
from xmodal.sweep.folder import TRAIN, Progress, Submission, SweepFolder, TaskOf, key_of
from xmodal.sweep.launch import TaskFailedError
from xmodal.sweep.local import is_process
from xmodal.sweep.resources import SLURM
from xmodal.sweep.slurm import slurm_queue
from xmodal.vlm.run_folder import RunFolder

PLANNED, WAITING, RUNNING, DONE, FAILED, CANCELLED = (
    *("planned", "waiting", "running", "done", "failed", "cancelled"),
)
LIVE = (WAITING, RUNNING)
_QUEUED = (
    *("PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SUSPENDED", "STOPPED"),
    *("SPECIAL_EXIT", "RESV_DEL_HOLD"),
)
_WORKING = ("RUNNING", "CONFIGURING", "COMPLETING", "STAGE_OUT", "RESIZING", "SIGNALING")
_FRESH_S = 120.0
"""Seconds within which a task of another machine that said something is taken to be running."""
_TAIL_BYTES = 1 << 16
_FAILED = f"{TaskFailedError.__module__}.{TaskFailedError.__name__}: "
_RUN_IDS = """
SELECT run_id
FROM run
WHERE status = 'finished'
"""


@dataclass(frozen=True, kw_only=True)
class TaskState:
    """One task as it stands."""

    task: int
    kind: str
    """train or features."""
    about: str
    state: str
    """planned (never submitted), waiting, running, done, failed or cancelled."""
    n_runs: int
    n_done: int
    step: int | None
    n_steps: int | None
    minutes_left: float | None
    job: str | None
    """Of the latest submission."""
    line: str | None
    """Why it waits, or the last line of its log where it failed."""


def states(folder: SweepFolder) -> list[TaskState]:
    """Every task of a sweep.

    Raises:
        XmodalError: The cluster's queue cannot be asked, or a file of the sweep is damaged.
    """
    sweep = folder.read()
    latest: dict[int, tuple[Submission, str]] = {}
    for _, one in folder.submissions():
        latest |= {k: (one, job) for k, job in zip(one.tasks, one.job_ids, strict=False)}
    on_slurm = any(one.executor == SLURM for one, _ in latest.values())
    queue = slurm_queue(folder) if on_slurm else {}
    stored = _stored(folder.beside / sweep.store)
    return [
        _state(folder, number, task, latest.get(number), queue, stored)
        for number, task in enumerate(sweep.tasks)
    ]


def table(found: Sequence[TaskState]) -> pa.Table:
    """One row a task."""
    rows = [asdict(one) for one in found]
    kinds = {"task": pa.int64(), "n_runs": pa.int64(), "n_done": pa.int64(), "step": pa.int64()}
    kinds |= {"n_steps": pa.int64(), "minutes_left": pa.float64()}
    names = list(TaskState.__dataclass_fields__)
    schema = pa.schema([pa.field(name, kinds.get(name, pa.string())) for name in names])
    return pa.Table.from_pylist(rows, schema=schema)


def summary(found: Sequence[TaskState]) -> str:
    """Tasks by state, and runs, in one line."""
    counts = {state: sum(one.state == state for one in found) for state in
              (DONE, RUNNING, WAITING, PLANNED, FAILED, CANCELLED)}  # fmt: skip
    said = ", ".join(f"{n} {state}" for state, n in counts.items() if n)
    n_done, n_runs = sum(one.n_done for one in found), sum(one.n_runs for one in found)
    what = "runs" if all(one.kind == TRAIN for one in found) else "parts"
    return f"{len(found)} tasks: {said}; {n_done} of {n_runs} {what} finished"


def _stored(store: Path) -> frozenset[str]:
    """Runs that are in the store already, wherever their folders have gone."""
    if not store.is_file():
        return frozenset()
    with Store.open(store, read_only=True) as opened:
        return frozenset(opened.query(_RUN_IDS)["run_id"].to_pylist())


def _state(
    folder: SweepFolder,
    number: int,
    task: TaskOf,
    submitted: tuple[Submission, str] | None,
    queue: Mapping[str, tuple[str, str]] | None,
    stored: frozenset[str],
) -> TaskState:
    progress = folder.progress(number)
    n_runs = len(task.runs) if task.kind == TRAIN else 1
    n_done = _n_done(folder, task, progress, stored)
    state, line = PLANNED, None
    if n_done == n_runs:
        state = DONE
    elif submitted is not None:
        state, line = _standing(folder, number, *submitted, queue, progress)
    elif folder.is_running_here(number):
        state = RUNNING
    begun = progress is not None and progress.n_steps > 0
    left = progress.seconds_left if progress is not None and state == RUNNING else None
    return TaskState(
        task=number,
        kind=task.kind,
        about=task.label(),
        state=state,
        n_runs=n_runs,
        n_done=n_done,
        step=progress.step if progress is not None and begun else None,
        n_steps=progress.n_steps if progress is not None and begun else None,
        minutes_left=None if left is None else round(left / 60, 1),
        job=submitted[1] if submitted else None,
        line=line,
    )


def _n_done(
    folder: SweepFolder, task: TaskOf, progress: Progress | None, stored: frozenset[str]
) -> int:
    if progress is None:
        return 0
    if task.kind != TRAIN:
        return int(progress.finished)
    store = folder.beside / "store"
    run_ids = [progress.runs.get(key_of(run.job(store))) for run in task.runs]
    return sum(
        one is not None and (one in stored or _finished(runs_dir(store) / one)) for one in run_ids
    )


def _finished(path: Path) -> bool:
    folder = RunFolder(path)
    try:
        record = folder.record()
    except DataError:
        return False
    return record is not None and record.get("status") == "finished" and folder.is_whole()


def _standing(
    folder: SweepFolder,
    number: int,
    submission: Submission,
    job: str,
    queue: Mapping[str, tuple[str, str]] | None,
    progress: Progress | None,
) -> tuple[str, str | None]:
    """State and line of a task that was submitted and is not done."""
    said = None
    if submission.executor == SLURM:
        if queue is None:
            raise XmodalError(
                f"task {number} was submitted to SLURM and squeue is not here: ask on a machine of "
                "the cluster"
            )
        said, reason = queue.get(job, (None, None))
        if said in _QUEUED:
            return WAITING, None if reason in (None, "None") else reason
        if said in _WORKING:
            return RUNNING, None
    elif _runs_locally(folder, number, submission, job, progress):
        return RUNNING, None
    if number in submission.cancelled:
        return CANCELLED, None
    why = (progress.error if progress is not None else None) or last_line(folder, job)
    if said in (None, "FAILED", "COMPLETED"):  # the queue knows no better
        return FAILED, why or said
    return FAILED, f"{said}: {why}" if why else said


def _runs_locally(
    folder: SweepFolder,
    number: int,
    submission: Submission,
    job: str,
    progress: Progress | None,
) -> bool:
    if folder.is_running_here(number):
        return True
    if submission.host == socket.gethostname():
        return is_process(int(job), "submitit.local._local", str(folder.path))
    return progress is not None and time.time() - progress.at < _FRESH_S


def log_file(folder: SweepFolder, job: str) -> Path:
    """The log of a job, as submitit calls it."""
    return folder.jobs / f"{job}_0_log.out"


def tail(folder: SweepFolder, job: str, n_lines: int) -> list[str]:
    """The last lines of a job's log, those of submitit itself and empty ones left out."""
    path = log_file(folder, job)
    if not path.is_file():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        text = file.read().decode(errors="replace")
    lines = [line.rstrip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("submitit ")][-n_lines:]


def last_line(folder: SweepFolder, job: str) -> str | None:
    """The last line of a job's log that is not srun's, without the error's class."""
    lines = tail(folder, job, 20)
    found = [line for line in lines if not line.startswith("srun: ")] or lines
    return one_line(found[-1].removeprefix(_FAILED)) if found else None
