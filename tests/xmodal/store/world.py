"""A tiny dataset, manifests over it and run folders, written by hand for tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from taxonomy.model import Manifest, ManifestConfig, Taxonomy, TaxonomyConfig, manifest_id
from taxonomy.tables import CELL, CONCEPT, EDGE, EXAMPLE, IMAGE, LABEL, LEAF_HYPERNYM
from xmodal.store import METRIC, PREDICTION, FeatureSetRow

BIRD, GEM, TOOL, PARROT, RUBY, SAW = range(6)
NAMES = ("bird", "gem", "tool", "parrot", "ruby", "saw")

# (example_id, label_leaf_id, asked_id, answer, question_set)
Question = tuple[int, int, int, bool, str]
# (example_id, predicted)
Answer = tuple[int, bool]


def table(schema: pa.Schema, rows: Iterable[Sequence[Any]]) -> pa.Table:
    return pa.Table.from_pylist(
        [dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema
    )


def taxonomy(dataset_id: str = "d1") -> Taxonomy:
    concepts = [
        (BIRD, "hypernym/bird", "bird", "a bird", None, None, None, "hypernym", False, None),
        (GEM, "hypernym/gem", "gem", "a gem", None, None, None, "hypernym", False, None),
        (TOOL, "hypernym/tool", "tool", "a tool", None, None, None, "hypernym", False, None),
        (PARROT, "leaf/parrot", "parrot", "a parrot", "parrot.n.01", 7, "a bird", "leaf", False, 9),
        (RUBY, "leaf/ruby", "ruby", "a ruby", None, None, None, "leaf", False, None),
        (SAW, "leaf/saw", "saw", "a saw", None, None, None, "leaf", False, None),
    ]
    pairs = [(PARROT, BIRD), (RUBY, GEM), (SAW, TOOL)]
    return Taxonomy(
        dataset_id=dataset_id,
        config=TaxonomyConfig(min_leaves=1),
        concepts=table(CONCEPT, concepts),
        edges=table(EDGE, [(leaf, hypernym, "wordnet") for leaf, hypernym in pairs]),
        leaf_hypernym=table(
            LEAF_HYPERNYM, [(a, b, True, None, True, "hypernym") for a, b in pairs]
        ),
        images=table(
            IMAGE,
            [
                (0, PARROT, "test", "noto", "noto", "aa", "bundle:0"),
                (1, PARROT, None, None, None, "bb", "bundle:1"),
            ],
        ),
        notes={"version": "1", "dropped": ["lamp"]},
    )


def with_images(of: Taxonomy, n_per_leaf: int) -> Taxonomy:
    """The same concepts with images of each leaf in all three splits."""
    splits = ("train", "test", "validation")
    rows = []
    for leaf in (PARROT, RUBY, SAW):
        for number in range(n_per_leaf):
            image_id = leaf * 100 + number
            split = splits[number % 3]
            rows.append((image_id, leaf, split, "noto", split, f"{image_id}", f"bundle:{image_id}"))
    return replace(of, images=table(IMAGE, rows))


def manifest(questions: Iterable[Question], dataset_id: str = "d1", **knobs: Any) -> Manifest:
    """A manifest with these test questions, all about image 0."""
    config = ManifestConfig(**knobs)
    rows = []
    for example_id, leaf, asked, answer, question_set in questions:
        kind = "leaf" if question_set == "leaf" else "hypernym"
        held_out = None if kind == "leaf" else question_set == "held_out"
        rows.append(
            (example_id, 0, "test", leaf, asked, kind, answer, held_out, question_set, False)
        )
    return Manifest(
        manifest_id=manifest_id(dataset_id, config),
        dataset_id=dataset_id,
        config=config,
        shuffle_id="none",
        cells=table(CELL, [(PARROT, BIRD, True, True), (PARROT, GEM, False, False)]),
        labels=table(LABEL, [(PARROT, PARROT, "identity"), (RUBY, None, "dropped")]),
        examples=table(EXAMPLE, rows),
        rows_sha256="f" * 64,
        summary={"ratio_realised_cells": 0.5, "ratio_realised_questions": 0.25},
    )


def feature_set(**changes: Any) -> FeatureSetRow:
    row: dict[str, Any] = {
        "feature_set_id": "f1",
        "dataset_id": "d1",
        "encoder": "classical",
        "revision": "1",
        "layer": "last",
        "pooling": "patches",
        "n_tokens": 16,
        "width": 128,
        "n_views": 1,
        "dtype": "float32",
        "sha256": "0" * 64,
        "path": "features/f1.npy",
        "weights_sha256": None,
        "side": None,
        "fit": "own",
        "precision": "float32",
        "n_training_pictures": 0,
        "training_sha256": None,
        "n_skipped": 0,
    }
    return FeatureSetRow(**(row | changes))


def record(run_id: str, of: Manifest, **changes: Any) -> dict[str, Any]:
    """The run.json of a finished run."""
    return {
        "run_id": run_id,
        "experiment": "vlm",
        "dataset_id": of.dataset_id,
        "manifest_id": of.manifest_id,
        "source": "own",
        "lm": "bundle",
        "lm_revision": None,
        "lm_hash": "lm1",
        "lm_init": "pretrained",
        "feature_set_id": "f1",
        "encoder": "classical",
        "prompt": "default",
        "recipe": "demo",
        "recipe_json": '{"lr": 0.01}',
        "projector": "mlp",
        "n_prefix_tokens": 2,
        "co_train_group": None,
        "seed_init": 42,
        "seed_order": 42,
        "n_steps": 10,
        "batch_size": 4,
        "n_train_questions": 100,
        "n_params": 1000,
        "flops": None,
        "seconds": 1.5,
        "device": "cpu",
        "status": "finished",
        "versions_json": "{}",
        "command": "xmodal train",
        "git_commit": None,
        "started_at": "2026-01-02T03:04:05+00:00",
    } | changes


def predictions(answers: Iterable[Answer], mode: str = "real") -> pa.Table:
    rows = [
        (mode, example_id, 1.0 if yes else 0.0, 0.0 if yes else 1.0, yes)
        for example_id, yes in answers
    ]
    return table(PREDICTION, rows)


SETUP = {
    "git_dirty": None, "threads": 2, "precision": "float32", "platform": "Linux",
    "processor": "AVX2", "together_json": '["a", "b"]',
}  # fmt: skip


def run_folder(
    runs_dir: Path,
    run_id: str,
    of: Manifest,
    answers: Iterable[Answer] | pa.Table,
    **changes: Any,
) -> Path:
    """Write a finished run folder; changes go into run.json."""
    folder = runs_dir / run_id
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(record(run_id, of, **changes)))
    metrics = table(METRIC, [(0, "loss", 2.5), (10, "loss", 0.5), (10, "lr", 0.0)])
    pq.write_table(metrics, folder / "metrics.parquet")
    rows = answers if isinstance(answers, pa.Table) else predictions(answers)
    pq.write_table(rows, folder / "predictions.parquet")
    return folder


def card_folder(runs_dir: Path, run_id: str = "c1", **changes: Any) -> Path:
    """The folder of a shared projector as `xmodal eval --projector` leaves it."""
    folder = runs_dir / run_id
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "run_id": run_id,
        "experiment": "card",
        "dataset_id": "d1",
        "feature_set_id": "f1",
        "card_id": "card1",
        "trained_run_id": "far",
        "trained_dataset_id": "far",
        "trained_manifest_id": "far",
        "trained_design": "random",
        "trained_ratio": 1.0,
        "trained_shuffle": "none",
        "lm": "bundle",
        "lm_hash": "lm1",
        "lm_init": "pretrained",
        "encoder": "classical",
        "seed_init": 42,
        "seed_order": 42,
        "config_json": "{}",
        "status": "finished",
        "versions_json": "{}",
        "command": "xmodal eval",
        "started_at": "2026-01-02T03:04:05+00:00",
    }
    (folder / "run.json").write_text(json.dumps(record | changes))
    (folder / "projector.safetensors").write_bytes(b"weights")
    return folder
