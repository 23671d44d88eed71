"""A full disk: one line that names the folder, a store that is whole, and on when there is room."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from typer.testing import Result

from tests.cli.killing import assert_sound, lay_runs, left
from tests.cli.tiny_store import Tiny
from tests.small_disk import files_at_most, filled, mounted
from xmodal.vlm import group_run

Disk = tuple[Path, Callable[[int], AbstractContextManager[None]]]
MOUNTED_BYTES = 48 * 2**20


@pytest.fixture(params=["limit", "disk"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A folder, and what leaves it so many bytes of room."""
    if request.param == "limit":
        yield tmp_path, files_at_most
        return
    with mounted(tmp_path / "disk", MOUNTED_BYTES) as why:
        if why:
            pytest.skip(why)
        yield tmp_path / "disk", lambda n_bytes: filled(tmp_path / "disk", n_bytes)


def assert_no_room(done: Result, folder: str) -> None:
    assert (done.exit_code, done.stdout) == (1, "")
    line = done.stderr.splitlines()[-1]
    assert re.fullmatch(rf"error: no room in {folder} \((File too|No space).*\): .+", line), line
    assert "Traceback" not in done.stderr


def goes_on(world: Tiny, disk: Disk, command: tuple[str, ...], n_bytes: int, folder: str) -> None:
    """A command that finds no room, and then some."""
    with disk[1](n_bytes):
        assert_no_room(world.call(*command), folder)
    home = world.store.parent
    if world.store.exists():
        assert_sound(home)
    done = world.call(*command)
    assert done.exit_code == 0, done.stderr
    assert_sound(home)


def test_sync(made: Tiny, disk: Disk) -> None:
    lay_runs(made, disk[0] / "w")
    world = Tiny(disk[0] / "w" / "x.duckdb", made.lm, made.manifests)
    shutil.copytree(disk[0] / "w", disk[0] / "straight")
    Tiny(disk[0] / "straight" / "x.duckdb", made.lm, made.manifests).call("store", "sync")
    goes_on(world, disk, ("store", "sync"), 16_000, re.escape(str(disk[0] / "w")))
    assert left(disk[0] / "w") == left(disk[0] / "straight")


def test_manifest_and_taxonomy(made: Tiny, disk: Disk) -> None:
    (disk[0] / "w").mkdir()
    world = Tiny(disk[0] / "w" / "x.duckdb", made.lm, made.manifests)
    where = re.escape(str(disk[0] / "w"))
    table = made.store.parents[1] / "pictures" / "table.csv"
    build = ("taxonomy", "build", "--csv", str(table), "--min-leaves", "2")
    goes_on(world, disk, build, 8_000, where)
    goes_on(world, disk, ("manifest", "build", "--ratio", "0.5"), 4_000, where)


def test_train(made: Tiny, disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_run, "SAVE_EVERY_S", 0.0)
    (disk[0] / "w").mkdir()
    world = made.copy(disk[0] / "w")
    assert world.call("features", "extract").exit_code == 0
    command = ("train", "--manifest", made.manifests[0], "--lm", str(made.lm))
    short = ("--recipe", "embedded", "--epochs", "2")
    where = re.escape(str(disk[0] / "w" / "runs")) + "/[0-9a-f]{16}"
    goes_on(world, disk, (*command, *short), 16_000, where)
    (run,) = (disk[0] / "w" / "runs").glob("[!.]*")
    assert {one.name for one in run.iterdir()} == {
        *("run.json", "metrics.parquet", "predictions.parquet", "projector.safetensors")
    }
