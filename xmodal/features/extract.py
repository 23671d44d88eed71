"""Extract image features once, into one memory-mapped file per dataset and config.

While it is made, a set lies in a hidden folder beside the others: the array, and a note for each
whole shard. It takes its place by one rename. A call that finds such a folder checks its shards
and makes the rest.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from taxonomy.errors import DataError
from taxonomy.hashing import content_id, keyed_order
from taxonomy.model import Taxonomy
from xmodal.features.config import FeatureConfig
from xmodal.features.crew import Order, make_shards
from xmodal.features.encoders.encoder import Encoder
from xmodal.features.encoders.load import load_encoder
from xmodal.features.feature_set import ARRAY, DESCRIPTION, FeatureSet, load_features
from xmodal.features.pca import PCA, Pca, one_thread
from xmodal.features.shards import ArrayFile, Notes, Shard, plan
from xmodal.files import file_sha256, own, write_whole

__all__ = [
    "FeatureConfig",
    "FeatureSet",
    "Progress",
    "Work",
    "extract",
    "feature_set_id",
    "load_features",
    "one_thread",
]

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


def feature_set_id(dataset_id: str, config: FeatureConfig, encoder: Encoder | None = None) -> str:
    """The id of the features of a dataset under a config.

    Weights stand for the encoder's name, so that a model that has moved keeps its features.

    Args:
        dataset_id: Whose pictures.
        config: What is extracted.
        encoder: The config's encoder; loaded if None.
    """
    encoder = encoder or load_encoder(config)
    said = config.as_dict()
    if encoder.weights_sha256 is not None:
        # its version is a hash of weights, size and normalisation
        dropped = {"encoder", "revision", "side", "fit"}
        if config.pooling != "pca":
            dropped |= {"n_components"} | ({"seed"} if config.n_views == 1 else set())
        said = {name: value for name, value in said.items() if name not in dropped}
    return content_id({"dataset": dataset_id, "version": encoder.version, **said})


def extract(
    taxonomy: Taxonomy,
    config: FeatureConfig,
    root: Path,
    progress: Progress | None = None,
    work: Work | None = None,
) -> tuple[FeatureSet, bool]:
    """Extract the features of every image of a dataset, unless they are there.

    Args:
        taxonomy: The dataset.
        config: Encoder and pooling.
        root: Folder of feature sets; one subfolder each, put in place by one rename.
        progress: Called after each shard of pictures, and once with what was there.
        work: Processes, device, and what to do about bad pictures.

    Returns:
        The feature set, and whether it had to be made. With skipped pictures it has an id of
        its own.

    Raises:
        ConfigError: The encoder has no such layer, size, token or device.
        DataError: The encoder or a picture cannot be read, none is for training, the disk is
            too small, or another process is at it. Whole shards stay for the next call.
    """
    work = work or Work()
    encoder = load_encoder(config, work.device)
    made_id = feature_set_id(taxonomy.dataset_id, config, encoder)
    if found := _there(root, made_id, work.skip_bad):
        return found, False
    splits = np.array(taxonomy.images["split"].to_pylist(), dtype=object)
    train = np.flatnonzero(splits == "train")
    if not len(train):
        raise DataError(f"dataset {taxonomy.dataset_id} has no training picture")
    first, further = plan(
        range(taxonomy.images.num_rows),
        taxonomy.images["uri"].to_pylist(),
        taxonomy.images["sha256"].to_pylist(),
        train.tolist(),
        config.n_views,
    )
    with _folder(root / f".{made_id}.part") as part:
        build = _Build(part, config, encoder, work, first, further, train, progress)
        skipped = build.run()
        features = FeatureSet(
            feature_set_id=_with_skipped(made_id, skipped),
            dataset_id=taxonomy.dataset_id,
            config=config,
            n_images=taxonomy.images.num_rows,
            augmented=train if config.n_views > 1 else train[:0],
            sha256=file_sha256(build.array),
            path=root / _with_skipped(made_id, skipped),
            encoder_version=encoder.version,
            revision=encoder.revision,
            weights_sha256=encoder.weights_sha256,
            training_pictures=encoder.training_pictures,
            side=encoder.preparation.side,
            skipped=skipped,
        )
        put(build.whole, features)
    return load_features(features.path), True


def put(made: Path, features: FeatureSet) -> None:
    """Give a folder that holds the array its description and its place, by one rename."""
    write_whole(made / DESCRIPTION, lambda path: path.write_text(features.description()))
    made.chmod(0o755)
    if features.path.exists():
        shutil.rmtree(features.path)
    os.replace(made, features.path)


def fit_again(taxonomy: Taxonomy, features: FeatureSet, encoder: Encoder, work: Work) -> Pca:
    """The pca of a feature set that was made before sets kept theirs.

    Every picture is encoded as it was then, in a folder that is gone afterwards; whether the result
    is the same is for the caller to see.

    Args:
        taxonomy: The dataset.
        features: Pooled by pca.
        encoder: That of the features.
        work: Its device.

    Raises:
        DataError: A picture is gone or another one, or there is no room.
    """
    splits = np.array(taxonomy.images["split"].to_pylist(), dtype=object)
    train = np.flatnonzero(splits == "train")
    uris, hashes = (taxonomy.images[name].to_pylist() for name in ("uri", "sha256"))
    first, _ = plan(range(len(uris)), uris, hashes, train.tolist(), 1)
    with tempfile.TemporaryDirectory(prefix="xmodal-pca-") as folder:
        return _Build(Path(folder), features.config, encoder, work, first, [], train, None).refit()


def _with_skipped(made_id: str, skipped: Sequence[tuple[int, str]]) -> str:
    """Another id where pictures are missing: their questions are not asked."""
    return content_id({"of": made_id, "without": [i for i, _ in skipped]}) if skipped else made_id


def _there(root: Path, made_id: str, skip_bad: bool) -> FeatureSet | None:
    """The finished set; with skip_bad also one that skipped pictures."""
    if (root / made_id / DESCRIPTION).is_file():
        return load_features(root / made_id)
    if skip_bad:
        for description in sorted(root.glob(f"[!.]*/{DESCRIPTION}")):
            found = load_features(description.parent)
            if found.skipped and found.feature_set_id == _with_skipped(made_id, found.skipped):
                return found
    return None


@contextmanager
def _folder(part: Path) -> Iterator[Path]:
    """A folder for this process alone; it stays only if a shard in it is whole."""
    root = part.parent
    part.mkdir(parents=True, exist_ok=True)
    with own(part):
        try:
            yield part
        except BaseException:
            if not any(part.glob("notes-*/*.json")):
                shutil.rmtree(part, ignore_errors=True)
                if not any(root.iterdir()):
                    root.rmdir()
            raise
        shutil.rmtree(part, ignore_errors=True)


@dataclass
class _Build:
    """One set in the making."""

    part: Path
    config: FeatureConfig
    encoder: Encoder
    work: Work
    first: list[Shard]
    further: list[Shard]
    train: np.ndarray[tuple[int], np.dtype[np.int64]]
    progress: Progress | None
    skipped: dict[int, str] = field(default_factory=dict)
    done: int = 0

    @property
    def whole(self) -> Path:
        """The folder that takes its place among the others."""
        return self.part / "whole"

    @property
    def array(self) -> Path:
        """The file in it."""
        return self.whole / ARRAY

    @property
    def total(self) -> int:
        """Rows of the finished file."""
        return sum(map(len, self.first)) + sum(map(len, self.further))

    def run(self) -> tuple[tuple[int, str], ...]:
        """Make every row.

        Returns:
            (image id, reason) of each skipped picture, ascending.
        """
        self.whole.mkdir(exist_ok=True)
        side = self.encoder.preparation.side
        with one_thread():
            _, n_tokens, width = self.encoder.encode(torch.ones(1, 3, side, side)).shape
        if self.config.pooling == "pca":
            self._pooled(n_tokens, width)
        else:
            n_tokens = 1 if self.config.pooling == "mean" else n_tokens
            file = self._file(self.array, (self.total, n_tokens, width), self.config.dtype)
            self._fill(file, [*self.first, *self.further], "notes-rows")
        return tuple(sorted(self.skipped.items()))

    def _pooled(self, n_tokens: int, width: int) -> None:
        """Tokens of every picture first, then the pca, then the further views through it."""
        tokens = self._tokens(n_tokens, width)
        pool = self._fit(tokens)
        fitted = self.whole / PCA
        pool.save(fitted)
        file = self._file(self.array, (self.total, 1, pool.width), self.config.dtype)
        mapped = np.load(tokens.path, mmap_mode="r")
        at_a_time = max(1, FIT_BYTES // tokens.row_bytes)
        for row in range(0, tokens.shape[0], at_a_time):
            part = torch.from_numpy(np.array(mapped[row : row + at_a_time]))
            file.write(row, pool(part))
        self._fill(file, self.further, "notes-rows", pca=fitted, fit=file_sha256(fitted))

    def _tokens(self, n_tokens: int, width: int) -> ArrayFile:
        n_images = sum(map(len, self.first))
        tokens = self._file(self.part / "tokens.npy", (n_images, n_tokens, width), "float32")
        self._fill(tokens, self.first, "notes-tokens")
        return tokens

    def refit(self) -> Pca:
        """The pca alone, as run() fits it."""
        side = self.encoder.preparation.side
        with one_thread():
            _, n_tokens, width = self.encoder.encode(torch.ones(1, 3, side, side)).shape
        return self._fit(self._tokens(n_tokens, width))

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
            free = shutil.disk_usage(self.part).free
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
        kept = Notes(self.part / notes)
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
        for shard in shards:
            note = kept.whole(shard, file, fit, self.work.skip_bad)
            if note is None:
                missing.append(shard)
            else:
                self.skipped |= dict(note.skipped)
                self.done += len(shard)
        self._say()
        for shard, note in make_shards(order, missing, self.encoder, self.work.workers):
            self.skipped |= dict(note.skipped)
            self.done += len(shard)
            self._say()

    def _say(self) -> None:
        if self.progress is not None:
            self.progress(self.done, self.total)
