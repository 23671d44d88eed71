"""What the columns of the store point at: one list, which verification goes through.

Every column whose name ends in `_id` is in exactly one of these; a test holds them against the
schema.
"""

from __future__ import annotations

FOLDER_TABLES = (
    *("run", "prediction", "card_run", "evaluation", "evaluation_prediction"),
    *("align_run", "align_evaluation", "align_answer", "align_composition"),
    *("binding_run", "binding_accuracy", "binding_probe"),
    *("binding_interchange", "binding_knockout", "binding_linear", "binding_shifted"),
    *("binding_retrieval", "metric", "run_setup"),
)
"""Tables whose rows all come from folders of runs and probes."""

KEYS = frozenset(
    {
        "dataset.dataset_id",
        "concept.concept_id",
        "image.image_id",
        "manifest.manifest_id",
        "example.example_id",
        "feature_set.feature_set_id",
        "text_feature_set.text_feature_set_id",
        "caption_set.caption_set_id",
        "scene_set.scene_set_id",
        "separation.separation_id",
        "run.run_id",
        "evaluation.evaluation_id",
        "align_run.run_id",
        "align_evaluation.evaluation_id",
        "binding_run.run_id",
        "card_run.run_id",
        "binding_probe.probe_id",
        "text_probe.probe_id",
        "ceiling.ceiling_id",
        "released_run.run_id",
        "coherence.coherence_id",
        "alignment.alignment_id",
        "plan.plan_id",
        "stat.stat_id",
    }
)
"""What a row is called by."""

_DATASET = ("dataset.dataset_id",)
_MANIFEST = ("manifest.manifest_id",)
_FEATURES = ("feature_set.feature_set_id",)
_TEXTS = ("text_feature_set.text_feature_set_id",)
_CAPTIONS = ("caption_set.caption_set_id",)
_SEPARATION = ("separation.separation_id",)
_PROBE = ("binding_probe.probe_id",)
_RUN = ("run.run_id", "align_run.run_id", "binding_run.run_id")

REFERENCES: dict[str, tuple[str, ...]] = {
    "stat.plan_id": ("plan.plan_id",),
    **dict.fromkeys(
        (
            *("concept.dataset_id", "edge.dataset_id", "leaf_hypernym.dataset_id"),
            *("image.dataset_id", "manifest.dataset_id", "feature_set.dataset_id"),
            *("text_feature_set.dataset_id", "separation.dataset_id", "run.dataset_id"),
            *("align_run.dataset_id", "align_evaluation.dataset_id", "ceiling.dataset_id"),
            "card_run.dataset_id",
            "text_probe.dataset_id",
            "image_place.dataset_id",
        ),
        _DATASET,
    ),
    **dict.fromkeys(
        (
            *("manifest_cell.manifest_id", "manifest_label.manifest_id", "example.manifest_id"),
            *("strided.manifest_id", "strided_cell.manifest_id", "strided_leaf.manifest_id"),
            *("strided_hypernym.manifest_id", "strided_draw.manifest_id"),
            "strided_block.manifest_id",
            *("run.manifest_id", "evaluation.manifest_id", "ceiling.manifest_id"),
        ),
        _MANIFEST,
    ),
    **dict.fromkeys(
        (
            *("run.feature_set_id", "align_run.feature_set_id"),
            *("align_evaluation.feature_set_id", "coherence.feature_set_id"),
            *("alignment.feature_set_id", "ceiling.feature_set_id"),
            *("skipped_image.feature_set_id", "card_run.feature_set_id"),
        ),
        _FEATURES,
    ),
    **dict.fromkeys(
        (
            *("align_run.text_feature_set_id", "align_evaluation.text_feature_set_id"),
            "separation.text_feature_set_id",
        ),
        _TEXTS,
    ),
    "align_run.caption_set_id": _CAPTIONS,
    "align_evaluation.caption_set_id": _CAPTIONS,
    "align_run.separation_id": _SEPARATION,
    "separation_class.separation_id": _SEPARATION,
    "separation_leak.separation_id": _SEPARATION,
    "binding_run.scene_set_id": ("scene_set.scene_set_id",),
    "binding_run.start_run_id": ("binding_run.run_id",),
    "binding_probe.run_id": ("binding_run.run_id",),
    "binding_accuracy.run_id": ("binding_run.run_id",),
    "binding_interchange.probe_id": _PROBE,
    "binding_knockout.probe_id": _PROBE,
    "binding_linear.probe_id": _PROBE,
    "binding_retrieval.probe_id": _PROBE,
    "binding_shifted.probe_id": _PROBE,
    "metric.run_id": _RUN,
    "run_setup.run_id": _RUN,
    "prediction.run_id": ("run.run_id",),
    "evaluation.run_id": ("run.run_id", "card_run.run_id"),
    "evaluation_prediction.evaluation_id": ("evaluation.evaluation_id",),
    "align_evaluation.run_id": ("align_run.run_id",),
    "align_answer.evaluation_id": ("align_evaluation.evaluation_id",),
    "align_composition.evaluation_id": ("align_evaluation.evaluation_id",),
    "text_probe_answer.probe_id": ("text_probe.probe_id",),
    "ceiling_prediction.ceiling_id": ("ceiling.ceiling_id",),
    "released_score.run_id": ("released_run.run_id",),
}
"""A column, and the columns one of which holds each of its values; NULL points at nothing."""

SCOPED: dict[str, tuple[str, ...]] = {
    "concepts": (
        *("edge.hyponym_id", "edge.hypernym_id"),
        *("leaf_hypernym.leaf_id", "leaf_hypernym.hypernym_id", "image.concept_id"),
        *("manifest_cell.leaf_id", "manifest_cell.hypernym_id"),
        *("manifest_label.image_leaf_id", "manifest_label.label_leaf_id"),
        *("example.label_leaf_id", "example.asked_id", "image_place.leaf_id"),
        *("strided_cell.leaf_id", "strided_cell.hypernym_id", "strided_leaf.leaf_id"),
        *("strided_hypernym.hypernym_id", "strided_draw.hypernym_id"),
        "strided_block.hypernym_id",
        *("separation_class.class_id", "separation_class.unseen_id"),
        *("separation_leak.unseen_id", "separation_leak.seen_id"),
        *("text_probe_answer.leaf_id", "text_probe_answer.hypernym_id", "align_answer.class_id"),
    ),
    "images": ("example.image_id", "image_place.image_id", "skipped_image.image_id"),
    "examples": (
        *("prediction.example_id", "evaluation_prediction.example_id"),
        "ceiling_prediction.example_id",
    ),
}
"""Columns whose numbers count within a dataset or manifest, by the file of sql/checks."""

FREE = {
    "card_run.card_id": "hash of a folder's config, kept as config_json",
    "card_run.trained_run_id": "of the store where it was trained",
    "card_run.trained_dataset_id": "of the store where it was trained",
    "card_run.trained_manifest_id": "of the store where it was trained",
    "manifest.shuffle_id": "hash of a shuffle that is kept as manifest_label",
    "coherence.shuffle_id": "hash of a shuffle that is drawn anew",
    "alignment.shuffle_id": "hash of a shuffle that is drawn anew",
    "align_answer.query_id": "a picture, a class or a text, by the task",
    "align_answer.first_id": "a class, a picture or a text, by the task",
    "align_composition.example_id": "number of an example in the user's file",
    "binding_probe.pair_id": "shared by the two probes of one comparison",
}
"""Columns that point at no row, and what they are."""
