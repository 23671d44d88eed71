"""Caption sets between the store and what lies beside it, and what a separation leaves of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from taxonomy.errors import StoreError
from taxonomy.model import Taxonomy
from taxonomy.separation import Nouns, Separation, TextFilter, read_classes, read_nouns
from taxonomy.wordnet import WordNet
from xmodal.align.caption_files import caption_source
from xmodal.align.captions import CaptionSet, Progress, load_caption_set, make_caption_set
from xmodal.bundle import wordnet_files
from xmodal.features.config import FeatureConfig
from xmodal.store import Store
from xmodal.store.rows import CaptionSetRow
from xmodal.store.store import resolve_id


def captions_dir(store: Path) -> Path:
    """Where the caption sets of a store lie."""
    return store.parent / "captions"


def ensure_caption_set(
    store: Path,
    path: Path,
    config: FeatureConfig,
    *,
    images: Path | None = None,
    kind: str | None = None,
    name: str | None = None,
    device: str = "cpu",
    batch_size: int | None = None,
    skip_bad: bool = False,
    allow_outside: bool = False,
    progress: Progress | None = None,
) -> tuple[CaptionSet, bool]:
    """Encode the pictures of captions, unless that was done, and note the set in the store.

    Args:
        store: The DuckDB file.
        path: A file, a folder or a pattern of shards; see caption_source.
        config: Encoder and pooling, mean or cls.
        images: Folder that paths of pictures are below.
        kind: parquet, webdataset or llava-json; None for what the path looks like.
        name: For the reader; None for that of the path.
        device: Where a transformers model computes.
        batch_size: Pictures at once.
        skip_bad: Leave out pairs that have no caption, or no picture that can be decoded.
        allow_outside: Take pictures that a file names outside the folder too.
        progress: Called after each batch of pictures.

    Returns:
        The set, and whether it had to be made.
    """
    source = caption_source(path, kind=kind, images=images, allow_outside=allow_outside)
    made, new = make_caption_set(
        source,
        config,
        captions_dir(store),
        name=name,
        device=device,
        batch_size=batch_size,
        skip_bad=skip_bad,
        progress=progress,
    )
    given: dict[str, Any] = {
        field: getattr(made, field) for field in CaptionSetRow.model_fields if field != "path"
    }
    row = CaptionSetRow(**given, path=str(made.path.relative_to(store.parent)))
    with Store.open(store) as opened:
        opened.add_caption_set(row)
    return made, new


def stored_captions(store: Store, given: str) -> CaptionSet:
    """A caption set by its id or the beginning of it.

    Raises:
        StoreError: An id that is unknown or ambiguous.
        DataError: Its folder is not whole.
    """
    text = "SELECT caption_set_id, path FROM caption_set ORDER BY ALL"
    paths = {row["caption_set_id"]: row["path"] for row in store.query(text).to_pylist()}
    chosen = resolve_id("caption set", given, list(paths))
    return load_caption_set(Path(store.path).parent / paths[chosen])


def caption_filter(
    separation: Separation, taxonomy: Taxonomy, level: str, arm: str, texts: Sequence[str]
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which texts training may see at a level of a separation, in an arm.

    Separated: none that has a word of an unseen class, as the level counts words, or the name of
    a class that the level removes. Control: none with the name of an unseen class, and as many
    texts as in the separated arm, by an order that depends on the separation's seed and on the
    texts' rows alone. At level none all, in both arms.

    Args:
        separation: As it was stored.
        taxonomy: Its dataset.
        level: One that the separation has.
        arm: separated or control.
        texts: N of them, such as those of a caption set.

    Returns:
        bool [N], true where training may see the text.

    Raises:
        ConfigError: No such level or arm.
        StoreError: The separation is of another dataset.
    """
    return _text_filter(separation, taxonomy, texts).kept(level, arm)


def with_text_counts(
    found: pa.Table, separation: Separation, taxonomy: Taxonomy, texts: Sequence[str]
) -> pa.Table:
    """A table by level and arm, with what is left of texts there.

    Args:
        found: Analysis separation, of this one alone.
        separation: The separation.
        taxonomy: Its dataset.
        texts: N of them.

    Returns:
        The table with the columns n_texts, n_dropped_texts and n_leaking_texts.
    """
    counts = _text_filter(separation, taxonomy, texts).counts().to_pylist()
    by_part = {(row.pop("level"), row.pop("arm")): row for row in counts}
    parts = zip(found["level"].to_pylist(), found["arm"].to_pylist(), strict=True)
    rows = [by_part[part] for part in parts]
    for name in rows[0]:
        found = found.append_column(name, pa.array([row[name] for row in rows], pa.int64()))
    return found


def _text_filter(separation: Separation, taxonomy: Taxonomy, texts: Sequence[str]) -> TextFilter:
    if taxonomy.dataset_id != separation.dataset_id:
        raise StoreError(
            f"separation {separation.separation_id} is of dataset {separation.dataset_id}, got "
            f"dataset {taxonomy.dataset_id}"
        )
    return TextFilter(separation, read_classes(taxonomy, bundled_nouns()), texts)


@functools.cache
def bundled_nouns() -> Nouns:
    """WordNet's nouns, which take seconds to read."""
    return read_nouns(WordNet.open(wordnet_files.wordnet_dir()))
