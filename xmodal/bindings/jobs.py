"""Binding runs as they are asked for: small enough to send to another process, and running them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from taxonomy.errors import ConfigError
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
        # text is an arm and a start: the label says which of the two is meant
        start = " (from scratch)" if self.start_run_ids is None else ", from text-trained,"
        shape = f"{self.recipe.name} {self.recipe.decoder.position}"
        return f"{self.arm}{start} {shape} {word} {numbers}"

    def spec(self) -> BindingSpec:
        """What to run, with weights and pictures loaded."""
        starts = None
        if self.start_run_ids is not None:
            folders = [BindingFolder(runs_dir(self.store) / one) for one in self.start_run_ids]
            starts = [(f.path.name, load_decoder(f.path / RUN_WEIGHTS)[0]) for f in folders]
        pictures = None
        if self.scene_set is not None and self.recipe.uses_images:
            pictures = ScenePictures(load_scene_set(self.scene_set, self.device))
            check_pictures(self.recipe, pictures)
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


def check_pictures(recipe: Recipe, pictures: ScenePictures) -> None:
    """Refuse a scene set that does not fit a recipe with images.

    Raises:
        ConfigError: Its words, numbers of objects or tokens do not fit.
    """
    pictures.check(recipe.vocabulary, recipe.n_from, recipe.n_most)
    recipe.check_positions(pictures.n_tokens)


def check_jobs(jobs: Sequence[BindingJob]) -> dict[Path, ScenePictures]:
    """Refuse what cannot be trained, before any of it is.

    Args:
        jobs: All that is asked for.

    Returns:
        The scene sets that are needed, by folder, on the CPU.

    Raises:
        ConfigError: A precision that the device does not have, or a scene set that does not fit.
        DataError: A scene set is not whole.
    """
    pictures = dict[Path, ScenePictures]()
    for job in jobs:
        if job.device == "cpu" and job.recipe.precision == "bfloat16":
            raise ConfigError(
                "precision bfloat16 is for GPUs: give --set precision=float32, or --size small"
            )
        if job.scene_set is None or not job.recipe.uses_images:
            continue
        if job.scene_set not in pictures:
            pictures[job.scene_set] = ScenePictures(load_scene_set(job.scene_set))
        check_pictures(job.recipe, pictures[job.scene_set])
    return pictures


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
