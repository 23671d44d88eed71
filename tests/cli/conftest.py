"""Fixtures that several tests of the commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import tiny_store


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tiny_store.Tiny:
    return tiny_store.make(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def world(made: tiny_store.Tiny, tmp_path: Path) -> tiny_store.Tiny:
    """A store of the test's own."""
    return made.copy(tmp_path)
