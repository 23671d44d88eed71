"""A store for hostile statements, made once for the files that send some."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.xmodal.store import world
from tests.xmodal.store.besieged import unchanged
from xmodal.store import Store


@pytest.fixture(scope="session")
def besieged_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("besieged") / "s.duckdb"
    with Store.open(path) as store:
        store.add_taxonomy(world.taxonomy())
    (path.parent / "f.csv").write_text("a\n1\n")
    return path


@pytest.fixture
def besieged(besieged_store: Path) -> Iterator[Path]:
    """Whatever a test asks, the store stays as it is and nothing appears beside it."""
    with unchanged(besieged_store):
        yield besieged_store
