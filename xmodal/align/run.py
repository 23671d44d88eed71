"""One alignment from start to end: resumed or trained, and written to its folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from taxonomy.errors import ConfigError
from xmodal.align.recipes import Recipe, side_of
from xmodal.align.run_folder import AlignFolder
from xmodal.align.trainer import Trainer, TrainState
from xmodal.files import own_runs
from xmodal.provenance import SETUP, command, git_commit, now, setup, versions

SAVE_EVERY_S = 20.0
"""Seconds between two saved states."""

OnStep = Callable[[int, int, float], None]
"""Called with (step, steps in all, loss)."""


@dataclass(frozen=True, kw_only=True)
class AlignSpec:
    """A run as it is asked for."""

    trainer: Trainer
    facts: Mapping[str, Any]
    """Columns of align_run that say what the features and the pairs are."""
    trained: Sequence[int] = ()
    """Concept ids of the classes with a training pair."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What decides the pairs beside the facts, for recipe_json."""


@dataclass(frozen=True)
class AlignResult:
    """Where a run lies and whether it was trained now."""

    run_id: str
    folder: AlignFolder
    trained: bool


def train_run(spec: AlignSpec, runs_dir: Path, on_step: OnStep | None = None) -> AlignResult:
    """Train a run, unless its folder holds the finished one; a stopped one goes on.

    On a CPU a stopped run ends with the same bits as one that was not. No other process can train
    it meanwhile.

    Args:
        spec: What to run.
        runs_dir: Folder of run folders.
        on_step: Called after each step.

    Raises:
        ConfigError: The loss is no number any more, or a step does not fit in memory.
        DataError: A file of the run's folder is damaged, or another process trains it.
    """
    folder = AlignFolder(runs_dir / spec.trainer.run_id)
    if not _is_finished(folder):
        with own_runs([folder.path]):
            if not _is_finished(folder):
                return _train(spec, folder, on_step)
    return AlignResult(spec.trainer.run_id, folder, trained=False)


def _is_finished(folder: AlignFolder) -> bool:
    record = folder.record()
    return record is not None and record["status"] == "finished" and folder.is_whole()


def _train(spec: AlignSpec, folder: AlignFolder, on_step: OnStep | None) -> AlignResult:
    """Train a run whose folder this process has."""
    trainer, run_id = spec.trainer, spec.trainer.run_id
    record = folder.record()
    state = trainer.start()
    folder.checkpoint.load(run_id, state)
    started = record["started_at"] if record is not None else now()
    made = _record(spec, state, started)
    folder.write_record(made)
    saved = time.monotonic()

    def after(state: TrainState, loss: float) -> None:
        nonlocal saved
        if on_step is not None:
            total = state.step if trainer.is_done(state) else trainer.recipe.n_steps
            on_step(state.step, total, loss)
        if time.monotonic() - saved >= SAVE_EVERY_S:
            folder.checkpoint.save(run_id, state)
            saved = time.monotonic()

    try:
        trainer.run(state, on_step=after)
    except ConfigError as error:
        folder.write_record(_record(spec, state, started) | {"status": "failed"})
        raise ConfigError(f"run {run_id}: {error}") from error
    folder.write_metrics(state.metrics)
    folder.save_aligner(trainer.best(state), run_id, spec.trained)
    folder.write_record(_record(spec, state, started) | {"status": "finished"})
    folder.checkpoint.drop()
    return AlignResult(run_id, folder, trained=True)


def _record(spec: AlignSpec, state: TrainState, started_at: str) -> dict[str, Any]:
    """Every column of align_run; xmodal.store holds the same names."""
    trainer, recipe = spec.trainer, spec.trainer.recipe
    aligner = state.aligner
    settings = {**recipe.as_dict(), **spec.settings}
    rows = trainer.pairs.text_row
    n_texts = len(trainer.pairs.text) if rows is None else len(torch.unique(rows))
    return {
        "run_id": trainer.run_id,
        "experiment": "s2",
        **spec.facts,
        "recipe": recipe.name,
        "recipe_json": json.dumps(settings, sort_keys=True),
        **shape_of(recipe),
        "batch_size": min(recipe.batch_size, len(trainer.pairs)),
        "n_pairs": len(trainer.pairs),
        "n_texts": n_texts,
        "n_validation_pairs": len(trainer.validation or ()),
        "seed_init": trainer.seed_init,
        "seed_order": trainer.seed_order,
        "n_steps": state.step,
        "best_step": state.step if state.looks is None else state.looks.best_step,
        "n_params": sum(parameter.numel() for parameter in aligner.parameters()),
        "seconds": round(state.seconds, 3),
        "device": str(aligner.like.device),
        "status": "running",
        "versions_json": json.dumps(versions(), sort_keys=True),
        "command": command(),
        "git_commit": git_commit(),
        SETUP: setup(str(aligner.like.device), "bfloat16" if recipe.aligner.bf16 else "float32"),
        "started_at": started_at,
    }


def shape_of(recipe: Recipe) -> dict[str, Any]:
    """Which sides a recipe projects, and how: the columns side to activation."""
    text, image = recipe.aligner.text, recipe.aligner.image
    used = image if text.kind == "identity" else text
    is_mlp = used.kind == "mlp"
    return {
        "side": side_of(recipe.aligner),
        "projection": used.kind,
        "depth": used.depth if is_mlp else 1,
        "width": used.width if is_mlp else None,
        "activation": used.activation if is_mlp else None,
    }
