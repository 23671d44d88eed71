"""`xmodal align capability`: a user's measures of LMs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from taxonomy.errors import StoreError
from tests.sql.align_rows import text_set
from xmodal.store import Store
from xmodal.store.rows import CapabilityRow


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("store") / "x.duckdb"
    with Store.open(made) as store:
        store.add_text_feature_set(text_set("t1", lm="qwen"))
    return made


def call(store: Path, file: Path) -> Result:
    given = ["align", "capability", str(file), "--store", str(store)]
    return CliRunner().invoke(app, given)


def stored(path: Path) -> list[dict[str, Any]]:
    with Store.open(path, read_only=True) as store:
        found: list[dict[str, Any]] = store.query("FROM lm_capability ORDER BY ALL").to_pylist()
    return found


def test_values_come_in_and_replace_earlier_ones(path: Path, tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("source,lm,capability,value\n,qwen,mmlu,31.5\npaper,bert,mmlu,2e1\n\n")
    done = call(path, table)
    assert (done.exit_code, done.stdout) == (0, "2 values of 2 LMs\n")
    assert done.stderr == (
        "1 LMs have no text features here yet, such as 'bert': names must be those that "
        "@text-features lists\n"
    )
    other = tmp_path / "b.parquet"
    said = {"lm": ["qwen", "qwen"], "capability": ["mmlu", "arc"], "value": [32, 5]}
    pq.write_table(pa.table(said), other)
    done = call(path, other)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "2 values of 1 LMs\n", "")
    names = ("lm", "capability", "value", "source")
    assert stored(path) == [
        dict(zip(names, row, strict=True))
        for row in (
            ("bert", "mmlu", 20.0, "paper"),
            ("qwen", "arc", 5.0, None),
            ("qwen", "mmlu", 32.0, None),
        )
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "{0} has no column lm, only none"),
        ("lm,capability\nq,m\n", "{0} has no column value, only lm, capability"),
        ("lm,capability,value\n", "{0} holds no value"),
        (
            "lm,capability,value,sourse\nq,m,1,x\n",
            "{0} must have columns lm, capability, value and perhaps source, each once, got lm, "
            "capability, value, sourse",
        ),
        (
            "lm,capability,value\nq,m,high\n",
            "{0}: value must be a finite number in line 2, got 'high'",
        ),
        (
            "lm,capability,value\nq,m,nan\n",
            "{0}: value must be a finite number in line 2, got 'nan'",
        ),
        ("lm,capability,value\nq,m,1\n ,m,1\n", "{0} has no lm in line 3: got ' '"),
        ("lm,capability,value\nq,m\n", "{0} cannot be read: line 2 has 2 fields, its header 3"),
        ("lm,capability,value\nq,m,1\nq,m,2\n", "m of q is given twice: leave one value"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(
    path: Path, tmp_path: Path, text: str, message: str
) -> None:
    table = tmp_path / "a.csv"
    table.write_text(text)
    before = path.read_bytes()
    done = call(path, table)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"error: {message.format(table)}\n"
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.xlsx", "{0} must be a .csv or .parquet file of capabilities"),
        ("no.csv", "{0} cannot be read: No such file or directory"),
        ("bad.parquet", "{0} cannot be read as Parquet: "),
    ],
)
def test_a_file_that_cannot_be_used(path: Path, tmp_path: Path, name: str, message: str) -> None:
    table = tmp_path / name
    if name == "bad.parquet":
        table.write_text("no")
    done = call(path, table)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: {message.format(table)}")
    assert done.stderr.count("\n") == 1


def test_no_store_is_made_for_values_alone(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("lm,capability,value\nq,m,1\n")
    done = call(tmp_path / "no.duckdb", table)
    assert done.exit_code == 1
    assert done.stderr.startswith("error: no store at ")
    assert not (tmp_path / "no.duckdb").exists()


def test_two_values_of_one_are_refused_whole() -> None:
    row = CapabilityRow(lm="q", capability="m", value=1.0, source=None)
    with Store.in_memory() as store:
        with pytest.raises(StoreError, match=r"^m of q is given twice: leave one value$"):
            store.add_capabilities([row, row])
        assert store.query("FROM lm_capability").num_rows == 0
