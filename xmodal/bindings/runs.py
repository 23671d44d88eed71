"""From the store to trained decoders and back: what `xmodal binding train` does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from taxonomy.errors import ConfigError
from xmodal.binding.run import BindingResult
from xmodal.bindings.jobs import BindingJob, binding_jobs
from xmodal.bindings.plan import Plan, plan_binding
from xmodal.jobs import sync_lines
from xmodal.processes import run_each
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
    """
    plan = plan_binding(store, **settings)
    if dry_run:
        yield from said_of(plan)
        return
    for job in (*plan.starts, *plan.jobs):
        if job.device == "cpu" and job.recipe.precision == "bfloat16":
            raise ConfigError(
                "precision bfloat16 is for GPUs: give --set precision=float32, or --size small"
            )
    with Store.open(store):
        pass  # a store that cannot be written is said before the work
    for results in (run_jobs(plan.starts, workers), run_jobs(plan.jobs, workers)):
        for result in results:
            said = "trained" if result.trained else "is there"
            yield f"{result.run_id} {said}: {result.folder.path}"
    yield from sync_lines(store)


def said_of(plan: Plan) -> Iterator[str]:
    """What a plan would train: steps and answered questions of each job, and all of it."""
    total, n_runs = 0.0, 0
    for job in (*plan.starts, *plan.jobs):
        recipe = job.recipe
        stages = ", ".join(f"{stage.name} {stage.n_steps}" for stage in recipe.stages)
        n = sum(
            recipe.batch_size * min(recipe.n_questions, recipe.n_objects(step))
            for step in range(recipe.n_steps)
        )
        yield f"{job.label()}: {recipe.n_steps} steps ({stages}), {n:,} questions a run"
        total += n * len(job.seeds)
        n_runs += len(job.seeds)
    yield f"{n_runs} runs, {total:,.0f} questions"


def run_jobs(jobs: Sequence[BindingJob], workers: int = 1) -> list[BindingResult]:
    """Train jobs, some at a time; the results of all runs in their order."""
    found = run_each(binding_jobs, jobs, [job.label() for job in jobs], workers)
    return [result for part in found for results in part for result in results]
