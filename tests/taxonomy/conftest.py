"""Fixtures that several tests of the taxonomy share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.taxonomy.csv_tables import paint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five different pictures for each name that the tests use."""
    for i, name in enumerate(("parrot", "owl", "poodle", "beagle", "dog", "car")):
        for k in range(5):
            paint(tmp_path / f"{name}{k}.png", 5 * i + k)
    return tmp_path
