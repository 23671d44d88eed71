"""What `xmodal binding train` would do: what is there, what is to train, what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xmodal.binding.cost import RunCost, run_cost
from xmodal.binding.pictures import ScenePictures
from xmodal.binding.recipes import Recipe
from xmodal.binding.run import is_finished
from xmodal.binding.run_folder import BindingFolder
from xmodal.bindings.jobs import BindingJob
from xmodal.bindings.plan import Plan
from xmodal.bindings.shipped import ships
from xmodal.jobs import runs_dir

BYTES = 4
"""Of a stored weight."""


@dataclass(frozen=True)
class Standing:
    """How far a run is."""

    is_there: bool = False
    """Finished, in its folder."""
    ships: bool = False
    """Finished, with the package: it is laid out in place of being trained."""
    step: int = 0
    """Of a run to train, where it goes on."""

    def __str__(self) -> str:
        """As a user reads it."""
        if self.is_there or self.ships:
            return "is there" if self.is_there else "ships"
        return f"goes on from step {self.step}" if self.step else "to train"

    @property
    def is_trained(self) -> bool:
        """Whether there is nothing left to train."""
        return self.is_there or self.ships


def standing(run_id: str, runs: Path) -> Standing:
    """How far a run is; nothing is changed.

    Args:
        run_id: Of the run.
        runs: Folder of run folders.

    Raises:
        DataError: A file of its folder is damaged.
    """
    folder = BindingFolder(runs / run_id)
    if is_finished(folder):
        return Standing(is_there=True)
    if not folder.path.exists() and ships(run_id):
        return Standing(ships=True)
    return Standing(step=folder.saved_step(run_id))


def said_of(plan: Plan, pictures: Mapping[Path, ScenePictures]) -> Iterator[str]:
    """What a plan would train: how far its runs are and what a whole run of each job costs.

    Args:
        plan: Checked.
        pictures: The scene sets that it needs, by folder.

    Yields:
        A line a job, then one on what is left to train of all.
    """
    left, kinds = RunCost(), {"there": 0, "shipped": 0, "to train": 0}
    for job in (*plan.starts, *plan.jobs):
        shown = pictures.get(job.scene_set) if job.scene_set is not None else None
        n_image_tokens = 0 if shown is None else shown.n_tokens
        whole = run_cost(job.recipe, n_image_tokens)
        standings = [standing(run_id, runs_dir(job.store)) for run_id in job.run_ids]
        for one in standings:
            kinds["there"] += one.is_there
            kinds["shipped"] += one.ships
            if not one.is_trained:
                kinds["to train"] += 1
                left += run_cost(job.recipe, n_image_tokens, one.step) if one.step else whole
        yield f"{job.label()}: {_far(job, standings)}; {_a_run(job.recipe, whole)}"
    said = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
    yield f"{sum(kinds.values())} runs: {said}; left: {left.n_steps:,} steps, {_counts(left)}"


def _far(job: BindingJob, standings: Sequence[Standing]) -> str:
    """How far the runs of a job are, once where they are alike."""
    if len(set(standings)) == 1:
        return str(standings[0])
    each = zip(job.seeds, standings, strict=True)
    return ", ".join(f"seed {seed} {one}" for seed, one in each)


def _a_run(recipe: Recipe, whole: RunCost) -> str:
    stages = ", ".join(f"{stage.name} {stage.n_steps}" for stage in recipe.stages)
    weights = recipe.decoder.n_params() * BYTES / 1e6
    return (
        f"a run has {whole.n_steps:,} steps ({stages}), {_counts(whole)}, {weights:.2f} MB of "
        "weights"
    )


def _counts(cost: RunCost) -> str:
    return (
        f"{cost.n_questions:,} questions, {cost.n_tokens:,} tokens ({cost.n_tokens_computed:,} "
        f"computed), {cost.flops:.3g} FLOPs"
    )
