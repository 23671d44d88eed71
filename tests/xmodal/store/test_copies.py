"""Rebuild and vacuum: done in a copy that takes the store's place whole, or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from taxonomy.errors import NoRoomError, StoreError
from tests.small_disk import files_at_most
from tests.xmodal.store.empty import empty_store
from tests.xmodal.store.full import contents, fill_empty_tables, full_store
from tests.xmodal.store.test_broken import flip
from xmodal.store import Store, connection, copies
from xmodal.store.copies import rewritten, vacuum
from xmodal.store.rebuild import clear, rebuild
from xmodal.store.references import FOLDER_TABLES

KILLED = """
import os, signal, sys
from pathlib import Path
from xmodal.store.copies import rewritten

with rewritten(Path(sys.argv[1])) as (old, new):
    new.execute("DELETE FROM run", {})
    old.execute("INSERT INTO lm_pair VALUES ('l', 'a', 'b', true)", {})  # into the log of the old
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return full_store(tmp_path)


def read(path: Path) -> dict[str, list[dict[str, object]]]:
    with Store.open(path, read_only=True) as store:
        return contents(store)


def files(path: Path) -> set[str]:
    return {one.name for one in path.parent.iterdir() if one.is_file()}


# a probe fills the table of its kind, an evaluation of an alignment one of two
EMPTY = {
    *("binding_knockout", "binding_linear", "binding_shifted", "binding_retrieval"),
    "align_composition",
}


def test_rebuild_makes_the_same_rows_from_the_folders_alone(path: Path) -> None:
    before = read(path)
    assert all(before[name] for name in FOLDER_TABLES if name not in EMPTY)
    with Store.open(path) as store:
        store.execute("UPDATE prediction SET logit_yes = 9", {})
        store.execute("DELETE FROM metric WHERE step = 0", {})
        store.execute("INSERT INTO align_answer SELECT * FROM align_answer", {})
    report = rebuild(path, path.parent / "runs")
    counts = (report.sync.n_ingested, report.sync.n_evaluations, report.sync.n_probes)
    assert (*counts, report.dropped) == (4, 3, 1, ())
    assert read(path) == before
    assert files(path) == {"s.duckdb"}


def test_clear_leaves_no_row_of_a_folder() -> None:
    with empty_store() as store:
        fill_empty_tables(store)
        clear(store)
        sizes = {row["table"]: row["n_rows"] for row in store.table_sizes().to_pylist()}
    emptied = {name for name, n in sizes.items() if not n}
    assert emptied == {*FOLDER_TABLES, "broken_folder"}


def test_what_has_no_folder_is_not_dropped_silently(path: Path) -> None:
    for gone in ("runs/v1", "runs/r1/evals/e1", "probes/p1"):
        shutil.rmtree(path.parent / gone)
    before = path.read_bytes()
    lost = ["probes/p1", "r1/evals/e1", "v1", "v1/evals/e1"]
    with pytest.raises(StoreError) as refused:
        rebuild(path, path.parent / "runs")
    assert str(refused.value) == (
        f"{path} holds 4 without a folder in {path.parent / 'runs'}, such as probes/p1: "
        "bring the folders back, or drop these with --drop-missing; nothing was changed"
    )
    assert path.read_bytes() == before
    assert files(path) == {"s.duckdb"}
    assert rebuild(path, path.parent / "runs", drop_missing=True).dropped == tuple(lost)
    assert [row["run_id"] for row in read(path)["metric"]] == ["b1", "r1"]


def test_a_broken_folder_is_never_dropped(path: Path) -> None:
    flip(path.parent / "runs" / "v1" / "predictions.parquet")
    before = path.read_bytes()
    with pytest.raises(StoreError) as refused:
        rebuild(path, path.parent / "runs", drop_missing=True)
    assert "holds 2 whose folders cannot be used, such as v1 (predictions.parquet is not what" in (
        str(refused.value)
    )
    assert path.read_bytes() == before


def test_rebuild_needs_folders(path: Path) -> None:
    with pytest.raises(StoreError, match=r"^no folder of runs at .*none: "):
        rebuild(path, path.parent / "nowhere" / "none")


def test_vacuum_gives_room_back_and_keeps_every_row(path: Path) -> None:
    rows = read(path)
    with Store.open(path) as store:
        store.execute(
            "CREATE TABLE own AS SELECT range AS i, hash(range) AS x FROM range(200000)", {}
        )
    with Store.open(path) as store:
        store.execute("DELETE FROM own WHERE i < 120000", {})
    path.chmod(0o640)
    before, after = vacuum(path)
    assert after == path.stat().st_size < before - 500_000
    assert path.stat().st_mode & 0o777 == 0o640
    assert files(path) == {"s.duckdb"}
    with Store.open(path) as store:  # a user's own table comes along, in its order
        assert store.query("SELECT i FROM own")["i"].to_pylist() == list(range(120000, 200000))
        store.execute("DROP TABLE own", {})
    assert read(path) == rows


def test_a_link_to_a_store_stays_a_link(path: Path) -> None:
    link = path.parent / "link.duckdb"
    link.symlink_to(path)
    vacuum(link)
    assert link.is_symlink()
    assert files(path) == {"s.duckdb", "link.duckdb"}


def test_vacuum_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"^no store at .*none\.duckdb: "):
        vacuum(tmp_path / "none.duckdb")
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_a_copy_leaves_the_store(path: Path) -> None:
    before = path.read_bytes()

    def fail() -> None:
        with rewritten(path) as (_, new):
            new.execute("DELETE FROM run", {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == before
    assert files(path) == {"s.duckdb"}


def test_a_killed_rewrite_leaves_the_store_and_the_next_one_cleans_up(path: Path) -> None:
    before = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -9
    assert path.read_bytes() == before
    assert files(path) >= {".s.duckdb.new", "s.duckdb.wal"}
    rows = read(path)
    assert len(rows["lm_pair"]) == 1
    vacuum(path)
    assert files(path) == {"s.duckdb"}
    assert read(path) == rows
    assert files(path) == {"s.duckdb"}


def test_what_an_upgrade_writes_is_in_the_file_before_another_takes_its_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(path) as store:
        store.execute("UPDATE schema_step SET sha256 = 'older' WHERE name = 'views'", {})
    logs = []
    put = copies._put

    def look(copy: Path, place: Path) -> None:
        logs.append(place.with_name("s.duckdb.wal").exists())
        put(copy, place)

    monkeypatch.setattr(copies, "_put", look)
    rows = read_all(path)
    vacuum(path)
    assert logs == [False]
    assert read(path) == rows


def read_all(path: Path) -> dict[str, list[dict[str, object]]]:
    """Of a store that has to be upgraded."""
    with duckdb.connect(str(path), read_only=True) as con:
        return contents(Store(con, str(path)))


def test_who_waited_for_a_file_that_was_replaced_gets_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = tmp_path / "s.duckdb", tmp_path / "other.duckdb"
    for one in (path, other):
        Store.of_steps(one, []).close()
    with Store.of_steps(other, []) as store:
        store.execute("CREATE TABLE new AS SELECT 1 AS x", {})
    connect = connection._connect
    opened = []

    def replaced_meanwhile(*given: Any) -> Any:
        con = connect(*given)
        if not opened:
            os.replace(other, path)
        opened.append(con)
        return con

    monkeypatch.setattr(connection, "_connect", replaced_meanwhile)
    con = connection.connect_file(path, read_only=False, wait_s=5.0)
    assert con.execute("SELECT x FROM new").fetchall() == [(1,)]
    assert len(opened) == 2
    con.close()


@pytest.mark.slow
def test_no_row_is_written_to_a_store_that_is_being_replaced(path: Path) -> None:
    """Another process can write only before a rewrite or after it, and then into the new file."""
    write = (
        "import sys; from pathlib import Path; from xmodal.store import Store\n"
        "with Store.open(Path(sys.argv[1]), wait_s=20) as s:\n"
        "    s.execute(\"INSERT INTO lm_pair VALUES ('l', 'a', 'b', true)\", {})\n"
    )
    with rewritten(path):
        other = subprocess.Popen([sys.executable, "-c", write, str(path)])
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(timeout=1.5)
    assert other.wait(timeout=60) == 0
    assert len(read(path)["lm_pair"]) == 1


def test_a_copy_that_finds_no_room_does_not_take_the_stores_place(path: Path) -> None:
    """The copy has room, what is then changed in it has not: DuckDB says nothing of that."""
    rows = read(path)
    vacuum(path)
    with Store.open(path) as store:
        store.execute("UPDATE prediction SET logit_yes = 9", {})
    changed = read(path)
    with (
        files_at_most(path.stat().st_size),
        pytest.raises(NoRoomError, match=rf"^no room in {path.parent} \(File too large\)"),
    ):
        rebuild(path, path.parent / "runs")
    assert (read(path), files(path)) == (changed, {"s.duckdb"})
    rebuild(path, path.parent / "runs")
    assert (read(path), files(path)) == (rows, {"s.duckdb"})
