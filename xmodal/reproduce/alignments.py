"""Alignments made again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from xmodal.align.projection import AlignerConfig, ProjectionConfig
from xmodal.align.recipes import Recipe
from xmodal.align.run import train_run
from xmodal.align.trainer import TrainState
from xmodal.alignments.jobs import AlignJob, PreparedJob, prepare_job
from xmodal.features.config import FeatureConfig
from xmodal.jobs import runs_dir
from xmodal.reproduce.checks import (
    captions_unchanged,
    encoder_unchanged,
    features_unchanged,
    reader_unchanged,
    text_features_unchanged,
)
from xmodal.reproduce.compare import Compared, compare_tables, compare_weights
from xmodal.reproduce.parts import Asked, OnStep, check_id, compare_metrics, recipe_of, settings_of
from xmodal.store import Store
from xmodal.tables import ANSWERS, WEIGHTS

_EVALUATIONS = "SELECT * FROM align_evaluation WHERE run_id = $id ORDER BY evaluation_id"
_ANSWERS = "SELECT * EXCLUDE (evaluation_id) FROM align_answer WHERE evaluation_id = $id"
_FIRST = """
SELECT feature_set_id, text_feature_set_id
FROM align_evaluation
WHERE
    run_id = $id
    AND feature_set_id IS NOT NULL
    AND names IS NULL
    AND class_list IS NULL
    AND example_set IS NULL
    AND caption_set_id IS NULL
ORDER BY created_at, evaluation_id
LIMIT 1
"""
_NOT_OWN = ("names", "class_list", "example_set", "caption_set_id")


@dataclass(frozen=True)
class AlignmentRerun:
    """An alignment with everything that it was made from."""

    asked: Asked
    prepared: PreparedJob

    def whole(self, out: Path, on_step: OnStep) -> list[Compared]:
        """See Rerun."""
        asked = self.asked
        result = train_run(self.prepared.spec, out, on_step)
        made, stored = result.folder.path, runs_dir(asked.store) / asked.run_id
        found = [
            compare_weights(stored / WEIGHTS, made / WEIGHTS),
            compare_metrics(asked, pq.read_table(made / "metrics.parquet")),
        ]
        with Store.open(asked.store, read_only=True) as opened:
            rows = opened.query(_EVALUATIONS, {"id": asked.run_id}).to_pylist()
            answers = {
                row["evaluation_id"]: opened.query(_ANSWERS, {"id": row["evaluation_id"]})
                for row in rows
            }
        own = [row for row in rows if self._is_own(row)]
        for row in own:
            scored = self.prepared.score(result, row["split"])
            assert scored is not None
            found.append(
                compare_tables(
                    f"answers, {row['split']}",
                    answers[row["evaluation_id"]],
                    pq.read_table(scored.path / ANSWERS),
                    keys=("task", "query_id", "class_id", "unseen", "n_right", "n_candidates"),
                    numbers=("cosine_right", "cosine_first"),
                    exact=("rank", "first_id", "edges"),
                )
            )
        if n := len(rows) - len(own):
            asked.notes.append(
                f"{n} evaluations on other pictures, texts or lists were not made again: "
                "`xmodal align evaluate` makes them"
            )
        return found

    def _is_own(self, row: dict[str, Any]) -> bool:
        """Whether an evaluation asks about the pictures and class texts that are at hand."""
        world = self.prepared.world
        if world is None or row["text_feature_set_id"] != world.texts.text_feature_set_id:
            return False
        same = row["feature_set_id"] == world.pictures.feature_set_id
        return same and all(row[name] is None for name in _NOT_OWN)

    def first(self, steps: int, on_step: OnStep) -> list[Compared]:
        """See Rerun."""
        trainer = self.prepared.spec.trainer

        def after(state: TrainState, loss: float) -> None:
            on_step(state.step, steps, loss)

        state = trainer.run(trainer.start(), until=steps, on_step=after)
        return [compare_metrics(self.asked, state.metrics, steps)]


def alignment_rerun(asked: Asked) -> AlignmentRerun:
    """Find what a run was made from.

    Raises:
        DataError: Features, captions, encoder or LM are gone or have changed.
    """
    row, said = asked.row, recipe_of(asked.row)
    with Store.open(asked.store, read_only=True) as opened:
        texts = text_features_unchanged(opened, row["text_feature_set_id"])
        if row["caption_set_id"] is None:
            features = features_unchanged(opened, row["feature_set_id"])
            config, version = features.config, features.encoder_version
            shown, class_texts = row["feature_set_id"], None
        else:
            captions = captions_unchanged(opened, row["caption_set_id"])
            config, version = _config_of(captions), captions.encoder_version
            shown, class_texts = _asked_about(opened, asked.run_id)
            asked.notes.append(
                "the vectors of the captions' pictures were not held against their hash, which "
                "is of the source's files"
            )
    if not asked.trust_features:
        notes = encoder_unchanged(config, version), reader_unchanged(texts, asked.device)
        asked.notes.extend(note for note in notes if note)
    job = AlignJob(
        store=asked.store,
        text_feature_set_id=row["text_feature_set_id"],
        recipe=recipe_again(said),
        feature_set_id=shown,
        class_texts=class_texts,
        caption_set_id=row["caption_set_id"],
        separation_id=row["separation_id"],
        level=row["level"],
        arm=row["arm"],
        n_pairs=said.get("n_pairs"),
        validation=row["validation"],
        validation_share=said.get("validation_share", 0.1),
        seed=row["seed_init"],
        device=asked.device,
    )
    prepared = prepare_job(job)
    check_id(asked.run_id, prepared.spec.trainer.run_id)
    return AlignmentRerun(asked, prepared)


def _asked_about(store: Store, run_id: str) -> tuple[str | None, str | None]:
    """Features of the pictures and of the class texts that a run over captions was asked about.

    Its own row does not name them; (None, None) for a run that was asked nothing.
    """
    for row in store.query(_FIRST, {"id": run_id}).to_pylist():
        features_unchanged(store, row["feature_set_id"])
        text_features_unchanged(store, row["text_feature_set_id"])
        return row["feature_set_id"], row["text_feature_set_id"]
    return None, None


def recipe_again(said: dict[str, Any]) -> Recipe:
    """The recipe that recipe_json tells of, among other things."""
    shape = said["aligner"]
    sides = {name: ProjectionConfig(**shape[name]) for name in ("text", "image")}
    return Recipe(**settings_of(Recipe, said) | {"aligner": AlignerConfig(**shape | sides)})


def _config_of(captions: Any) -> FeatureConfig:
    return FeatureConfig(
        encoder=captions.encoder,
        layer=captions.layer,
        pooling=captions.pooling,
        precision=captions.precision,
    )
