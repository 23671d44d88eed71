"""The rows of a feature set, or of a part of one, in the making."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from taxonomy.errors import DataError
from taxonomy.hashing import keyed_order
from xmodal.features.config import FeatureConfig
from xmodal.features.crew import Order, make_shards
from xmodal.features.encoders.encoder import Encoder
from xmodal.features.feature_set import ARRAY
from xmodal.features.parts import NOTES, ROWS, Part, Source
from xmodal.features.pca import PCA, Pca, one_thread
from xmodal.features.shards import ArrayFile, Note, Notes, Shard
from xmodal.files import file_sha256

Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures in all)."""

FIT_BYTES = 1 << 30
"""Tokens that a pca is fitted on, at most; of more training pictures a share is drawn."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """How features are extracted; nothing of it changes which ones."""

    device: str = "cpu"
    """Where a transformers model computes."""
    workers: int | None = 1
    """Processes; None for one a core, and fewer where starting one costs more than it brings."""
    batch_size: int | None = None
    """Pictures that the encoder sees at once; None for what suits it."""
    skip_bad: bool = False
    """Leave pictures out that cannot be decoded, instead of failing."""


@dataclass
class Build:
    """One set, or a part of one, in the making."""

    folder: Path
    """Of this process alone."""
    config: FeatureConfig
    encoder: Encoder
    work: Work
    first: list[Shard]
    further: list[Shard]
    train: np.ndarray[tuple[int], np.dtype[np.int64]]
    progress: Progress | None
    parts: Mapping[Path, Part] = field(default_factory=dict)
    """Parts of the set, by folder; what they hold is taken from there."""
    skipped: dict[int, str] = field(default_factory=dict)
    done: int = 0
    total: int = 0

    @property
    def whole(self) -> Path:
        """The folder that takes its place among the others."""
        return self.folder / "whole"

    @property
    def array(self) -> Path:
        """The file in it."""
        return self.whole / ARRAY

    @property
    def _shards(self) -> list[Shard]:
        return [*self.first, *self.further]

    @cached_property
    def _row(self) -> tuple[int, int]:
        """Tokens and width of a row that is not pooled by a pca."""
        side = self.encoder.preparation.side
        with one_thread():
            _, n_tokens, width = self.encoder.encode(torch.ones(1, 3, side, side)).shape
        return (1 if self.config.pooling == "mean" else n_tokens), width

    @property
    def _kept(self) -> str:
        """Type of the numbers of such rows on disk."""
        return "float32" if self.config.pooling == "pca" else self.config.dtype

    @cached_property
    def _sources(self) -> list[Source]:
        given = self.parts.items()
        return [Source(at, part.cut(self._shards), self._row, self._kept) for at, part in given]

    def run(self) -> tuple[tuple[int, str], ...]:
        """Make every row.

        Returns:
            (image id, reason) of each skipped picture, ascending.
        """
        self.whole.mkdir(exist_ok=True)
        self.total = sum(map(len, self._shards))
        if self.config.pooling == "pca":
            self._pooled()
        else:
            file = self._file(self.array, (self.total, *self._row), self.config.dtype)
            self._fill(file, self._shards, NOTES)
        return tuple(sorted(self.skipped.items()))

    def run_part(self, part: Part) -> int:
        """Make the rows of a part, further views too; a pca is for whoever has all parts.

        Returns:
            How many pictures were skipped.
        """
        mine = part.cut(self._shards)
        self.total = sum(map(len, mine))
        if mine:
            file = self._file(self.folder / ROWS, (self.total, *self._row), self._kept)
            self._fill(file, mine, NOTES)
        return len(self.skipped)

    def _pooled(self) -> None:
        """Tokens of every picture first, then the pca, then the further views through it."""
        tokens = self._tokens()
        pool = self._fit(tokens)
        fitted = self.whole / PCA
        pool.save(fitted)
        file = self._file(self.array, (self.total, 1, pool.width), self.config.dtype)
        mapped = np.load(tokens.path, mmap_mode="r")
        at_a_time = max(1, FIT_BYTES // tokens.row_bytes)
        for row in range(0, tokens.shape[0], at_a_time):
            part = torch.from_numpy(np.array(mapped[row : row + at_a_time]))
            file.write(row, pool(part))
        self._fill(file, self.further, NOTES, pca=fitted, fit=file_sha256(fitted))

    def _tokens(self) -> ArrayFile:
        n_images = sum(map(len, self.first))
        tokens = self._file(self.folder / "tokens.npy", (n_images, *self._row), "float32")
        self._fill(tokens, self.first, "notes-tokens")
        return tokens

    def refit(self) -> Pca:
        """The pca alone, as run() fits it."""
        return self._fit(self._tokens())

    def _fit(self, tokens: ArrayFile) -> Pca:
        ids = [i for i in self.train.tolist() if i not in self.skipped]
        if not ids:
            raise DataError("no training picture can be decoded: there is nothing to fit a pca on")
        most = max(1, FIT_BYTES // tokens.row_bytes)
        if len(ids) > most:
            ids = sorted(keyed_order(ids, self.config.seed, "pca")[:most])
        mapped = np.load(tokens.path, mmap_mode="r")
        return Pca.fit(torch.from_numpy(np.array(mapped[ids])), self.config)

    def _file(self, path: Path, shape: tuple[int, int, int], dtype: str) -> ArrayFile:
        file = ArrayFile(path=path, shape=shape, dtype=dtype)
        if not file.is_there():
            needed = shape[0] * file.row_bytes
            free = shutil.disk_usage(self.folder).free
            if needed > free:
                raise DataError(
                    f"{path.parent.parent} needs {needed / 1e9:.1f} GB for {shape[0]} x "
                    f"{shape[1]} tokens of {shape[2]} numbers, {free / 1e9:.1f} GB are free: "
                    "pool them, keep bfloat16, or move the store"
                )
            file.make()
        return file

    def _fill(
        self,
        file: ArrayFile,
        shards: list[Shard],
        notes: str,
        pca: Path | None = None,
        fit: str = "",
    ) -> None:
        """Make the shards of a file that are not whole."""
        kept = Notes(self.folder / notes)
        kept.folder.mkdir(exist_ok=True)
        order = Order(
            config=self.config,
            file=file,
            notes=kept,
            device=self.work.device,
            batch_size=self.work.batch_size,
            skip_bad=self.work.skip_bad,
            pca=pca,
            fit=fit,
        )
        missing = []
        pool = Pca.load(pca) if pca and self.parts else None
        for shard in shards:
            note = kept.whole(shard, file, fit, self.work.skip_bad)
            note = note or self._taken(order, shard, pool)
            if note is None:
                missing.append(shard)
            else:
                self._count(shard, note)
        self._say()
        for shard, note in make_shards(order, missing, self.encoder, self.work.workers):
            self._count(shard, note)
            self._say()

    def _taken(self, order: Order, shard: Shard, pool: Pca | None) -> Note | None:
        """The note of a shard that some part holds, once its rows are in the order's file."""
        for source in self._sources:
            found = source.take(shard, order.skip_bad)
            if found is None:
                continue
            content, note = found
            if pool is None:
                made = order.file.put(shard.row, content)
            else:
                # a copy, as tokens lie where the encoder gives them
                flat = torch.frombuffer(bytearray(content), dtype=torch.float32).clone()
                rows = pool(flat.reshape(len(shard), *self._row))
                for image, _ in note.skipped:
                    rows[shard.images.index(image)] = float("nan")
                made = order.file.write(shard.row, rows)
            note = replace(note, sha256=made, fit=order.fit)
            order.notes.write(shard, note)
            return note
        return None

    def _count(self, shard: Shard, note: Note) -> None:
        self.skipped |= dict(note.skipped)
        self.done += len(shard)

    def _say(self) -> None:
        if self.progress is not None:
            self.progress(self.done, self.total)
