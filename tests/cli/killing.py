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

from tests.cli.tiny_store import Tiny
from tests.warm import Warm
from tests.xmodal.store.full import contents
from xmodal.seals import sealed
from xmodal.store import Store
from xmodal.store.inventory import inventory
from xmodal.store.scan import scan
from xmodal.store.verify import verify

N_SYNCED = 12
_TIMES = ("created_at", "started_at", "seconds", "command", "content_hash", "feature_set_id")
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


def jobs(made: Tiny, warm: Warm, home: Path) -> list[Job]:
    """The four, each run once to its end."""
    train = ("train", "--manifest", made.manifests[0], "--lm", str(made.lm), "--recipe", "embedded")
    table = made.store.parents[1] / "pictures" / "table.csv"
    (home / "store").mkdir(parents=True)
    made.copy(home / "store")
    (home / "nothing").mkdir()
    long = ("--epochs", "8", "--batch-size", "6")
    trained = _job("train", (*train, *long), home / "store", warm)
    _lay_runs(home, home / "train-straight")
    return [
        trained,
        _job("sync", ("store", "sync"), home / "runs-to-sync", warm),
        _job("manifest", ("manifest", "grid", "--ratios", "0.25,0.75"), home / "store", warm),
        _job(
            "taxonomy",
            ("taxonomy", "build", "--csv", str(table), "--min-leaves", "2"),
            home / "nothing",
            warm,
        ),
    ]


def _job(name: str, arguments: tuple[str, ...], start: Path, warm: Warm) -> Job:
    straight = start.with_name(f"{name}-straight")
    shutil.copytree(start, straight)
    seconds = warm.run(*arguments, "--store", straight / "x.duckdb")
    assert_sound(straight)
    return Job(name, arguments, start, left(straight), seconds)


def _lay_runs(home: Path, trained: Path) -> None:
    """A store with one run, and more that are finished beside it."""
    world = home / "runs-to-sync"
    shutil.copytree(trained, world)
    (one,) = (trained / "runs").glob("[!.]*")
    for number in range(N_SYNCED):
        folder = world / "runs" / f"{one.name[:-2]}{number:02d}"
        shutil.copytree(one, folder)
        record = json.loads((folder / "run.json").read_text()) | {"run_id": folder.name}
        names = [path.name for path in folder.iterdir() if path.name != "run.json"]
        (folder / "run.json").write_text(json.dumps(sealed(record, folder, names)))


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
    with Store.open(path, read_only=True) as store:
        problems = [line for check in verify(store, home / "runs") for line in check.problems]
        runs = store.runs()["run_id"].to_pylist()
        counts = store.query(_COUNTS).to_pylist()
        found = inventory(store, home / "runs")
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
    job: Job, n_kills: int, rng: random.Random, warm: Warm, world: Path
) -> list[dict[str, Any]]:
    """Kill a command so many times, at random moments, in one world; then let it end.

    Args:
        job: The command.
        n_kills: How often; a world in which it ended before is made anew.
        rng: Says when.
        warm: Runs it.
        world: A folder that is not there.

    Returns:
        Of each kill the job and the moment.
    """
    kills: list[dict[str, Any]] = []
    command = (*job.arguments, "--store", world / "x.duckdb")
    while len(kills) < n_kills:
        if not world.exists():
            shutil.copytree(job.start, world)
        delay = rng.uniform(0.0, job.seconds)
        warm.start(*command)
        time.sleep(delay)
        if not warm.kill():
            _finish(job, warm, world, command)  # it was faster this time
            continue
        kills.append({"job": job.name, "delay_s": round(delay, 3)})
        assert_sound(world)
        if job.name == "train":
            assert_finished_runs_come_in(world)
    _finish(job, warm, world, command)
    return kills


def _finish(job: Job, warm: Warm, world: Path, command: Sequence[str | Path]) -> None:
    warm.run(*command)
    assert_sound(world)
    assert left(world) == job.want
    shutil.rmtree(world)
