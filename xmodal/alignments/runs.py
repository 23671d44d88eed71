"""From the store to alignments and back: what `xmodal align train` does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from xmodal.alignments.jobs import AlignJob, align_jobs
from xmodal.alignments.plan import plan_alignments
from xmodal.jobs import sync_lines
from xmodal.processes import run_each


def train_alignments(store: Path, *, workers: int = 1, **settings: Any) -> Iterator[str]:
    """Train every job and sync.

    Args:
        store: The DuckDB file.
        workers: Runs at a time, a process each.
        **settings: See plan_alignments.

    Yields:
        One line a run, then the sync's counts and problems.
    """
    jobs = plan_alignments(store, **settings)
    for result in run_jobs(jobs, workers):
        yield f"{result.run_id} {'trained' if result.trained else 'is there'}: {result.folder.path}"
    yield from sync_lines(store)


def run_jobs(
    jobs: Sequence[AlignJob], workers: int = 1, labels: Sequence[str] | None = None
) -> list[Any]:
    """Train and score jobs, some at a time; one result a job, in their order."""
    found = run_each(align_jobs, jobs, labels or [_label(job) for job in jobs], workers)
    return [one for (one,) in found]


def _label(job: AlignJob) -> str:
    parts = [job.text_feature_set_id[:8], job.level, job.arm, job.recipe.name, f"seed {job.seed}"]
    return " ".join(part for part in parts if part)
