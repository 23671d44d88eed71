"""A user's query reads this store and reaches nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.main import app
from taxonomy.errors import StoreError
from tests.xmodal import tiny
from tests.xmodal.store import hostile, world
from xmodal.store import Store, asking
from xmodal.store.connection import connect_file, lock_down
from xmodal.store.fence import check_reads
from xmodal.store.limits import QueryLimits
from xmodal.store.sandbox import ask_user_query, run_user_query

BESIDE = ["f.csv", "s.duckdb"]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sandbox") / "s.duckdb"
    with Store.open(path) as store:
        store.add_taxonomy(world.taxonomy())
    (path.parent / "f.csv").write_text("a\n1\n")
    return path


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("outside") / "secret.json"
    file.write_text('[{"secret": "opensesame"}]')
    return file


@pytest.fixture(scope="module")
def con(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """As a query has it: one for many statements, for opening takes longer than refusing."""
    con = connect_file(path, read_only=True, wait_s=10.0)
    lock_down(con, 200_000_000)
    yield con
    con.close()


@pytest.fixture(autouse=True)
def unchanged(path: Path) -> Iterator[None]:
    """Whatever a test asks, the store stays as it is and nothing appears beside it."""
    before = sha256(path.read_bytes()).hexdigest()
    here = sorted(os.listdir())
    yield
    assert sha256(path.read_bytes()).hexdigest() == before
    assert sorted(os.listdir(path.parent)) == BESIDE
    assert sorted(os.listdir()) == here


def filled(text: str, path: Path, outside: Path) -> str:
    for name, file in (("folder", path.parent), ("store", path), ("outside", outside)):
        text = text.replace(f"{{{name}}}", str(file))
    return text


def run(con: duckdb.DuckDBPyConnection, text: str) -> pa.Table:
    """What the helper does with a statement."""
    check_reads(con, text)
    return con.sql(text).to_arrow_table()


def query(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["query", "--store", str(path), *arguments])


def assert_refused(done: Result) -> None:
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: query")
    assert done.stderr.count("\n") == 1
    assert "opensesame" not in done.stderr


def test_the_lists_are_as_long_as_they_should_be() -> None:
    every = hostile.REFUSED + hostile.ENDLESS + hostile.STUBBORN + hostile.HUNGRY
    assert len(set(every)) == len(every) >= 60
    assert len(set(hostile.LEGITIMATE)) == len(hostile.LEGITIMATE) >= 20


def test_every_hostile_statement_is_refused(
    con: duckdb.DuckDBPyConnection, path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the fences alone; the slow test below takes each through the command."""
    monkeypatch.setenv("XMODAL_SECRET", "opensesame")
    python_rows = pa.table({"a": [1]})
    for text in hostile.REFUSED:
        with pytest.raises((StoreError, duckdb.Error)) as caught:
            pytest.fail(f"{run(con, filled(text, path, outside))} from {text[:100]}")
        assert "opensesame" not in str(caught.value)
    assert python_rows.num_rows == 1


def test_what_would_make_something_for_later_does_not(con: duckdb.DuckDBPyConnection) -> None:
    """The statements that DuckDB itself would run on such a connection."""
    for text in (*hostile.WRITES, *hostile.DISGUISED):
        for word in ("TEMP", "VARIABLE"):
            if word in text:
                with pytest.raises((StoreError, duckdb.Error)):
                    check_reads(con, text)
    assert con.execute("FROM duckdb_tables() WHERE temporary").fetchall() == []
    assert con.execute("SELECT getvariable('x')").fetchall() == [(None,)]


def test_harmless_statements_change_nothing(
    con: duckdb.DuckDBPyConnection, path: Path, outside: Path
) -> None:
    for text in hostile.HARMLESS:
        run(con, filled(text, path, outside))


def test_legitimate_statements_are_answered(con: duckdb.DuckDBPyConnection) -> None:
    for text in hostile.LEGITIMATE:
        assert run(con, text).num_columns > 0, text


# one of each kind: opening the store takes most of the time
THROUGH_THE_COMMAND = [
    *hostile.WRITES[:2],
    "WITH a AS (INSERT INTO concept SELECT * FROM concept RETURNING *) FROM a",
    "COPY concept TO '{folder}/o.csv'",
    "ATTACH '{folder}/o.duckdb'",
    "INSTALL httpfs",
    "FROM '{outside}'",
    "FROM read_text('/proc/self/environ')",
    "FROM duckdb_secrets()",
    "FROM query('FROM ''{folder}/f.csv''')",
    "SELECT getenv('XMODAL_SECRET')",
    "FROM python_rows",
    "SET GLOBAL lock_configuration = false",
    "PRAGMA database_list",
    "SELECT 1; -- then\n COPY concept TO '{folder}/o.csv'",
    "\u200bDROP TABLE concept",
    "EXPLAIN ANALYZE /* /* */ SELECT 1 -- */ CREATE TEMP TABLE q AS SELECT 1",
    "CREATE TEMP TABLE q AS PIVOT concept ON role USING count(*)",
    hostile.TOO_MUCH[0],
]


@pytest.mark.parametrize("text", THROUGH_THE_COMMAND)
def test_refusals_of_the_command(
    path: Path, outside: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("XMODAL_SECRET", "opensesame")
    python_rows = pa.table({"a": [1]})
    assert_refused(query(path, filled(text, path, outside)))
    assert python_rows.num_rows == 1


@pytest.mark.slow
def test_every_refusal_of_the_command(path: Path, outside: Path) -> None:
    for text in hostile.REFUSED:
        assert_refused(query(path, filled(text, path, outside)))


@pytest.mark.slow
def test_every_answer_of_the_command(path: Path, outside: Path) -> None:
    for text in (*hostile.LEGITIMATE, *hostile.HARMLESS):
        done = query(path, filled(text, path, outside))
        assert (done.exit_code, done.stderr) == (0, ""), text


def assert_stopped(done: Result, words: str) -> None:
    assert_refused(done)
    assert words in done.stderr


@pytest.mark.parametrize("text", [*hostile.ENDLESS[:6], *hostile.STUBBORN[:1]])
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


@pytest.mark.parametrize("rows", [1, 2047, 2048, 99_999, 100_000, 100_001, None])
def test_rows_are_those_asked_for(path: Path, rows: int | None) -> None:
    got = ask_user_query(path, "FROM range(100001) ORDER BY range", limits=QueryLimits(rows=rows))
    n_rows = min(rows or 100_001, 100_001)
    assert got.table["range"].to_pylist() == list(range(n_rows))
    assert got.more == (n_rows < 100_001)


def test_values_arrive_as_duckdb_has_them(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    text = """
        SELECT 'a'::ENUM ('a', 'b') AS e, {'x': [1, NULL]} AS s, 1.5::DECIMAL(4, 2) AS d,
            'NaN'::DOUBLE AS n, '\\x00'::BLOB AS b, DATE '2026-01-02' AS t, NULL AS z, '🦜' AS u
        FROM range(3000)
    """
    want = run(con, text)
    got = run_user_query(path, text)
    assert got.schema == want.schema
    assert str(got.to_pylist()) == str(want.to_pylist())
    none = run_user_query(path, text.replace("range(3000)", "range(0)"))
    assert (none.schema, none.num_rows) == (want.schema, 0)


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


@pytest.mark.parametrize(("text", "n"), [("", 0), (" ; ", 0), ("SELECT 1; SELECT 2", 2)])
def test_exactly_one_statement(con: duckdb.DuckDBPyConnection, text: str, n: int) -> None:
    with pytest.raises(StoreError, match=rf"^query must be exactly one statement, got {n}$"):
        check_reads(con, text)


def test_messages(path: Path) -> None:
    reads = r"that reads \(SELECT, .*, PIVOT, or EXPLAIN of one\), got"
    for text, got in (
        ("DROP TABLE concept", "DROP"),
        ("CREATE TABLE q AS PIVOT concept ON role", "CREATE"),
        ("EXPLAIN ANALYZE SET threads = 1", "SET"),
    ):
        with pytest.raises(StoreError, match=rf"{reads} {got}$"):
            run_user_query(path, text)
    with pytest.raises(
        StoreError, match=r"^query: Parser Error: syntax error at or near \"selct\"$"
    ):
        run_user_query(path, "selct 1")
    with pytest.raises(StoreError, match=r"^query: Catalog Error: Table with name concpt does not"):
        run_user_query(path, "FROM concpt")
    with pytest.raises(
        StoreError, match=r"^query: .*not provided for the following parameters: a$"
    ):
        run_user_query(path, "SELECT $a")
    # an error among the later rows, which comes while they are fetched
    with pytest.raises(StoreError, match=r"^query: Conversion Error: Could not convert string 'x'"):
        run_user_query(
            path, "SELECT (CASE range WHEN 900000 THEN 'x' END)::INT FROM range(1000000)"
        )
    with pytest.raises(StoreError, match=r"^query: a parameter has a value that cannot be used in"):
        run_user_query(path, "SELECT $a", {"a": lambda: 1})


def test_parameters_and_named_analyses(path: Path) -> None:
    got = run_user_query(path, "SELECT name FROM concept WHERE role = $role", {"role": "leaf"})
    assert got["name"].to_pylist() == ["parrot", "ruby", "saw"]
    assert run_user_query(path, "@hypernym-f1", {"question_set": "seen"}).num_rows == 0
    with pytest.raises(StoreError, match=r"^no run 'a': the store holds none yet$"):
        run_user_query(path, "@hypernym-f1", {"run": "a"})
    with pytest.raises(StoreError, match=r"^@hypernym-f1 has no parameter 'x'; it takes: ques"):
        run_user_query(path, "@hypernym-f1", {"x": "a"})
    with pytest.raises(StoreError, match=r"^unknown analysis 'main-result'; valid: main-results"):
        run_user_query(path, "@main-result")


def test_a_missing_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"^no store at "):
        run_user_query(tmp_path / "none.duckdb", "SELECT 1")
    assert os.listdir(tmp_path) == []


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
