"""From the store to alignments and back: what `xmodal align train` does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa

from taxonomy.errors import ConfigError, StoreError
from taxonomy.model import Taxonomy, one_of
from taxonomy.separation.model import ARMS
from xmodal.align.caption_pairs import VALIDATIONS as CAPTIONS
from xmodal.align.caption_pairs import check_texts
from xmodal.align.captions import CaptionSet
from xmodal.align.class_pairs import VALIDATIONS
from xmodal.align.evaluate import SPLITS
from xmodal.align.grids import recipes
from xmodal.align_jobs import AlignJob, align_jobs, texts_of
from xmodal.align_match import check_encoder, check_reader, same_reader
from xmodal.captions import stored_captions
from xmodal.features.extract import FeatureSet
from xmodal.features.stored import load_stored
from xmodal.features.unseen import check_unseen
from xmodal.jobs import runs_dir
from xmodal.lms.causal import BUNDLED
from xmodal.machine import device_meant
from xmodal.pipeline import check_seeds
from xmodal.processes import each, mover, run_parts
from xmodal.progress import bars
from xmodal.store import Store
from xmodal.store.separations import levels_of
from xmodal.store.store import resolve_id

USUAL = ("embedded", "s2")
"""Recipes unless told otherwise: for features of the package's own LMs, and of others."""


def plan_alignments(
    store: Path,
    *,
    text_features: Sequence[str] = (),
    features: str | None = None,
    dataset: str | None = None,
    captions: str | None = None,
    class_texts: str | None = None,
    separation: str | None = None,
    levels: Sequence[str] = (),
    arms: Sequence[str] = ("separated",),
    recipe: str | None = None,
    side: str | None = None,
    changes: Sequence[str] = (),
    grid: Sequence[str] = (),
    n_pairs: Sequence[int] = (),
    validation: str | None = None,
    validation_share: float = 0.1,
    seeds: Sequence[int] = (42,),
    split: str = "test",
    allow_seen: bool = False,
    device: str = "auto",
    rows: int | None = None,
    offload: bool = False,
) -> list[AlignJob]:
    """One job for each combination of what is given, every setting checked.

    Args:
        store: The DuckDB file.
        text_features: Ids of text features of class names, or of the captions, or beginnings;
            none for the only ones of the dataset or caption set.
        features: Id of picture features, or its beginning; None as for `xmodal train`. With
            captions they are asked about at the end.
        dataset: Id of a dataset, or its beginning; None for that of the features, or the latest.
        captions: Id of a caption set, or its beginning, to train on. Without features, dataset
            and separation nothing is asked at the end.
        class_texts: With captions, id of the text features of the classes to ask about; None for
            the only ones that the same LM has read.
        separation: Id of a separation, or its beginning; None to train on every class.
        levels: Of the separation; none for all that it has.
        arms: separated, control. Where nothing is removed both are the same: one run.
        recipe: None for embedded with text features of the package's own, else s2.
        side: What is projected, text, image or both; None as the recipe says.
        changes: NAME=VALUE, settings of the recipe.
        grid: NAME=VALUE,VALUE, or the name of a grid.
        n_pairs: Numbers of training pairs; none for all of them.
        validation: What is looked at while training: pictures, classes, pairs (of captions) or
            none; None for pictures, with captions for pairs.
        validation_share: Of the classes, or of the captions' pictures.
        seeds: Of initialisation, order and what is drawn.
        split: Whose pictures are asked about at the end.
        allow_seen: Ask about pictures that the encoder was trained on.
        device: cpu, cuda, cuda:1, mps; auto for the first GPU, or cpu where there is none.
        rows: Rows that go through the projections at once; None for the whole batch.
        offload: Keep what is held of a split batch in the host's memory.

    Raises:
        ConfigError: A setting out of range or at odds with another.
        StoreError: An id that is unknown or ambiguous, or of another dataset.
    """
    check_seeds(seeds)
    one_of("split", split, SPLITS)
    usual, known = ("pictures", VALIDATIONS) if captions is None else ("pairs", CAPTIONS)
    validation = usual if validation is None else validation
    one_of("validation", validation, known)
    for arm in arms:
        one_of("arm", arm, ARMS)
    if rows is not None and rows < 1:
        raise ConfigError(f"rows must be at least 1, got {rows}")
    if separation is None and (levels or tuple(arms) != ("separated",)):
        raise ConfigError("level and arm are those of a separation: give --separation too")
    if class_texts is not None and captions is None:
        raise ConfigError("class-texts go with captions: text-features alone says what is read")
    with Store.open(store, read_only=True) as opened:
        asked = captions is None or any((features, dataset, separation))
        of, pictures = load_stored(opened, features, dataset) if asked else (None, None)
        if captions is None:
            assert of is not None
            assert pictures is not None
            found = [
                _Source(row, pictures.feature_set_id)
                for row in text_sets(opened, of, text_features)
            ]
        else:
            found = _caption_sources(opened, captions, text_features, of, pictures, class_texts)
        parts = _parts(opened, of, separation, levels, arms)
    if of is not None and pictures is not None:
        check_asked(of, pictures, split, allow_seen)
    where = device_meant(device)
    made = [recipes(recipe or USUAL[not is_own(one.row)], changes, grid, side) for one in found]
    return [
        AlignJob(
            store=store,
            feature_set_id=source.feature_set_id,
            text_feature_set_id=source.row["text_feature_set_id"],
            caption_set_id=source.caption_set_id,
            class_texts=source.class_texts,
            recipe=one,
            separation_id=part[0],
            level=part[1],
            arm=part[2],
            n_pairs=n,
            validation=validation,
            validation_share=validation_share,
            seed=seed,
            device=where,
            rows=rows,
            offload=offload,
            split=split,
        )
        for source, settings in zip(found, made, strict=True)
        for part, one, n, seed in product(
            parts, settings, tuple(dict.fromkeys(n_pairs)) or (None,), dict.fromkeys(seeds)
        )
    ]


@dataclass(frozen=True)
class _Source:
    """What is trained on, and what is asked about at the end."""

    row: dict[str, Any]
    """Of text_feature_set."""
    feature_set_id: str | None
    caption_set_id: str | None = None
    class_texts: str | None = None


def _caption_sources(
    store: Store,
    captions: str,
    text_features: Sequence[str],
    of: Taxonomy | None,
    pictures: FeatureSet | None,
    class_texts: str | None,
) -> list[_Source]:
    """One source for each text features of a caption set."""
    held = {row["caption_set_id"]: row for row in store.query("FROM caption_set").to_pylist()}
    trained = held[resolve_id("caption set", captions, sorted(held))]
    chosen = stored_captions(store, trained["caption_set_id"])
    if pictures is not None:
        own = {"id": pictures.feature_set_id}
        (row,) = store.query("FROM feature_set WHERE feature_set_id = $id", own).to_pylist()
        check_encoder(row, trained)
    found = []
    for row in caption_texts(store, chosen, text_features):
        key = None
        if of is not None:
            if class_texts is not None:
                (asked,) = text_sets(store, of, [class_texts])
                check_reader(asked, row)
            else:
                asked = _class_texts(store, of, row)
            key = asked["text_feature_set_id"]
        feature_set_id = None if pictures is None else pictures.feature_set_id
        found.append(_Source(row, feature_set_id, trained["caption_set_id"], key))
    return found


def caption_texts(store: Store, captions: CaptionSet, given: Sequence[str]) -> list[dict[str, Any]]:
    """Text features of a caption set: those that are named, or its only ones."""
    text = "FROM text_feature_set WHERE dataset_id IS NULL ORDER BY text_feature_set_id"
    rows = {row["text_feature_set_id"]: row for row in store.query(text).to_pylist()}
    if given:
        chosen = [resolve_id("text feature set", name, list(rows)) for name in given]
        for one in chosen:
            check_texts(captions, texts_of(store, one))
        return [rows[one] for one in dict.fromkeys(chosen)]
    want = [[one] for one in captions.texts()]
    own = [
        row
        for key, row in rows.items()
        if row["n_rows"] == captions.n_texts
        and texts_of(store, key).table()["texts"].to_pylist() == want
    ]
    if len(own) == 1:
        return own
    set_id = captions.caption_set_id
    if own:
        ids = ", ".join(row["text_feature_set_id"] for row in own)
        raise StoreError(
            f"captions {set_id} have {len(own)} sets of text features, give --text-features with "
            f"one or more of {ids}"
        )
    raise StoreError(
        f"{store.path} holds no text features of captions {set_id}: `xmodal align features --store "
        f"{store.path} --captions {set_id}` makes some"
    )


def _class_texts(store: Store, of: Taxonomy, trained: dict[str, Any]) -> dict[str, Any]:
    """The only text features of a dataset's classes that the LM of a caption set has read."""
    text = "FROM text_feature_set WHERE dataset_id = $id ORDER BY text_feature_set_id"
    rows = store.query(text, {"id": of.dataset_id}).to_pylist()
    own: list[dict[str, Any]] = [row for row in rows if same_reader(row, trained)]
    if len(own) == 1:
        return own[0]
    if own:
        ids = ", ".join(row["text_feature_set_id"] for row in own)
        raise StoreError(f"{len(own)} text features could be asked with, give --class-texts: {ids}")
    raise StoreError(
        f"{store.path} holds no class names of dataset {of.dataset_id} as read by "
        f"{trained['lm']!r}, pooling {trained['pooling']}: `xmodal align features --store "
        f"{store.path} --dataset {of.dataset_id}` makes such"
    )


def train_alignments(store: Path, *, workers: int = 1, **settings: Any) -> Iterator[str]:
    """Train every job and sync.

    Args:
        store: The DuckDB file.
        workers: Runs at a time, a process each.
        **settings: See plan_alignments.

    Yields:
        One line a run, then the sync's counts and problems.
    """
    jobs = plan_alignments(store, **settings)
    for result in run_jobs(jobs, workers):
        yield f"{result.run_id} {'trained' if result.trained else 'is there'}: {result.folder.path}"
    with Store.open(store) as opened:
        report = opened.sync(runs_dir(store))
    yield from (report.summary(), *report.problems())


def run_jobs(
    jobs: Sequence[AlignJob], workers: int = 1, labels: Sequence[str] | None = None
) -> list[Any]:
    """Train and score jobs, some at a time; one result a job, in their order."""
    if workers < 1:
        raise ConfigError(f"workers must be at least 1, got {workers}")
    with bars() as shown:
        names = labels or [_label(job) for job in jobs]
        moves = [mover(shown, shown.add_task(name, total=None, note="waits")) for name in names]
        found = run_parts(align_jobs, [[job] for job in jobs], [each([m]) for m in moves], workers)
    return [one for (one,) in found]


def is_own(row: dict[str, Any]) -> bool:
    """Whether text features are of an LM of the package, or of words alone."""
    return row["lm"] in BUNDLED or row["lm_kind"] == "words"


def _label(job: AlignJob) -> str:
    parts = [job.text_feature_set_id[:8], job.level, job.arm, job.recipe.name, f"seed {job.seed}"]
    return " ".join(part for part in parts if part)


def text_sets(store: Store, of: Taxonomy, given: Sequence[str]) -> list[dict[str, Any]]:
    """Text features of a dataset's classes: those that are named, or its only ones."""
    text = "SELECT * FROM text_feature_set ORDER BY text_feature_set_id"
    rows = {row["text_feature_set_id"]: row for row in store.query(text).to_pylist()}
    own = {key: row for key, row in rows.items() if row["dataset_id"] == of.dataset_id}
    if not given:
        if not own:
            raise StoreError(
                f"{store.path} holds no text features of dataset {of.dataset_id}: `xmodal align "
                f"features --store {store.path} --dataset {of.dataset_id}` makes some"
            )
        if len(own) > 1:
            raise StoreError(
                f"dataset {of.dataset_id} has {len(own)} sets of text features, give "
                f"--text-features with one or more of {', '.join(own)}"
            )
        return list(own.values())
    found = []
    for one in dict.fromkeys(resolve_id("text feature set", name, list(rows)) for name in given):
        if one not in own:
            whose = rows[one]["dataset_id"]
            raise StoreError(
                f"text features {one} are of {f'dataset {whose}' if whose else 'captions'}, the "
                f"pictures of dataset {of.dataset_id}: take those of one dataset"
            )
        found.append(rows[one])
    return found


Part = tuple[str | None, str | None, str | None]
"""Separation, level and arm."""


def _parts(
    store: Store,
    of: Taxonomy | None,
    given: str | None,
    levels: Sequence[str],
    arms: Sequence[str],
) -> list[Part]:
    if given is None or of is None:
        return [(None, None, None)]
    text = "SELECT separation_id, dataset_id FROM separation ORDER BY separation_id"
    rows = {row["separation_id"]: row["dataset_id"] for row in store.query(text).to_pylist()}
    chosen = resolve_id("separation", given, list(rows))
    if rows[chosen] != of.dataset_id:
        raise StoreError(
            f"separation {chosen} is of dataset {rows[chosen]}, the pictures of dataset "
            f"{of.dataset_id}: take those of one dataset"
        )
    there = levels_of(store, chosen)
    for level in levels:
        one_of("level", level, tuple(there))
    found: list[Part] = []
    for level in dict.fromkeys(levels or there):
        # nothing is removed at none, so that both arms are the same
        used = ["separated"] if level == "none" else dict.fromkeys(arms)
        found += [(chosen, level, arm) for arm in used]
    return found


def check_asked(of: Taxonomy, pictures: FeatureSet, split: str, allow_seen: bool) -> None:
    """Refuse to ask about pictures that the encoder was trained on."""
    if split == "train":
        return
    import pyarrow.compute as pc

    of_split = pc.fill_null(pc.equal(of.images["split"], split), False)
    asked: pa.Table = of.images.filter(of_split)
    check_unseen(pictures, asked["sha256"].to_pylist(), allow_seen)
