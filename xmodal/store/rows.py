"""Typed rows of the small tables: what goes in and comes out one at a time.

`table=False` on purpose: SQLModel checks values only then. Field order and types are those
of sql/schema; a test holds them together. Every field must be given, even where it may be
None, and nothing else may be.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, field_validator
from sqlmodel import SQLModel

from taxonomy.errors import DataError
from taxonomy.reading import parse_json


def _parsed(text: str) -> Any:
    try:
        return parse_json(text, "it")
    except DataError as error:
        raise ValueError(str(error)) from error


def _parses(text: str) -> str:
    if not isinstance(_parsed(text), dict):
        raise ValueError("not a JSON object")
    return text


def _is_list(text: str) -> str:
    if not isinstance(_parsed(text), list):
        raise ValueError("not a JSON list")
    return text


JsonText = Annotated[str, AfterValidator(_parses)]
"""Text of one JSON object: views read inside it."""
JsonListText = Annotated[str, AfterValidator(_is_list)]
"""Text of one JSON list."""


class Row(SQLModel):
    """A strict row: no unknown field, no silent conversion, no NaN."""

    model_config = {"extra": "forbid", "strict": True, "allow_inf_nan": False}

    @field_validator("*", mode="after")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        """Refuse what no column of the store holds."""
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ValueError("must be a whole number of 64 bits")
        if isinstance(value, str):
            value.encode()  # half a pair of surrogates: a ValueError too
        return value

    @classmethod
    def columns(cls) -> list[str]:
        """Names of the columns in the order of the table."""
        return list(cls.model_fields)

    def values(self) -> dict[str, Any]:
        """Column name to value, in the order of the table."""
        return self.model_dump()


class DatasetRow(Row):
    """One taxonomy build."""

    dataset_id: str
    source: str
    version: str
    pairs: str
    min_leaves: int
    seed: int
    config_json: JsonText
    notes_json: JsonText
    created_at: str
    relations: str


class ManifestRow(Row):
    """One design over one dataset; every knob of ManifestConfig is a column."""

    manifest_id: str
    dataset_id: str
    relation: str
    shuffle_id: str
    design: str
    unit: str
    ratio: float
    n_held_out_hypernyms: int | None
    closure: str
    mentions: str
    negatives: str
    shuffle: str
    seed: int
    shuffle_seed: int | None
    train_leaf_negatives: int
    ratio_realised_cells: float | None
    ratio_realised_questions: float | None
    summary_json: JsonText
    rows_sha256: str
    created_at: str


class FeatureSetRow(Row):
    """One file of image features."""

    feature_set_id: str
    dataset_id: str
    encoder: str
    revision: str
    layer: str
    pooling: str
    n_tokens: int
    width: int
    n_views: int
    dtype: str
    sha256: str
    path: str
    weights_sha256: str | None
    side: int | None
    fit: str
    precision: str
    n_training_pictures: int
    training_sha256: str | None
    n_skipped: int


class TextFeatureSetRow(Row):
    """One file of text features."""

    text_feature_set_id: str
    dataset_id: str | None
    templates_json: JsonListText
    lm: str
    lm_revision: str | None
    lm_hash: str
    lm_init: str
    lm_kind: str
    n_lm_parameters: int
    pooling: str
    layer: str
    longest: int
    n_rows: int
    n_texts: int
    n_cut: int
    n_unknown: int
    width: int
    sha256: str
    path: str
    names: str | None
    texts_sha256: str | None


class SeparationRow(Row):
    """One separation of a dataset's leaves into seen and unseen ones."""

    separation_id: str
    dataset_id: str
    n_unseen: int
    max_branch: int
    distance: int
    max_cosine: float | None
    text_feature_set_id: str | None
    min_training: int
    seed: int
    roots_json: JsonListText
    summary_json: JsonText
    created_at: str


class CaptionSetRow(Row):
    """One set of pairs of caption and picture."""

    caption_set_id: str
    name: str
    source: Literal["parquet", "webdataset", "llava-json"]
    encoder: str
    revision: str
    weights_sha256: str | None
    layer: str
    pooling: str
    width: int
    n_pairs: int
    n_texts: int
    n_images: int
    n_skipped: int
    sha256: str
    path: str


class CapabilityRow(Row):
    """One measure of an LM that the user brings."""

    lm: str
    capability: str
    value: float
    source: str | None


class SkippedImageRow(Row):
    """A picture that could not be decoded when features were extracted."""

    feature_set_id: str
    image_id: int
    uri: str
    reason: str


class ReleasedRunRow(Row):
    """A run of somebody else: settings read from its name or file, once, at import."""

    run_id: str
    source: str
    run_name: str
    dataset: str
    relation: str
    lm: str
    lm_init: str
    encoder: str
    recipe: str
    prompt: str
    design: str
    unit: str
    ratio: float
    n_held_out_hypernyms: int | None
    mentions: str
    negatives: str
    shuffle: str
    seed: int


class TextProbeRow(Row):
    """One task in one phrasing, asked of one LM without pictures."""

    probe_id: str
    dataset_id: str
    relation: str
    lm: str
    lm_revision: str | None
    lm_hash: str
    lm_init: str
    seed: int
    task: Literal["yes_no", "sentence", "choice"]
    phrasing: int
    template: str
    chat: bool
    forms_json: JsonText
    n_pairs: int
    versions_json: JsonText
    created_at: str


class CeilingRow(Row):
    """One way to answer a manifest's test questions without an LM."""

    ceiling_id: str
    dataset_id: str
    manifest_id: str
    feature_set_id: str
    encoder: str
    method: Literal["leaf-lookup", "hypernym-neighbours"]
    settings_json: JsonText
    created_at: str


class RunRecord(Row):
    """`run.json` of a run folder: every column of run but the content hash."""

    run_id: str
    experiment: str
    dataset_id: str
    manifest_id: str
    source: str
    lm: str
    lm_revision: str | None
    lm_hash: str
    lm_init: str
    feature_set_id: str | None
    encoder: str
    prompt: str
    recipe: str
    recipe_json: JsonText
    projector: str
    n_prefix_tokens: int
    co_train_group: str | None
    seed_init: int
    seed_order: int
    n_steps: int
    batch_size: int
    n_train_questions: int
    n_params: int
    flops: float | None
    seconds: float
    device: str
    status: Literal["running", "finished"]
    versions_json: JsonText
    command: str
    git_commit: str | None
    started_at: str


class RunRow(RunRecord):
    """One finished run, as stored."""

    content_hash: str


class EvaluationRecord(Row):
    """`evaluation.json` of an evaluation's folder: every column but the content hash."""

    evaluation_id: str
    run_id: str
    manifest_id: str
    image_mode: str
    split: Literal["train", "validation", "test"]
    seed: int
    projector_sha256: str
    n_questions: int
    packed: bool
    n_verified: int | None
    largest_difference: float | None
    seconds: float
    device: str
    versions_json: JsonText
    command: str
    created_at: str


class EvaluationRow(EvaluationRecord):
    """One scoring of a trained run, as stored."""

    content_hash: str


class CardRunRecord(Row):
    """`run.json` of a shared projector: every column of card_run but the content hash."""

    run_id: str
    experiment: Literal["card"]
    dataset_id: str
    feature_set_id: str
    card_id: str
    trained_run_id: str
    trained_dataset_id: str
    trained_manifest_id: str
    trained_design: str
    trained_ratio: float
    trained_shuffle: str
    lm: str
    lm_hash: str
    lm_init: str
    encoder: str
    seed_init: int
    seed_order: int
    config_json: JsonText
    status: Literal["running", "finished"]
    versions_json: JsonText
    command: str
    started_at: str


class CardRunRow(CardRunRecord):
    """One shared projector with the features of one dataset, as stored."""

    content_hash: str


class AlignRunRecord(Row):
    """`run.json` of an alignment: every column of align_run but the content hash."""

    run_id: str
    experiment: Literal["s2"]
    dataset_id: str | None
    caption_set_id: str | None
    separation_id: str | None
    level: str | None
    arm: str | None
    text_feature_set_id: str
    feature_set_id: str | None
    lm: str
    lm_revision: str | None
    lm_hash: str
    lm_init: str
    lm_kind: str
    n_lm_parameters: int
    lm_pooling: str
    lm_layer: str
    templates_json: JsonListText
    encoder: str
    recipe: str
    recipe_json: JsonText
    side: Literal["text", "image", "both"]
    projection: str
    depth: int
    width: int | None
    activation: str | None
    batch_size: int
    n_pairs: int
    n_texts: int
    n_images: int
    n_classes: int | None
    n_validation_pairs: int
    validation: Literal["pictures", "classes", "pairs", "none"]
    seed_init: int
    seed_order: int
    n_steps: int
    best_step: int
    n_params: int
    seconds: float
    device: str
    status: Literal["running", "finished"]
    versions_json: JsonText
    command: str
    git_commit: str | None
    started_at: str


class AlignRunRow(AlignRunRecord):
    """One finished alignment, as stored."""

    content_hash: str


class AlignEvaluationRecord(Row):
    """`evaluation.json` of an alignment's evaluation: every column but the content hash."""

    evaluation_id: str
    run_id: str
    dataset_id: str | None
    caption_set_id: str | None
    text_feature_set_id: str
    feature_set_id: str | None
    names: str | None
    class_list: str | None
    example_set: str | None
    split: str
    aligner_sha256: str
    seconds: float
    device: str
    versions_json: JsonText
    command: str
    created_at: str


class AlignEvaluationRow(AlignEvaluationRecord):
    """One scoring of an alignment, as stored."""

    content_hash: str
