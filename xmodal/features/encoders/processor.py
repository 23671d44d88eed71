"""What a model's image processor says of its pictures: size, filter, mean and deviation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from taxonomy.errors import ConfigError
from xmodal.features.config import FeatureConfig
from xmodal.features.encoders.preparation import Preparation

_NEEDED = ("image_mean", "image_std")


@dataclass(frozen=True, kw_only=True)
class Processing:
    """How a picture becomes the numbers that a model takes."""

    preparation: Preparation
    mean: tuple[float, ...]
    """Of each channel in [0, 1]; taken off."""
    std: tuple[float, ...]
    """Divided by."""

    @property
    def mean_tensor(self) -> Tensor:
        """float32 [3, 1, 1]."""
        return torch.tensor(self.mean)[:, None, None]

    @property
    def std_tensor(self) -> Tensor:
        """float32 [3, 1, 1]."""
        return torch.tensor(self.std)[:, None, None]


def read_processing(name: str, config: FeatureConfig) -> Processing:
    """Read the image processor of a folder or hub model; config may change its size.

    Raises:
        OSError: There is none.
        ValueError: It does not say enough.
        ConfigError: Its pictures are no squares and config gives no side.
    """
    said = _settings(name, config.revision)
    if not said.get("do_normalize", True):
        said |= {"image_mean": [0.0] * 3, "image_std": [1.0] * 3}
    if lacking := [key for key in _NEEDED if said.get(key) is None]:
        raise ValueError(f"its image processor does not say {' and '.join(lacking)}")
    if abs(float(said.get("rescale_factor") or 1 / 255) * 255 - 1) > 1e-3:
        raise ValueError(f"its pictures are scaled by {said['rescale_factor']}, must be 1/255")
    return Processing(
        preparation=_preparation(name, said, config),
        mean=tuple(float(x) for x in said["image_mean"]),
        std=tuple(float(x) for x in said["image_std"]),
    )


def _settings(name: str, revision: str | None) -> dict[str, Any]:
    """Settings of the processor, with the defaults of its class."""
    from transformers import AutoImageProcessor
    from transformers.models.auto.image_processing_auto import get_image_processor_config

    raw = get_image_processor_config(name, revision=revision)
    if not raw:
        raise OSError("it holds no preprocessor_config.json, which says how pictures are prepared")
    try:
        loaded: Any = AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call]
            name, revision=revision, backend="pil"
        )
    except (ImportError, ValueError):
        # a class that needs torchvision, such as DINOv3's: its file says everything
        return dict(raw)
    return {**raw, **loaded.to_dict()}


def _sizes(said: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """(side of a square resize, shortest side) as far as the processor says them."""
    size = said.get("size")
    if isinstance(size, int):
        return size, None
    if not isinstance(size, Mapping):
        return None, None
    if size.get("shortest_edge"):
        return None, int(size["shortest_edge"])
    if size.get("height") and size.get("height") == size.get("width"):
        return int(size["height"]), None
    return None, None


def _crop(said: Mapping[str, Any]) -> int | None:
    """Side of the processor's centre crop; None if it cuts nothing."""
    crop = said.get("crop_size") if said.get("do_center_crop") else None
    if isinstance(crop, Mapping):
        crop = crop.get("height") if crop.get("height") == crop.get("width") else None
    return int(crop) if crop else None


def _preparation(name: str, said: Mapping[str, Any], config: FeatureConfig) -> Preparation:
    square, shortest = _sizes(said)
    crop = _crop(said)
    if square is None and shortest is None and said.get("max_num_patches"):
        # SigLIP 2 keeps a picture's ratio; as a square it has the most patches there are
        square = int(said["patch_size"]) * int(said["max_num_patches"] ** 0.5)
    side = config.side or crop or square or shortest
    if side is None:
        raise ConfigError(
            f"the image processor of encoder {name!r} names no square size: give a side, in pixels"
        )
    own = "square" if shortest is None else "crop"
    fit = own if config.fit == "own" else config.fit
    # what is cut off is in proportion as the processor has it; a square is cut only if it is
    resized = shortest or square
    cut = crop or resized
    before = side
    if resized and cut and (fit == "crop" or config.fit == "own"):
        before = max(side, round(side * resized / cut))
    resample = said.get("resample")
    return Preparation(
        side=side,
        fit=fit,
        before=None if fit == "pad" else before,
        resample=int(Image.Resampling.BILINEAR if resample is None else resample),
    )
