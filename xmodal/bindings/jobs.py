"""Binding runs as they are asked for: small enough to send to another process, and running them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from xmodal.binding.pictures import ScenePictures
from xmodal.binding.recipes import Recipe
from xmodal.binding.run import BindingResult, BindingSpec, run_id_of, train_runs
from xmodal.binding.run_folder import BindingFolder, load_decoder
from xmodal.binding.shown import load_scene_set
from xmodal.binding_tables import RUN_WEIGHTS
from xmodal.bindings.shipped import lay_shipped
from xmodal.jobs import runs_dir

OnRunStep = Callable[[int, int, int, float], None]
"""Called with (place of the job, step, steps in all, loss)."""


@dataclass(frozen=True, kw_only=True)
class BindingJob:
    """Runs of one recipe that differ by seed, trained together."""

    store: Path
    arm: str
    recipe: Recipe
    factors: Mapping[str, bool]
    seeds: tuple[int, ...]
    start_run_ids: tuple[str, ...] | None = None
    """Of each seed, whose weights it starts from; None for fresh ones."""
    scene_set: Path | None = None
    """Folder of the pictures."""
    scene_facts: Mapping[str, Any] = field(default_factory=dict)
    """scene_set_id, scene_layout, encoder and sha256 of the pictures."""
    device: str = "cpu"

    @property
    def run_ids(self) -> tuple[str, ...]:
        """One a seed."""
        starts: tuple[str | None, ...] = self.start_run_ids or (None,) * len(self.seeds)
        return tuple(
            run_id_of(self.recipe, seed, start, self.scene_facts.get("sha256"))
            for seed, start in zip(self.seeds, starts, strict=True)
        )

    def label(self) -> str:
        """What a reader calls it."""
        numbers = ", ".join(str(seed) for seed in self.seeds)
        word = "seed" if len(self.seeds) == 1 else "seeds"
        return f"{self.arm} {self.recipe.name} {self.recipe.decoder.position} {word} {numbers}"

    def spec(self) -> BindingSpec:
        """What to run, with weights and pictures loaded."""
        starts = None
        if self.start_run_ids is not None:
            folders = [BindingFolder(runs_dir(self.store) / one) for one in self.start_run_ids]
            starts = [(f.path.name, load_decoder(f.path / RUN_WEIGHTS)[0]) for f in folders]
        pictures = None
        if self.scene_set is not None and self.recipe.uses_images:
            pictures = ScenePictures(load_scene_set(self.scene_set, self.device))
            pictures.check(self.recipe.vocabulary, self.recipe.n_from, self.recipe.n_most)
        return BindingSpec(
            recipe=self.recipe,
            arm=self.arm,
            factors=self.factors,
            seeds=self.seeds,
            starts=starts,
            pictures=pictures,
            scene_facts=self.scene_facts,
            device=torch.device(self.device),
        )


def binding_jobs(
    jobs: list[BindingJob], on_step: OnRunStep | None = None
) -> list[list[BindingResult]]:
    """Train jobs one after another; what is finished, or ships, is left as it is."""
    found = []
    for place, job in enumerate(jobs):
        for run_id in job.run_ids:
            lay_shipped(run_id, runs_dir(job.store))
        step = functools.partial(on_step, place) if on_step is not None else None
        found.append(train_runs(job.spec(), runs_dir(job.store), step))
    return found
