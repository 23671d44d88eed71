"""A sweep's tasks on a SLURM cluster, handed to it by submitit."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from taxonomy.errors import ConfigError, XmodalError, one_line
from taxonomy.hashing import content_id
from xmodal.files import make_folder
from xmodal.provenance import now
from xmodal.sweep.folder import Submission, SweepFolder
from xmodal.sweep.launch import TaskCall
from xmodal.sweep.resources import REQUEUES, SLURM, Resources

ARRAY_MOST = 1000
"""Tasks in one array job; SLURM's default MaxArraySize is 1001."""


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
    executor = submitit.SlurmExecutor(folder.jobs, max_num_timeout=REQUEUES)
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
