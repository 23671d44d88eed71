"""`xmodal sweep run` and `cancel`: tasks that are not done and not under way are handed out."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from xmodal.files import make_folder, own
from xmodal.provenance import now
from xmodal.store import Store
from xmodal.sweep.executors import (
    SLURM,
    Resources,
    cancel_local,
    cancel_slurm,
    job_name,
    run_local,
    sbatch_parameters,
    sbatch_text,
    slurm_queue,
    submit_slurm,
)
from xmodal.sweep.folder import SweepFolder, SweepOf, TaskOf, sweeps_dir
from xmodal.sweep.plan import Plan, Task
from xmodal.sweep.status import DONE, LIVE, states, summary


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
    jobs = [job for task in plan.tasks for job in task.jobs]
    with Store.open(store, read_only=True) as opened:
        manifests = [
            opened.load_manifest(one) for one in dict.fromkeys(j.manifest_id for j in jobs)
        ]
        datasets = dict.fromkeys(manifest.dataset_id for manifest in manifests)
        folder.inputs.add([opened.load_taxonomy(one) for one in datasets], manifests)
    add_tasks(folder, store, plan.sweep_id, plan.name, [task.as_said() for task in plan.tasks])
    return folder


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
        if resources.executor == SLURM:
            seconds = [sweep.tasks[k].seconds for k in numbers]
            known = [one for one in seconds if one is not None]
            longest = max(known) if len(known) == len(seconds) else None
            parameters = sbatch_parameters(sweep.sweep_id, resources, longest)
            job_ids = submit_slurm(folder, sweep.sweep_id, numbers, resources, parameters)
            jobs = ", ".join(dict.fromkeys(one.split("_")[0] for one in job_ids))
            yield f"{len(numbers)} tasks submitted as job {jobs}: see `xmodal sweep status`"
            return
        yield from _run_here(folder, numbers, resources)


def _run_here(folder: SweepFolder, numbers: Sequence[int], resources: Resources) -> Iterator[str]:
    for n_ended, number in enumerate(run_local(folder, numbers, resources), start=1):
        one = states(folder)[number]
        why = f": {one.line}" if one.line and one.state != DONE else ""
        yield f"task {number} ({one.about}) {one.state}{why}; {n_ended} of {len(numbers)} ended"
    yield summary(states(folder))


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
    parameters = sbatch_parameters(folder.path.name, resources, longest)
    return sbatch_text(folder, len(seconds), parameters)


def _drop_orphans(folder: SweepFolder) -> None:
    """Cancel jobs of submissions that were interrupted before their ids were noted."""
    begun = [(path, one) for path, one in folder.submissions() if not one.job_ids]
    if not begun:
        return
    noted = {job for _, one in folder.submissions() for job in one.job_ids}
    queue = slurm_queue(job_name(folder.read().sweep_id))
    cancel_slurm(sorted(job for job in queue if job not in noted))
    for path, _ in begun:
        path.unlink()


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
            for _, job in mine:
                cancel_local(int(job))
        else:
            yield f"task {mine[0][0]} runs on {one.host}: cancel it there"
            continue
        ended = (*one.cancelled, *(k for k, _ in mine))
        folder.put_submission(path, replace(one, cancelled=ended))
        yield from (f"task {k} cancelled (job {job})" for k, job in mine)
    if not chosen:
        yield "no task waits or runs"
