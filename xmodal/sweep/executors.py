"""Where a sweep's tasks run: processes of this machine, or a SLURM cluster; both by submitit."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from taxonomy.errors import ConfigError, XmodalError, one_line
from taxonomy.hashing import content_id
from taxonomy.model import one_of
from xmodal.files import make_folder
from xmodal.machine import n_cores
from xmodal.provenance import now
from xmodal.sweep.folder import Submission, SweepFolder
from xmodal.sweep.launch import TaskCall

LOCAL, SLURM = "local", "slurm"
ARRAY_MOST = 1000
"""Tasks in one array job; SLURM's default MaxArraySize is 1001."""
_LOOK_S = 0.1
_FOREVER_MIN = 60 * 24 * 365
"""Minutes that a local task may take."""
_OWN = {
    "cpus_per_task": "--cpus", "gpus_per_node": "--gpus, or --gpus 0 and --sbatch gres=gpu:TYPE:N",
    "mem": "--memory-gb", "time": "--time", "partition": "--partition", "account": "--account",
    "qos": "--qos", "job_name": "", "array": "", "output": "", "error": "", "open_mode": "",
    "signal": "", "nodes": "", "ntasks_per_node": "", "requeue": "",
}  # fmt: skip
"""Options of sbatch that other settings decide, and which."""
_REQUEUES = 100
"""How often a task may run out of its time and be queued again."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a task gets, and how many there are at a time."""

    executor: str = LOCAL
    workers: int | None = None
    """Tasks at a time; None for one on this machine, for as many as SLURM gives there."""
    retries: int = 2
    """How often a task that failed is started anew, where it was."""
    gpus: int | None = None
    """Of a task; None for one where torch finds one here, else none."""
    cpus: int | None = None
    """Of a task; None for its share of this machine's, or what SLURM gives."""
    memory_gb: float | None = None
    time_min: int | None = None
    """Minutes of a task on SLURM, after which it is queued again; None for what is estimated."""
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    setup: tuple[str, ...] = ()
    """Shell commands before each task, such as "module load cuda"."""
    sbatch: Mapping[str, str] = field(default_factory=dict)
    """Any other option of sbatch, by name."""

    def __post_init__(self) -> None:
        one_of("executor", self.executor, (LOCAL, SLURM))
        for name, least in (
            ("workers", 1), ("retries", 0), ("gpus", 0), ("cpus", 1), ("time_min", 1),
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"{name} must be at least {least}, got {value}")
        if self.memory_gb is not None and not self.memory_gb > 0:
            raise ConfigError(f"memory_gb must be above 0, got {self.memory_gb}")
        self.further()

    def further(self) -> dict[str, Any]:
        """Other options of sbatch, as submitit wants them; one without a value is a switch."""
        said = {name.replace("-", "_"): value or True for name, value in self.sbatch.items()}
        for name in said:
            if name in _OWN:
                mine = _OWN[name]
                raise ConfigError(
                    f"--sbatch {name} is set by xmodal itself"
                    + (f": give {mine}" if mine else ": leave it out")
                )
        return said

    @property
    def gpus_wanted(self) -> int:
        """GPUs of a task."""
        if self.gpus is not None:
            return self.gpus
        import torch

        return int(torch.cuda.is_available())


# -- SLURM ----------------------------------------------------------------------------------


def job_name(folder: SweepFolder) -> str:
    """The name of a sweep's jobs on the cluster; a copy of its store has other ones."""
    return f"xmodal-{folder.path.name[:8]}-{content_id(str(folder.path.absolute()))[:8]}"


def sbatch_parameters(
    folder: SweepFolder, resources: Resources, seconds: float | None
) -> dict[str, Any]:
    """What submitit is told of a sweep's tasks.

    Args:
        folder: The sweep's.
        resources: As asked for.
        seconds: Of the longest task by estimate; None where nothing was timed.
    """
    minutes = resources.time_min
    if minutes is None:
        # half as much again, and some for reading; what is not done then is queued again
        minutes = 240 if seconds is None else int(15 + 1.5 * seconds / 60)
    said: dict[str, Any] = {
        "job_name": job_name(folder),
        "time": minutes,
        "nodes": 1,
        "ntasks_per_node": 1,
        "stderr_to_stdout": True,
        "signal_delay_s": min(90, 20 * minutes),
        "array_parallelism": resources.workers or ARRAY_MOST,
        "additional_parameters": {"requeue": True, **resources.further()},
    }
    if resources.gpus_wanted:
        said["gpus_per_node"] = resources.gpus_wanted
    if resources.cpus is not None:
        # srun takes no number of cores from its job
        said["cpus_per_task"] = resources.cpus
        said["srun_args"] = [f"--cpus-per-task={resources.cpus}"]
    if resources.memory_gb is not None:
        said["mem"] = f"{max(1, round(resources.memory_gb * 1024))}MB"
    for name in ("partition", "account", "qos"):
        if getattr(resources, name) is not None:
            said[name] = getattr(resources, name)
    if resources.setup:
        said["setup"] = list(resources.setup)
    return said


def sbatch_text(folder: SweepFolder, n_tasks: int, parameters: Mapping[str, Any]) -> str:
    """The batch script that submitit would hand to sbatch for so many tasks."""
    import shlex
    import sys

    from submitit.slurm.slurm import _make_sbatch_string

    command = f"{shlex.quote(sys.executable)} -u -m submitit.core._submit "
    count = {"map_count": n_tasks} if n_tasks > 1 else {}
    said = {**parameters, **count}
    text: str = _make_sbatch_string(
        command=command + shlex.quote(str(folder.jobs)), folder=folder.jobs, **said
    )
    return text


def submit_slurm(
    folder: SweepFolder,
    numbers: Sequence[int],
    resources: Resources,
    parameters: Mapping[str, Any],
) -> list[str]:
    """Hand tasks to SLURM as array jobs.

    What is submitted is noted before and after: a submission that was interrupted in between is
    cancelled by the next call, and made anew.

    Returns:
        The job id of each task.

    Raises:
        ConfigError: There is no SLURM here.
        XmodalError: sbatch refused.
    """
    import submitit

    if shutil.which("sbatch") is None:
        raise ConfigError(
            "sbatch is not here: give --executor slurm on a machine of the cluster, or take local"
        )
    make_folder(folder.jobs, "a sweep's folder of jobs")
    executor = submitit.SlurmExecutor(folder.jobs, max_num_timeout=_REQUEUES)
    executor.update_parameters(**parameters)
    job_ids: list[str] = []
    for start in range(0, len(numbers), ARRAY_MOST):
        part = tuple(numbers[start : start + ARRAY_MOST])
        begun = Submission(
            executor=SLURM, name=job_name(folder), tasks=part, host=socket.gethostname(),
            at=now(),
        )  # fmt: skip
        path = folder.add_submission(begun)
        calls = [TaskCall(str(folder.path), k, resources.retries, resources.cpus) for k in part]
        try:
            # the settings of a job that this may be called from are not those of its jobs, but
            # where SLURM is and what the user always wants stays
            kept = {k: v for k, v in os.environ.items() if k.startswith(("SLURM_CONF", "SBATCH_"))}
            with submitit.helpers.clean_env():
                os.environ.update(kept)
                jobs = executor.submit_array(calls)
        except (submitit.core.utils.FailedJobError, submitit.core.utils.FailedSubmissionError) as e:
            # the note stays, without ids: sbatch may have failed after the job was in
            raise XmodalError(f"sbatch refused the sweep: {one_line(str(e))}") from e
        own = tuple(str(job.job_id) for job in jobs)
        folder.put_submission(path, replace(begun, job_ids=own))
        job_ids += own
    return job_ids


def slurm_queue(folder: SweepFolder) -> dict[str, tuple[str, str]] | None:
    """What SLURM has of a sweep's jobs: (state, reason) by job id.

    Returns:
        None where there is no SLURM.

    Raises:
        XmodalError: squeue does not answer.
    """
    if shutil.which("squeue") is None:
        return None
    command = [
        "squeue", "--array", "--noheader", f"--user={os.getuid()}", f"--name={job_name(folder)}",
        "--states=all", "--format=%i|%T|%r",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except subprocess.TimeoutExpired:
        raise XmodalError("squeue does not answer: ask again later") from None
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip() or f"status {error.returncode}"
        raise XmodalError(f"squeue fails, so that nothing is known of the queue: {said}") from error
    queue = {}
    for line in done.stdout.splitlines():
        job_id, state, reason = line.strip().split("|", 2)
        queue[job_id] = (state, reason)
    return queue


def cancel_slurm(job_ids: Sequence[str]) -> None:
    """End jobs, whatever they are doing.

    Raises:
        XmodalError: scancel fails.
    """
    if not job_ids:
        return
    done = subprocess.run(["scancel", *job_ids], capture_output=True, text=True, check=False)
    if done.returncode:
        raise XmodalError(f"scancel fails: {one_line(done.stderr.strip())}")


# -- this machine ---------------------------------------------------------------------------


def run_local(folder: SweepFolder, numbers: Sequence[int], resources: Resources) -> Iterator[int]:
    """Do tasks on this machine, some at a time, in processes that share its cores.

    Interrupted, it ends what it has started.

    Yields:
        Each task as it ends, well or not.
    """
    import submitit

    make_folder(folder.jobs, "a sweep's folder of jobs")
    workers = min(resources.workers or 1, len(numbers))
    threads = resources.cpus or max(1, n_cores() // max(1, workers))
    executor = submitit.LocalExecutor(folder.jobs, max_num_timeout=_REQUEUES)
    waiting = deque(numbers)
    slots: dict[int, tuple[int, Any]] = {}
    try:
        while waiting or slots:
            if folder.stop.exists():
                waiting.clear()
            while waiting and len(slots) < workers:
                slot = min(set(range(workers)) - slots.keys())
                number = waiting.popleft()
                slots[slot] = number, _start(folder, executor, number, slot, resources, threads)
            for slot, (number, job) in list(slots.items()):
                if job.done():
                    del slots[slot]
                    yield number
            time.sleep(_LOOK_S)
    finally:
        for _, job in slots.values():
            job.cancel()


def _start(
    folder: SweepFolder, executor: Any, number: int, slot: int, resources: Resources, threads: int
) -> Any:
    n_gpus = resources.gpus_wanted
    visible = _visible(slot, n_gpus)
    executor.update_parameters(
        timeout_min=resources.time_min or _FOREVER_MIN, stderr_to_stdout=True,
        setup=list(resources.setup), gpus_per_node=n_gpus, visible_gpus=visible,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        job = executor.submit(TaskCall(str(folder.path), number, resources.retries, threads))
    folder.add_submission(
        Submission(
            executor=LOCAL, name="", tasks=(number,), job_ids=(str(job.job_id),),
            host=socket.gethostname(), at=now(),
        )
    )  # fmt: skip
    return job


def _visible(slot: int, n_gpus: int) -> tuple[int, ...]:
    """The GPUs of a place among the tasks at a time, round the machine's if there are too few."""
    if not n_gpus:
        return ()
    said = [one.strip() for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one]
    if not all(one.isdecimal() for one in said):
        raise ConfigError(
            f"CUDA_VISIBLE_DEVICES must name GPUs by numbers, got {','.join(said)}: set numbers, "
            "or give --gpus 0 and --workers 1"
        )
    import torch

    here = [int(one) for one in said] or list(range(torch.cuda.device_count()))
    if len(here) < n_gpus:
        raise ConfigError(f"gpus must be at most the {len(here)} of this machine, got {n_gpus}")
    return tuple(here[(slot * n_gpus + k) % len(here)] for k in range(n_gpus))


def cancel_local(folder: SweepFolder, number: int, controller: int) -> bool:
    """End a task of this machine: its process, or the one that is about to start it.

    Returns:
        Whether there was one to end.
    """
    pid = folder.pid(number)
    if pid is not None and is_process(pid, "xmodal.sweep.task", str(folder.path)):
        os.kill(pid, signal.SIGTERM)
        return True
    if is_process(controller, "submitit.local._local", str(folder.path)):
        os.kill(controller, signal.SIGINT)
        return True
    return False


def is_process(pid: int, *words: str) -> bool:
    """Whether a process of this machine has these words in its command line."""
    command = ["ps", "-p", str(pid), "-ww", "-o", "command="]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return all(word in done.stdout for word in words)
