"""Caption sets on disk: pairs of caption and picture, each picture encoded once.

A set is made in two passes over its files: one that hashes everything, which says what set it is,
and one that encodes the pictures of chunks that are not there yet.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from taxonomy.errors import DataError
from taxonomy.reading import read_json, record_of
from xmodal.align.caption_files import CaptionSource
from xmodal.align.caption_index import (
    PAIR,
    TEXT,
    Index,
    pictures_of,
    read_index,
    unless_skipped,
)
from xmodal.align.parts import (
    Rows,
    chunk_paths,
    describe,
    join_chunks,
    part_folder,
    put,
    write_chunk,
)
from xmodal.align.picture_vectors import PictureEncoder
from xmodal.arrays import map_npy
from xmodal.features.config import FeatureConfig
from xmodal.features.pictures import BadPictureError
from xmodal.files import file_sha256
from xmodal.parquet import read_exactly

ARRAY, DESCRIPTION = "features.npy", "caption_set.json"
PAIRS, TEXTS = "pairs.parquet", "texts.parquet"
CHUNK = 1024
"""Pictures that are made, written and noted together."""
Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures in all)."""


@dataclass(frozen=True, kw_only=True)
class CaptionSet:
    """A finished set."""

    caption_set_id: str
    name: str
    source: str
    """parquet, webdataset or llava-json."""
    encoder: str
    encoder_version: str
    revision: str
    weights_sha256: str | None
    layer: str
    pooling: str
    precision: str
    side: int
    """Width and height of the pictures that the encoder saw, pixels."""
    width: int
    n_pairs: int
    n_texts: int
    """Distinct ones."""
    n_images: int
    """Distinct ones, by their bytes."""
    n_skipped: int
    """Pairs without a caption, or without a picture that can be decoded."""
    first_skipped: str | None
    """What was wrong with the first of them."""
    sha256: str
    """Of texts, pictures and features."""
    path: Path

    def open(self) -> Rows:
        """The memory-mapped vectors of the pictures, float32 [M, Dv], read-only.

        Raises:
            DataError: The file is missing or damaged.
        """
        path = self.path / ARRAY
        loaded: Rows = map_npy(path, "delete its folder to encode the pictures anew")
        if loaded.shape != (self.n_images, self.width) or loaded.dtype != np.float32:
            raise DataError(
                f"{path} must hold float32 {[self.n_images, self.width]}, got {loaded.dtype} "
                f"{list(loaded.shape)}; delete its folder to encode the pictures anew"
            )
        return loaded

    def pairs(self) -> pa.Table:
        """Which text goes with which picture; columns of PAIR, in the order of the files."""
        return read_exactly(self.path / PAIRS, PAIR)

    def texts(self) -> list[str]:
        """The distinct captions, by their row."""
        found: list[str] = read_exactly(self.path / TEXTS, TEXT)["caption"].to_pylist()
        return found


def make_caption_set(
    source: CaptionSource,
    config: FeatureConfig,
    root: Path,
    *,
    name: str | None = None,
    device: str = "cpu",
    batch_size: int | None = None,
    skip_bad: bool = False,
    progress: Progress | None = None,
) -> tuple[CaptionSet, bool]:
    """Encode the pictures of pairs, unless that was done; what was stopped goes on where it was.

    Args:
        source: The pairs.
        config: Encoder and pooling, mean or cls.
        root: Folder of the sets; one subfolder each, put in place by one rename.
        name: For the reader; None for that of the source, or the one that a set has.
        device: Where a transformers model computes.
        batch_size: Pictures at once; None for what suits the encoder.
        skip_bad: Leave out pairs that have no caption, or no picture that can be decoded.
        progress: Called after each batch of pictures.

    Returns:
        The set, and whether it had to be made.

    Raises:
        ConfigError: A pooling for pictures of a dataset, or a setting that the encoder lacks.
        DataError: A file or a pair cannot be used, or another process is at it. Whole chunks
            stay for the next call.
    """
    encoder = PictureEncoder.load(config, device, batch_size)
    index = read_index(source, skip_bad=skip_bad)
    made_id = encoder.id_for(index.sha256)
    if (root / made_id / DESCRIPTION).is_file():
        return _named(_there(root / made_id, skip_bad), name), False
    try:
        part = root / f".{made_id}.part"
        with part_folder(part):
            said = _Work(part, source, index, encoder, skip_bad, progress).run()
            made = CaptionSet(
                caption_set_id=made_id,
                name=name or source.name,
                source=source.kind,
                path=root / made_id,
                **said,
            )
            put(part, made.path, DESCRIPTION, asdict(made))
    except BaseException:
        with contextlib.suppress(OSError):
            root.rmdir()
        raise
    return load_caption_set(made.path), True


def load_caption_set(path: Path) -> CaptionSet:
    """A finished set.

    Raises:
        DataError: There is none, or its description is damaged.
    """
    try:
        return record_of(CaptionSet, read_json(path / DESCRIPTION), DESCRIPTION, path=path)
    except DataError as error:
        raise DataError(
            f"{path} holds no whole caption set ({error}); delete it to make it anew"
        ) from error


def _there(path: Path, skip_bad: bool) -> CaptionSet:
    """The finished set; one that lacks pairs only for those who want that."""
    found = load_caption_set(path)
    if found.n_skipped and not skip_bad:
        raise unless_skipped(found.first_skipped or f"caption set {path} lacks pairs")
    return found


def _named(found: CaptionSet, name: str | None) -> CaptionSet:
    if name is None or name == found.name:
        return found
    renamed = replace(found, name=name)
    describe(found.path / DESCRIPTION, asdict(renamed))
    return renamed


_ANEW = "delete its folder to encode the pictures anew"


@dataclass(frozen=True)
class _Work:
    """One set in the making."""

    part: Path
    source: CaptionSource
    index: Index
    encoder: PictureEncoder
    skip_bad: bool
    progress: Progress | None

    def run(self) -> dict[str, Any]:
        """Make array and tables.

        Returns:
            What is to be said of the set.
        """
        chunks = chunk_paths(self.part, self.index.n_images, CHUNK)
        self._fill(chunks)
        good = np.concatenate([_is_good(map_npy(chunk, _ANEW)) for chunk in chunks.values()])
        kept = self.index.pairs_with(good)
        if not kept.pairs.num_rows:
            for chunk in chunks.values():
                chunk.unlink()
            raise DataError(
                f"{self.source.where} holds no pair of caption and picture ({kept.first_skipped})"
            )
        shape = (int(good.sum()), int(map_npy(chunks[0], _ANEW).shape[1]))
        loaded = (map_npy(chunk, _ANEW) for chunk in chunks.values())
        join_chunks(self.part / ARRAY, shape, (rows[_is_good(rows)] for rows in loaded))
        pq.write_table(kept.pairs, self.part / PAIRS)
        pq.write_table(kept.texts, self.part / TEXTS)
        config, encoder = self.encoder.config, self.encoder.encoder
        content = self.index.sha256 + file_sha256(self.part / ARRAY)
        return {
            "encoder": config.encoder,
            "encoder_version": encoder.version,
            "revision": encoder.revision,
            "weights_sha256": encoder.weights_sha256,
            "layer": config.layer,
            "pooling": config.pooling,
            "precision": config.precision,
            "side": encoder.preparation.side,
            "width": shape[1],
            "n_pairs": kept.pairs.num_rows,
            "n_texts": kept.texts.num_rows,
            "n_images": shape[0],
            "n_skipped": kept.n_skipped,
            "first_skipped": kept.first_skipped,
            "sha256": sha256(content.encode()).hexdigest(),
        }

    def _fill(self, chunks: dict[int, Path]) -> None:
        """Make the chunks that are not there."""
        n_images = self.index.n_images
        missing = {start: n for start, n in self._sizes(chunks).items() if n}
        done = n_images - sum(missing.values())

        def told(n: int) -> None:
            nonlocal done
            done += n
            if self.progress is not None:
                self.progress(done, n_images)

        told(0)
        if not missing:
            return
        pictures = pictures_of(self.source, self.index, lambda row: row - row % CHUNK in missing)
        for start, n in missing.items():
            try:
                made = self.encoder.encode(
                    islice(pictures, n),
                    on_bad=(lambda message, name: None) if self.skip_bad else None,
                    on_batch=told,
                )
            except BadPictureError as error:
                raise unless_skipped(str(error)) from error
            write_chunk(chunks[start], made)

    def _sizes(self, chunks: dict[int, Path]) -> dict[int, int]:
        """Rows that each chunk lacks: all or none; with pictures left out, unless that is asked."""
        sizes = {}
        for start, chunk in chunks.items():
            whole = chunk.is_file() and (self.skip_bad or _is_good(map_npy(chunk, _ANEW)).all())
            sizes[start] = 0 if whole else min(CHUNK, self.index.n_images - start)
        return sizes


def _is_good(rows: Rows) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """bool [n]: rows of pictures that could be decoded."""
    good: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.isfinite(rows[:, 0])
    return good
