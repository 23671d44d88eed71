"""What the commands of `xmodal sweep` call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from taxonomy.errors import DataError
from xmodal.jobs import runs_dir
from xmodal.sweep.declared import Declared
from xmodal.sweep.features import note_sets
from xmodal.sweep.folder import SweepFolder, check_tasks, find_sweep
from xmodal.sweep.plan import Grouping, plan_sweep
from xmodal.sweep.resources import LOCAL, Resources
from xmodal.sweep.run import begin, cancel, check_ended, folder_of, hand_out, script
from xmodal.sweep.status import states, summary, table, tail
from xmodal.syncing import sync_store


def run_sweep(
    store: Path,
    sweep: str | None,
    declared: Declared | None,
    grouping: Grouping,
    resources: Resources,
    *,
    dry_run: bool = False,
) -> Iterator[str]:
    """Run what a sweep lacks; see xmodal.sweep.run.

    Args:
        store: The DuckDB file.
        sweep: Id of a sweep that was begun, or its beginning; None to go by declared.
        declared: What is asked for.
        grouping: How runs are dealt out to tasks.
        resources: Where tasks run, and what they get.
        dry_run: Show the batch script, and do nothing.

    Yields:
        What is done, in lines.

    Raises:
        XmodalError: Of tasks that were run here, some failed.
    """
    begun = find_sweep(store.absolute(), sweep) if declared is None else None
    if dry_run and begun is not None:
        yield script(begun, (), resources)
        return
    if not dry_run and runs_dir(store).is_dir():
        sync_store(store)
    if begun is not None:
        folder = begun
    else:
        assert declared is not None
        plan = plan_sweep(store, declared, grouping)
        if dry_run:
            yield script(folder_of(store, plan), plan.tasks, resources)
            return
        yield from (*plan.notes, plan.headline())
        folder = begin(store, plan)
    yield from hand_out(folder, resources)
    yield from note_sets(folder)
    if resources.executor == LOCAL and runs_dir(store).is_dir():
        report = sync_store(store)
        yield from (report.summary(), *report.problems())
    check_ended(folder, resources)


def status_of(store: Path, sweep: str | None) -> tuple[pa.Table, str]:
    """Each task of a sweep, and all of them in a line."""
    folder = find_sweep(store.absolute(), sweep)
    found = states(folder)
    said = folder.read()
    return table(found), f"sweep {said.sweep_id} ({said.name}): {summary(found)}"


def cancel_sweep(store: Path, sweep: str | None, tasks: Sequence[int]) -> Iterator[str]:
    """End tasks of a sweep; all of them if none are named."""
    folder = find_sweep(store.absolute(), sweep)
    check_tasks(tasks, len(folder.read().tasks))
    yield from cancel(folder, tasks)


def logs_of(store: Path, sweep: str | None, task: int, n_lines: int) -> list[str]:
    """The end of a task's latest log.

    Raises:
        DataError: There is no such task, or it has not begun.
    """
    folder: SweepFolder = find_sweep(store.absolute(), sweep)
    check_tasks([task], len(folder.read().tasks))
    job = states(folder)[task].job
    lines = tail(folder, job, n_lines) if job else []
    if not lines:
        raise DataError(f"task {task} has no log yet: it has not begun")
    return lines
