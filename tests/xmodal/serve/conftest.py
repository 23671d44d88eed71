"""One trained run on the tiny dataset, for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.tiny_store import Tiny, make


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """A store with a run; nobody writes to it."""
    of = make(tmp_path_factory.mktemp("asked"))
    done = of.train("--epochs", "2", "--batch-size", "12")
    assert done.exit_code == 0, done.output
    return of


@pytest.fixture(scope="session")
def run_id(trained: Tiny) -> str:
    (folder,) = (trained.store.parent / "runs").iterdir()
    return folder.name


@pytest.fixture
def picture(trained: Tiny) -> Path:
    """A test picture of the dataset, as a file."""
    return trained.store.parent.parent / "pictures" / "owl6.png"
