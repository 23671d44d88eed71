"""Trained alignments asked again: other pictures, classes, class names."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from taxonomy.errors import StoreError
from taxonomy.hashing import content_id
from taxonomy.model import Taxonomy, one_of
from xmodal.align.class_lists import read_class_list
from xmodal.align.evaluate import (
    SPLITS,
    Evaluated,
    answer_captions,
    embed,
    write_evaluation,
)
from xmodal.align.run import AlignResult
from xmodal.align.run_folder import AlignFolder
from xmodal.align.winoground import compose, images_of, read_winoground
from xmodal.align.winoground import texts_of as captions_of
from xmodal.alignments.again import encode_again, read_again
from xmodal.alignments.captions import stored_captions
from xmodal.alignments.jobs import edges_of, score_classes, texts_of, world_of
from xmodal.alignments.match import check_encoder, check_reader
from xmodal.alignments.sources import caption_texts, check_asked, class_texts_of, text_sets
from xmodal.features.stored import load_stored
from xmodal.jobs import runs_dir, sync_lines
from xmodal.machine import device_meant
from xmodal.store import Store
from xmodal.store.separations import Part, load_part
from xmodal.store.store import resolve_id
from xmodal.tables import ANSWERS, COMPOSITIONS

# one statement a table: identifiers cannot be parameters
_ROWS = {
    "feature_set": "FROM feature_set WHERE feature_set_id = $id",
    "caption_set": "FROM caption_set WHERE caption_set_id = $id",
    "text_feature_set": "FROM text_feature_set WHERE text_feature_set_id = $id",
}


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
        texts = _texts(opened, run, of, own, text_features)
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
        class_list=(
            None if classes is None else f"{classes.stem}@{content_id(sorted(limit or ()))[:8]}"
        ),
    )
    yield from synced(store, done)


def evaluate_captions(
    store: Path,
    run_id: str,
    captions: str,
    *,
    text_features: str | None = None,
    device: str = "auto",
) -> Iterator[str]:
    """Ask a trained alignment to find the pictures of captions, and the captions of pictures.

    Among all pictures and all texts of the set: take one of some thousands.

    Args:
        store: The DuckDB file.
        run_id: Of an alignment, or its beginning.
        captions: Id of a caption set by the run's encoder, or its beginning.
        text_features: Id of text features of its texts by the run's LM; None for the only ones.
        device: Where to compute.

    Yields:
        One line on the evaluation, then the sync's counts and problems.

    Raises:
        DataError: Features of another encoder or LM, or of other texts.
        StoreError: No such run, captions or text features.
    """
    with Store.open(store, read_only=True) as opened:
        run = load_alignment(opened, run_id)
        found = stored_captions(opened, captions)
        trained = _row(opened, "text_feature_set", run["text_feature_set_id"])
        given = [text_features] if text_features else []
        (row,) = caption_texts(opened, found, given, trained)
        check_reader(row, trained)
        check_encoder(_row(opened, "caption_set", found.caption_set_id), _trained(opened, run))
        texts = texts_of(opened, row["text_feature_set_id"])
    where = device_meant(device)
    folder = AlignFolder(runs_dir(store) / run["run_id"])

    def answer() -> dict[str, Any]:
        aligner, _ = folder.load_aligner()
        return {ANSWERS: answer_captions(aligner.to(where), found, texts)}

    facts = _facts(row["text_feature_set_id"], "all") | {"caption_set_id": found.caption_set_id}
    identity = {"text": texts.sha256, "image": found.sha256}
    yield from synced(store, write_evaluation(folder, facts, identity, answer, where))


def evaluate_winoground(
    store: Path, run_id: str, path: Path, *, allow_outside: bool = False, device: str = "auto"
) -> Iterator[str]:
    """Ask a trained alignment which of two captions is of which of two pictures.

    Args:
        store: The DuckDB file.
        run_id: Of an alignment, or its beginning; its encoder's pooling must be mean or cls.
        path: In the layout of Winoground; see xmodal.align.winoground.read_winoground.
        allow_outside: Take pictures that it names outside its folder too.
        device: Where to compute.

    Yields:
        One line on the evaluation, then the sync's counts and problems.

    Raises:
        ConfigError: The run's encoder gives no single vector for a picture of no dataset.
        DataError: The examples cannot be read, or LM or encoder have other weights now.
        StoreError: No such run.
    """
    examples = read_winoground(path, allow_outside=allow_outside)
    with Store.open(store, read_only=True) as opened:
        run = load_alignment(opened, run_id)
        trained = _trained(opened, run)
        read = _row(opened, "text_feature_set", run["text_feature_set_id"])
    where = device_meant(device)
    folder = AlignFolder(runs_dir(store) / run["run_id"])

    def answer() -> dict[str, Any]:
        texts = read_again(read, captions_of(examples), where)
        pictures = encode_again(store.parent / trained["path"], images_of(examples), where)
        aligner, _ = folder.load_aligner()
        aligner.to(where)
        vectors = [
            embed(aligner, side, torch.as_tensor(rows)).numpy()
            for side, rows in (("text", texts), ("image", pictures))
        ]
        return {COMPOSITIONS: compose(examples, *vectors)}

    said = [[one.example_id, one.captions, one.tag] for one in examples]
    seen = [sha256(image).hexdigest() for image in images_of(examples)]
    facts = _facts(run["text_feature_set_id"], "all")
    facts["example_set"] = f"{path.stem}@{content_id([said, seen])[:8]}"
    identity = {"examples": said, "pictures": seen}
    yield from synced(store, write_evaluation(folder, facts, identity, answer, where))


def _facts(text_feature_set_id: str, split: str) -> dict[str, Any]:
    """Columns of align_evaluation for what is of no dataset."""
    none = (
        *("dataset_id", "caption_set_id", "feature_set_id"),
        *("names", "class_list", "example_set"),
    )
    return {**dict.fromkeys(none), "text_feature_set_id": text_feature_set_id, "split": split}


def _trained(store: Store, run: dict[str, Any]) -> dict[str, Any]:
    """The row of the picture features that a run was trained on."""
    table = "caption_set" if run["feature_set_id"] is None else "feature_set"
    return _row(store, table, run[f"{table}_id"])


def synced(store: Path, done: Evaluated) -> Iterator[str]:
    """Say what was scored, and bring it into the store."""
    yield f"{done.evaluation_id} {'scored' if done.made else 'is there'}: {done.path}"
    yield from sync_lines(store)


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


def _texts(
    store: Store, run: dict[str, Any], of: Taxonomy, own: bool, given: str | None
) -> dict[str, Any]:
    """The class texts to ask with: those given, the run's, or the only ones by its LM."""
    if given is None and run["caption_set_id"] is not None:
        return class_texts_of(
            store, of, _row(store, "text_feature_set", run["text_feature_set_id"])
        )
    name = given or (run["text_feature_set_id"] if own else None)
    (found,) = text_sets(store, of, [name] if name else [])
    return found


def _check_same(
    store: Store, run: dict[str, Any], feature_set_id: str, texts: dict[str, Any]
) -> None:
    """Refuse features of another encoder or LM than the run's."""
    check_reader(texts, _row(store, "text_feature_set", run["text_feature_set_id"]))
    check_encoder(_row(store, "feature_set", feature_set_id), _trained(store, run))


def _row(store: Store, table: str, key: str) -> dict[str, Any]:
    """A row of a table of features by its id."""
    found: list[dict[str, Any]] = store.query(_ROWS[table], {"id": key}).to_pylist()
    if not found:
        raise StoreError(f"{table} {key}, which the run was trained on, is not in {store.path}")
    return found[0]
