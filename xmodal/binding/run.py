"""Runs from start to end: resumed or trained, some together, and written to their folders."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import torch

from taxonomy.errors import ConfigError
from taxonomy.hashing import content_id
from xmodal.binding.decoder import Decoder
from xmodal.binding.pictures import ScenePictures
from xmodal.binding.recipes import Recipe
from xmodal.binding.run_folder import BindingFolder, restore
from xmodal.binding.trainer import GroupState, Trainer, group_metrics
from xmodal.files import own_runs
from xmodal.provenance import SETUP, command, git_commit, now, setup, versions

SAVE_EVERY_S = 30.0
"""Seconds between two saved states."""

OnStep = Callable[[int, int, float], None]
"""Called with (step, steps in all, mean loss of the group)."""


@dataclass(frozen=True, kw_only=True)
class BindingSpec:
    """Runs of one recipe that differ by seed alone."""

    recipe: Recipe
    arm: str
    factors: Mapping[str, bool]
    """noise, grounding, image, mixing, expansion: whether any stage uses it."""
    seeds: Sequence[int]
    starts: Sequence[tuple[str, Decoder]] | None = None
    """Of each run: whose weights it starts from, and these; None for fresh ones."""
    pictures: ScenePictures | None = None
    scene_facts: Mapping[str, Any] = field(default_factory=dict)
    """scene_set_id, scene_layout, encoder; and sha256, of the pictures."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def run_id(self, place: int) -> str:
        """Of the run of a place; see run_id_of."""
        start = None if self.starts is None else self.starts[place][0]
        return run_id_of(self.recipe, self.seeds[place], start, self.scene_facts.get("sha256"))


def run_id_of(recipe: Recipe, seed: int, start: str | None, pictures: str | None) -> str:
    """Hash of everything that the trained weights depend on but for the machine.

    Args:
        recipe: All settings.
        seed: Of initialisation and of what is drawn.
        start: The run whose weights it starts from.
        pictures: sha256 of the scene set; without meaning for a recipe without images.
    """
    shown = pictures if recipe.uses_images else None
    return content_id(["binding", recipe.as_dict(), seed, start, shown])


def is_finished(folder: BindingFolder) -> bool:
    """Whether a folder holds a run that needs no training any more."""
    record = folder.record()
    return record is not None and record["status"] == "finished" and folder.is_whole()


@dataclass(frozen=True)
class BindingResult:
    """Where a run lies and whether it was trained now."""

    run_id: str
    folder: BindingFolder
    trained: bool


def train_runs(
    spec: BindingSpec, runs_dir: Path, on_step: OnStep | None = None
) -> list[BindingResult]:
    """Train what is not finished, in one batched model; what was stopped goes on.

    No other process can train the same runs meanwhile.

    Runs that were stopped at different steps go on in groups of one step each.

    Args:
        spec: What to run.
        runs_dir: Folder of run folders.
        on_step: Called after each step of a group.

    Raises:
        ConfigError: A loss is no number any more.
        DataError: A file of a run's folder is damaged, or another process trains a run.
    """
    folders = [BindingFolder(runs_dir / spec.run_id(i)) for i in range(len(spec.seeds))]
    open_ = [folder.path for folder in folders if not is_finished(folder)]
    made = set[int]()
    with own_runs(open_):
        todo = [
            (folder.saved_step(spec.run_id(place)), place)
            for place, folder in enumerate(folders)
            if not is_finished(folder)
        ]
        for step, group in groupby(sorted(todo), key=lambda one: one[0]):
            _train_group(spec, folders, [place for _, place in group], step, on_step)
        made |= {place for _, place in todo}
    return [
        BindingResult(spec.run_id(place), folder, place in made)
        for place, folder in enumerate(folders)
    ]


def _train_group(
    spec: BindingSpec,
    folders: Sequence[BindingFolder],
    places: Sequence[int],
    step: int,
    on_step: OnStep | None,
) -> None:
    starts = None if spec.starts is None else [spec.starts[place][1] for place in places]
    trainer = Trainer(
        recipe=spec.recipe,
        seeds=[spec.seeds[place] for place in places],
        starts=starts,
        pictures=spec.pictures,
        device=spec.device,
    )
    state = trainer.start()
    ids = [spec.run_id(place) for place in places]
    mine = [folders[place] for place in places]
    if step:
        restore(state, [folder.load_state(one) for folder, one in zip(mine, ids, strict=True)])
    records = [folder.record() for folder in mine]
    begun = [now() if record is None else record["started_at"] for record in records]

    def write(status: str) -> None:
        for at, folder in enumerate(mine):
            made = _record(spec, places[at], state, at, begun[at], ids)
            folder.write_record(made | {"status": status})

    write("running")
    saved = time.monotonic()

    def after(state: GroupState, losses: torch.Tensor) -> None:
        nonlocal saved
        recipe = spec.recipe
        every = recipe.keep_every is not None and state.step % recipe.keep_every == 0
        if every or recipe.ends_stage(state.step):
            for at, folder in enumerate(mine):
                folder.keep(state.decoder, at, state.step, _said(spec, ids[at], state.step))
        if on_step is not None:
            on_step(state.step, recipe.n_steps, float(losses.mean()))
        if time.monotonic() - saved >= SAVE_EVERY_S:
            for at, folder in enumerate(mine):
                folder.save_state(ids[at], state, at)
            saved = time.monotonic()

    try:
        trainer.run(state, on_step=after)
    except ConfigError as error:
        write("failed")
        named = f"run {ids[0]}" if len(ids) == 1 else f"runs {', '.join(ids)}"
        raise ConfigError(f"{named}: {error}") from error
    for at, folder in enumerate(mine):
        run = state.runs[at]
        metrics = list(run.metrics)
        for name, value in group_metrics(state).items():
            metrics.append((state.step, name, value))
        folder.write_metrics(metrics)
        folder.write_accuracy(run.accuracy)
        digest = folder.save_decoder(state.decoder, at, _said(spec, ids[at], state.step))
        made = _record(spec, places[at], state, at, begun[at], ids)
        folder.write_record(made | {"status": "finished", "weights_sha256": digest})
        folder.drop_state()


def _said(spec: BindingSpec, run_id: str, step: int) -> dict[str, Any]:
    """What to know of weights to ask them, beside their shape."""
    recipe = spec.recipe
    return {
        "run_id": run_id,
        "step": step,
        "marker": recipe.marker,
        "order": recipe.order,
        "n_to": recipe.n_to,
        "vocabulary": {
            name: getattr(recipe.vocabulary, name) for name in ("n_colours", "n_shapes", "n_items")
        },
    }


def _record(
    spec: BindingSpec,
    place: int,
    state: GroupState,
    at: int,
    started_at: str,
    together: Sequence[str],
) -> dict[str, Any]:
    """Every column of binding_run but for its content_hash."""
    recipe, run = spec.recipe, state.runs[at]
    shape, facts = recipe.decoder, spec.scene_facts if recipe.uses_images else {}
    start = None if spec.starts is None else spec.starts[place][0]
    return {
        "run_id": spec.run_id(place),
        "experiment": "s3",
        "arm": spec.arm,
        **{
            f"uses_{name}": bool(spec.factors.get(name))
            for name in ("noise", "grounding", "image", "mixing", "expansion")
        },
        "position": shape.position,
        "scene_set_id": facts.get("scene_set_id"),
        "scene_layout": facts.get("scene_layout"),
        "encoder": facts.get("encoder"),
        "start": "scratch" if start is None else "text-trained",
        "start_run_id": start,
        "recipe": recipe.name,
        "recipe_json": json.dumps(recipe.as_dict(), sort_keys=True),
        "n_layers": shape.n_layers,
        "width": shape.width,
        "n_heads": shape.n_heads,
        "n_params": state.decoder.n_params(),
        "n_from": recipe.n_from,
        "n_to": recipe.n_to,
        "seed_init": spec.seeds[place],
        "seed_order": spec.seeds[place],
        "n_steps": state.step,
        "n_questions": run.n_questions,
        "n_tokens": run.n_tokens,
        "n_tokens_computed": run.n_tokens_computed,
        "flops": run.flops,
        "n_together": len(together),
        "seconds": round(state.seconds, 3),
        "device": str(spec.device),
        "precision": recipe.precision,
        "weights_sha256": "",
        "versions_json": json.dumps(versions(), sort_keys=True),
        "command": command(),
        "git_commit": git_commit(),
        SETUP: setup(str(spec.device), recipe.precision, together),
        "started_at": started_at,
    }
