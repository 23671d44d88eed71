"""Who waits to write is next; a gate that nobody holds stops nobody."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from taxonomy.errors import StoreError
from xmodal.store import Store, connection
from xmodal.store.turns import Turn

READ = "import duckdb, sys; con = duckdb.connect(sys.argv[1], read_only=True); print(); input()"


@contextmanager
def read_elsewhere(path: Path) -> Iterator[int]:
    """Another process, by its id, that has a store open to read."""
    command = [sys.executable, "-c", READ, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.communicate(b"\n")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "s.duckdb"
    Store.of_steps(path, []).close()
    return path


@pytest.fixture
def gate(path: Path) -> Path:
    return path.with_name(".s.duckdb.wait")


def come(path: Path, *, read_only: bool, wait_s: float) -> float:
    """The seconds until it is one's turn."""
    start = time.monotonic()
    with Turn(path, read_only=read_only, wait_s=wait_s) as turn:
        turn.come()
    return time.monotonic() - start


def test_a_writer_who_waits_is_let_in_before_readers_who_come(path: Path, gate: Path) -> None:
    with read_elsewhere(path) as pid:
        first = Turn(path, read_only=False, wait_s=5.0)
        first.refused()
        assert gate.exists()
        # readers wait for half of their time, then they may try; another writer waits for all of it
        assert come(path, read_only=True, wait_s=0.2) >= 0.1
        assert come(path, read_only=False, wait_s=0.2) >= 0.2
        with pytest.raises(StoreError, match=f"in use by process {pid} "):
            connection.connect_file(path, read_only=False, wait_s=0.2)
        start = time.monotonic()
        connection.connect_file(path, read_only=True, wait_s=0.2).close()
        assert time.monotonic() - start >= 0.1
        assert gate.exists()
    with first:
        first.come()
    assert not gate.exists()


def test_who_is_refused_the_store_to_write_is_next(
    path: Path, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = connection._connect
    seen = []

    def look(*given: object) -> duckdb.DuckDBPyConnection:
        seen.append(gate.exists())
        return connect(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(connection, "_connect", look)
    with read_elsewhere(path), pytest.raises(StoreError, match="in use"):
        connection.connect_file(path, read_only=False, wait_s=0.2)
    assert (seen[0], set(seen[1:])) == (False, {True})
    assert not gate.exists()


def test_the_next_writer_takes_over_the_gate(path: Path, gate: Path) -> None:
    one, two = (Turn(path, read_only=False, wait_s=20.0) for _ in range(2))
    one.refused()
    came = threading.Event()

    def wait() -> None:
        with two:
            two.come()
            came.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not came.wait(0.2)
    with one:
        pass
    assert came.wait(10)
    thread.join()
    assert not gate.exists()


@pytest.mark.parametrize("read_only", [True, False])
def test_a_gate_whose_process_was_killed_stops_nobody(
    path: Path, gate: Path, read_only: bool
) -> None:
    code = (
        "import os, sys; from pathlib import Path; from xmodal.store.turns import Turn\n"
        "Turn(Path(sys.argv[1]), read_only=False, wait_s=1.0).refused(); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == -9
    assert gate.exists()
    assert come(path, read_only=read_only, wait_s=60.0) < 30
    assert gate.exists() == read_only  # the next who writes removes it


def test_a_gate_that_cannot_be_made_or_locked_is_done_without(
    path: Path, gate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    gate.touch()
    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", refuse)
        for read_only in (True, False):
            connection.connect_file(path, read_only=read_only, wait_s=0.0).close()
    gate.unlink()
    gate.mkdir()
    with read_elsewhere(path), pytest.raises(StoreError, match="in use by process"):
        connection.connect_file(path, read_only=False, wait_s=0.1)


def test_a_holder_that_has_gone_meanwhile_is_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = connection._connect
    n_calls = []

    def refused_once(*given: object) -> duckdb.DuckDBPyConnection:
        n_calls.append(1)
        if len(n_calls) == 1:
            raise duckdb.IOException(
                f'IO Error: Could not set lock on file "{path}": Conflicting lock is held in PID 0.'
            )
        return connect(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(connection, "_connect", refused_once)
    connection.connect_file(path, read_only=False, wait_s=5.0).close()
    assert len(n_calls) == 2
    n_calls.clear()
    with pytest.raises(StoreError, match=r"is in use by another process; waited 0 s: try again"):
        connection.connect_file(path, read_only=False, wait_s=0.0)


def test_what_a_killed_process_began_is_removed(tmp_path: Path) -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    dead = [tmp_path / f".s.duckdb.{done.pid}.new{end}" for end in ("", ".wal")]
    alive = tmp_path / f".s.duckdb.{os.getppid()}.new"
    others = tmp_path / ".s.duckdb.x.new"
    for one in (*dead, alive, others):
        one.write_bytes(b"")
    Store.of_steps(tmp_path / "s.duckdb", []).close()
    assert {one.name for one in tmp_path.iterdir()} == {"s.duckdb", alive.name, others.name}


def test_a_log_without_its_store_is_of_no_new_store(tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    code = (
        "import os, sys, duckdb; con = duckdb.connect(sys.argv[1])\n"
        "con.execute('CREATE TABLE old (a INT)'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True)
    assert path.with_name("s.duckdb.wal").exists()
    path.unlink()
    with Store.open(path) as store:
        assert "old" not in store.table_sizes()["table"].to_pylist()
