"""A model hub without a network: the cache that its client keeps, filled by a test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


def publish(
    monkeypatch: pytest.MonkeyPatch, cache: Path, name: str, folder: Path, commit: str
) -> None:
    """Make a saved model look as if it had been fetched from the hub before.

    Args:
        monkeypatch: Puts the client offline, and its cache in the place given.
        cache: Folder of the cache.
        name: Of the model: organisation/model.
        folder: Where it was saved.
        commit: 40 digits; refs/main points to the one published last.
    """
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    kept = cache / f"models--{name.replace('/', '--')}"
    shutil.copytree(folder, kept / "snapshots" / commit)
    (kept / "refs").mkdir(exist_ok=True)
    (kept / "refs" / "main").write_text(commit)
