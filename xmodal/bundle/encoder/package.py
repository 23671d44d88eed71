"""The encoder as files: weights, recipe, and the hashes of the pictures it was trained on."""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
import time
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from safetensors.torch import save
from torch import Tensor

from taxonomy.errors import DataError
from xmodal.bundle.encoder.load import PICTURES, RECIPE, SCALE, WEIGHTS
from xmodal.bundle.encoder.train import (
    EncoderTraining,
    Progress,
    learnt_scale,
    train_net,
    view_bank,
)
from xmodal.bundle.pictures import decode
from xmodal.features.pca import one_thread


def training_pictures(table: pa.Table) -> tuple[list[str], Tensor]:
    """The pictures of the training split, in the order of their hashes.

    No column but sha256, split and png is read.

    Args:
        table: As load_pictures gives it.

    Returns:
        sha256 of each, and uint8 [N, 3, 64, 64].

    Raises:
        DataError: A picture cannot be decoded, or is not the one of its hash.
    """
    rows = table.select(["sha256", "split", "png"]).to_pylist()
    kept = sorted((row["sha256"], row["png"]) for row in rows if row["split"] == "train")
    for digest, png in kept:
        if sha256(png).hexdigest() != digest:
            raise DataError(f"picture {digest} is another one by now; install xmodal again")
    pixels = [torch.from_numpy(np.ascontiguousarray(decode(png)[..., :3])) for _, png in kept]
    if not kept:
        raise DataError("the encoder needs training pictures, got none")
    return [digest for digest, _ in kept], torch.stack(pixels).permute(0, 3, 1, 2).contiguous()


def train_encoder(
    table: pa.Table, output: Path, config: EncoderTraining, progress: Progress | None = None
) -> dict[str, Any]:
    """Train an encoder on the training split of the pictures and save it.

    Args:
        table: As load_pictures gives it.
        output: A folder that does not exist yet; appears whole or not at all.
        config: The settings.
        progress: Called after each view of all pictures and after each step.

    Returns:
        The recipe, as saved.

    Raises:
        DataError: The output folder exists, or a picture cannot be used.
    """
    if output.exists():
        raise DataError(f"{output} exists; give a folder that does not")
    started = time.monotonic()
    hashes, pixels = training_pictures(table)
    with one_thread():
        net = train_net(view_bank(pixels, config, progress), config, progress)
        scale = torch.tensor(learnt_scale(net, pixels, config.learnt_share))
    tensors = {name: value.contiguous() for name, value in net.state_dict().items()}
    files = {
        WEIGHTS: save({**tensors, SCALE: scale}),
        PICTURES: ("\n".join(hashes) + "\n").encode(),
    }
    recipe = {
        "training": config.as_dict(),
        "sha256": {name: sha256(content).hexdigest() for name, content in files.items()},
        "n_training_pictures": len(hashes),
        "n_params": sum(p.numel() for p in net.parameters()),
        "seconds": round(time.monotonic() - started),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "numpy", "pillow")},
        },
    }
    files[RECIPE] = (json.dumps(recipe, indent=1, sort_keys=True) + "\n").encode()
    output.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    try:
        for name, content in files.items():
            (made / name).write_bytes(content)
        made.chmod(0o755)
        os.replace(made, output)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return recipe
