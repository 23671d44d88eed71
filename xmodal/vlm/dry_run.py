"""What `xmodal train --dry-run` prints: what runs would cost, before any is started."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from xmodal.vlm.cost import Calibration, StepCost, calibrate, layer_parameters, step_cost
from xmodal.vlm.experiment import RunSpec, prepare
from xmodal.vlm.trainer import Trainer


def dry_run(groups: Sequence[Sequence[RunSpec]]) -> pa.Table:
    """Count what each run would take and time a few steps of each group; nothing is written.

    Args:
        groups: Runs that would train together.

    Returns:
        One row a run: its group, steps, n_params of the projector and of the LM's layers,
        images, questions and tokens a step, flops in all (useful ones, see cost.py), and of the
        whole group's training: memory_mb of the process or on the GPU, and seconds, scoring left
        out.
    """
    rows = []
    for number, specs in enumerate(groups):
        trainers = [prepare(spec, Path(), None).trainer for spec in specs]
        timed = calibrate(trainers)
        for spec, trainer in zip(specs, trainers, strict=True):
            rows.append(_row(number, spec, trainer, step_cost(trainer), timed, trainers))
    return pa.Table.from_pylist(rows)


def _row(
    number: int,
    spec: RunSpec,
    trainer: Trainer,
    cost: StepCost,
    timed: Calibration,
    trainers: Sequence[Trainer],
) -> dict[str, object]:
    projector = trainer.start().projector
    # the group's steps get cheaper as its shorter runs end
    share = sum(one.n_steps for one in trainers) / len(trainers)
    return {
        "group": number,
        "manifest_id": spec.manifest.manifest_id,
        "seed": spec.seed_init,
        "recipe": spec.recipe.name,
        "n_steps": trainer.n_steps,
        "n_params_projector": sum(p.numel() for p in projector.parameters()),
        "n_params_lm_layers": layer_parameters(spec.lm.model),
        "images_a_step": round(cost.n_images, 1),
        "questions_a_step": round(cost.n_questions, 1),
        "tokens_a_step": round(cost.n_tokens, 1),
        "flops": cost.flops * trainer.n_steps,
        "memory_mb": round(timed.memory_bytes / 2**20, 1),
        "seconds_of_group": round(timed.step_seconds * share, 1),
    }
