"""Image encoders loaded through transformers: by hub name or local folder, safetensors only.

Layers. transformers gives the state before the first block and behind every block, without the
model's final layernorm, and last_hidden_state: behind that layernorm for DINOv2, DINOv3, SigLIP
and ViT; CLIP applies its own to the class token's pooled output only, so that its last is the
last block's output as it is. `last` here is last_hidden_state; `penultimate` and numbers are
states without the layernorm.

Tokens. What stands before the patches (class token, registers, distillation token) is dropped
from the patches; the class token is the first of all.
"""

from __future__ import annotations

import inspect
import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from taxonomy.hashing import content_id
from xmodal.features.config import FeatureConfig
from xmodal.features.encoders.preparation import Preparation
from xmodal.features.encoders.processor import Processing, read_processing
from xmodal.layers import layer_index
from xmodal.lms.hub import loading, pinned
from xmodal.weights import weights_sha256

_MOST_BEFORE = 16
"""Tokens before the patches that are taken for class token and registers, at most."""
_NAFLEX = "siglip2_vision_model"
"""SigLIP 2 with flexible shapes takes patches, not pictures."""
_UNUSED = ("pooler.", "head.", "visual_projection.")
"""Parts behind the tokens; a checkpoint may lack them and they may be drawn at random."""


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A frozen vision model of transformers."""

    name: str
    revision: str
    version: str
    weights_sha256: str
    model: Any
    processing: Processing
    layer: int | None
    """Place in hidden_states; None for last_hidden_state."""
    only_cls: bool
    dtype: torch.dtype
    device: str
    batch_size: int
    training_pictures: frozenset[str] = frozenset()
    """Not known of models of the hub."""

    @property
    def preparation(self) -> Preparation:
        """How a picture becomes pixels."""
        return self.processing.preparation

    @torch.no_grad()
    def encode(self, pixels: Tensor) -> Tensor:
        """Tokens of one layer.

        Args:
            pixels: float32 [B, 3, S, S], RGB in [0, 1], on the CPU.

        Returns:
            float32 [B, P, Dv] on the CPU: patches in reading order, or the class token, P = 1.

        Raises:
            ConfigError: The layer is not there, or its tokens are no square of patches.
        """
        side = self.preparation.side
        if pixels.shape[1:] != (3, side, side):
            raise ValueError(f"pixels must be [B, 3, {side}, {side}], got {list(pixels.shape)}")
        normal = (pixels - self.processing.mean_tensor) / self.processing.std_tensor
        inputs = self._inputs(normal.to(self.device, self.dtype))
        given = self.model(**inputs, output_hidden_states=self.layer is not None)
        tokens = self._state(given)
        if tokens.ndim == 4:
            tokens = tokens.flatten(2).transpose(1, 2)
            before = 0
        else:
            before = self._n_before(tokens.shape[1])
        if self.only_cls and not before:
            raise ConfigError(f"encoder {self.name!r} has no class token: take pooling mean")
        chosen = tokens[:, :1] if self.only_cls else tokens[:, before:]
        return chosen.float().cpu().contiguous()

    def _inputs(self, pixels: Tensor) -> dict[str, Any]:
        """What the model's forward takes; [B, 3, S, S] in."""
        config = self.model.config
        if config.model_type == _NAFLEX:
            n, patch = pixels.shape[0], config.patch_size
            grid = pixels.shape[-1] // patch
            cut = pixels.reshape(n, 3, grid, patch, grid, patch).permute(0, 2, 4, 3, 5, 1)
            return {
                "pixel_values": cut.reshape(n, grid * grid, -1),
                "pixel_attention_mask": torch.ones(n, grid * grid, device=pixels.device).long(),
                "spatial_shapes": torch.full((n, 2), grid, device=pixels.device),
            }
        inputs: dict[str, Any] = {"pixel_values": pixels}
        takes = inspect.signature(self.model.forward).parameters
        if "interpolate_pos_encoding" in takes and pixels.shape[-1] != config.image_size:
            inputs["interpolate_pos_encoding"] = True
        return inputs

    def _state(self, given: Any) -> Tensor:
        """The layer: [B, T, Dv], or [B, Dv, H, W] of a convolutional model."""
        if self.layer is None:
            last: Tensor = given.last_hidden_state
            return last
        states = given.hidden_states
        if not -len(states) <= self.layer < len(states):
            raise ConfigError(
                f"layer must be from {-len(states)} to {len(states) - 1} for encoder "
                f"{self.name!r}, got {self.layer}"
            )
        chosen: Tensor = states[self.layer]
        return chosen

    def _n_before(self, n_tokens: int) -> int:
        """Tokens before the patches, which are a square."""
        patch = getattr(self.model.config, "patch_size", None)
        if isinstance(patch, int):
            before = n_tokens - (self.preparation.side // patch) ** 2
            if 0 <= before <= _MOST_BEFORE:
                return before
        before = n_tokens - math.isqrt(n_tokens) ** 2
        if before > _MOST_BEFORE:
            raise ConfigError(
                f"encoder {self.name!r} gives {n_tokens} tokens for pictures of "
                f"{self.preparation.side} pixels: no square of patches is among them"
            )
        return before


def load_pretrained(config: FeatureConfig, device: str = "cpu") -> Pretrained:
    """Load the vision model of a folder or of the hub; of CLIP and SigLIP the vision half alone.

    Raises:
        ConfigError: A device, a size or a layer that this model cannot have.
        DataError: The model cannot be found or read, or lacks weights.
    """
    name = config.encoder
    target = _device(device)
    with loading(f"encoder {name!r} is none of the package and", name):
        commit = pinned(name, config.revision)
        model, lacking = _read(name, commit)
        processing = read_processing(name, replace(config, revision=commit))
    _check_side(name, model.config, processing.preparation.side)
    digest = weights_sha256(model, lacking)
    dtype: torch.dtype = getattr(torch, config.precision)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    version = content_id({"weights": digest, "processing": asdict(processing)})
    made = Pretrained(
        name=name,
        revision=commit or version,
        version=version,
        weights_sha256=digest,
        model=model.to(target, dtype).eval(),
        processing=processing,
        layer=layer_index(config.layer) if config.layer != "output" else None,
        only_cls=config.pooling == "cls",
        dtype=dtype,
        device=device,
        batch_size=32 if target.type == "cpu" else 128,
    )
    return made


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = next(iter(str(error).splitlines()), "")
        raise ConfigError(f"device {name!r} cannot be used here: {reason}") from error
    return device


def _read(name: str, revision: str | None) -> tuple[Any, set[str]]:
    """The model, and the names of weights that the checkpoint lacks and nobody needs."""
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(name, revision=revision)
    vision = getattr(config, "vision_config", None) or config
    loaded: Any = AutoModel.from_pretrained(
        name,
        config=vision,
        revision=revision,
        dtype="auto",
        use_safetensors=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    model, found = loaded
    lacking = set(found["missing_keys"])
    if needed := sorted(key for key in lacking if not key.startswith(_UNUSED)):
        # transformers would draw them at random and go on
        raise ValueError(f"{len(needed)} of its weights are not there, such as {needed[0]}")
    if wrong := sorted(str(key) for key in found.get("mismatched_keys", ())):
        raise ValueError(f"{len(wrong)} of its weights have another shape, such as {wrong[0]}")
    if model.main_input_name != "pixel_values":
        raise ValueError(f"a {config.model_type} model takes no pictures")
    return model, lacking


def _check_side(name: str, config: Any, side: int) -> None:
    patch = getattr(config, "patch_size", None)
    if isinstance(patch, int) and side % patch:
        near = max(1, round(side / patch)) * patch
        raise ConfigError(
            f"side must be a multiple of the {patch} pixels of a patch of {name!r}, such as "
            f"{near}, got {side}"
        )
