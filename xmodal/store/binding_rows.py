"""Typed rows of binding: runs and the looks into them, see rows.py."""

from __future__ import annotations

from typing import Literal

from xmodal.store.rows import JsonText, Row


class BindingRunRecord(Row):
    """`run.json` of a decoder: every column of binding_run but the content hash."""

    run_id: str
    experiment: Literal["s3"]
    arm: str
    uses_noise: bool
    uses_grounding: bool
    uses_image: bool
    uses_mixing: bool
    uses_expansion: bool
    position: Literal["rope", "learned", "none", "random-offset"]
    scene_set_id: str | None
    scene_layout: str | None
    encoder: str | None
    start: Literal["scratch", "text-trained"]
    start_run_id: str | None
    recipe: str
    recipe_json: JsonText
    n_layers: int
    width: int
    n_heads: int
    n_params: int
    n_from: int
    n_to: int
    seed_init: int
    seed_order: int
    n_steps: int
    n_questions: int
    n_tokens: int
    n_tokens_computed: int
    flops: float
    n_together: int
    seconds: float
    device: str
    precision: Literal["float32", "bfloat16"]
    status: Literal["running", "finished"]
    weights_sha256: str
    versions_json: JsonText
    command: str
    git_commit: str | None
    started_at: str


class BindingRunRow(BindingRunRecord):
    """One finished decoder, as stored."""

    content_hash: str


class BindingProbeRecord(Row):
    """`probe.json` of a probe's folder: every column of binding_probe but the content hash."""

    probe_id: str
    kind: Literal["interchange", "knockout", "linear", "retrieval", "shift"]
    run_id: str | None
    step: int | None
    lm: str | None
    lm_revision: str | None
    lm_hash: str | None
    is_vlm: bool
    pair_id: str | None
    context: Literal["text", "image"]
    vocabulary: str
    n_layers: int
    n_examples: int
    as_published: bool
    seed: int
    settings_json: JsonText
    seconds: float
    device: str
    versions_json: JsonText
    command: str
    created_at: str


class BindingProbeRow(BindingProbeRecord):
    """One look into a decoder, as stored."""

    content_hash: str
