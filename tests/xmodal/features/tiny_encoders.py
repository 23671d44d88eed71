"""Tiny vision models of several architectures, saved as the hub has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import (
    CLIPConfig,
    CLIPModel,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    DINOv3ViTConfig,
    DINOv3ViTModel,
    ResNetConfig,
    ResNetModel,
    Siglip2Config,
    Siglip2Model,
    SiglipConfig,
    SiglipModel,
    ViTConfig,
    ViTForImageClassification,
)

from xmodal.quiet import quiet_transformers

SIDE, PATCH, WIDTH, N_BLOCKS, N_REGISTERS = 28, 7, 16, 3, 4
N_PATCHES = (SIDE // PATCH) ** 2
N_BEFORE = {
    "dinov2": 1,
    "dinov2-registers": 1 + N_REGISTERS,
    "dinov3": 1 + N_REGISTERS,
    "clip": 1,
    "siglip": 0,
    "siglip2": 0,
    "vit": 1,
}
"""Tokens before the patches of each architecture."""
DUAL = ("clip", "siglip", "siglip2")
_SHAPE: dict[str, Any] = {
    "hidden_size": WIDTH,
    "num_hidden_layers": N_BLOCKS,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": PATCH,
    # far from what a fresh model has: layers and layernorms must differ
    "initializer_range": 0.5,
}
_FEED = {"intermediate_size": 24}
_TEXT: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "vocab_size": 40,
    "max_position_embeddings": 8,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
_IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
_HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
PROCESSORS: dict[str, dict[str, Any]] = {
    "dinov2": {
        "image_processor_type": "BitImageProcessor",
        "do_center_crop": True,
        "crop_size": {"height": SIDE, "width": SIDE},
        "size": {"shortest_edge": 32},
        "resample": 3,
        **_IMAGENET,
    },
    "dinov3": {
        "image_processor_type": "DINOv3ViTImageProcessorFast",
        "do_resize": True,
        "do_rescale": True,
        "do_normalize": True,
        "rescale_factor": 1 / 255,
        "resample": 2,
        "size": {"height": SIDE, "width": SIDE},
        **_IMAGENET,
    },
    # as the first releases say it: numbers in place of shapes, and no class
    "clip": {
        "feature_extractor_type": "CLIPFeatureExtractor",
        "do_center_crop": True,
        "crop_size": SIDE,
        "size": SIDE,
        "resample": 3,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
    },
    "siglip": {
        "image_processor_type": "SiglipImageProcessor",
        "size": {"height": SIDE, "width": SIDE},
        "resample": 3,
        **_HALF,
    },
    "siglip2": {
        "image_processor_type": "Siglip2ImageProcessor",
        "patch_size": PATCH,
        "max_num_patches": N_PATCHES,
        "resample": 2,
        **_HALF,
    },
    "vit": {"image_processor_type": "ViTImageProcessor", "size": SIDE, "resample": 2, **_HALF},
    "resnet": {
        "image_processor_type": "ConvNextImageProcessor",
        "size": {"height": SIDE, "width": SIDE},
        "resample": 3,
        **_IMAGENET,
    },
}
PROCESSORS["dinov2-registers"] = PROCESSORS["dinov2"]


def make(architecture: str, seed: int = 0) -> Any:
    """A model with random weights, as its authors publish it: dual, or with a classifier."""
    torch.manual_seed(seed)
    if architecture in DUAL:
        return _dual(architecture)
    made: Any = {
        "dinov2": lambda: Dinov2Model(Dinov2Config(**_SHAPE, layerscale_value=1.0)),
        "dinov2-registers": lambda: Dinov2WithRegistersModel(
            Dinov2WithRegistersConfig(
                **_SHAPE, layerscale_value=1.0, num_register_tokens=N_REGISTERS
            )
        ),
        "dinov3": lambda: DINOv3ViTModel(
            DINOv3ViTConfig(**_SHAPE, **_FEED, num_register_tokens=N_REGISTERS)
        ),
        "vit": lambda: ViTForImageClassification(ViTConfig(**_SHAPE, **_FEED)),
        "resnet": lambda: ResNetModel(
            ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
        ),
    }[architecture]()
    return made.eval()


def _dual(architecture: str) -> Any:
    if architecture == "siglip2":
        vision = {k: v for k, v in _SHAPE.items() if k != "image_size"}
        vision |= {**_FEED, "num_patches": N_PATCHES}
        config: Any = Siglip2Config(text_config=_TEXT, vision_config=vision)
        return Siglip2Model(config).eval()
    given = {"text_config": _TEXT, "vision_config": {**_SHAPE, **_FEED}}
    if architecture == "clip":
        return CLIPModel(CLIPConfig(**given, projection_dim=8)).eval()
    return SiglipModel(SiglipConfig(**given)).eval()


def save(folder: Path, architecture: str, seed: int = 0) -> Path:
    """Save a model and its image processor's settings as a local folder."""
    with quiet_transformers():
        make(architecture, seed).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSORS[architecture]))
    return folder


def states(architecture: str, pixels: torch.Tensor, seed: int = 0) -> tuple[Any, Any]:
    """Hidden states and last_hidden_state of the model itself.

    Args:
        architecture: Which.
        pixels: float32 [B, 3, SIDE, SIDE], normalised.
        seed: Of its weights.
    """
    model = make(architecture, seed)
    given: dict[str, Any] = {"pixel_values": pixels}
    if architecture in DUAL:
        model = model.vision_model
    if architecture == "vit":
        model = model.vit
    if architecture == "siglip2":
        grid = SIDE // PATCH
        flat = []
        for picture in pixels:
            for row in range(grid):
                for column in range(grid):
                    patch = picture[:, row * PATCH : (row + 1) * PATCH]
                    patch = patch[:, :, column * PATCH : (column + 1) * PATCH]
                    flat.append(patch.permute(1, 2, 0).flatten())
        n = len(pixels)
        given = {
            "pixel_values": torch.stack(flat).reshape(n, N_PATCHES, -1),
            "pixel_attention_mask": torch.ones(n, N_PATCHES, dtype=torch.long),
            "spatial_shapes": torch.tensor([[grid, grid]] * n),
        }
    with torch.no_grad():
        out = model(**given, output_hidden_states=True)
    return out.hidden_states, out.last_hidden_state
