"""xmodal query, end to end."""

from __future__ import annotations

import io
import json
import os
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.main import app
from tests.xmodal.store import world
from tests.xmodal.store.world import BIRD, PARROT, RUBY
from xmodal.store import Store
from xmodal.store.analyses import all_analyses


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "s.duckdb"
    of = world.manifest([(1, PARROT, BIRD, True, "held_out"), (2, RUBY, BIRD, False, "held_out")])
    world.run_folder(tmp_path / "runs", "run-a", of, [(1, True), (2, False)])
    with Store.open(path) as store:
        store.add_taxonomy(world.taxonomy())
        store.add_manifest(of)
        store.sync(tmp_path / "runs")
    return path


def query(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["query", "--store", str(path), *arguments])


def test_a_select_prints_a_table(path: Path) -> None:
    done = query(path, "SELECT name, 0.5::DOUBLE AS share FROM concept WHERE role = 'leaf'")
    assert (done.exit_code, done.stderr) == (0, "")
    assert [line.split() for line in done.stdout.splitlines()[2:]] == [
        ["parrot", "│", "0.5000"],
        ["ruby", "│", "0.5000"],
        ["saw", "│", "0.5000"],
    ]


def test_a_named_analysis_in_each_format(path: Path, tmp_path: Path) -> None:
    row = json.loads(query(path, "@main-results", "--format", "jsonl").stdout)
    assert (row["question_set"], row["macro_f1"], row["n_runs"]) == ("held_out", 1.0, 1)
    assert json.loads(query(path, "@main-results", "--format", "json").stdout) == [row]
    assert query(path, "@main-results", "--format", "csv").stdout.splitlines()[0] == ",".join(row)
    assert query(path, "@main-results", "--format", "markdown").stdout.startswith("| source |")
    got = pq.read_table(
        io.BytesIO(query(path, "@main-results", "--format", "parquet").stdout_bytes)
    )
    assert got.to_pylist() == [row]
    output = tmp_path / "o.csv"
    done = query(path, "@main-results", "-o", str(output))
    assert (done.exit_code, done.stdout) == (0, "")
    assert output.read_text().splitlines()[0] == ",".join(row)


def test_parameters(path: Path) -> None:
    done = query(
        path, "@loss-curve", "--param", "name=loss", "--param", "run=run", "--format", "csv"
    )
    assert done.stdout.splitlines()[1:] == [
        "run-a,pretrained,random,1.0,none,42,0,loss,2.5",
        "run-a,pretrained,random,1.0,none,42,10,loss,0.5",
    ]


def test_list(tmp_path: Path) -> None:
    done = query(tmp_path / "none.duckdb", "--list")
    assert done.exit_code == 0
    for name in ("@main-results", "@hypernym-f1", "@exposure"):
        assert name in done.stdout
    assert len(done.stdout.splitlines()) == 2 + len(all_analyses())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["DELETE FROM run"], "query must be a statement that reads"),
        (["FROM read_csv('x.csv')"], "query: Permission Error: Cannot access file"),
        (["COPY run TO 'x.csv'"], "query must be a statement that reads"),
        (["@nothing"], "unknown analysis 'nothing'; valid: "),
        ([], 'give a query, such as "from run" or @main-results, or --list'),
        (["SELECT 1", "--format", "xml"], "format must be one of table, csv"),
        (["@loss-curve", "--param", "loss"], "--param must be k=v, got 'loss'"),
        (
            ["@loss-curve", "--param", "runs=a"],
            "@loss-curve has no parameter 'runs'; it takes: name",
        ),
        (
            ["@ablation", "--param", "question_set=bogus"],
            "question_set must be one of held_out, seen, unasked, held_out_s1, seen_s1, got 'bog",
        ),
        (["@hypernym-f1", "--param", "question_set=leaf"], "question_set must be one of held_out,"),
        (["@loss-curve", "--param", "run=zzz"], "unknown run 'zzz'; valid: run-a"),
        (["@hypernym-f1", "--param", "run=un-a"], "unknown run 'un-a'; valid: run-a"),
        (["@exposure", "--param", "manifest=zzz"], "unknown manifest 'zzz'; valid: "),
    ],
)
def test_bad_input(path: Path, arguments: list[str], message: str) -> None:
    before = sha256(path.read_bytes()).hexdigest()
    done = query(path, *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
    assert sha256(path.read_bytes()).hexdigest() == before
    assert sorted(os.listdir(path.parent)) == ["runs", "s.duckdb"]


def test_a_missing_store(tmp_path: Path) -> None:
    done = query(tmp_path / "none.duckdb", "SELECT 1")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: no store at ")
    assert os.listdir(tmp_path) == []


def test_an_analysis_without_rows_says_what_is_missing(path: Path) -> None:
    done = query(path, "@coherence", "--format", "csv")
    assert done.exit_code == 0
    assert done.stdout.startswith("source,dataset,")
    assert done.stderr == (
        "no rows: no coherence is in the store: `xmodal coherence` measures it, `xmodal import s1 "
        "PATH` brings the paper's\n"
    )
    filtered = query(path, "@ablation", "--param", "question_set=seen")
    assert filtered.stderr.startswith("no rows: nothing has the given --param, or the store ")
    metric = query(path, "@loss-curve", "--param", "run=run", "--param", "name=none")
    assert (metric.exit_code, metric.stderr[:44]) == (
        0,
        "no rows: nothing has the given --param, or n",
    )
    assert query(path, "SELECT 1 WHERE false").stderr == ""
    assert query(path, "@main-results").stderr == ""
