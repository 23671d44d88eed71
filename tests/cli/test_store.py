"""xmodal store, end to end."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

import sql
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


def test_info_tells_of_the_file_and_the_folders_beside_it(path: Path) -> None:
    of = world.manifest([(1, PARROT, BIRD, True, "held_out")])
    world.run_folder(path.parent / "runs", "run-c", of, [(1, True)], status="running")
    (path.parent / "runs" / "foreign").mkdir()
    store("sync", "--store", str(path))
    lines = store("info", "--store", str(path)).stdout.splitlines()[-3:]
    assert lines == [
        f"file: {path.stat().st_size} bytes, schema {sql.names('schema')[-1]}",
        "runs: 1 in the store; of the folders beside it 1 finished, 1 unfinished, 1 broken",
        "  broken foreign: run.json cannot be read: No such file or directory",
    ]


def test_verify_rebuild_vacuum_export_and_import(path: Path, tmp_path: Path) -> None:
    store("sync", "--store", str(path))
    done = store("verify", "--store", str(path), "--quick")
    # the tests' dataset has an id that was made up, its manifest a hash
    assert done.exit_code == 1
    assert "answers: 1 checked, OK" in done.stdout.splitlines()
    assert "folders: 1 checked, OK" in done.stdout.splitlines()
    assert done.stdout.count("  problem: ") == 3
    done = store("rebuild", "--store", str(path))
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == (
        "1 runs brought in, 0 unchanged, 0 still running, 0 rejected, 0 without a folder dropped\n"
    )
    done = store("vacuum", "--store", str(path))
    n = path.stat().st_size
    assert done.exit_code == 0
    assert done.stdout.endswith(f" bytes before, {n} after\n")
    done = store("export", str(tmp_path / "out"), "--store", str(path))
    assert done.exit_code == 0
    n_rows = int(done.stdout.split()[0])
    done = store("export", str(tmp_path / "out"), "--store", str(path))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: {tmp_path / 'out'} is not empty: give a folder that is empty or not there\n"
    )
    other = tmp_path / "other.duckdb"
    done = store("import", str(tmp_path / "out"), "--store", str(other))
    assert (done.exit_code, done.stdout) == (0, f"{n_rows} rows brought in\n")
    with Store.open(other, read_only=True) as opened:
        assert opened.runs()["run_id"].to_pylist() == ["run-a"]
