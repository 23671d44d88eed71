"""`xmodal sweep run` and `cancel`: tasks that are not done and not under way are handed out."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from taxonomy.errors import XmodalError
from xmodal.files import TakenError, make_folder, own
from xmodal.provenance import now
from xmodal.store import Store
from xmodal.sweep.folder import SweepFolder, SweepOf, TaskOf, key_of, sweeps_dir
from xmodal.sweep.local import cancel_local, run_local
from xmodal.sweep.plan import Plan, Task
from xmodal.sweep.resources import SLURM, Resources
from xmodal.sweep.slurm import (
    cancel_slurm,
    sbatch_parameters,
    sbatch_text,
    slurm_queue,
    submit_slurm,
)
from xmodal.sweep.status import DONE, FAILED, LIVE, states, summary


def folder_of(store: Path, plan: Plan) -> SweepFolder:
    """Where a plan's sweep lies, begun or not."""
    return SweepFolder(sweeps_dir(store.absolute()) / plan.sweep_id)


def begin(store: Path, plan: Plan) -> SweepFolder:
    """Write a plan's new tasks, and what they read, beside the store.

    Raises:
        NoRoomError: The disk is full; the sweep is as it was.
    """
    folder = folder_of(store, plan)
    make_folder(folder.path, "a sweep's folder")
    with own(folder.path, "hands out"):
        # another command may have dealt runs out since the plan was made
        dealt = folder.keys()
        tasks = [
            replace(task, jobs=left, co_train=min(task.co_train, len(left)))
            for task in plan.tasks
            if (left := tuple(job for job in task.jobs if key_of(job) not in dealt))
        ]
        add_tasks(folder, store, plan.sweep_id, plan.name, [task.as_said() for task in tasks])
    return folder


def _write_inputs(folder: SweepFolder, numbers: Sequence[int]) -> None:
    """Write what tasks read and is not there, or was found damaged."""
    sweep = folder.read()
    tasks = [sweep.tasks[k] for k in numbers]
    manifests = dict.fromkeys(run.manifest_id for task in tasks for run in task.runs)
    wanted = [one for one in manifests if not folder.inputs.has(one)]
    datasets = dict.fromkeys(task.dataset_id for task in tasks if task.dataset_id is not None)
    with Store.open(folder.beside / sweep.store, read_only=True) as opened:
        of = {row["manifest_id"]: row["dataset_id"] for row in opened.manifests().to_pylist()}
        datasets |= dict.fromkeys(of[one] for one in manifests if one in of)
        taxonomies = [opened.load_taxonomy(one) for one in datasets if not folder.inputs.has(one)]
        folder.inputs.add(taxonomies, [opened.load_manifest(one) for one in wanted])


def add_tasks(
    folder: SweepFolder, store: Path, sweep_id: str, name: str, tasks: Sequence[TaskOf]
) -> None:
    """Write a sweep's file, or add tasks to it."""
    before = folder.read() if folder.exists() else None
    if before is not None and not tasks:
        return
    folder.write(
        SweepOf(
            sweep_id=sweep_id,
            name=name,
            store=store.name,
            folder=os.getcwd(),
            created_at=before.created_at if before else now(),
            tasks=(*(before.tasks if before else ()), *tasks),
        )
    )


def hand_out(folder: SweepFolder, resources: Resources) -> Iterator[str]:
    """Run the tasks that are not done and not under way, here or on the cluster.

    Args:
        folder: A sweep that was begun.
        resources: Where, and what a task gets.

    Yields:
        What is done, in lines; on this machine each task as it ends.

    Raises:
        DataError: Another process hands out tasks of the sweep.
        XmodalError: The cluster refuses.
    """
    with own(folder.path, "hands out"):
        folder.stop.unlink(missing_ok=True)
        _drop_orphans(folder)
        sweep = folder.read()
        found = states(folder)
        numbers = [one.task for one in found if one.state not in (*LIVE, DONE)]
        under_way = sum(one.state in LIVE for one in found)
        if under_way:
            yield f"{under_way} tasks are under way: left alone"
        if not numbers:
            yield summary(found)
            return
        _write_inputs(folder, numbers)
        os.utime(folder.path / "sweep.json")  # the latest sweep is the one last handed out
        if resources.executor == SLURM:
            if resources.gpus is None:
                yield f"a task asks for {resources.gpus_wanted} GPUs, as here (--gpus)"
            seconds = [sweep.tasks[k].seconds for k in numbers]
            known = [one for one in seconds if one is not None]
            longest = max(known) if len(known) == len(seconds) else None
            parameters = sbatch_parameters(folder, resources, longest)
            job_ids = submit_slurm(folder, numbers, resources, parameters)
            jobs = ", ".join(dict.fromkeys(one.split("_")[0] for one in job_ids))
            yield f"{len(numbers)} tasks submitted as job {jobs}: see `xmodal sweep status`"
            return
        yield from _run_here(folder, numbers, resources)


def _run_here(folder: SweepFolder, numbers: Sequence[int], resources: Resources) -> Iterator[str]:
    for n_ended, number in enumerate(run_local(folder, numbers, resources), start=1):
        try:
            one = states(folder)[number]
        except XmodalError:  # the store is in use for long: no reason to end the others
            yield f"task {number} ended; {n_ended} of {len(numbers)} ended"
            continue
        why = f": {one.line}" if one.line and one.state != DONE else ""
        yield f"task {number} ({one.about}) {one.state}{why}; {n_ended} of {len(numbers)} ended"
    yield summary(states(folder))


def check_ended(folder: SweepFolder, resources: Resources) -> None:
    """Raise XmodalError if tasks that were run on this machine failed."""
    if resources.executor == SLURM:
        return
    failed = [str(one.task) for one in states(folder) if one.state == FAILED]
    if failed:
        raise XmodalError(
            f"tasks failed: {', '.join(failed)}; see `xmodal sweep logs {failed[0]}`, and give the "
            "command again to go on"
        )


def script(folder: SweepFolder, tasks: Sequence[Task | TaskOf], resources: Resources) -> str:
    """The batch script for what would be submitted now; nothing is written.

    Args:
        folder: The sweep's, begun or not.
        tasks: New ones.
        resources: What a task gets.
    """
    old = states(folder) if folder.exists() else []
    known = folder.read().tasks if folder.exists() else ()
    left = [known[one.task].seconds for one in old if one.state not in (*LIVE, DONE)]
    seconds = [*left, *(task.seconds for task in tasks)]
    if not seconds:
        return "# nothing is left to submit"
    said = [one for one in seconds if one is not None]
    longest = max(said) if len(said) == len(seconds) else None
    parameters = sbatch_parameters(folder, resources, longest)
    return sbatch_text(folder, len(seconds), parameters)


def _drop_orphans(folder: SweepFolder) -> None:
    """Cancel jobs of submissions that were interrupted before their ids were noted."""
    begun = [(path, one) for path, one in folder.submissions() if not one.job_ids]
    if not begun:
        return
    noted = {job for _, one in folder.submissions() for job in one.job_ids}
    queue = slurm_queue(folder)
    if queue is None:
        raise XmodalError(
            f"{folder.path} has a submission to SLURM that was interrupted, and squeue is not "
            "here: give the command on a machine of the cluster"
        )
    cancel_slurm(sorted(job for job in queue if job not in noted))
    for path, _ in begun:
        path.unlink()


def _end_begun(folder: SweepFolder) -> Iterator[str]:
    """End the jobs of a submission that was interrupted; one that is under way is told."""
    try:
        with own(folder.path, "hands out"):
            _drop_orphans(folder)
    except TakenError:
        if any(not one.job_ids for _, one in folder.submissions()):
            yield "tasks are being submitted: give the command again"


def cancel(folder: SweepFolder, tasks: Sequence[int] = ()) -> Iterator[str]:
    """End tasks that wait or run; what they saved stays, and `sweep run` goes on from there.

    Args:
        folder: The sweep.
        tasks: Their numbers; none for all.

    Raises:
        XmodalError: The cluster refuses.
    """
    if not tasks:
        folder.stop.touch()
        yield from _end_begun(folder)
    live = {one.task: one for one in states(folder) if one.state in LIVE}
    chosen = [k for k in live if not tasks or k in tasks]
    for path, one in folder.submissions():
        mine = [
            (k, job) for k, job in zip(one.tasks, one.job_ids, strict=False)
            if k in chosen and live[k].job == job
        ]  # fmt: skip
        if not mine:
            continue
        if one.executor == SLURM:
            cancel_slurm([job for _, job in mine])
        elif one.host == socket.gethostname():
            ended = {k for k, job in mine if cancel_local(folder, k, int(job))}
            yield from (f"task {k} is not to be found here" for k, _ in mine if k not in ended)
            mine = [(k, job) for k, job in mine if k in ended]
        else:
            yield f"task {mine[0][0]} runs on {one.host}: cancel it there"
            continue
        cancelled = (*one.cancelled, *(k for k, _ in mine))
        folder.put_submission(path, replace(one, cancelled=cancelled))
        yield from (f"task {k} cancelled (job {job})" for k, job in mine)
    if not chosen:
        yield "no task waits or runs"
