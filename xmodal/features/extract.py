"""Extract image features once, into one memory-mapped file per dataset and encoder."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from taxonomy.errors import ConfigError, DataError
from taxonomy.hashing import content_id
from taxonomy.model import Taxonomy, one_of
from xmodal.features import classical
from xmodal.features.pictures import read_pixels

Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures in all)."""

ENCODERS = ("classical", "embedded-ssl")
_BATCH = 256


@dataclass(frozen=True, kw_only=True)
class FeatureConfig:
    """What is extracted: the encoder and what becomes of its patch tokens."""

    encoder: str = "classical"
    """classical: oriented gradients, colour and coverage on an 8 x 8 grid of patches;
    embedded-ssl: those and learnt ones on a 4 x 4 grid, whichever way the drawing faces."""
    pooling: str = "pca"
    """patches: the tokens as they are; pca: one vector, principal components of all tokens
    together, fitted on the training pictures without labels."""
    n_components: int = 256
    """Width after pca."""
    n_views: int = 5
    """Views of a training picture: the picture itself and n_views - 1 augmented ones.
    Validation and test pictures have the first only."""
    seed: int = 0
    """Seed of the augmentation and of the randomised PCA."""

    def __post_init__(self) -> None:
        one_of("encoder", self.encoder, ENCODERS)
        one_of("pooling", self.pooling, ("pca", "patches"))
        if self.n_views < 1:
            raise ConfigError(f"n_views must be at least 1, got {self.n_views}")
        if self.n_components < 1:
            raise ConfigError(f"n_components must be at least 1, got {self.n_components}")

    def as_dict(self) -> dict[str, Any]:
        """Every setting by name."""
        return asdict(self)


@dataclass(frozen=True)
class FeatureSet:
    """Features of all images of a dataset, on disk.

    Row i < n_images is image i as it is; the further views of the training images follow,
    view by view.
    """

    feature_set_id: str
    dataset_id: str
    config: FeatureConfig
    n_images: int
    augmented: np.ndarray[tuple[int], np.dtype[np.int64]]
    """Ids of the images that have further views, ascending."""
    sha256: str
    path: Path
    encoder_version: str = classical.VERSION

    def open(self) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
        """The memory-mapped array, float32 [n_rows, P, Dv]; read-only.

        Raises:
            DataError: The file is missing or damaged.
        """
        path = self.path / "features.npy"
        try:
            loaded: np.ndarray[tuple[int, int, int], np.dtype[np.float32]] = np.load(
                path, mmap_mode="r"
            )
        except (OSError, ValueError, EOFError) as error:
            raise DataError(
                f"{path} cannot be read ({error}); delete its folder to extract anew"
            ) from error
        return loaded

    def rows(
        self,
        images: np.ndarray[Any, np.dtype[np.int64]],
        views: np.ndarray[Any, np.dtype[np.int64]],
    ) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Row numbers of (image, view); view 0 for images without further views."""
        rank = np.searchsorted(self.augmented, images)
        further = self.n_images + (views - 1) * len(self.augmented) + rank
        return np.where(np.isin(images, self.augmented) & (views > 0), further, images)


def feature_set_id(dataset_id: str, config: FeatureConfig) -> str:
    """The id of the features of a dataset under a config."""
    version = _encoder(config.encoder)[1]
    return content_id({"dataset": dataset_id, "version": version, **config.as_dict()})


def _encoder(name: str) -> tuple[Callable[[Tensor], Tensor], str]:
    """What makes patch tokens of pixels, and its version."""
    if name == "classical":
        return classical.encode, classical.VERSION
    from xmodal.bundle.encoder.load import load_encoder

    found = load_encoder()
    return found.encode, found.version


def load_features(folder: Path) -> FeatureSet:
    """Read a feature set's description.

    Raises:
        DataError: The folder holds no whole feature set.
    """
    try:
        said = json.loads((folder / "feature_set.json").read_text())
        return FeatureSet(
            feature_set_id=said["feature_set_id"],
            dataset_id=said["dataset_id"],
            config=FeatureConfig(**said["config"]),
            n_images=said["n_images"],
            augmented=np.array(said["augmented"], dtype=np.int64),
            sha256=said["sha256"],
            path=folder,
            encoder_version=_encoder(said["config"]["encoder"])[1],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder} holds no whole feature set: {error}") from error


def extract(
    taxonomy: Taxonomy, config: FeatureConfig, root: Path, progress: Progress | None = None
) -> tuple[FeatureSet, bool]:
    """Extract the features of every image of a dataset, unless they are there.

    Args:
        taxonomy: The dataset.
        config: Encoder and pooling.
        root: Folder of feature sets; one subfolder each, put in place by one rename.
        progress: Called after each batch of pictures.

    Returns:
        The feature set, and whether it had to be made.

    Raises:
        DataError: A picture cannot be decoded, or none is for training; nothing is left behind.
    """
    made_id = feature_set_id(taxonomy.dataset_id, config)
    folder = root / made_id
    if (folder / "feature_set.json").is_file():
        return load_features(folder), False
    n_images = taxonomy.images.num_rows
    splits = np.array(taxonomy.images["split"].to_pylist(), dtype=object)
    train = np.flatnonzero(splits == "train")
    if not len(train):
        raise DataError(f"dataset {taxonomy.dataset_id} has no training picture")
    features = _encode_all(taxonomy.images, train, config, progress)
    root.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{made_id}.", dir=root))
    try:
        np.save(made / "features.npy", features)
        with (made / "features.npy").open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        said = {
            "feature_set_id": made_id,
            "dataset_id": taxonomy.dataset_id,
            "config": config.as_dict(),
            "n_images": n_images,
            "augmented": train.tolist() if config.n_views > 1 else [],
            "sha256": digest,
        }
        (made / "feature_set.json").write_text(json.dumps(said))
        made.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return load_features(folder), True


def _encode_all(
    images: pa.Table,
    train: np.ndarray[tuple[int], np.dtype[np.int64]],
    config: FeatureConfig,
    progress: Progress | None,
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """float32 [n_rows, P, Dv], rows as FeatureSet says."""
    total = images.num_rows + len(train) * (config.n_views - 1)
    encode, _ = _encoder(config.encoder)
    plain: list[Tensor] = []
    pixels: list[Tensor] = []
    is_train = np.zeros(images.num_rows, dtype=bool)
    is_train[train] = True
    done = 0
    uris, hashes = images["uri"].to_pylist(), images["sha256"].to_pylist()
    for batch in read_pixels(uris, hashes, classical.SIDE, _BATCH):
        plain.append(encode(batch))
        chosen = is_train[done : done + len(batch)]
        pixels.append((batch[torch.from_numpy(chosen)] * 255).round().to(torch.uint8))
        done += len(batch)
        if progress is not None:
            progress(done, total)
    tokens = torch.cat(plain)
    pool = _Pca(tokens[torch.from_numpy(train)], config) if config.pooling == "pca" else None
    parts = [pool(tokens) if pool else tokens]
    source = torch.cat(pixels)
    for view in range(1, config.n_views):
        generator = torch.Generator().manual_seed(config.seed * 1000 + view)
        for start in range(0, len(source), _BATCH):
            batch = source[start : start + _BATCH].float() / 255
            seen = encode(classical.augment(batch, generator))
            parts.append(pool(seen) if pool else seen)
            done += len(batch)
            if progress is not None:
                progress(done, total)
    stacked: np.ndarray[Any, np.dtype[np.float32]] = torch.cat(parts).numpy()
    return stacked


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums in one order, so that the bytes do not depend on the number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _Pca:
    """Principal components, each divided by the square root of its standard deviation.

    Components without spread are left out: with few training pictures the last ones have none,
    and other pictures would be far off there.
    """

    def __init__(self, tokens: Tensor, config: FeatureConfig) -> None:
        """Fit on tokens, float32 [N, P, Dv]."""
        with one_thread():
            self._fit(tokens.flatten(1), config)

    def _fit(self, flat: Tensor, config: FeatureConfig) -> None:
        width = min(config.n_components, *flat.shape)
        self.mean = flat.mean(0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            _, spread, basis = torch.pca_lowrank(flat - self.mean, q=width, center=False, niter=4)
        deviation = spread / len(flat) ** 0.5
        kept = deviation > 1e-3 * deviation[0]
        kept[0] = True
        self.basis = basis[:, kept] / deviation[kept].clamp_min(1e-6).sqrt()
        self.scale = ((flat - self.mean) @ self.basis).std().clamp_min(1e-6)

    def __call__(self, tokens: Tensor) -> Tensor:
        """float32 [N, P, Dv] to [N, 1, at most n_components], unit variance in training."""
        with one_thread():
            pooled: Tensor = (tokens.flatten(1) - self.mean) @ self.basis / self.scale
        return pooled[:, None]
