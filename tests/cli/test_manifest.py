"""The manifest commands against a real store of the bundled taxonomy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from taxonomy.model import ManifestConfig, TaxonomyConfig, manifest_id
from xmodal.manifests import OVERVIEW
from xmodal.store import Store
from xmodal.taxonomies import build_taxonomy


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stores") / "bundled.duckdb"
    with Store.open(path) as store:
        store.add_taxonomy(build_taxonomy(TaxonomyConfig()))
    return path


@pytest.fixture
def path(bundled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(bundled, tmp_path / "xmodal.duckdb"))


def invoke(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["manifest", *arguments, "--store", str(path)])


def ids_of(result: Result) -> list[str]:
    """The ids that a grid printed, as `cut -f1` has them."""
    return [line.split("\t")[0] for line in result.stdout.splitlines()]


def test_build_stores_the_manifest_and_prints_its_id(path: Path) -> None:
    result = invoke(
        path,
        *("build", "--design", "random", "--ratio", "0.5", "--unit", "pair"),
        *("--mentions", "drop_all", "--negatives", "matched", "--shuffle", "none"),
        *("--seed", "42"),
    )
    assert result.exit_code == 0
    with Store.open(path, read_only=True) as store:
        taxonomy = store.load_taxonomy()
        stored = store.load_manifest(result.stdout.strip())
    assert stored.config == ManifestConfig(ratio=0.5)
    assert stored.manifest_id == manifest_id(taxonomy.dataset_id, stored.config)
    assert stored.examples.num_rows > 4 * 5000
    assert "random design, shuffle none: held out 0.4999" in result.stderr


def test_a_ratio_left_out_or_of_no_weight_is_the_design_s(path: Path) -> None:
    plain, zero = invoke(path, "build", "--design", "none"), ("--ratio", "0")
    assert invoke(path, "build", "--design", "none", *zero).stdout == plain.stdout
    systematic = ("build", "--design", "systematic", "--n-held-out-hypernyms", "10")
    with_all = invoke(path, "build", "--ratio", "1")
    assert invoke(path, "build").stdout == with_all.stdout
    assert invoke(path, *systematic).exit_code == 0
    rows = json.loads(invoke(path, "list", "--format", "json").stdout)
    assert [row["ratio"] for row in rows] == [0.0, 1.0, 10 / 34]


def test_building_again_changes_nothing(path: Path) -> None:
    first = invoke(path, "build")
    again = invoke(path, "build")
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert first.stdout == again.stdout
    with Store.open(path, read_only=True) as store:
        assert store.manifests().num_rows == 1


def test_grid_builds_a_set_that_list_show_and_report_know(path: Path) -> None:
    built = invoke(
        path,
        *("grid", "--designs", "random,systematic", "--ratios", "0,1"),
        *("--n-held-out-hypernyms", "10", "--shuffles", "none,within", "--seeds", "42,7"),
    )
    assert built.exit_code == 0
    ids = ids_of(built)
    assert len(set(ids)) == 3 * 2 * 2
    assert [line.split("\t")[1] for line in built.stdout.splitlines()[::5]] == [
        "random 0, shuffle none, seed 42",
        "random 1, shuffle none, seed 7",
        "systematic 10, shuffle within, seed 42",
    ]
    listed = json.loads(invoke(path, "list", "--format", "json").stdout)
    assert [row["manifest_id"] for row in listed] == ids
    assert tuple(listed[0]) == OVERVIEW
    assert {row["ratio"] for row in listed} == {0.0, 1.0, 10 / 34}

    shown = invoke(path, "show", ids[-1][:8])
    assert shown.exit_code == 0
    assert ids[-1] in shown.stdout
    assert "systematic" in shown.stdout

    report = invoke(path, "report", ids[-1], "--format", "json")
    rows = json.loads(report.stdout)
    assert len(rows) == 34
    assert sum(row["n_yes"] == 0 for row in rows) == 10
    assert all(row["n_no"] == 0 for row in rows if row["n_yes"] == 0)
    table = invoke(path, "report", ids[-1])
    assert "systematic design, shuffle within" in table.stdout
    assert "animal" in table.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "--ratio", "30"], "ratio must be in [0, 1], got 30.0"),
        (["build", "--ratio", "nan"], "ratio must be in [0, 1], got nan"),
        (
            ["build", "--shuffle", "sideways"],
            "shuffle must be one of none, within, across, across_s1, swap, swap_control, "
            "got 'sideways'",
        ),
        (
            ["build", "--mentions", "most"],
            "mentions must be one of drop_all, keep, drop_positives, drop_words, rebalance, "
            "got 'most'",
        ),
        (
            ["build", "--design", "systematic"],
            "n_held_out_hypernyms goes with design systematic and only with it, got design "
            "'systematic' and n_held_out_hypernyms None",
        ),
        (
            ["build", "--design", "systematic", "--n-held-out-hypernyms", "99"],
            "n_held_out_hypernyms must be between 1 and 34, the hypernyms of this dataset, got 99",
        ),
        (
            ["build", "--design", "systematic", "--n-held-out-hypernyms", "10", "--ratio", "0.5"],
            "ratio goes with design random, got design 'systematic' and ratio 0.5: "
            "n_held_out_hypernyms alone says how much is held out",
        ),
        (
            ["build", "--design", "systematic", "--n-held-out-hypernyms", "10", "--ratio", "1"],
            "ratio goes with design random, got design 'systematic' and ratio 1: "
            "n_held_out_hypernyms alone says how much is held out",
        ),
        (
            ["build", "--design", "none", "--ratio", "0.5"],
            "ratio must be 0 or left out for design none, got 0.5",
        ),
        (
            ["grid", "--designs", "systematic", "--n-held-out-hypernyms", "10", "--ratios", "0.5"],
            "ratios goes with design random, got ratios 0.5 and designs systematic: leave it out, "
            "or add random to --designs",
        ),
        (
            ["grid", "--n-held-out-hypernyms", "10"],
            "n_held_out_hypernyms goes with design systematic, got n_held_out_hypernyms 10 and "
            "designs random: leave it out, or add systematic to --designs",
        ),
        (
            ["grid", "--ratios", "0.1", "--seeds", "1,x"],
            "seeds must be whole numbers with commas between, got 'x'",
        ),
        (
            ["grid", "--ratios", "0.1,half"],
            "ratios must be numbers with commas between, got 'half'",
        ),
        (
            ["grid", "--designs", "random,systematic", "--n-held-out-hypernyms", "10,99"],
            "n_held_out_hypernyms must be between 1 and 34, the hypernyms of this dataset, got 99",
        ),
        (["grid", "--ratios", ""], "design random in a grid needs ratios, got none"),
        (["show", "nosuch"], "no manifest 'nosuch': the store holds none yet"),
        (["report", "nosuch"], "no manifest 'nosuch': the store holds none yet"),
        (["build", "--dataset", "nosuch"], None),
    ],
)
def test_bad_input_is_one_line_and_leaves_the_store_as_it_was(
    path: Path, arguments: list[str], message: str | None
) -> None:
    before = path.read_bytes()
    result = invoke(path, *arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    if message is None:
        assert result.stderr.startswith("error: unknown dataset 'nosuch'; valid: ")
    else:
        assert result.stderr == f"error: {message}\n"
    assert path.read_bytes() == before


def test_an_unknown_id_lists_the_valid_ones(path: Path) -> None:
    known = invoke(path, "build").stdout.strip()
    result = invoke(path, "show", "nosuch")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"error: unknown manifest 'nosuch'; valid: {known}\n"


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    missing = tmp_path / "missing.duckdb"
    result = invoke(missing, "build")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: no store at {missing}")
    assert not missing.exists()
