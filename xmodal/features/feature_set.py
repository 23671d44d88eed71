"""A feature set on disk: one array a dataset and config, memory-mapped, and what describes it."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from taxonomy.errors import DataError
from taxonomy.reading import read_object, record_of, value_of
from xmodal.arrays import map_npy
from xmodal.features import classical
from xmodal.features.config import FeatureConfig

ARRAY = "features.npy"
DESCRIPTION = "feature_set.json"

Float32s = np.ndarray[Any, np.dtype[np.float32]]


class Rows(Protocol):
    """What can be asked of features on disk: a shape, and some rows at a time as float32."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n_rows, P, Dv)."""

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """Of the rows as they come out."""

    @property
    def itemsize(self) -> int:
        """Bytes of a number as it comes out."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...

    def __array__(self) -> Float32s: ...


class Bfloat16Rows:
    """bfloat16 numbers on disk, which numpy does not know: read as float32, exactly.

    A bfloat16 is the upper half of a float32.
    """

    def __init__(self, halves: np.ndarray[Any, np.dtype[np.uint16]]) -> None:
        """Wrap the mapped file, uint16 [n_rows, P, Dv]."""
        self.halves = halves
        self.shape: tuple[int, ...] = halves.shape
        self.dtype = np.dtype(np.float32)
        self.itemsize = self.dtype.itemsize

    def __len__(self) -> int:
        return len(self.halves)

    def __getitem__(self, rows: Any, /) -> Float32s:
        whole: Float32s = (self.halves[rows].astype(np.uint32) << 16).view(np.float32)
        return whole

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Float32s:
        return self[:] if dtype is None else self[:].astype(dtype)


def as_stored(tokens: Tensor, dtype: str) -> np.ndarray[Any, Any]:
    """Numbers as they lie on disk.

    Args:
        tokens: float32.
        dtype: float32; float16, rounded to the nearest; or bfloat16, so too and given as uint16.
    """
    if dtype == "float16":
        short: np.ndarray[Any, Any] = tokens.half().contiguous().numpy()
        return short
    if dtype == "float32":
        plain: np.ndarray[Any, Any] = tokens.contiguous().numpy()
        return plain
    halves: np.ndarray[Any, Any] = tokens.bfloat16().contiguous().view(torch.uint16).numpy()
    return halves


@dataclass(frozen=True)
class FeatureSet:
    """Features of all images of a dataset, on disk.

    Row i < n_images is image i as it is; the further views of the training images follow,
    view by view. Rows of skipped pictures are NaN.
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
    revision: str = classical.VERSION
    weights_sha256: str | None = None
    training_pictures: frozenset[str] = frozenset()
    """sha256 of each picture that the encoder was trained on; empty if none is known."""
    side: int | None = None
    """Width and height of the pictures the encoder saw, pixels; None where it is not known."""
    skipped: tuple[tuple[int, str], ...] = ()
    """(image id, reason) of each picture that could not be decoded, ascending."""

    @property
    def skipped_images(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Ids of the images without features, ascending."""
        return np.array([image for image, _ in self.skipped], dtype=np.int64)

    def open(self) -> Rows:
        """The memory-mapped array: rows of float32 [P, Dv] by number, slice or mask; read-only.

        A numpy array where float32 lies on disk; of bfloat16 each access converts its rows.

        Raises:
            DataError: The file is missing or damaged.
        """
        path = self.path / ARRAY
        loaded: np.ndarray[Any, Any] = map_npy(path, "delete its folder to extract anew")
        want = "uint16" if self.config.dtype == "bfloat16" else self.config.dtype
        if loaded.ndim != 3 or loaded.dtype != np.dtype(want) or len(loaded) < self.n_images:
            raise DataError(
                f"{path} must hold {want} [{self.n_images} or more, P, Dv], got {loaded.dtype} "
                f"{list(loaded.shape)}; delete its folder to extract anew"
            )
        return Bfloat16Rows(loaded) if self.config.dtype == "bfloat16" else loaded

    @functools.cached_property
    def _mapped(self) -> Rows:
        return self.open()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(n_rows, P, Dv)."""
        n_rows, n_tokens, width = self._mapped.shape
        return n_rows, n_tokens, width

    def take(self, rows: np.ndarray[Any, Any]) -> Tensor:
        """Some rows, in the given order; float32 [N, P, Dv], a copy, whatever lies on disk.

        Raises:
            DataError: The file is missing or damaged.
        """
        return torch.from_numpy(np.ascontiguousarray(self._mapped[rows]))

    def rows(
        self,
        images: np.ndarray[Any, np.dtype[np.int64]],
        views: np.ndarray[Any, np.dtype[np.int64]],
    ) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Row numbers of (image, view); view 0 for images without further views."""
        rank = np.searchsorted(self.augmented, images)
        further = self.n_images + (views - 1) * len(self.augmented) + rank
        return np.where(np.isin(images, self.augmented) & (views > 0), further, images)

    def description(self) -> str:
        """What feature_set.json says."""
        return json.dumps(
            {
                "feature_set_id": self.feature_set_id,
                "dataset_id": self.dataset_id,
                "config": self.config.as_dict(),
                "n_images": self.n_images,
                "augmented": self.augmented.tolist(),
                "sha256": self.sha256,
                "encoder_version": self.encoder_version,
                "revision": self.revision,
                "weights_sha256": self.weights_sha256,
                "side": self.side,
                "training_pictures": sorted(self.training_pictures),
                "skipped": [list(one) for one in self.skipped],
            }
        )


def load_features(folder: Path) -> FeatureSet:
    """Read a feature set's description.

    Raises:
        DataError: The folder holds no whole feature set.
    """
    try:
        said = read_object(folder / DESCRIPTION)
        ids = value_of(list[int], said.get("augmented"), f"augmented of {DESCRIPTION}")
        known = {"path": folder, "augmented": np.array(ids, dtype=np.int64)}
        # what is left out came later; sets made before are of the classical encoder
        return record_of(FeatureSet, said, DESCRIPTION, **known)
    except DataError as error:
        raise DataError(f"{folder} holds no whole feature set: {error}") from error
