"""What a caption set consists of, before its pictures are encoded: one pass over all its files."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
import pyarrow as pa

from taxonomy.errors import DataError
from taxonomy.hashing import canonical_json
from xmodal.align.caption_files import CaptionSource
from xmodal.align.caption_record import valid
from xmodal.align.picture_vectors import Picture
from xmodal.features.pictures import BadPictureError

PAIR = pa.schema(
    [
        pa.field("pair", pa.int64(), nullable=False),
        # what the pair's file calls it
        pa.field("key", pa.string(), nullable=False),
        pa.field("text_row", pa.int64(), nullable=False),
        pa.field("image_row", pa.int64(), nullable=False),
    ]
)
TEXT = pa.schema(
    [pa.field("row", pa.int64(), nullable=False), pa.field("caption", pa.string(), nullable=False)]
)

Bad = tuple[int, str]
"""Place in the files of a pair that cannot be used, and what is wrong with it."""


@dataclass
class Index:
    """N pairs of M distinct pictures, in the order of the files."""

    sha256: str = ""
    """Of every pair: its key, its caption and its picture's bytes, also of those left out."""
    keys: list[str] = field(default_factory=list)
    text_row: array[int] = field(default_factory=lambda: array("q"))
    image_row: array[int] = field(default_factory=lambda: array("q"))
    texts: dict[str, int] = field(default_factory=dict)
    """Row of each distinct caption."""
    images: dict[bytes, int] = field(default_factory=dict)
    """Row of each distinct picture, by the sha256 of its bytes."""
    firsts: array[int] = field(default_factory=lambda: array("q"))
    """int64 [M], place in the files where each picture comes first."""
    n_bad: int = 0
    first_bad: Bad | None = None

    @property
    def n_images(self) -> int:
        """M."""
        return len(self.images)

    def pairs_with(self, good: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Kept:
        """Pairs of pictures that could be decoded, their texts and pictures numbered anew.

        Args:
            good: bool [M].
        """
        image_row, text_row = (np.frombuffer(x, np.int64) for x in (self.image_row, self.text_row))
        kept = good[image_row]
        used = np.zeros(len(self.texts), dtype=bool)
        used[text_row[kept]] = True
        keys = [key for key, keep in zip(self.keys, kept.tolist(), strict=True) if keep]
        columns = [
            pa.array(np.arange(len(keys)), pa.int64()),
            pa.array(keys, pa.string()),
            pa.array((np.cumsum(used) - 1)[text_row[kept]], pa.int64()),
            pa.array((np.cumsum(good) - 1)[image_row[kept]], pa.int64()),
        ]
        texts = [text for text, keep in zip(self.texts, used.tolist(), strict=True) if keep]
        undecodable = int((~kept).sum())
        bad = [] if self.first_bad is None else [self.first_bad]
        if undecodable:
            pair = int(np.flatnonzero(~kept)[0])
            where = self.firsts[self.image_row[pair]]
            bad.append((where, f"picture of {self.keys[pair]} cannot be decoded"))
        return Kept(
            pairs=pa.table(columns, schema=PAIR),
            texts=pa.table([list(range(len(texts))), texts], schema=TEXT),
            n_skipped=self.n_bad + undecodable,
            first_skipped=min(bad)[1] if bad else None,
        )


@dataclass(frozen=True)
class Kept:
    """The pairs of a finished set."""

    pairs: pa.Table
    """Columns of PAIR."""
    texts: pa.Table
    """Columns of TEXT."""
    n_skipped: int
    first_skipped: str | None
    """What is wrong with the first pair that was left out."""


def unless_skipped(reason: str) -> DataError:
    """A pair cannot be used, and nobody said that such are left out."""
    return DataError(f"{reason}: mend it, or leave such pairs out with --skip-bad")


def read_index(source: CaptionSource, *, skip_bad: bool = False) -> Index:
    """Read all of a source once.

    Args:
        source: The pairs.
        skip_bad: Leave out pairs without a caption or without a picture.

    Raises:
        DataError: A file cannot be used; a pair cannot be used and skip_bad is false; or there
            is no pair.
    """
    index, content = Index(), sha256()
    for place, record in enumerate(source.records()):
        digest, reason = None, None
        try:
            digest = sha256(record.read()).digest()
        except BadPictureError as error:
            reason = str(error)
        if not record.caption:
            reason = f"{record.name} has no caption"
        key = valid(record.key)
        content.update(canonical_json([key, record.caption, digest and digest.hex()]).encode())
        if reason is not None:
            if not skip_bad:
                raise unless_skipped(reason)
            index.n_bad += 1
            index.first_bad = index.first_bad or (place, reason)
            continue
        assert digest is not None
        if digest not in index.images:
            index.firsts.append(place)
        index.keys.append(key)
        index.text_row.append(index.texts.setdefault(record.caption, len(index.texts)))
        index.image_row.append(index.images.setdefault(digest, len(index.images)))
    if not index.keys:
        left_out = f" ({index.first_bad[1]})" if index.first_bad else ""
        raise DataError(f"{source.where} holds no pair of caption and picture{left_out}")
    index.sha256 = content.hexdigest()
    return index


def pictures_of(
    source: CaptionSource, index: Index, wanted: Callable[[int], bool]
) -> Iterator[Picture]:
    """Names and bytes of distinct pictures, read once more, by their row.

    Args:
        source: The pairs.
        index: Of this source.
        wanted: Whether a row's picture is.

    Raises:
        DataError: The files are not what they were.
    """
    left = zip(index.firsts, index.images.items(), strict=True)
    first, (digest, row) = next(left)
    for place, record in enumerate(source.records()):
        if place != first:
            continue
        if wanted(row):
            content = record.read()
            if sha256(content).digest() != digest:
                raise DataError(f"{record.name} has changed while it was read: start anew")
            yield record.name, content
        following = next(left, None)
        if following is None:
            return
        first, (digest, row) = following
    raise DataError(f"{source.where} has changed while it was read: start anew")
