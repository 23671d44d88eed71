"""Trained runs scored again and brought into the store: what `xmodal eval` does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from taxonomy.errors import ConfigError, DataError, ManifestError
from taxonomy.model import one_of
from xmodal.features.extract import FeatureSet, load_features
from xmodal.features.skipped import with_features
from xmodal.features.unseen import check_unseen, pictures_asked
from xmodal.jobs import features_dir, runs_dir, sync_lines
from xmodal.lms.causal import LanguageModel, load_lm
from xmodal.store import Store
from xmodal.vlm.evaluate import IMAGE_MODES
from xmodal.vlm.run_folder import RunFolder
from xmodal.vlm.transfer import Evaluated, Evaluator

SPLITS = ("train", "validation", "test")


def evaluate_run(
    store: Path,
    run_id: str,
    *,
    manifest_id: str | None = None,
    images: Sequence[str] = ("real",),
    split: str = "test",
    verified: int | None = 0,
    allow_seen: bool = False,
) -> Iterator[str]:
    """Score a trained run on a manifest's questions, once for each way to show the pictures.

    Args:
        store: The DuckDB file; run folders and features lie beside it.
        run_id: Of a run, or its beginning.
        manifest_id: Of a manifest of the same dataset, or its beginning; None for the run's own.
        images: Image modes.
        split: Whose questions are asked.
        verified: Questions a mode that are also asked one by one: 0 for none, None for all.
        allow_seen: Ask about pictures that the encoder was trained on; questions of split
            train may always be asked.

    Yields:
        One line for each image mode, then the sync's counts and problems.

    Raises:
        ConfigError: No such split or image mode; the run's device is not here; or the encoder
            was trained on the pictures asked about.
        DataError: The LM or the features are not those of the run.
        ManifestError: A manifest of another dataset.
        StoreError: No such run or manifest.
        XmodalError: One by one, a question is answered otherwise than in its batch.
    """
    check_asked(split, images)
    with Store.open(store, read_only=True) as opened:
        record = opened.load_run(run_id)
        own = opened.load_manifest(record["manifest_id"])
        manifest = own if manifest_id is None else opened.load_manifest(manifest_id)
        taxonomy = opened.load_taxonomy(record["dataset_id"])
        features = features_of(opened, record)
    if manifest.dataset_id != record["dataset_id"]:
        raise ManifestError(
            f"manifest {manifest.manifest_id} is of dataset {manifest.dataset_id}, run "
            f"{record['run_id']} of {record['dataset_id']}: take one of the same dataset"
        )
    own, manifest = with_features(own, features), with_features(manifest, features)
    if split != "train":
        check_unseen(features, pictures_asked(taxonomy, manifest, (split,)), allow_seen)
    folder = RunFolder(runs_dir(store) / record["run_id"])
    evaluator = Evaluator.load(record, folder, lm_of(record), features, taxonomy, own, manifest)
    yield from evaluated_lines(evaluator, images, split, verified)
    yield from sync_lines(store)


def evaluated_lines(
    evaluator: Evaluator, images: Sequence[str], split: str, verified: int | None
) -> Iterator[str]:
    """Score a split in each image mode, once; a line for each.

    Args:
        evaluator: Ready to be asked.
        images: Image modes.
        split: Whose questions are asked.
        verified: As for evaluate_run.
    """
    for mode in dict.fromkeys(images):
        yield _line(evaluator.evaluate(mode, split, verified), mode, split)


def check_asked(split: str, images: Sequence[str]) -> None:
    """Raise ConfigError unless there are such a split and such image modes."""
    one_of("split", split, SPLITS)
    for mode in images:
        one_of("image", mode, IMAGE_MODES)


def features_of(store: Store, record: Mapping[str, Any]) -> FeatureSet:
    """The features beside a store that a stored run was trained on.

    Args:
        store: Open, to read.
        record: Of the run.

    Raises:
        DataError: They are gone, or others by now.
    """
    said = store.query(
        "SELECT sha256 FROM feature_set WHERE feature_set_id = $id",
        {"id": record["feature_set_id"]},
    )
    features = load_features(features_dir(Path(store.path)) / str(record["feature_set_id"]))
    if features.sha256 not in said["sha256"].to_pylist():
        raise DataError(
            f"{features.path} holds other features than run {record['run_id']} was trained on; "
            "bring the old ones back"
        )
    return features


def lm_of(record: Mapping[str, Any]) -> LanguageModel:
    """The LM of a stored run; random weights are drawn again from the run's seed.

    Raises:
        ConfigError: The run's device is not here.
        DataError: The LM cannot be loaded, or has other weights now.
    """
    import torch

    device = str(record["device"]).split(":")[0]
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            f"run {record['run_id']} was trained on a GPU, in bf16, and torch finds none here"
        )
    random = record["lm_init"] == "random"
    lm = load_lm(
        record["lm"],
        init=record["lm_init"],
        revision=record["lm_revision"],
        seed=record["seed_init"] if random else 0,
        device=device,
    )
    if lm.sha256 != record["lm_hash"]:
        how = f"drawn from seed {record['seed_init']} " if random else ""
        raise DataError(
            f"run {record['run_id']} was trained with lm {record['lm']!r} of weights "
            f"{record['lm_hash'][:12]}, those {how}here are {lm.sha256[:12]}; bring the old ones "
            "back"
        )
    return lm


def _line(done: Evaluated, mode: str, split: str) -> str:
    name = done.evaluation_id or "at the end of training"
    line = (
        f"{name} {'scored' if done.made else 'is there'}: {done.n_questions} {split} questions, "
        f"{mode} picture: {done.path}"
    )
    if done.n_verified is None:
        return line
    return f"{line}; {done.n_verified} asked one by one: off by {done.largest_difference:.1e}"
