"""Projector runs made again."""

from __future__ import annotations

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
from xmodal.reproduce.parts import Asked, OnStep, check_id, compare_metrics, settings_of
from xmodal.store import Store
from xmodal.vlm.experiment import RunSpec, prepare
from xmodal.vlm.group_run import run
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
    spec: RunSpec

    def whole(self, out: Path, on_step: OnStep) -> list[Compared]:
        """See Rerun."""
        asked = self.asked
        made = run(self.spec, out, on_step).path
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
        trainer = prepare(self.spec, Path(), None).trainer

        def after(state: TrainState, loss: float) -> None:
            on_step(state.step, steps, loss)

        state = trainer.run(trainer.start(), until=steps, on_step=after)
        return self._noted([compare_metrics(self.asked, state.metrics, steps)])

    def _noted(self, found: list[Compared]) -> list[Compared]:
        """The same; where they differ and may, it is said."""
        group = self.asked.row["co_train_group"]
        if group is not None and not all(one.identical for one in found):
            self.asked.notes.append(
                f"the run trained in one pass with others, as group {group}, and was made again "
                "alone: sums are rounded otherwise, so that last bits differ; --tolerance says by "
                "how much they may"
            )
        return found


def projector_rerun(asked: Asked) -> ProjectorRerun:
    """Find what a run was made from.

    Raises:
        DataError: Manifest, features, encoder or LM are gone or have changed.
    """
    row, said = asked.row, asked.recipe
    with Store.open(asked.store, read_only=True) as opened:
        manifest_unchanged(opened, row["manifest_id"])
        features = features_unchanged(opened, row["feature_set_id"])
    if not asked.trust_features:
        note = encoder_unchanged(features.config, features.encoder_version)
        asked.notes.extend([note] if note else [])
    job = TrainJob(
        store=asked.store,
        manifest_id=row["manifest_id"],
        lm=row["lm"],
        lm_init=row["lm_init"],
        revision=row["lm_revision"],
        recipe=recipe_again(said),
        prompt=row["prompt"],
        feature_set_id=row["feature_set_id"],
        device=asked.device,
        seed=row["seed_init"],
    )
    # an LM of this process may be one that its folder no longer holds
    loaded_lm.cache_clear()
    (spec,) = run_specs([job])
    lm_unchanged(row["lm"], spec.lm.sha256, row["lm_hash"])
    spec = replace(
        spec,
        seed_order=row["seed_order"],
        splits=tuple(said["splits"]),
        image_modes=tuple(said["image_modes"]),
    )
    check_id(asked, spec.run_id)
    return ProjectorRerun(asked, spec)


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
