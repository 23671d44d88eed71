"""Texts and pictures of no dataset, read and encoded as those that a run was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from taxonomy.errors import DataError
from xmodal.align.captions import DESCRIPTION, load_caption_set
from xmodal.align.picture_vectors import PictureEncoder
from xmodal.features.config import FeatureConfig
from xmodal.features.extract import load_features
from xmodal.lms.words import load_reader


def read_again(read: Mapping[str, Any], texts: Sequence[str], device: str) -> Tensor:
    """Vectors of other texts, as those of a set of text features were made.

    Random weights are drawn from seed 0; those of another seed are refused, as no table keeps it.

    Args:
        read: The set's row of text_feature_set.
        texts: N of them.
        device: Where the LM computes.

    Returns:
        float32 [N, Dt].

    Raises:
        DataError: The LM cannot be loaded, or has other weights now.
    """
    reader = load_reader(
        read["lm"], init=read["lm_init"], revision=read["lm_revision"], seed=0, device=device
    )
    if reader.sha256 != read["lm_hash"]:
        raise DataError(
            f"the lm {read['lm']!r} has weights {reader.sha256[:12]} here, the run was trained "
            f"with {read['lm_hash'][:12]}: bring these back"
        )
    asked = (None, None) if reader.kind == "words" else (read["pooling"], read["layer"])
    return reader.encode(list(texts), reader.pooling(*asked), longest=read["longest"])


def encode_again(path: Path, pictures: Sequence[bytes], device: str) -> Tensor:
    """Vectors of other pictures, as those of a feature set or a caption set were made.

    Args:
        path: Folder of the set.
        pictures: Bytes of N files.
        device: Where the encoder computes.

    Returns:
        float32 [N, Dv].

    Raises:
        ConfigError: The set's vectors need a dataset, such as principal components.
        DataError: The encoder cannot be read, has other weights now, or a picture cannot be
            decoded.
    """
    if (path / DESCRIPTION).is_file():
        captions = load_caption_set(path)
        usual = FeatureConfig(
            encoder=captions.encoder,
            layer=captions.layer,
            pooling=captions.pooling,
            precision=captions.precision,
        )
        version, configs = captions.encoder_version, [usual, replace(usual, side=captions.side)]
    else:
        features = load_features(path)
        version, configs = features.encoder_version, [features.config]
    for config in configs:
        encoder = PictureEncoder.load(config, device)
        if encoder.encoder.version == version:
            named = [(str(n), picture) for n, picture in enumerate(pictures)]
            return torch.from_numpy(encoder.encode(named))
    raise DataError(
        f"encoder {configs[0].encoder!r} has other weights or another preparation of pictures "
        f"here than when {path.name} was made: bring these back"
    )
