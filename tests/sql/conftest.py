"""A store without rows; what needs a dataset in it has a fixture of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.xmodal.store.empty import empty_store
from xmodal.store import Store


@pytest.fixture
def store() -> Iterator[Store]:
    with empty_store() as opened:
        yield opened
