"""Fixtures that several tests of the commands share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli import tiny_store
from tests.warm import Warm
from tests.xmodal import tiny


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tiny_store.Tiny:
    return tiny_store.make(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def world(made: tiny_store.Tiny, tmp_path: Path) -> tiny_store.Tiny:
    """A store of the test's own."""
    return made.copy(tmp_path)


@pytest.fixture(scope="module")
def warm(made: tiny_store.Tiny, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """Starts commands that train in no time, and saves after every step."""
    server = Warm(tiny.environment(), made.lm, tmp_path_factory.mktemp("warm") / "log")
    yield server
    server.close()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As in the processes that some tests start, where bits are compared."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
