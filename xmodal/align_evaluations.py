"""Trained alignments asked again: other pictures, classes, class names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from taxonomy.errors import DataError, StoreError
from taxonomy.model import one_of
from xmodal.align.class_lists import read_class_list
from xmodal.align.evaluate import SPLITS, Evaluated
from xmodal.align.run import AlignResult
from xmodal.align.run_folder import AlignFolder
from xmodal.align_jobs import edges_of, score_classes, world_of
from xmodal.align_runs import check_asked, text_sets
from xmodal.features.stored import load_stored
from xmodal.jobs import runs_dir
from xmodal.machine import device_meant
from xmodal.store import Store
from xmodal.store.separations import Part, load_part
from xmodal.store.store import resolve_id

_SAME = ("lm_hash", "lm_init", "layer", "pooling")
"""Of text features, what must be as the run was trained with."""


def evaluate_alignment(
    store: Path,
    run_id: str,
    *,
    dataset: str | None = None,
    features: str | None = None,
    text_features: str | None = None,
    classes: Path | None = None,
    split: str = "test",
    allow_seen: bool = False,
    device: str = "auto",
) -> Iterator[str]:
    """Ask a trained alignment about the pictures of a dataset, unless that was done, and sync.

    Args:
        store: The DuckDB file; run folders and features lie beside it.
        run_id: Of an alignment, or its beginning.
        dataset: Id of a dataset, or its beginning; None for the run's own. Of another one every
            class is unseen.
        features: Id of picture features by the run's encoder; None for the run's own, or the only
            ones of another dataset.
        text_features: Id of text features of its classes by the run's LM, such as names in another
            language; None as for features.
        classes: A file of classes that pictures and candidates are limited to.
        split: Whose pictures are asked about.
        allow_seen: Ask about pictures that the encoder was trained on.
        device: Where to compute.

    Yields:
        One line on the evaluation, then the sync's counts and problems.

    Raises:
        ConfigError: No such split, or the encoder was trained on the pictures asked about.
        DataError: A class list that cannot be read, or features of another encoder or LM.
        StoreError: No such run, dataset or features.
    """
    one_of("split", split, SPLITS)
    with Store.open(store, read_only=True) as opened:
        run = load_alignment(opened, run_id)
        own = dataset is None and run["dataset_id"] is not None
        of, pictures = load_stored(
            opened,
            features or (run["feature_set_id"] if own else None),
            run["dataset_id"] if own else dataset,
        )
        own = of.dataset_id == run["dataset_id"]
        given = text_features or (run["text_feature_set_id"] if own else None)
        (texts,) = text_sets(opened, of, [given] if given else [])
        _check_same(opened, run, pictures.feature_set_id, texts)
        part = _part(opened, run) if own else None
        world = world_of(opened, pictures.feature_set_id, texts["text_feature_set_id"])
    check_asked(of, pictures, split, allow_seen)
    limit = None if classes is None else frozenset(read_class_list(classes, of))
    done = score_classes(
        AlignResult(run["run_id"], AlignFolder(runs_dir(store) / run["run_id"]), trained=False),
        world,
        edges_of(of),
        part or Part(frozenset(world.class_ids), frozenset()),
        split=split,
        device=torch.device(device_meant(device)),
        limit=limit,
        class_list=None if classes is None else classes.stem,
    )
    yield from synced(store, done)


def synced(store: Path, done: Evaluated) -> Iterator[str]:
    """Say what was scored, and bring it into the store."""
    yield f"{done.evaluation_id} {'scored' if done.made else 'is there'}: {done.path}"
    with Store.open(store) as opened:
        report = opened.sync(runs_dir(store))
    yield from (report.summary(), *report.problems())


def load_alignment(store: Store, run_id: str) -> dict[str, Any]:
    """All columns of one alignment, by id or unique beginning.

    Raises:
        StoreError: An id that is unknown or ambiguous.
    """
    rows = {row["run_id"]: row for row in store.query("FROM align_run ORDER BY run_id").to_pylist()}
    found: dict[str, Any] = rows[resolve_id("alignment", run_id, list(rows))]
    return found


def _part(store: Store, run: dict[str, Any]) -> Part:
    if run["separation_id"] is None:
        return Part(frozenset(), frozenset())
    return load_part(store, run["separation_id"], run["level"], run["arm"])


def _check_same(
    store: Store, run: dict[str, Any], feature_set_id: str, texts: dict[str, Any]
) -> None:
    """Refuse features of another encoder or LM than the run's."""
    names = {"layer": "lm_layer", "pooling": "lm_pooling"}
    for name in _SAME:
        if texts[name] != (want := run[names.get(name, name)]):
            raise DataError(
                f"text features {texts['text_feature_set_id']} have {name} {texts[name]}, run "
                f"{run['run_id']} was trained with {want}: `xmodal align features` reads the texts "
                "as it needs them"
            )
    settings = "encoder, revision, layer, pooling, width, weights_sha256"
    found = store.query(
        "SELECT feature_set_id, dataset_id, encoder, revision, layer, pooling, width, "
        "weights_sha256 FROM feature_set"
    ).to_pylist()
    rows = {row["feature_set_id"]: row for row in found}
    if run["feature_set_id"] in (None, feature_set_id):
        return
    mine, other = rows.get(run["feature_set_id"]), rows[feature_set_id]
    if mine is None:
        raise StoreError(f"features {run['feature_set_id']} of run {run['run_id']} are not there")
    for name in settings.split(", "):
        if mine[name] != other[name]:
            raise DataError(
                f"features {feature_set_id} have {name} {other[name]}, run {run['run_id']} was "
                f"trained with {mine[name]}: `xmodal features extract` makes such"
            )
    if other["pooling"] == "pca" and mine["dataset_id"] != other["dataset_id"]:
        raise DataError(
            f"features {feature_set_id} have principal components of their own dataset, others "
            f"than run {run['run_id']}: train on features of pooling mean or cls to ask about "
            "another dataset"
        )
