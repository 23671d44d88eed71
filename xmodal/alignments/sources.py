"""Which stored features a run is trained on and asked with: by id, or the only ones there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from taxonomy.errors import StoreError
from taxonomy.model import Taxonomy, one_of
from xmodal.align.caption_pairs import check_texts
from xmodal.align.captions import CaptionSet
from xmodal.alignments.captions import stored_captions
from xmodal.alignments.jobs import texts_of
from xmodal.alignments.match import check_encoder, check_reader, same_reader
from xmodal.features.extract import FeatureSet
from xmodal.features.unseen import check_unseen
from xmodal.store import Store
from xmodal.store.separations import levels_of
from xmodal.store.store import resolve_id


@dataclass(frozen=True)
class Source:
    """What is trained on, and what is asked about at the end."""

    row: dict[str, Any]
    """Of text_feature_set."""
    feature_set_id: str | None
    caption_set_id: str | None = None
    class_texts: str | None = None


def caption_sources(
    store: Store,
    captions: str,
    text_features: Sequence[str],
    of: Taxonomy | None,
    pictures: FeatureSet | None,
    class_texts: str | None,
) -> list[Source]:
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
                asked = class_texts_of(store, of, row)
            key = asked["text_feature_set_id"]
        feature_set_id = None if pictures is None else pictures.feature_set_id
        found.append(Source(row, feature_set_id, trained["caption_set_id"], key))
    return found


def caption_texts(
    store: Store, captions: CaptionSet, given: Sequence[str], like: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Text features of a caption set: those that are named, or its only ones.

    Args:
        store: Open, to read.
        captions: The set.
        given: Ids of text features, or their beginnings; none for the only ones.
        like: Row of text_feature_set: of several, only what the same LM has read in the same way.

    Raises:
        DataError: Text features of other texts.
        StoreError: None, several, or an id that is unknown or ambiguous.
    """
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
        and (like is None or same_reader(row, like))
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


def class_texts_of(store: Store, of: Taxonomy, trained: dict[str, Any]) -> dict[str, Any]:
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
                f"--text-features with one or more of {', '.join(own)}: `xmodal query "
                "@text-features` says which is which"
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


def parts_of(
    store: Store,
    of: Taxonomy | None,
    given: str | None,
    levels: Sequence[str],
    arms: Sequence[str],
) -> list[Part]:
    """Levels and arms to train at, each once; one that is none of them without a separation."""
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
    of_split = pc.fill_null(pc.equal(of.images["split"], split), False)
    asked: pa.Table = of.images.filter(of_split)
    check_unseen(pictures, asked["sha256"].to_pylist(), allow_seen)
