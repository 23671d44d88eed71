"""From a name to an encoder, and from a name to the settings that suit it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from taxonomy.errors import ConfigError
from xmodal.features.config import FeatureConfig
from xmodal.features.encoders.encoder import Encoder
from xmodal.features.encoders.own import Classical, embedded_ssl

OWN: Mapping[str, Callable[[], Encoder]] = {
    "classical": Classical,
    "embedded-ssl": embedded_ssl,
}
"""Encoders of the package by name. They have one layer, their own pictures' size, no class
token, and compute in float32."""

_NOT_OF_OWN = ("layer", "side", "fit", "precision", "revision")


def config_for(encoder: str, device: str = "cpu", **given: Any) -> FeatureConfig:
    """The config of an encoder, with what is not given as it suits that encoder.

    Args:
        encoder: A name of OWN, a local folder, or a name on the model hub.
        device: Where a transformers model computes: bfloat16 on a GPU, float32 on a CPU.
        **given: Fields of FeatureConfig; None for what is not given.

    Raises:
        ConfigError: A value that does not exist, or not for this encoder.
    """
    said = {name: value for name, value in given.items() if value is not None}
    if encoder in OWN:
        return FeatureConfig(encoder=encoder, **said)
    suits: dict[str, Any] = {
        "pooling": "patches",
        "n_views": 1,
        "layer": "penultimate",
        "precision": "float32" if device == "cpu" else "bfloat16",
    }
    return FeatureConfig(encoder=encoder, **(suits | said))


def check_encoder(config: FeatureConfig) -> None:
    """Read what says how an encoder's pictures are prepared, and no weights.

    Raises:
        ConfigError: Its pictures are no squares and the config gives no side.
        DataError: There is no such encoder.
    """
    if config.encoder in OWN:
        return
    from xmodal.features.encoders.processor import read_processing
    from xmodal.lms.hub import loading, pinned

    name = config.encoder
    with loading(f"encoder {name!r} is none of the package and", name):
        read_processing(name, replace(config, revision=pinned(name, config.revision)))


def load_encoder(config: FeatureConfig, device: str = "cpu") -> Encoder:
    """Load the encoder that a config names.

    Args:
        config: Which, which layer and which tokens.
        device: Where a transformers model computes; encoders of the package use the CPU.

    Raises:
        ConfigError: A setting that this encoder does not have.
        DataError: The model cannot be found or read.
    """
    if config.pooling == "given":
        raise ConfigError(f"features of {config.encoder!r} were imported: no encoder makes them")
    if config.encoder not in OWN:
        from xmodal.features.encoders.pretrained import load_pretrained

        return load_pretrained(config, device)
    default = FeatureConfig()
    for name in _NOT_OF_OWN:
        if (value := getattr(config, name)) != getattr(default, name):
            raise ConfigError(
                f"{name} goes with transformers models, not with encoder {config.encoder!r}, "
                f"got {value!r}"
            )
    if config.pooling == "cls":
        raise ConfigError(f"encoder {config.encoder!r} has no class token: take pooling mean")
    return OWN[config.encoder]()
