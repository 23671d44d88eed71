"""Reference data that is not part of the project; tests that need it skip where it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("XMODAL_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def shared(*parts: str) -> Path:
    """A file or folder of the shared data."""
    return ROOT.joinpath(*parts)


needs_shared = pytest.mark.skipif(
    not ROOT.is_dir(), reason=f"the shared data is not at {ROOT}; set XMODAL_TEST_DATA"
)
