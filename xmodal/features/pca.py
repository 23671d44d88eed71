"""Principal components of patch tokens, fitted on training pictures without labels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from taxonomy.errors import DataError
from xmodal.features.config import FeatureConfig
from xmodal.files import write_whole
from xmodal.tensors import read_tensors

PCA = "pca.safetensors"
"""In the folder of a feature set that was pooled by it."""
_ANEW = "delete it, and it is fitted again"


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums in one order, so that the bytes do not depend on the number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Pca:
    """Principal components, each divided by the square root of its standard deviation.

    Components without spread are left out: with few training pictures the last ones have none,
    and other pictures would be far off there.
    """

    def __init__(self, mean: Tensor, basis: Tensor, scale: Tensor) -> None:
        """Take what fit found: float32 [P Dv], [P Dv, width] and [1]."""
        self.mean, self.basis, self.scale = mean, basis, scale

    @classmethod
    def fit(cls, tokens: Tensor, config: FeatureConfig) -> Pca:
        """Fit on tokens, float32 [N, P, Dv]."""
        with one_thread():
            return cls._fit(tokens.flatten(1), config)

    @classmethod
    def _fit(cls, flat: Tensor, config: FeatureConfig) -> Pca:
        width = min(config.n_components, *flat.shape)
        mean = flat.mean(0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            _, spread, basis = torch.pca_lowrank(flat - mean, q=width, center=False, niter=4)
        deviation = spread / len(flat) ** 0.5
        kept = deviation > 1e-3 * deviation[0]
        kept[0] = True
        basis = basis[:, kept] / deviation[kept].clamp_min(1e-6).sqrt()
        scale = ((flat - mean) @ basis).std().clamp_min(1e-6)
        return cls(mean, basis, scale.reshape(1))

    @property
    def width(self) -> int:
        """Components that were kept."""
        return self.basis.shape[1]

    def __call__(self, tokens: Tensor) -> Tensor:
        """float32 [N, P, Dv] to [N, 1, at most n_components], unit variance in training."""
        with one_thread():
            pooled: Tensor = (tokens.flatten(1) - self.mean) @ self.basis / self.scale
        return pooled[:, None]

    @property
    def sha256(self) -> str:
        """Hash of the numbers, whatever file they lie in."""
        digest = sha256()
        for name, value in sorted(self.state().items()):
            digest.update(f"{name}|{list(value.shape)}|".encode())
            digest.update(value.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def state(self) -> dict[str, Tensor]:
        """What another process needs to do the same."""
        return {"mean": self.mean, "basis": self.basis, "scale": self.scale}

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        from safetensors.torch import save_file

        tensors = {name: value.contiguous() for name, value in self.state().items()}
        write_whole(path, lambda at: save_file(tensors, at))

    @classmethod
    def load(cls, path: Path) -> Pca:
        """What save wrote.

        Raises:
            DataError: The file is missing or damaged.
        """
        found = read_tensors(path, _ANEW)
        mean, basis, scale = (found.get(name) for name in ("mean", "basis", "scale"))
        if mean is None or basis is None or scale is None:
            raise DataError(f"{path} holds no pca: {_ANEW}")
        sizes = [list(one.shape) for one in (mean, basis, scale)]
        if basis.ndim != 2 or sizes[0] != sizes[1][:1] or sizes[2] != [1]:
            raise DataError(f"{path} must hold [N], [N, width] and [1], got {sizes}: {_ANEW}")
        return cls(mean, basis, scale)
