"""A user's query reads this store and reaches nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from taxonomy.errors import StoreError
from tests.xmodal.store import hostile
from tests.xmodal.store.besieged import assert_refused, query
from xmodal.store.connection import connect_file, lock_down
from xmodal.store.fence import check_reads
from xmodal.store.sandbox import run_user_query


@pytest.fixture
def path(besieged: Path) -> Path:
    return besieged


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("outside") / "secret.json"
    file.write_text('[{"secret": "opensesame"}]')
    return file


@pytest.fixture(scope="module")
def con(besieged_store: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """As a query has it: one for many statements, for opening takes longer than refusing."""
    con = connect_file(besieged_store, read_only=True, wait_s=10.0)
    lock_down(con, 200_000_000)
    yield con
    con.close()


def filled(text: str, path: Path, outside: Path) -> str:
    for name, file in (("folder", path.parent), ("store", path), ("outside", outside)):
        text = text.replace(f"{{{name}}}", str(file))
    return text


def run(con: duckdb.DuckDBPyConnection, text: str) -> pa.Table:
    """What the helper does with a statement."""
    check_reads(con, text)
    return con.sql(text).to_arrow_table()


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
    hostile.WRITES[0],
    "WITH a AS (INSERT INTO concept SELECT * FROM concept RETURNING *) FROM a",
    "COPY concept TO '{folder}/o.csv'",
    "ATTACH '{folder}/o.duckdb'",
    "FROM '{outside}'",
    "FROM query('FROM ''{folder}/f.csv''')",
    "SELECT getenv('XMODAL_SECRET')",
    "FROM python_rows",
    "SET GLOBAL lock_configuration = false",
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
