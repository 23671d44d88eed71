"""What runs will take on the machine at hand, from a few timed steps of each kind of run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import torch

from xmodal.jobs import TrainJob, run_specs
from xmodal.vlm.cost import Calibration, calibrate, step_cost
from xmodal.vlm.experiment import RunSpec, prepare
from xmodal.vlm.trainer import Trainer

_TOGETHER = 4
"""Runs that are timed together on a GPU, to see what one more of them adds."""
_FULL = 0.85
"""Share of a GPU's memory that runs together may fill by estimate."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """What a step of some runs in one pass takes: a straight line over their number."""

    step_s: float
    """Of one run alone."""
    more_step_s: float = 0.0
    """What each more run adds."""
    memory_mb: float
    """Of the process on a CPU, allocated on a GPU."""
    more_memory_mb: float = 0.0
    together: int = 1
    """Runs that fit in one pass; 1 on a CPU, where there is nothing to gain."""


@dataclass(frozen=True)
class Estimate:
    """What one run takes."""

    line: Line
    """Of its kind of run."""
    n_steps: float
    """Of training, and scoring in units of them."""

    def seconds(self, n: int) -> float:
        """Its share of a pass of n runs, to the end."""
        return self.n_steps * (self.line.step_s + (n - 1) * self.line.more_step_s) / n

    def memory_mb(self, n: int) -> float:
        """Of a pass of n runs like it."""
        return self.line.memory_mb + (n - 1) * self.line.more_memory_mb


def estimate(jobs: Sequence[TrainJob]) -> list[Estimate]:
    """Time a few steps of each kind of run, and count the steps of each run.

    Runs of one LM, features, prompt and recipe are of one kind, whatever their manifests, seeds
    and the LM's weights.

    Args:
        jobs: The runs; their devices are here, and their features extracted.

    Returns:
        One a job. Scoring counts as a third of a training step for as many questions, as its pass
        has no backward half.
    """
    kinds: dict[tuple[object, ...], list[int]] = {}
    for i, job in enumerate(jobs):
        of = (job.lm, job.revision, job.feature_set_id, job.prompt, job.recipe, job.device)
        kinds.setdefault(of, []).append(i)
    found: dict[int, Estimate] = {}
    for places in kinds.values():
        found |= dict(zip(places, _of_kind([jobs[i] for i in places]), strict=True))
    return [found[i] for i in range(len(jobs))]


def _of_kind(jobs: Sequence[TrainJob]) -> list[Estimate]:
    first = jobs[0]
    # one LM for all: weights and seeds change nothing of what a run costs
    alike = {job.manifest_id: replace(job, lm_init=first.lm_init, seed=first.seed) for job in jobs}
    specs = dict(zip(alike, run_specs(list(alike.values())), strict=True))
    trainers = {one: prepare(spec, Path(), None).trainer for one, spec in specs.items()}
    line = _timed(list(trainers.values()))
    return [
        Estimate(line, _steps(trainers[job.manifest_id], specs[job.manifest_id])) for job in jobs
    ]


def _steps(trainer: Trainer, spec: RunSpec) -> float:
    """Training steps, and scoring in units of them."""
    scored = pc.is_in(spec.manifest.examples["split"], pa.array(spec.splits))
    asked = len(spec.image_modes) * int(pc.sum(scored).as_py() or 0)
    return trainer.n_steps + asked / (3.0 * max(1.0, step_cost(trainer).n_questions))


def _timed(trainers: Sequence[Trainer]) -> Line:
    alone = calibrate(trainers[:1])
    device = trainers[0].lm.device
    if device.type != "cuda":
        return Line(step_s=alone.step_seconds, memory_mb=alone.memory_bytes / 2**20)
    some = calibrate([trainers[0]] * _TOGETHER)
    free = _FULL * torch.cuda.get_device_properties(device).total_memory
    return fit(alone, some, free)


def fit(alone: Calibration, some: Calibration, free: float) -> Line:
    """The straight line through one run and several in one pass, and how many fit.

    Args:
        alone: One run.
        some: So many runs as _TOGETHER says.
        free: Bytes that they may fill.
    """
    more = max(1.0, (some.memory_bytes - alone.memory_bytes) / (_TOGETHER - 1))
    return Line(
        step_s=alone.step_seconds,
        more_step_s=max(0.0, (some.step_seconds - alone.step_seconds) / (_TOGETHER - 1)),
        memory_mb=alone.memory_bytes / 2**20,
        more_memory_mb=more / 2**20,
        together=max(1, 1 + int((free - alone.memory_bytes) // more)),
    )
