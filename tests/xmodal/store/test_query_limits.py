"""A query that takes more than it may is stopped, and its result is whole or said to be cut."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import Result

from taxonomy.errors import StoreError
from tests.xmodal import tiny
from tests.xmodal.store import hostile
from tests.xmodal.store.besieged import assert_refused, query
from xmodal.store import asking
from xmodal.store.limits import QueryLimits
from xmodal.store.sandbox import ask_user_query, run_user_query


@pytest.fixture
def path(besieged: Path) -> Path:
    return besieged


def assert_stopped(done: Result, words: str) -> None:
    assert_refused(done)
    assert words in done.stderr


@pytest.mark.parametrize("text", [*hostile.ENDLESS[:5], *hostile.STUBBORN[:1]])
def test_what_has_no_end_is_stopped(path: Path, text: str) -> None:
    done = query(path, text, "--timeout", "0.1")
    assert_stopped(
        done,
        "query: stopped after 0.1 s: ask for less at a time, or allow more with --timeout SECONDS",
    )


@pytest.mark.parametrize("text", hostile.HUNGRY[:2])
def test_what_takes_too_much_memory_is_stopped(path: Path, text: str) -> None:
    done = query(path, text, "--memory", "64MiB", "--timeout", "30")
    assert_stopped(done, "it needs more than the 64 MiB of memory it may use: ask for less at a t")


@pytest.mark.slow
def test_every_bomb_is_stopped(path: Path) -> None:
    for text in hostile.ENDLESS + hostile.STUBBORN:
        started = time.monotonic()
        assert_stopped(query(path, text, "--timeout", "0.5"), "stopped after 0.5 s")
        assert time.monotonic() - started < 30
    for text in hostile.HUNGRY:
        done = query(path, text, "--memory", "100MB", "--timeout", "60")
        assert_stopped(done, "it needs more than the 95 MiB of memory")


def test_a_large_result_is_not_gathered_beyond_the_memory(path: Path) -> None:
    """Each batch is small, and the helper keeps none."""
    limits = QueryLimits(memory_bytes=40 * 2**20)
    with pytest.raises(StoreError, match=r"^query: it needs more than the 40 MiB of memory it may"):
        run_user_query(path, "FROM range(1000000000)", limits=limits)


def test_nothing_is_spilled_to_disk(path: Path) -> None:
    with pytest.raises(StoreError, match="it needs more than the 48 MiB of memory"):
        run_user_query(
            path,
            "SELECT i FROM range(100000000) t(i) ORDER BY hash(i)",
            limits=QueryLimits(memory_bytes=48 * 2**20),
        )


def test_a_process_that_dies_is_one_line_and_the_next_query_runs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_user_query(path, "SELECT 1")
    (helper,) = asking._idle.values()
    killer = threading.Timer(0.3, os.kill, (helper._process.pid, signal.SIGSEGV))
    killer.start()
    with pytest.raises(StoreError, match=r"^query: its process was ended by SIGSEGV; nothing is "):
        run_user_query(path, "SELECT sleep_ms(60000)")
    assert run_user_query(path, "SELECT 1 AS a")["a"].to_pylist() == [1]


def test_one_process_serves_many_queries(path: Path) -> None:
    run_user_query(path, "SELECT 1")
    before = dict(asking._idle)
    with pytest.raises(StoreError, match=r"^query: "):
        run_user_query(path, "SELECT nothing")
    run_user_query(path, "SELECT 1")
    assert asking._idle == before


def test_the_limit_cuts_and_says_so(path: Path, tmp_path: Path) -> None:
    done = query(path, "FROM range(5)", "--limit", "3", "--format", "csv")
    assert (done.exit_code, done.stdout) == (0, "range\n0\n1\n2\n")
    assert done.stderr == "3 rows, as --limit has it: there are more\n"
    done = query(path, "FROM range(3)", "--limit", "3", "--format", "csv")
    assert (done.stdout, done.stderr) == ("range\n0\n1\n2\n", "")
    started = time.monotonic()
    done = query(path, "FROM range(1000000000000)", "--limit", "2", "-o", str(tmp_path / "o.csv"))
    assert (done.exit_code, (tmp_path / "o.csv").read_text()) == (0, "range\n0\n1\n")
    assert time.monotonic() - started < 30


def test_a_table_on_stdout_stops_early_and_a_file_is_whole(path: Path, tmp_path: Path) -> None:
    done = query(path, "FROM range(1000000000000)")
    assert done.exit_code == 0
    assert done.stderr == "first 200 of more than 10000 rows; --format csv gives all\n"
    assert len(done.stdout.splitlines()) == 2 + 200
    done = query(path, "FROM range(10000)")
    assert done.stderr == "first 200 of 10000 rows; --format csv gives all\n"
    out = tmp_path / "o.parquet"
    done = query(path, "FROM range(250001)", "-o", str(out))
    assert (done.exit_code, done.stderr) == (0, "")
    assert pq.read_table(out)["range"].to_pylist() == list(range(250_001))


@pytest.mark.parametrize("rows", [1, 2048, 100_000, 100_001, None])
def test_rows_are_those_asked_for(path: Path, rows: int | None) -> None:
    got = ask_user_query(path, "FROM range(100001) ORDER BY range", limits=QueryLimits(rows=rows))
    n_rows = min(rows or 100_001, 100_001)
    assert got.table["range"].to_pylist() == list(range(n_rows))
    assert got.more == (n_rows < 100_001)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--timeout", "0"], "timeout must be seconds above 0, got 0"),
        (["--timeout", "nan"], "timeout must be seconds above 0, got nan"),
        (["--memory", "1MB"], "memory must be 32 MiB or more, got 0.9537 MiB"),
        (["--memory", "much"], "a size must be a number and MB, GB, MiB or GiB, got 'much'"),
        (["--limit", "0"], "limit must be 1 row or more, got 0"),
    ],
)
def test_limits_that_mean_nothing(path: Path, arguments: list[str], message: str) -> None:
    done = query(path, "SELECT 1", *arguments)
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", f"error: {message}\n")


def test_a_bug_in_the_helper_surfaces(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a user can mend becomes one line."""
    monkeypatch.setattr(asking, "_idle", {})
    with pytest.raises(
        RuntimeError, match=r"(?s)in the process of the query:.*AttributeError: 'int' object"
    ):
        asking.ask(
            asking.Request(
                path=str(path), text=3, params={}, wait_s=1, timeout_s=9, memory_bytes=9**9, rows=1
            )
        )


def test_the_real_command_ends_with_its_query(path: Path) -> None:
    """With no process left behind that would go on."""
    command = [sys.executable, "-m", "cli", "query", "--store", str(path), hostile.STUBBORN[0]]
    done = subprocess.run(
        [*command, "--timeout", "0.3"],
        capture_output=True,
        text=True,
        env=tiny.environment(),
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: query: stopped after 0.3 s")
    assert done.stderr.count("\n") == 1
