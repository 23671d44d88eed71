"""Features of pictures that are in no dataset, as those of a dataset were made."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from taxonomy.errors import DataError
from taxonomy.hashing import keyed_order
from taxonomy.model import Taxonomy
from xmodal.features.config import FeatureConfig
from xmodal.features.encoders.encoder import Encoder
from xmodal.features.encoders.load import load_encoder
from xmodal.features.encoders.preparation import Pixels
from xmodal.features.extract import Work, fit_again
from xmodal.features.feature_set import FeatureSet
from xmodal.features.pca import PCA, Pca, one_thread
from xmodal.features.pictures import as_tensor, read_picture

_CHECKED = 4
"""Pictures of the dataset that are encoded again to see that nothing has changed."""
_OFF = {"float32": 1e-3, "short": 3e-2}
"""How far they may be off, as a share of the largest number stored."""


@dataclass(frozen=True)
class NewPictures:
    """An encoder, and what became of its tokens in one feature set."""

    features: FeatureSet
    encoder: Encoder
    pool: Pca | None

    @classmethod
    def load(cls, taxonomy: Taxonomy, features: FeatureSet, device: str = "cpu") -> NewPictures:
        """Make it ready, and see that it gives what is stored for pictures of the dataset.

        A pca is read from the set's folder; where an older set kept none it is fitted again, which
        takes about as long as the extraction did, and kept there if the folder can be written.

        Args:
            taxonomy: The dataset.
            features: Of the dataset.
            device: Where a transformers model computes.

        Raises:
            ConfigError: The features were imported: no encoder makes them.
            DataError: The encoder is another one by now, or gives other features here.
        """
        encoder = load_encoder(features.config, device)
        if encoder.version != features.encoder_version:
            raise DataError(
                f"feature set {features.feature_set_id} was made by version "
                f"{features.encoder_version} of encoder {features.config.encoder!r}, here is "
                f"{encoder.version}: bring the old one back"
            )
        pool, kept = None, features.path / PCA
        if features.config.pooling == "pca":
            work = Work(device=device, skip_bad=bool(features.skipped))
            there = kept.is_file()
            pool = Pca.load(kept) if there else fit_again(taxonomy, features, encoder, work)
        made = cls(features, encoder, pool)
        made._check(taxonomy)
        if pool is not None and not kept.exists():
            with suppress(OSError):
                pool.save(kept)
        return made

    def encode(self, image: Image.Image) -> Tensor:
        """float32 [1, P, Dv] of one picture, rounded as the stored ones are.

        Args:
            image: Of any mode with 8 bits a channel.
        """
        return self._encode(self.encoder.preparation(image))

    def _encode(self, pixels: Pixels) -> Tensor:
        return encoded(pixels, self.encoder, self.features.config, self.pool)

    def _check(self, taxonomy: Taxonomy) -> None:
        """See that some pictures of the dataset have the features that are stored.

        Raises:
            DataError: They do not.
        """
        features = self.features
        gone = set(features.skipped_images.tolist())
        ids = [i for i in range(features.n_images) if i not in gone]
        ids = sorted(keyed_order(ids, features.feature_set_id, "new pictures")[:_CHECKED])
        rows = taxonomy.images.take(ids).to_pylist()
        pixels = [read_picture(r["uri"], r["sha256"], self.encoder.preparation) for r in rows]
        anew = torch.cat([self._encode(one) for one in pixels])
        stored = features.take(np.array(ids, dtype=np.int64))
        off = float("inf")
        if anew.shape == stored.shape:
            off = float((anew - stored).abs().max() / stored.abs().max().clamp_min(1e-6))
        config = features.config
        exact = config.dtype == config.precision == "float32"
        if not off <= _OFF["float32" if exact else "short"]:
            raise DataError(
                f"encoder {config.encoder!r} gives other features here than feature set "
                f"{features.feature_set_id} holds (off by {off:.1e} of the largest): extract the "
                "features anew on this machine and train on them"
            )


def encoded(pixels: Pixels, encoder: Encoder, config: FeatureConfig, pool: Pca | None) -> Tensor:
    """Features of one prepared picture, as a feature set holds them.

    Args:
        pixels: uint8 [S, S, 3], as the encoder's preparation gives it.
        encoder: The encoder.
        config: Of the feature set.
        pool: Its pca; None where the pooling is another.

    Returns:
        float32 [1, P, Dv], rounded as stored.
    """
    with torch.no_grad(), one_thread():
        tokens = encoder.encode(as_tensor(pixels[None]))
        if config.pooling == "mean":
            tokens = tokens.mean(1, keepdim=True)
        if pool is not None:
            tokens = pool(tokens)
    stored: torch.dtype = getattr(torch, config.dtype)
    return tokens.to(stored).float()
