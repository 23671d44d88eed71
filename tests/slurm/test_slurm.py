"""A sweep on a real SLURM of one node: submitted, killed, queued again, each run once.

Run by `make test-slurm`, on a machine where SLURM and munge are installed and this user is root.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.slurm.cluster import Cluster, is_installed

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(not is_installed(), reason="needs slurm-wlm and munge, and root"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("slurm"))
    try:
        made.start(cpus=2)
        yield made
    finally:
        made.stop()


class World:
    """A store with the embedded pictures, and commands on it in the cluster's environment."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.store = folder / "x.duckdb"
        self.cluster = cluster

    def call(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "cli", *arguments, "--store", str(self.store)]
        environment = {**self.cluster.environment, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.call(*arguments, "--format", "json"))
        return found

    def status(self) -> list[dict[str, Any]]:
        return self.rows("sweep", "status")

    def until(self, holds: Callable[[list[dict[str, Any]]], bool], seconds: float) -> Any:
        until = time.monotonic() + seconds
        while not holds(found := self.status()):
            assert time.monotonic() < until, found
            time.sleep(0.2)
        return found


@pytest.fixture(scope="module")
def world(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(tmp_path_factory.mktemp("store"), cluster)
    made.call("taxonomy", "build")
    for ratio in ("1", "0.5"):
        made.call("manifest", "build", "--design", "random", "--ratio", ratio)
    made.call("features", "extract", "--encoder", "classical", "--n-views", "1")
    return made


SWEEP = """
name = "twelve"

[[runs]]
where = {design = "random"}
seeds = [1, 2, 3, 4, 5, 6]
changes = {epochs = 2}
"""


def test_twelve_runs_in_four_tasks_one_of_them_killed(
    world: World, cluster: Cluster, tmp_path: Path
) -> None:
    file = tmp_path / "sweep.toml"
    file.write_text(SWEEP)
    asked = (
        "sweep", "run", str(file), "--executor", "slurm", "--runs-per-task", "3",
        "--time", "30", "--cpus", "1",
    )  # fmt: skip
    script = world.call(*asked, "--dry-run")
    assert "#SBATCH --array=0-3%4" in script
    said = world.call(*asked)
    assert "4 tasks submitted as job" in said

    # one task is killed in the middle of its work
    running = world.until(lambda rows: any(one["step"] for one in rows), 120)
    victim = next(one for one in running if one["step"])
    cluster.run("scancel", victim["job"])
    ended = world.until(lambda rows: rows[victim["task"]]["state"] == "failed", 60)
    assert "CANCELLED" in ended[victim["task"]]["line"]

    # one more is told to make way: submitit queues it again under its own id
    running = world.until(
        lambda rows: any(one["step"] and one["state"] == "running" for one in rows), 300
    )
    early = next(one for one in running if one["step"] and one["state"] == "running")
    for signal in ("TERM", "USR2"):  # as where another job is to have its place
        cluster.run("scancel", f"--signal={signal}", early["job"])

    # the command given again hands out the killed task, and no other
    again = world.call(*asked)
    assert "3 tasks are under way: left alone" in again or "2 tasks are under way" in again
    assert "1 tasks submitted as job" in again
    world.until(lambda rows: all(one["state"] == "done" for one in rows), 900)
    assert early["job"] == world.status()[early["task"]]["job"]

    # what is finished is not handed out again, and comes in once
    assert "4 tasks: 4 done; 12 of 12 runs finished" in world.call(*asked)
    world.call("store", "sync")
    (counted,) = world.rows(
        "query",
        "select count(*) as n, count(distinct (manifest_id, seed_init)) as n_settings, "
        "count(distinct run_id) as n_ids from run where status = 'finished'",
    )
    assert counted == {"n": 12, "n_settings": 12, "n_ids": 12}
    folders = [path for path in (world.store.parent / "runs").iterdir() if path.is_dir()]
    assert len([path for path in folders if (path / "run.json").is_file()]) == 12
    world.call("store", "verify")


def test_a_cancelled_sweep_waits_for_no_one(world: World, cluster: Cluster) -> None:
    manifest = world.rows("manifest", "list")[0]["manifest_id"]
    asked = (
        "sweep", "run", "--manifest", manifest, "--seeds", "21,22", "--set", "epochs=50",
        "--runs-per-task", "1", "--executor", "slurm", "--workers", "1", "--cpus", "1",
        "--time", "30",
    )  # fmt: skip
    world.call(*asked)
    world.until(lambda rows: any(one["state"] == "running" for one in rows), 60)
    said = world.call("sweep", "cancel")
    assert said.count("cancelled (job") == 2
    world.until(lambda rows: all(one["state"] == "cancelled" for one in rows), 60)
    assert not cluster.run("squeue", "--noheader")
