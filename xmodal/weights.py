"""The hash that a model's weights are known by."""

from __future__ import annotations

from collections.abc import Set
from hashlib import sha256
from typing import Any

import torch


def weights_sha256(model: Any, without: Set[str] = frozenset()) -> str:
    """Hash of a model's weights: names, shapes, dtypes and bytes, in the order of the names.

    Args:
        model: A torch module.
        without: Names of weights that are not hashed, since the checkpoint lacks them.
    """
    digest = sha256()
    for name, value in sorted(model.state_dict().items()):
        if name in without:
            continue
        digest.update(f"{name}|{list(value.shape)}|{value.dtype}|".encode())
        digest.update(value.detach().cpu().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
