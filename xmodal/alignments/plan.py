"""What `xmodal align train` is asked for, as jobs: every setting and id checked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from taxonomy.errors import ConfigError
from taxonomy.model import one_of
from taxonomy.separation.model import ARMS
from xmodal.align.caption_pairs import VALIDATIONS as CAPTIONS
from xmodal.align.class_pairs import VALIDATIONS
from xmodal.align.evaluate import SPLITS
from xmodal.align.grids import recipes
from xmodal.alignments.jobs import AlignJob
from xmodal.alignments.sources import Source, caption_sources, check_asked, parts_of, text_sets
from xmodal.features.stored import load_stored
from xmodal.lms.names import BUNDLED
from xmodal.machine import device_meant
from xmodal.pipeline import check_seeds
from xmodal.store import Store

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
                Source(row, pictures.feature_set_id) for row in text_sets(opened, of, text_features)
            ]
        else:
            found = caption_sources(opened, captions, text_features, of, pictures, class_texts)
        parts = parts_of(opened, of, separation, levels, arms)
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


def is_own(row: dict[str, Any]) -> bool:
    """Whether text features are of an LM of the package, or of words alone."""
    return row["lm"] in BUNDLED or row["lm_kind"] == "words"
