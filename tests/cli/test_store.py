"""xmodal store, end to end."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.main import app
from tests.xmodal.store import world
from tests.xmodal.store.world import BIRD, PARROT
from xmodal.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "s.duckdb"
    of = world.manifest([(1, PARROT, BIRD, True, "held_out")])
    world.run_folder(tmp_path / "runs", "run-a", of, [(1, True)])
    with Store.open(path) as store:
        store.add_taxonomy(world.taxonomy())
        store.add_manifest(of)
    return path


def store(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["store", *arguments])


def test_info_counts_rows(path: Path) -> None:
    done = store("info", "--store", str(path))
    assert (done.exit_code, done.stderr) == (0, "")
    assert ["concept", "│", "6"] in [line.split() for line in done.stdout.splitlines()]


def test_path_is_absolute() -> None:
    done = store("path", "--store", "x.duckdb")
    assert done.stdout == f"{Path('x.duckdb').absolute()}\n"


def test_sync_takes_the_runs_beside_the_store(path: Path) -> None:
    done = store("sync", "--store", str(path))
    assert done.exit_code == 0
    assert done.stdout == "1 runs brought in, 0 unchanged, 0 still running, 0 rejected\n"
    with Store.open(path, read_only=True) as opened:
        assert opened.runs()["run_id"].to_pylist() == ["run-a"]


def test_sync_names_broken_folders(path: Path) -> None:
    (path.parent / "runs" / "run-b").mkdir()
    done = store("sync", "--store", str(path), "--runs", str(path.parent / "runs"))
    assert done.exit_code == 1
    assert done.stdout == "1 runs brought in, 0 unchanged, 0 still running, 1 rejected\n"
    assert done.stderr == ("rejected run-b: run.json cannot be read: No such file or directory\n")


def test_sync_without_a_folder(path: Path) -> None:
    done = store("sync", "--store", str(path), "--runs", "none")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "error: no folder of runs at none: `xmodal train` makes one\n"


def test_upgrade(path: Path) -> None:
    done = store("upgrade", "--store", str(path))
    assert (done.exit_code, done.stdout) == (0, f"{path} is up to date\n")
