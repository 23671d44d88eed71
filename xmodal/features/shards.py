"""Pieces of a feature file: made by any process, kept once whole, verified before they are used.

A shard is a run of rows. Its bytes go to their place in the file, and only then does a small
note beside the file say so, with their hash. Whatever is stopped in between is made again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from taxonomy.errors import DataError
from taxonomy.reading import read_json, record_of
from xmodal.arrays import map_npy
from xmodal.features import classical
from xmodal.features.encoders.encoder import Encoder
from xmodal.features.encoders.preparation import Preparation
from xmodal.features.feature_set import as_stored
from xmodal.features.pca import Pca
from xmodal.features.pictures import BadPictureError, as_tensor, read_picture
from xmodal.files import write_whole
from xmodal.room import room_in

SHARD = 256
"""Rows. Fixed: augmented views are drawn by so many, and the bytes must not depend on workers."""

Block = np.ndarray[Any, np.dtype[np.uint8]]
Bad = tuple[tuple[int, str], ...]
"""(place, reason) of what cannot be decoded."""


@dataclass(frozen=True, kw_only=True)
class Shard:
    """Some pictures of one view and where their rows go."""

    view: int
    """0: the picture as it is."""
    first: int
    """Place of its first picture among those of the view."""
    row: int
    """Row of the file that the first picture has."""
    images: tuple[int, ...]
    uris: tuple[str, ...]
    hashes: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of its note."""
        return f"{self.view:03d}-{self.first:010d}"

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, kw_only=True)
class ArrayFile:
    """An array on disk that several processes fill."""

    path: Path
    shape: tuple[int, int, int]
    dtype: str
    """float32, float16 or bfloat16."""

    @property
    def _stored(self) -> np.dtype[Any]:
        return np.dtype("uint16" if self.dtype == "bfloat16" else self.dtype)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.shape[1] * self.shape[2] * self._stored.itemsize

    def is_there(self) -> bool:
        """Whether a file of this shape and type lies there, filled or not."""
        try:
            found = map_npy(self.path)
        except DataError:
            return False
        return bool(found.shape == self.shape and found.dtype == self._stored)

    def make(self) -> None:
        """Lay the file out, empty."""
        with room_in(self.path.parent):
            made = np.lib.format.open_memmap(
                self.path, mode="w+", dtype=self._stored, shape=self.shape
            )
            made.flush()

    def _place(self, row: int) -> int:
        return self.path.stat().st_size - (self.shape[0] - row) * self.row_bytes

    def write(self, row: int, tokens: Tensor) -> str:
        """Write rows to the disk itself; float32 [N, P, Dv].

        Returns:
            sha256 of their bytes.
        """
        return self.put(row, as_stored(tokens, self.dtype).tobytes())

    def put(self, row: int, content: bytes) -> str:
        """Write the bytes of rows, as write does."""
        with room_in(self.path.parent), self.path.open("r+b") as file:
            file.seek(self._place(row))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return sha256(content).hexdigest()

    def content(self, row: int, n_rows: int) -> bytes:
        """The bytes of some rows."""
        with self.path.open("rb") as file:
            file.seek(self._place(row))
            return file.read(n_rows * self.row_bytes)

    def digest(self, row: int, n_rows: int) -> str:
        """sha256 of the bytes of some rows."""
        return sha256(self.content(row, n_rows)).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Note:
    """That a shard is whole."""

    sha256: str
    fit: str
    """Of the pca that pooled it; empty without."""
    skipped: Bad
    """(image id, reason)."""


@dataclass(frozen=True)
class Notes:
    """The notes of a file's shards, one small file each."""

    folder: Path

    def write(self, shard: Shard, note: Note) -> None:
        """Say that a shard is whole."""
        text = json.dumps({"sha256": note.sha256, "fit": note.fit, "skipped": note.skipped})
        write_whole(self.folder / f"{shard.name}.json", lambda path: path.write_text(text))

    def read(self, shard: Shard) -> Note | None:
        """What is noted of a shard; None if nothing, or nothing that can be read."""
        path = self.folder / f"{shard.name}.json"
        try:
            return record_of(Note, read_json(path), str(path))
        except DataError:
            return None

    def whole(self, shard: Shard, file: ArrayFile, fit: str, skip_bad: bool) -> Note | None:
        """The note of a shard whose bytes are as noted; None if it must be made.

        Args:
            shard: Which.
            file: Where its rows are.
            fit: Of the pca that pools it.
            skip_bad: Else a shard with a skipped picture is made anew.
        """
        note = self.read(shard)
        if note is None or note.fit != fit or (note.skipped and not skip_bad):
            return None
        return note if file.digest(shard.row, len(shard)) == note.sha256 else None


def plan(
    images: Sequence[int],
    uris: Sequence[str],
    hashes: Sequence[str],
    train: Sequence[int],
    n_views: int,
) -> list[list[Shard]]:
    """The shards of every view: all images, then view by view the training images.

    Args:
        images: Ids 0 to n - 1.
        uris: Of each image.
        hashes: Of each image.
        train: Ids of the images that have further views.
        n_views: Views, the picture itself among them.
    """

    def cut(view: int, ids: Sequence[int], row: int) -> list[Shard]:
        return [
            Shard(
                view=view,
                first=first,
                row=row + first,
                images=tuple(part := list(ids[first : first + SHARD])),
                uris=tuple(uris[i] for i in part),
                hashes=tuple(hashes[i] for i in part),
            )
            for first in range(0, len(ids), SHARD)
        ]

    further = (
        cut(view, train, len(images) + (view - 1) * len(train)) for view in range(1, n_views)
    )
    return [cut(0, images, 0), [shard for view in further for shard in view]]


def decode(shard: Shard, prepare: Preparation, skip_bad: bool) -> tuple[Block, Bad]:
    """Pixels of a shard's pictures, uint8 [B, side, side, 3]; white for one that is skipped.

    Raises:
        DataError: A picture cannot be used; BadPictureError only unless skip_bad.
    """
    block = np.full((len(shard), prepare.side, prepare.side, 3), 255, dtype=np.uint8)
    bad = []
    for place, (uri, expected) in enumerate(zip(shard.uris, shard.hashes, strict=True)):
        try:
            block[place] = read_picture(uri, expected, prepare)
        except BadPictureError as error:
            if not skip_bad:
                raise
            bad.append((place, error.reason))
    return block, tuple(bad)


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Turns decoded shards into rows."""

    encoder: Encoder
    file: ArrayFile
    notes: Notes
    seed: int
    """Of the augmentation."""
    batch_size: int
    mean: bool = False
    """The mean of the tokens in place of them."""
    pool: Pca | None = None
    fit: str = ""

    def make(self, shard: Shard, block: Block, bad: Bad) -> Note:
        """Encode, pool, write, note."""
        pixels = as_tensor(block)
        if shard.view:
            generator = torch.Generator().manual_seed(self.seed * 1000 + shard.view)
            for _ in range(0, shard.first, SHARD):
                classical.skip_views(SHARD, generator)
            pixels = classical.augment(pixels, generator)
        parts = [self.encoder.encode(part) for part in torch.split(pixels, self.batch_size)]
        tokens = torch.cat(parts)
        if self.mean:
            tokens = tokens.mean(1, keepdim=True)
        if self.pool is not None:
            tokens = self.pool(tokens)
        for place, _ in bad:
            tokens[place] = float("nan")
        skipped = tuple((shard.images[place], why) for place, why in bad)
        note = Note(sha256=self.file.write(shard.row, tokens), fit=self.fit, skipped=skipped)
        self.notes.write(shard, note)
        return note
