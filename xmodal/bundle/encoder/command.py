"""What `xmodal bundle train-encoder` does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from xmodal.bundle.encoder.load import WEIGHTS
from xmodal.bundle.encoder.package import train_encoder
from xmodal.bundle.encoder.train import EncoderTraining
from xmodal.bundle.pictures import load_pictures
from xmodal.progress import bars


def train_bundle_encoder(
    output: Path, *, seed: int = 0, n_steps: int | None = None
) -> Iterator[str]:
    """Train an encoder like the bundled one.

    Args:
        output: Folder to make.
        seed: Of views, weights, batches and dropout.
        n_steps: Optimiser steps; None for the bundled encoder's.

    Yields:
        One line for each fact about it.
    """
    config = EncoderTraining(seed=seed)
    if n_steps is not None:
        config = replace(config, n_steps=n_steps)
    with bars() as shown:
        task = shown.add_task("training", total=None, note="")

        def progress(done: int, total: int, note: str) -> None:
            shown.update(task, completed=done, total=total, note=note)

        recipe = train_encoder(load_pictures(), output, config, progress)
    for name in ("n_training_pictures", "n_params", "seconds"):
        yield f"{name}: {recipe[name]}"
    yield f"weights: {recipe['sha256'][WEIGHTS]}"
    yield f"saved: {output}"
