"""xmodal stats and xmodal plan, from the command line to the store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.xmodal.stats import grids
from tests.xmodal.stats.test_plan import PLAN
from xmodal.store import Store


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stats") / "x.duckdb"
    with Store.open(path) as store:
        grids.fill(store, grids.by_chance({"pretrained": 0.7, "random": 0.4}))
    return path


def call(path: Path, *arguments: str) -> Result:
    words = [word for text in arguments for word in text.split()]
    return CliRunner().invoke(app, [*words, "--store", str(path)])


def stored(path: Path) -> list[dict[str, object]]:
    with Store.open(path, read_only=True) as store:
        return store.analysis("stats").to_pylist()  # type: ignore[no-any-return]


def test_compare_prints_what_it_stores(path: Path) -> None:
    got = call(
        path,
        "stats compare --a lm_init=pretrained --b lm_init=random --margin 0.05",
        "--resamples 200 --format json",
    )
    assert got.exit_code == 0, got.output
    shown = json.loads(got.stdout)
    rows = stored(path)
    assert sorted(row["method"] for row in shown) == sorted(row["method"] for row in rows)
    gap = next(r for r in rows if r["method"] == "bootstrap" and r["kind"] == "difference")
    assert f"macro-F1 differs by {gap['estimate']:+.3f} (95 % interval" in got.stderr
    assert "is not shown to be equivalent to" in got.stderr
    assert "given: dataset d1, relation hypernym" in got.stderr
    assert json.loads(str(gap["runs_json"]))["a"] == [f"pretrained-1-{k}" for k in (1, 2, 3)]


def test_by_a_column_against_a_value(path: Path) -> None:
    got = call(
        path, "stats compare --by lm_init --against pretrained --resamples 200 --format json"
    )
    assert got.exit_code == 0, got.output
    assert {row["b"] for row in json.loads(got.stdout)} == {None, "LM init pretrained"}


def test_a_plan_from_file_to_results(path: Path) -> None:
    with Store.open(path, read_only=True) as store:
        (manifest,) = store.manifests()["manifest_id"].to_pylist()
    file = path.with_name("plan.toml")
    file.write_text(PLAN.format(manifest=manifest))
    frozen = call(path, "plan", "freeze", str(file))
    assert frozen.exit_code == 0, frozen.output
    plan = frozen.stdout.strip()
    again = call(path, "plan", "freeze", str(file))
    assert again.stdout.strip() == plan
    assert "2 contrasts, frozen before at " in again.stderr
    ran = call(path, "plan", "run", plan[:5], "--format", "json")
    assert ran.exit_code == 0, ran.output
    assert "exploratory: weights: 6 of its runs began before the plan was frozen" in ran.stderr
    listed = json.loads(call(path, "plan", "list", "--format", "json").stdout)
    assert [row["plan_id"] for row in listed] == [plan]
    # a level that both contrasts ask for is stored for each of them
    assert {row["contrast"] for row in stored(path) if row["plan_id"] == plan} == {
        "weights", "level",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("compare", "give both sides, such as --a lm_init=pretrained --b lm_init=random, or --by"),
        ("compare --a lm_init", "--a must be COLUMN=VALUE, got 'lm_init'"),
        ("compare --by colour", "unknown column 'colour'"),
        ("compare --by shuffle", "shuffle has 1 value among these runs: nothing to compare"),
        ("compare --by lm_init --against x", "unknown value of lm_init 'x'; valid: pretrained"),
        ("compare --against x", "--against goes with --by: it is one of the column's values"),
        ("compare --by lm_init --where lm_init=random", "lm_init is in --where and in --by"),
        ("compare --by lm_init --a lm_init=random", "give --a and --b, or --by, not both"),
        (
            "compare --a lm_init=random --b lm_init=random",
            "a and b are the same runs and questions: there is nothing to compare",
        ),
        (
            "compare --where lm_init=random --a lm_init=random --b ratio=1",
            "lm_init is in --where and in --a: leave one",
        ),
        ("level --where lm_init=random --where lm_init=x", "--where has lm_init twice: leave one"),
        ("level --confidence 95", "confidence must be in [0.5, 1), got 95"),
        ("mixed f1", "formula must be SCORE ~ COLUMN"),
    ],
)
def test_wrong_input_is_one_line_and_stores_nothing(
    path: Path, arguments: str, message: str
) -> None:
    before = stored(path)
    got = call(path, "stats", arguments)
    assert got.exit_code == 1
    assert got.stderr.startswith(f"error: {message}"), got.stderr
    assert got.stderr.count("\n") == 1
    assert stored(path) == before


def test_no_store_and_no_plan_file(tmp_path: Path) -> None:
    missing = tmp_path / "none.duckdb"
    got = call(missing, "stats", "level")
    assert got.exit_code == 1
    assert got.stderr.startswith("error: no store at")
    assert not missing.exists()
    got = call(missing, "plan", "freeze", str(tmp_path / "plan.toml"))
    assert got.exit_code == 1
    assert not missing.exists()
