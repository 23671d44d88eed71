"""Commands that write, killed at any moment, and what must hold after it."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from tests.cli.tiny_store import Tiny
from tests.warm import Warm
from tests.xmodal.store import world
from tests.xmodal.store.full import contents
from tests.xmodal.store.test_broken import seal
from xmodal.store import Store
from xmodal.store.inventory import inventory
from xmodal.store.scan import scan
from xmodal.store.verify import verify

N_SYNCED = 12
_TIMES = ("created_at", "started_at", "seconds", "command", "content_hash")
_RUN_FILES = {
    *("run.json", "metrics.parquet", "predictions.parquet", "projector.safetensors"),
    *("state.safetensors", "lock"),
}
_COUNTS = "SELECT run_id, count(*) AS n, count(DISTINCT (image_mode, example_id)) AS n_different "
_COUNTS += "FROM prediction GROUP BY run_id"


@dataclass(frozen=True)
class Job:
    """A command that writes, in a world of its own."""

    name: str
    arguments: tuple[str, ...]
    """But for --store."""
    start: Path
    """The world before it: a folder that is copied, with x.duckdb or without."""
    want: dict[str, Any]
    """What it leaves; see left()."""
    seconds: float
    """That it takes."""


def left(home: Path) -> dict[str, Any]:
    """Rows of the store without times, and bytes of what runs leave, but for their records."""
    with Store.open(home / "x.duckdb", read_only=True) as store:
        rows = contents(store)
    found: dict[str, Any] = {
        name: [{key: row[key] for key in row if key not in _TIMES} for row in table]
        for name, table in rows.items()
        if name not in ("feature_set", "run_setup")
    }
    for path in sorted((home / "runs").glob("[!.]*/*")):
        if path.name not in ("run.json", "lock"):
            found[str(path.relative_to(home))] = path.read_bytes()
    return found


def jobs(made: Tiny, warm: Warm, home: Path, names: Sequence[str]) -> list[Job]:
    """Some of the four, each run once to its end.

    Args:
        made: A store with a dataset and manifests.
        warm: Runs them.
        home: A folder that is not there, for their worlds.
        names: Of the jobs: train, sync, manifest, taxonomy.
    """
    table = made.store.parents[1] / "pictures" / "table.csv"
    (home / "store").mkdir(parents=True)
    made.copy(home / "store")
    (home / "nothing").mkdir()
    lay_runs(made, home / "with-runs")
    train = ("train", "--manifest", made.manifests[0], "--lm", str(made.lm), "--recipe", "embedded")
    commands = {
        "train": (home / "store", *train, "--epochs", "8", "--batch-size", "6"),
        "sync": (home / "with-runs", "store", "sync"),
        "manifest": (home / "store", "manifest", "grid", "--ratios", "0.25,0.75"),
        "taxonomy": (
            home / "nothing",
            "taxonomy",
            "build",
            "--csv",
            str(table),
            "--min-leaves",
            "2",
        ),
    }
    found = []
    for name in names:
        start, *arguments = commands[name]
        straight = home / f"{name}-straight"
        shutil.copytree(start, straight)
        seconds = warm.run(*arguments, "--store", straight / "x.duckdb")
        found.append(Job(name, tuple(arguments), Path(start), left(straight), seconds))
    return found


def lay_runs(made: Tiny, home: Path) -> None:
    """A store, and finished runs beside it that are not in it."""
    home.mkdir()
    with Store.open(made.copy(home).store) as store:
        of = store.load_manifest(made.manifests[0])
        store.add_feature_set(world.feature_set(dataset_id=of.dataset_id))
    asked = of.examples.filter(pc.equal(of.examples["split"], "test"))["example_id"].to_pylist()
    setup = world.SETUP | {"together_json": None}
    for number in range(N_SYNCED):
        answers = [(example, (example + number) % 2 == 0) for example in asked]
        seal(world.run_folder(home / "runs", f"run-{number:02d}", of, answers, setup=setup))


def assert_sound(home: Path) -> None:
    """The store opens and is clean, and nothing that is half is taken for whole."""
    path = home / "x.duckdb"
    visible = {one.name for one in home.iterdir() if not one.name.startswith(".")}
    assert visible <= {"x.duckdb", "x.duckdb.wal", "runs", "features"}
    for folder in (home / "runs").glob("[!.]*"):
        assert {one.name for one in folder.glob("[!.]*")} <= _RUN_FILES
    if not path.exists():
        assert visible == set()
        return
    assert_store_is_sound(path)


def assert_store_is_sound(path: Path) -> None:
    """It opens and is clean, with every answer of every run once."""
    with Store.open(path, read_only=True) as store:
        problems = [
            line for check in verify(store, path.parent / "runs") for line in check.problems
        ]
        runs = store.runs()["run_id"].to_pylist()
        counts = store.query(_COUNTS).to_pylist()
        found = inventory(store, path.parent / "runs")
    assert problems == []
    assert sorted(runs) == sorted(row["run_id"] for row in counts)
    assert len(set(runs)) == len(runs)
    assert [row["n"] for row in counts] == [row["n_different"] for row in counts]
    assert (found.n_broken, found.broken) == (0, ())


def assert_finished_runs_come_in(home: Path) -> None:
    """A sync brings in the finished runs; the others are reported as unfinished."""
    if not (home / "runs").is_dir():
        return
    folders = list((home / "runs").glob("[!.]*"))
    finished = {one.name for one in folders if _status(one) == "finished"}
    with Store.open(home / "x.duckdb") as store:
        report = store.sync(home / "runs", scan(home / "runs"))
        assert set(store.runs()["run_id"].to_pylist()) == finished
    assert report.rejected == ()
    assert report.n_running == len(folders) - len(finished)


def _status(folder: Path) -> str | None:
    path = folder / "run.json"
    return json.loads(path.read_text())["status"] if path.exists() else None


def kill_some(
    job: Job, n_kills: int, rng: random.Random, warm: Warm, home: Path
) -> list[dict[str, Any]]:
    """Kill a command so many times, at random moments, in one world; then let it end.

    Args:
        job: The command.
        n_kills: How often; a world in which it ended before is made anew.
        rng: Says when.
        warm: Runs it.
        home: A folder that is not there.

    Returns:
        Of each kill the job and the moment.
    """
    kills: list[dict[str, Any]] = []
    longest = job.seconds
    command = (*job.arguments, "--store", home / "x.duckdb")
    while len(kills) < n_kills:
        if not home.exists():
            shutil.copytree(job.start, home)
        delay = rng.uniform(0.0, longest)
        warm.start(*command)
        time.sleep(delay)
        if not warm.kill():
            shutil.rmtree(home)  # it was faster this time
            longest *= 0.7
            continue
        kills.append({"job": job.name, "delay_s": round(delay, 3)})
        assert_sound(home)
        if job.name == "train":
            assert_finished_runs_come_in(home)
    _finish(job, warm, home, command)
    return kills


def _finish(job: Job, warm: Warm, home: Path, command: Sequence[str | Path]) -> None:
    warm.run(*command)
    assert_sound(home)
    assert left(home) == job.want
    shutil.rmtree(home)
