"""What of two stores is held against one another: rows of runs by kind, and their designs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xmodal.binding_tables import ACCURACY

_COUNTED = ("n_right", "n_in_scene", "loss")


@dataclass(frozen=True, kw_only=True)
class Part:
    """Rows of a run that are held against one another; see compare_tables."""

    name: str
    text: str
    """Of $id."""
    keys: tuple[str, ...]
    numbers: tuple[str, ...]
    exact: tuple[str, ...] = ()
    by_row: bool = False
    asked: bool = False
    """Rows of what was asked after training, by the column asked: only what both stores asked."""


METRICS = Part(
    name="metrics",
    text="SELECT step, name, value FROM metric WHERE run_id = $id",
    keys=("step", "name"),
    numbers=("value",),
)
KINDS: Mapping[str, tuple[str, tuple[Part, ...]]] = {
    "projector": (
        "SELECT run_id FROM run",
        (
            METRICS,
            Part(
                name="predictions",
                text="""
                SELECT image_mode, example_id, logit_yes, logit_no, predicted
                FROM prediction
                WHERE run_id = $id
                """,
                keys=("image_mode", "example_id"),
                numbers=("logit_yes", "logit_no"),
                exact=("predicted",),
                by_row=True,
            ),
            Part(
                name="evaluations",
                text="""
                SELECT
                    concat_ws('|', manifest_id, split, image_mode) AS asked,
                    example_id,
                    logit_yes,
                    logit_no,
                    predicted
                FROM evaluation_prediction
                JOIN evaluation USING (evaluation_id)
                WHERE run_id = $id
                """,
                keys=("asked", "example_id"),
                numbers=("logit_yes", "logit_no"),
                exact=("predicted",),
                by_row=True,
                asked=True,
            ),
        ),
    ),
    "alignment": (
        "SELECT run_id FROM align_run",
        (
            METRICS,
            Part(
                name="answers",
                text="""
                SELECT
                    to_json({
                        'of': [dataset_id, caption_set_id, text_feature_set_id, feature_set_id],
                        'by': [names, class_list, example_set, split]
                    })::VARCHAR AS asked,
                    align_answer.* EXCLUDE (evaluation_id)
                FROM align_answer
                JOIN align_evaluation USING (evaluation_id)
                WHERE run_id = $id
                """,
                keys=("asked", "task", "query_id", "class_id", "unseen", "n_right", "n_candidates"),
                numbers=("cosine_right", "cosine_first"),
                exact=("rank", "first_id", "edges"),
                asked=True,
            ),
            Part(
                name="compositions",
                text="""
                SELECT
                    to_json({
                        'of': [text_feature_set_id, feature_set_id], 'by': [example_set, split]
                    })::VARCHAR AS asked,
                    align_composition.* EXCLUDE (evaluation_id)
                FROM align_composition
                JOIN align_evaluation USING (evaluation_id)
                WHERE run_id = $id
                """,
                keys=("asked", "example_id"),
                numbers=("c0_i0", "c1_i0", "c0_i1", "c1_i1"),
                exact=("tag",),
                asked=True,
            ),
        ),
    ),
    "decoder": (
        "SELECT run_id FROM binding_run",
        (
            METRICS,
            Part(
                name="accuracy",
                # counts as shares, so that one tolerance fits all numbers
                text="""
                SELECT
                    * EXCLUDE (run_id),
                    n_right / n_questions AS right_ratio,
                    n_in_scene / n_questions AS in_scene_ratio
                FROM binding_accuracy
                WHERE run_id = $id
                """,
                keys=tuple(name for name in ACCURACY.names if name not in _COUNTED),
                numbers=("right_ratio", "in_scene_ratio", "loss"),
            ),
        ),
    ),
    "released": (
        "SELECT run_id FROM released_run",
        (
            Part(
                name="scores",
                text="""
                SELECT
                    question_set,
                    concept,
                    macro_f1_s1,
                    coalesce(blind_f1_s1, 'NaN'::DOUBLE) AS blind_f1_s1,
                    coalesce(accuracy, 'NaN'::DOUBLE) AS accuracy,
                    n_questions,
                    whole
                FROM released_score
                WHERE run_id = $id
                """,
                keys=("question_set", "concept"),
                numbers=("macro_f1_s1", "blind_f1_s1", "accuracy"),
                exact=("n_questions", "whole"),
            ),
        ),
    ),
}
DESIGNS = {
    "manifest": "SELECT manifest_id AS id, rows_sha256 AS said FROM manifest ORDER BY id",
    "feature set": "SELECT feature_set_id AS id, sha256 AS said FROM feature_set ORDER BY id",
    "text features": (
        "SELECT text_feature_set_id AS id, sha256 AS said FROM text_feature_set ORDER BY id"
    ),
    "caption set": "SELECT caption_set_id AS id, sha256 AS said FROM caption_set ORDER BY id",
    "scene set": "SELECT scene_set_id AS id, sha256 AS said FROM scene_set ORDER BY id",
}
"""What has one hash."""
DATASETS = "SELECT dataset_id AS id FROM dataset ORDER BY id"
OF_DATASET = {
    "concepts": "SELECT * FROM concept WHERE dataset_id = $id ORDER BY concept_id",
    "edges": "SELECT * FROM edge WHERE dataset_id = $id ORDER BY ALL",
    "pairs": "SELECT * FROM leaf_hypernym WHERE dataset_id = $id ORDER BY ALL",
    # where a picture lies is no part of the dataset
    "pictures": "SELECT * EXCLUDE (uri) FROM image WHERE dataset_id = $id ORDER BY image_id",
}
