"""Whatever writes is killed at random moments: nothing is lost, doubled or half."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.killing import jobs, kill_some
from tests.cli.tiny_store import Tiny
from tests.warm import Warm
from tests.xmodal import tiny


@pytest.fixture
def light(tmp_path: Path) -> Iterator[Warm]:
    server = Warm(tiny.environment(), None, tmp_path / "log")
    yield server
    server.close()


def kill_all(made: Tiny, warm: Warm, home: Path, n_kills: dict[str, int]) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    kills = []
    for job in jobs(made, warm, home, list(n_kills)):
        left = n_kills[job.name]
        while left:
            now = min(left, 4)
            kills += kill_some(job, now, rng, warm, home / "world")
            left -= now
    assert len(kills) == sum(n_kills.values())
    if (folder := os.environ.get("XMODAL_RESULTS")) and len(kills) == 100:
        result = {"seed": seed, "n_kills": len(kills), "n_unsound": 0, "kills": kills}
        (Path(folder) / "kills.json").write_text(json.dumps(result, indent=1) + "\n")


def test_six_kills_of_what_writes_the_store(made: Tiny, light: Warm, tmp_path: Path) -> None:
    kill_all(made, light, tmp_path / "w", {"sync": 2, "manifest": 2, "taxonomy": 2})


@pytest.mark.slow
def test_a_hundred_kills(made: Tiny, warm: Warm, tmp_path: Path) -> None:
    n_kills = {"train": 30, "sync": 30, "manifest": 20, "taxonomy": 20}
    kill_all(made, warm, tmp_path / "w", n_kills)
