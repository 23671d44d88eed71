"""From the store to trained decoders and back: what `xmodal binding train` does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from xmodal.binding.run import BindingResult
from xmodal.bindings.dry_run import said_of
from xmodal.bindings.jobs import BindingJob, binding_jobs, check_jobs
from xmodal.bindings.plan import plan_binding
from xmodal.jobs import sync_lines
from xmodal.processes import check_workers, run_each
from xmodal.store import Store


def train_binding(
    store: Path, *, workers: int = 1, dry_run: bool = False, **settings: Any
) -> Iterator[str]:
    """Train every job and sync.

    Args:
        store: The DuckDB file; made if it is not there.
        workers: Jobs at a time, a process each.
        dry_run: Say what would be trained, and train nothing.
        **settings: See plan_binding.

    Yields:
        One line a run, then the sync's counts and problems.

    Raises:
        ConfigError: A setting that does not exist or does not fit, said before any training.
        DataError: A folder that is needed is damaged.
        StoreError: No such scene set, or a store that cannot be written.
    """
    check_workers(workers)
    plan = plan_binding(store, **settings)
    pictures = check_jobs((*plan.starts, *plan.jobs))
    if dry_run:
        if store.exists():
            Store.open(store, read_only=True).close()  # refused now, as it would be then
        yield from said_of(plan, pictures)
        return
    with Store.open(store):
        pass  # a store that cannot be written is said before the work
    for results in (run_jobs(plan.starts, workers), run_jobs(plan.jobs, workers)):
        for result in results:
            said = "trained" if result.trained else "is there"
            yield f"{result.run_id} {said}: {result.folder.path}"
    yield from sync_lines(store)


def run_jobs(jobs: Sequence[BindingJob], workers: int = 1) -> list[BindingResult]:
    """Train jobs, some at a time; the results of all runs in their order."""
    found = run_each(binding_jobs, jobs, [job.label() for job in jobs], workers)
    return [result for part in found for results in part for result in results]
