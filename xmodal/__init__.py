"""What is run: store, bundle, features, training, reports. In a notebook: `xmodal.open()`.

Shared projectors: `xmodal.load_projector(folder)` and `xmodal.load_encoder(folder)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from xmodal.api import Workbench
    from xmodal.sharing.load import PictureEncoder
    from xmodal.vlm.projector import Projector

__all__ = ["load_encoder", "load_projector", "open"]


def open(store: Path | str | None = None) -> Workbench:
    """Open an experiment store for reading.

    Args:
        store: The DuckDB file; None takes the environment's XMODAL_STORE, else xmodal.duckdb.

    Returns:
        What reads it. No lock is held between calls, so that training can go on beside it.

    Raises:
        StoreError: The file is missing, foreign, of another version, or being written.
    """
    import os
    from pathlib import Path

    from xmodal.api import Workbench

    chosen = store if store is not None else os.environ.get("XMODAL_STORE", "xmodal.duckdb")
    return Workbench(Path(chosen))


def load_projector(folder: Path | str) -> Projector:
    """The projector in a folder of `xmodal card`, held against its config.

    Args:
        folder: With config.json and projector.safetensors.

    Returns:
        A torch module from float [B, P, Dv] features to [B, K, Dl] prefix tokens; fp32, on the
        CPU, in evaluation mode.

    Raises:
        DataError: It is no such folder, or a file is gone or another one.
    """
    from pathlib import Path

    from xmodal.sharing.load import load_projector as load

    return load(Path(folder))


def load_encoder(folder: Path | str, device: str = "cpu") -> PictureEncoder:
    """What makes features of new pictures for the projector in a folder of `xmodal card`.

    Args:
        folder: With config.json, and pca.safetensors where the features were pooled by one.
        device: Where a transformers model computes.

    Returns:
        A function from a PIL image to its features, float32 [1, P, Dv], rounded as those in
        training.

    Raises:
        ConfigError: The features were imported: no encoder makes them.
        DataError: It is no such folder, its pca is not there, or the encoder is another one here.
    """
    from pathlib import Path

    from xmodal.sharing.load import load_encoder as load

    return load(Path(folder), device)
