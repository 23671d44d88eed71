"""Opening: locks, foreign files, other versions."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from taxonomy.errors import StoreError
from tests.xmodal.store import world
from xmodal.store import Store
from xmodal.store.sandbox import run_user_query

HOLD = """
import sys
from xmodal.store import Store
with Store.open(sys.argv[1], read_only=sys.argv[2] == "read"):
    print("open", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "s.duckdb"
    with Store.open(path) as store:
        store.add_taxonomy(world.taxonomy())
    return path


@contextmanager
def held(path: Path, mode: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the store open until told to stop."""
    command = [sys.executable, "-c", HOLD, str(path), mode]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    try:
        yield process
    finally:
        process.communicate("\n", timeout=30)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_writer_elsewhere_is_named(path: Path, read_only: bool) -> None:
    with held(path, "write") as other:
        in_use = rf"in use by process {other.pid} \(python.*\); waited 0.2 s: try again when it is"
        with pytest.raises(StoreError, match=in_use):
            Store.open(path, read_only=read_only, wait_s=0.2)
        with pytest.raises(StoreError, match=in_use):
            run_user_query(path, "SELECT 1", wait_s=0.2)


def test_readers_share_and_keep_a_writer_out(path: Path) -> None:
    with held(path, "read") as other:
        with Store.open(path, read_only=True, wait_s=0.0) as store:
            assert store.datasets().num_rows == 1
        with pytest.raises(StoreError, match=f"in use by process {other.pid}"):
            Store.open(path, wait_s=0.0)


def test_a_short_lock_is_waited_for(path: Path) -> None:
    with held(path, "write") as other:
        assert other.stdin is not None
        other.stdin.write("\n")
        other.stdin.flush()
        with Store.open(path, read_only=True, wait_s=30.0) as store:
            assert store.datasets().num_rows == 1


def test_two_modes_in_one_process(path: Path) -> None:
    with (
        Store.open(path),
        pytest.raises(StoreError, match="already open in this process in another mode"),
    ):
        Store.open(path, read_only=True)
    with (
        Store.open(path),
        pytest.raises(StoreError, match="already open in this process in another mode"),
    ):
        run_user_query(path, "SELECT 1")
    with Store.open(path, read_only=True):
        assert run_user_query(path, "SELECT 1 AS a")["a"].to_pylist() == [1]


def test_opening_again_in_one_process_keeps_others_out(path: Path) -> None:
    with Store.open(path):
        Store.open(path).close()
        code = f"import duckdb; duckdb.connect({str(path)!r})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert "Conflicting lock" in done.stderr


def test_a_missing_store_says_what_makes_one(tmp_path: Path) -> None:
    path = tmp_path / "none" / "s.duckdb"
    with pytest.raises(StoreError, match=r"^no store at .*: `xmodal demo` or `xmodal taxonomy bu"):
        Store.open(path, read_only=True)
    assert not path.parent.exists()


def foreign_files(folder: Path) -> Iterator[Path]:
    for name, content in (("empty", b""), ("text", b"hello\n" * 4000), ("short", b"x")):
        (folder / name).write_bytes(content)
        yield folder / name
    (folder / "rows.csv").write_text("a,b\n1,2\n")
    yield folder / "rows.csv"
    with sqlite3.connect(folder / "lite.db") as lite:
        lite.execute("CREATE TABLE t (a)")
    lite.close()
    yield folder / "lite.db"


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_that_is_no_duckdb_stays_untouched(tmp_path: Path, read_only: bool) -> None:
    for path in foreign_files(tmp_path):
        before = path.read_bytes()
        with pytest.raises(StoreError, match=r"is not a DuckDB file: give another --store$"):
            Store.open(path, read_only=read_only)
        assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["empty", "lite.db", "rows.csv", "short", "text"]


@pytest.mark.parametrize("read_only", [True, False])
def test_somebody_elses_duckdb_stays_untouched(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "other.duckdb"
    with duckdb.connect(str(path)) as con:
        con.execute("CREATE TABLE mine (a INT)")
    with pytest.raises(StoreError, match="is a DuckDB file but not an xmodal store"):
        Store.open(path, read_only=read_only)
    with duckdb.connect(str(path)) as con:
        assert con.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("mine",)]


@pytest.mark.parametrize("share", [0.002, 0.5])
def test_a_store_that_was_cut_off_says_what_to_do(path: Path, share: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: max(5000, int(len(whole) * share))])
    said = (
        rf"^{re.escape(str(path))} is damaged \(it ends too early\): restore a copy; or move it "
        r"away and build .* `xmodal store sync --store .*` brings the runs back from their folders$"
    )
    for read_only in (True, False):
        with pytest.raises(StoreError, match=said):
            Store.open(path, read_only=read_only)
    with pytest.raises(StoreError, match=said):
        run_user_query(path, "FROM run")


def test_a_block_that_has_changed_is_found_when_it_is_read(path: Path) -> None:
    with pytest.raises(StoreError, match=r"^query: Invalid Input Error: Corrupt database file$"):
        run_user_query(path, "SELECT error('Corrupt database file')")
    whole = bytearray(path.read_bytes())
    # the name stands in a block of rows, behind DuckDB's three headers and the first checksum
    at = whole.index(b"parrot", 3 * 4096 + 8)
    whole[at : at + 6] = b"carrot"
    path.write_bytes(whole)
    with pytest.raises(StoreError, match=r"is damaged \(a block has changed\): restore a copy; "):
        run_user_query(path, "FROM concept")


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder, and a store is one file"):
        Store.open(tmp_path)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_newer_store_is_refused(path: Path, read_only: bool) -> None:
    with duckdb.connect(str(path)) as con:
        con.execute("INSERT INTO schema_step VALUES ('0999_future', 'x', now()::TIMESTAMP)")
    with pytest.raises(StoreError, match=r"newer xmodal \(schema 0999_future, this version knows"):
        Store.open(path, read_only=read_only)


def test_an_older_store_is_read_after_an_upgrade(path: Path) -> None:
    with duckdb.connect(str(path)) as con:
        con.execute("UPDATE schema_step SET sha256 = 'old' WHERE name = 'views'")
        con.execute("DROP VIEW run_score")
    with pytest.raises(StoreError, match=r"older xmodal: `xmodal store upgrade --store .*` brings"):
        Store.open(path, read_only=True)
    Store.open(path).close()
    with Store.open(path, read_only=True) as store:
        assert store.analysis("main-results").num_rows == 0
        assert store.datasets().num_rows == 1


KILLED = """
import os, sys
from tests.xmodal.store import world
from xmodal.store import Store
store = Store.open(sys.argv[1])
store.add_feature_set(world.feature_set())
store._con.begin()
store.insert_rows("feature_set", [world.feature_set(feature_set_id="f2")])
os._exit(9)
"""


def test_a_killed_writer_leaves_what_it_had_committed(path: Path) -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=root)
    assert done.returncode == 9
    text = "SELECT feature_set_id FROM feature_set"
    assert run_user_query(path, text)["feature_set_id"].to_pylist() == ["f1"]
    with Store.open(path) as store:
        assert store.query(text)["feature_set_id"].to_pylist() == ["f1"]
