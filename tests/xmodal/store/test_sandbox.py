"""A user's query reads this store and reaches nothing else."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pytest

from taxonomy.errors import StoreError
from tests.xmodal.store import world
from xmodal.store import Store
from xmodal.store.sandbox import run_user_query


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sandbox") / "s.duckdb"
    with Store.open(path) as store:
        store.add_taxonomy(world.taxonomy())
    (path.parent / "f.csv").write_text("a\n1\n")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1;",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "FROM concept",
        "VALUES (1)",
        "TABLE concept",
        "DESCRIBE concept",
        "SUMMARIZE concept",
        "SHOW TABLES",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE SELECT 1",
        "PIVOT concept ON role USING count(*) GROUP BY dropped",
        "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b",
        "-- what is there?\nSELECT count(*) FROM hypernym_score",
    ],
)
def test_statements_that_read(path: Path, text: str) -> None:
    assert run_user_query(path, text).num_columns > 0


WRITES = [
    "CREATE TABLE q (a INT)",
    "CREATE TEMP TABLE q (a INT)",
    "CREATE VIEW q AS SELECT 1",
    "CREATE MACRO q() AS 1",
    "CREATE SECRET s (TYPE s3)",
    "INSERT INTO lm_pair VALUES ('a', 'b', 'c', true)",
    "UPDATE concept SET name = 'x'",
    "DELETE FROM concept",
    "TRUNCATE concept",
    "MERGE INTO concept USING concept AS c ON true WHEN MATCHED THEN DELETE",
    "ALTER TABLE concept ADD COLUMN c INT",
    "DROP TABLE concept",
    "COMMENT ON TABLE concept IS 'x'",
    "WITH a AS (DELETE FROM concept RETURNING *) SELECT * FROM a",
    "EXPLAIN ANALYZE DELETE FROM concept",
    "EXPLAIN ANALYZE COPY concept TO '{folder}/o.csv'",
    "COPY concept TO '{folder}/o.csv'",
    "COPY (SELECT 1) TO '{folder}/o.parquet'",
    "COPY lm_pair FROM '{folder}/f.csv'",
    "EXPORT DATABASE '{folder}/o'",
    "IMPORT DATABASE '{folder}/o'",
    "ATTACH '{folder}/o.duckdb'",
    "ATTACH ':memory:' AS m",
    "DETACH s",
    "USE memory",
    "SET threads = 1",
    "SET enable_external_access = true",
    "SET GLOBAL lock_configuration = false",
    "SET VARIABLE x = 1",
    "RESET threads",
    "PRAGMA threads = 1",
    "PRAGMA database_list",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CALL duckdb_settings()",
    "CHECKPOINT",
    "VACUUM",
    "BEGIN",
    "PREPARE p AS SELECT 1",
]
READS_ELSEWHERE = [
    "FROM '{folder}/f.csv'",
    "FROM read_csv('{folder}/f.csv')",
    "FROM read_text('/etc/passwd')",
    "FROM read_blob('{folder}/f.csv')",
    "FROM glob('{folder}/*')",
    "FROM sniff_csv('{folder}/f.csv')",
    "FROM parquet_metadata('{folder}/o.parquet')",
    "FROM query('FROM ''{folder}/f.csv''')",
    "FROM duckdb_secrets()",
    "SELECT getenv('HOME')",
    "FROM python_rows",
    "FROM enable_logging()",
    "EXPLAIN ANALYZE FROM '{folder}/f.csv'",
]


@pytest.mark.parametrize("text", WRITES + READS_ELSEWHERE)
def test_everything_else_is_one_clear_line_and_changes_nothing(path: Path, text: str) -> None:
    python_rows = pa.table({"a": [1]})
    before = sha256(path.read_bytes()).hexdigest()
    with pytest.raises(StoreError, match=r"^query"):
        run_user_query(path, text.replace("{folder}", str(path.parent)))
    assert sha256(path.read_bytes()).hexdigest() == before
    assert sorted(os.listdir(path.parent)) == ["f.csv", "s.duckdb"]
    assert python_rows.num_rows == 1


@pytest.mark.parametrize(("text", "n"), [("", 0), (" ; ", 0), ("SELECT 1; SELECT 2", 2)])
def test_exactly_one_statement(path: Path, text: str, n: int) -> None:
    with pytest.raises(StoreError, match=rf"^query must be exactly one statement, got {n}$"):
        run_user_query(path, text)


def test_messages(path: Path) -> None:
    with pytest.raises(StoreError, match=r"that reads \(SELECT, .*, PIVOT\), got DROP$"):
        run_user_query(path, "DROP TABLE concept")
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
