"""Decoders of binding made again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from xmodal.binding.decoder import DecoderConfig
from xmodal.binding.recipes import Recipe
from xmodal.binding.run import BindingSpec, train_runs
from xmodal.binding.stages import Stage
from xmodal.binding.trainer import GroupState, Trainer
from xmodal.binding.vocabulary import Vocabulary
from xmodal.binding_tables import ACCURACY, ACCURACY_FILE, RUN_WEIGHTS
from xmodal.bindings.jobs import BindingJob
from xmodal.jobs import runs_dir
from xmodal.reproduce.checks import encoder_unchanged, scenes_unchanged, start_unchanged
from xmodal.reproduce.compare import Compared, compare_tables, compare_weights
from xmodal.reproduce.parts import Asked, OnStep, check_id, compare_metrics, recipe_of, settings_of
from xmodal.store import Store

FACTORS = ("noise", "grounding", "image", "mixing", "expansion")
_ACCURACY = "SELECT * EXCLUDE (run_id) FROM binding_accuracy WHERE run_id = $id"


@dataclass(frozen=True)
class DecoderRerun:
    """A decoder with everything that it was made from."""

    asked: Asked
    spec: BindingSpec

    def whole(self, out: Path, on_step: OnStep) -> list[Compared]:
        """See Rerun."""
        asked = self.asked
        result = train_runs(self.spec, out, on_step)[asked.place]
        made, stored = result.folder.path, runs_dir(asked.store) / asked.run_id
        found = [
            compare_weights(stored / RUN_WEIGHTS, made / RUN_WEIGHTS),
            compare_metrics(asked, pq.read_table(made / "metrics.parquet")),
            self._compare_accuracy(pq.read_table(made / ACCURACY_FILE)),
        ]
        return self._noted(found)

    def _noted(self, found: list[Compared]) -> list[Compared]:
        """The same; where they differ and may, it is said."""
        n = self.asked.row["n_together"]
        if n > 1 and not self.asked.together and not all(one.identical for one in found):
            self.asked.notes.append(
                f"the run trained as one of {n} in a batched model and was made again alone: sums "
                "are rounded otherwise, so that last bits differ; --tolerance says by how much "
                "they may, --together makes all of them"
            )
        return found

    def first(self, steps: int, on_step: OnStep) -> list[Compared]:
        """See Rerun."""
        spec = self.spec
        trainer = Trainer(
            recipe=spec.recipe,
            seeds=spec.seeds,
            starts=None if spec.starts is None else [decoder for _, decoder in spec.starts],
            pictures=spec.pictures,
            device=spec.device,
        )

        def after(state: GroupState, losses: torch.Tensor) -> None:
            on_step(state.step, steps, float(losses.mean()))

        runs = trainer.run(trainer.start(), until=steps, on_step=after).runs
        state = runs[self.asked.place]
        rows = [dict(row) for row in state.accuracy]
        accuracy = pa.Table.from_pylist(rows, schema=ACCURACY)
        return self._noted(
            [
                compare_metrics(self.asked, state.metrics, steps),
                self._compare_accuracy(accuracy, steps),
            ]
        )

    def _compare_accuracy(self, again: pa.Table, until: int | None = None) -> Compared:
        with Store.open(self.asked.store, read_only=True) as opened:
            stored = opened.query(_ACCURACY, {"id": self.asked.run_id})
        sides = [_with_shares(stored), _with_shares(again)]
        if until is not None:
            sides = [side.filter(pc.less_equal(side["step"], until)) for side in sides]
        counted = {"n_right", "n_in_scene", "loss"}
        keys = [name for name in ACCURACY.names if name not in counted]
        return compare_tables(
            "accuracy", *sides, keys=keys, numbers=("right_ratio", "in_scene_ratio", "loss")
        )


def decoder_rerun(asked: Asked) -> DecoderRerun:
    """Find what a run was made from.

    Raises:
        DataError: Scenes, encoder or the weights that it starts from are gone or have changed.
    """
    row, facts, scenes = asked.row, {}, None
    with Store.open(asked.store, read_only=True) as opened:
        starts = tuple(one["start_run_id"] for one in asked.rows)
        for start in starts:
            if start is not None:
                start_unchanged(opened, runs_dir(asked.store), start)
        if row["scene_set_id"] is not None:
            scenes = scenes_unchanged(opened, row["scene_set_id"])
    if scenes is not None:
        names = ("scene_set_id", "scene_layout", "encoder")
        facts = {name: row[name] for name in names} | {"sha256": scenes.sha256}
        if not asked.trust_features:
            note = encoder_unchanged(scenes.config.features, scenes.encoder_version)
            asked.notes.extend([note] if note else [])
    job = BindingJob(
        store=asked.store,
        arm=row["arm"],
        recipe=recipe_again(recipe_of(row)),
        factors={name: row[f"uses_{name}"] for name in FACTORS},
        seeds=tuple(one["seed_init"] for one in asked.rows),
        start_run_ids=None if None in starts else starts,
        scene_set=None if scenes is None else scenes.path,
        scene_facts=facts,
        device=asked.device,
    )
    for one, found in zip(asked.rows, job.run_ids, strict=True):
        check_id(one["run_id"], found)
    return DecoderRerun(asked, job.spec())


def recipe_again(said: dict[str, Any]) -> Recipe:
    """The recipe that recipe_json tells of."""
    return Recipe(
        **settings_of(Recipe, said)
        | {
            "stages": tuple(Stage(**stage) for stage in said["stages"]),
            "decoder": DecoderConfig(**said["decoder"]),
            "vocabulary": Vocabulary(**said["vocabulary"]),
        }
    )


def _with_shares(rows: pa.Table) -> pa.Table:
    """Counts as shares of the questions, so that one tolerance fits all numbers."""
    for name in ("right", "in_scene"):
        share = pc.divide(
            rows[f"n_{name}"].cast(pa.float64()), rows["n_questions"].cast(pa.float64())
        )
        rows = rows.append_column(f"{name}_ratio", share)
    return rows
