"""Projector runs made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from taxonomy.errors import ConfigError
from xmodal.jobs import TrainJob, loaded_lm, run_specs, runs_dir
from xmodal.reproduce.checks import (
    encoder_unchanged,
    features_unchanged,
    lm_unchanged,
    manifest_unchanged,
)
from xmodal.reproduce.compare import Compared, compare_tables, compare_weights
from xmodal.reproduce.parts import Asked, OnStep, check_id, compare_metrics, recipe_of, settings_of
from xmodal.store import Store
from xmodal.vlm.co_train import TrainGroup
from xmodal.vlm.experiment import RunSpec, prepare
from xmodal.vlm.group_run import run_group
from xmodal.vlm.projector import ProjectorConfig
from xmodal.vlm.recipes import Recipe
from xmodal.vlm.trainer import TrainState

WEIGHTS = "projector.safetensors"
_PREDICTIONS = """
SELECT image_mode, example_id, logit_yes, logit_no, predicted
FROM prediction
WHERE run_id = $id
"""


@dataclass(frozen=True)
class ProjectorRerun:
    """A projector run with everything that it was made from."""

    asked: Asked
    specs: Sequence[RunSpec]
    """The run's, or those of its group in their order."""

    def whole(self, out: Path, on_step: OnStep) -> list[Compared]:
        """See Rerun."""
        asked = self.asked

        def after(place: int, step: int, total: int, loss: float) -> None:
            if place == asked.place:
                on_step(step, total, loss)

        made = run_group(self.specs, out, after)[asked.place].path
        stored = runs_dir(asked.store) / asked.run_id
        with Store.open(asked.store, read_only=True) as opened:
            answers = opened.query(_PREDICTIONS, {"id": asked.run_id})
        found = [
            compare_weights(stored / WEIGHTS, made / WEIGHTS),
            compare_metrics(asked, pq.read_table(made / "metrics.parquet")),
            _compare_answers(answers, pq.read_table(made / "predictions.parquet")),
        ]
        return self._noted(found)

    def first(self, steps: int, on_step: OnStep) -> list[Compared]:
        """See Rerun."""
        trainers = tuple(prepare(spec, Path(), None).trainer for spec in self.specs)
        states = [trainer.start() for trainer in trainers]
        mine = self.asked.place

        def after(place: int, state: TrainState, loss: float) -> None:
            if place == mine:
                on_step(state.step, steps, loss)

        failed = TrainGroup(trainers).run(states, steps, after)
        if mine in failed:
            raise failed[mine]
        return self._noted([compare_metrics(self.asked, states[mine].metrics, steps)])

    def _noted(self, found: list[Compared]) -> list[Compared]:
        """The same; where they differ and may, it is said."""
        group = self.asked.row["co_train_group"]
        if (
            group is not None
            and not self.asked.together
            and not all(one.identical for one in found)
        ):
            self.asked.notes.append(
                f"the run trained in one pass with others, as group {group}, and was made again "
                "alone: sums are rounded otherwise, so that last bits differ; --tolerance says by "
                "how much they may, --together makes all of the group"
            )
        return found


def projector_rerun(asked: Asked) -> ProjectorRerun:
    """Find what a run was made from.

    Raises:
        DataError: Manifest, features, encoder or LM are gone or have changed.
    """
    with Store.open(asked.store, read_only=True) as opened:
        for manifest_id in dict.fromkeys(row["manifest_id"] for row in asked.rows):
            manifest_unchanged(opened, manifest_id)
        features = features_unchanged(opened, asked.row["feature_set_id"])
    if not asked.trust_features:
        note = encoder_unchanged(features.config, features.encoder_version)
        asked.notes.extend([note] if note else [])
    # an LM of this process may be one that its folder no longer holds
    loaded_lm.cache_clear()
    specs = run_specs([_job(asked, row) for row in asked.rows])
    lm_unchanged(asked.row["lm"], specs[0].lm.sha256, asked.row["lm_hash"])
    specs = [_whole(spec, row) for spec, row in zip(specs, asked.rows, strict=True)]
    for spec, row in zip(specs, asked.rows, strict=True):
        check_id(row["run_id"], spec.run_id)
    return ProjectorRerun(asked, specs)


def _job(asked: Asked, row: Mapping[str, Any]) -> TrainJob:
    return TrainJob(
        store=asked.store,
        manifest_id=row["manifest_id"],
        lm=row["lm"],
        lm_init=row["lm_init"],
        revision=row["lm_revision"],
        recipe=recipe_again(recipe_of(row)),
        prompt=row["prompt"],
        feature_set_id=row["feature_set_id"],
        device=asked.device,
        seed=row["seed_init"],
    )


def _whole(spec: RunSpec, row: Mapping[str, Any]) -> RunSpec:
    """With what a job does not say."""
    said = recipe_of(row)
    return replace(
        spec,
        seed_order=row["seed_order"],
        splits=tuple(said["splits"]),
        image_modes=tuple(said["image_modes"]),
    )


def recipe_again(said: dict[str, Any]) -> Recipe:
    """The recipe that recipe_json tells of, among other things."""
    given = settings_of(Recipe, said) | {"projector": ProjectorConfig(**said["projector"])}
    try:
        return Recipe(**given)
    except TypeError as error:
        raise ConfigError(f"recipe_json is of another version of xmodal: {error}") from error


def _compare_answers(stored: pa.Table, again: pa.Table) -> Compared:
    return compare_tables(
        "predictions",
        stored,
        again,
        keys=("image_mode", "example_id"),
        numbers=("logit_yes", "logit_no"),
        exact=("predicted",),
        by_row=True,
    )
