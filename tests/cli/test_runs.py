"""xmodal runs, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.sql import align_rows, binding_rows, released
from tests.xmodal.store import world
from tests.xmodal.store.world import BIRD, PARROT, RUBY
from xmodal.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "s.duckdb"
    of = world.manifest([(1, PARROT, BIRD, True, "held_out"), (2, RUBY, BIRD, False, "held_out")])
    for name in ("run-a", "run-b"):
        world.run_folder(tmp_path / "runs", name, of, [(1, True), (2, name == "run-b")])
    with Store.open(path) as store:
        store.add_taxonomy(world.taxonomy())
        store.add_manifest(of)
        store.sync(tmp_path / "runs")
    return path


def test_runs_lists_each_with_its_score(path: Path) -> None:
    done = CliRunner().invoke(app, ["runs", "--store", str(path)])
    assert (done.exit_code, done.stderr) == (0, "")
    head, _, *rows = [
        [cell.strip() for cell in line.replace("┃", "│").split("│")]
        for line in done.stdout.splitlines()
    ]
    # run-a has both right; run-b says Yes twice: (2/3 + 0) / 2
    assert [row[head.index("held_out_f1")] for row in rows] == ["1.0000", "0.3333"]
    assert [row[head.index("status")] for row in rows] == ["finished", "finished"]


def test_show_prints_everything(path: Path) -> None:
    done = CliRunner().invoke(app, ["runs", "show", "run-a", "--store", str(path)])
    assert (done.exit_code, done.stderr) == (0, "")
    shown = [line.split() for line in done.stdout.splitlines()]
    for pair in (
        ["run_id", "run-a"],
        ["lr", "0.01"],
        ["loss", "0.5"],
        ["lm_revision", "NULL"],
        ["held_out", "1.0"],
    ):
        assert pair in shown
    assert "recipe_json\n" in done.stdout
    before = CliRunner().invoke(app, ["runs", "--store", str(path), "show", "run-a"])
    assert before.stdout == done.stdout


def test_a_released_run_is_shown_and_counted_beside_own_ones(path: Path) -> None:
    score = ("held_out_s1", "bird", 0.75, 0.5, 10, True)
    with Store.open(path) as store:
        released.add(store, [(released.run("rel-a"), [score])])
    done = CliRunner().invoke(app, ["runs", "--store", str(path)])
    assert done.stderr == '1 released runs beside these: `xmodal query "from released_run"`\n'
    assert "rel-a" not in done.stdout
    done = CliRunner().invoke(app, ["runs", "show", "rel", "--store", str(path)])
    assert (done.exit_code, done.stderr) == (0, "")
    shown = [line.split() for line in done.stdout.splitlines()]
    for pair in (["run_id", "rel-a"], ["source", "s1"], ["held_out_s1", "0.75"]):
        assert pair in shown


def test_provenance_says_what_it_does_not_know(path: Path) -> None:
    with Store.open(path) as store:
        align_rows.add(store, "align-a", {1: [1]})
        binding_rows.add(store, [(binding_rows.run("binding-a"), [])])
        score = ("held_out_s1", "bird", 0.75, 0.5, 10, True)
        released.add(store, [(released.run("rel-a"), [score])])
    traced = {}
    for run_id in ("run-a", "align-a", "binding-a", "rel-a"):
        call = ["runs", "--store", str(path), "show", run_id, "--provenance", "--format", "json"]
        done = CliRunner().invoke(app, call)
        assert (done.exit_code, done.stderr) == (0, "")
        traced[run_id] = json.loads(done.stdout)
    assert len({tuple(said) for said in traced.values()}) == 1
    for said in traced.values():
        assert all(value not in (None, "") for part in said.values() for value in part.values())
        # of before it was kept
        assert said["run"]["git_dirty"] == said["machine"]["platform"] == "unknown"
        assert said["versions"]["torch"] == "unknown"
    own = traced["run-a"]
    assert own["run"]["git_commit"] == "unknown"
    assert own["run"]["together"] == "none"
    assert own["recipe"] == {"recipe": "demo", "lr": 0.01}
    assert own["features"] == {
        "feature_set_id": "f1", "sha256": "unknown", "layer": "unknown", "pooling": "unknown",
        "dtype": "unknown",
    }  # fmt: skip
    assert own["lm"] == {
        "lm": "bundle", "init": "pretrained", "revision": "none", "weights_sha256": "lm1"
    }  # fmt: skip
    assert own["separation"]["separation_id"] == own["start"]["start_run_id"] == "none"
    assert own["files"]["projector.safetensors"] == "unknown"
    assert own["files"]["as_synced"] is True
    assert traced["binding-a"]["lm"]["lm"] == "none"
    assert traced["rel-a"]["seeds"]["init"] == traced["rel-a"]["run"]["command"] == "unknown"


def test_provenance_for_reading(path: Path) -> None:
    call = ["runs", "show", "run-a", "--store", str(path)]
    done = CliRunner().invoke(app, [*call, "--provenance"])
    assert (done.exit_code, done.stderr) == (0, "")
    shown = [line.replace("│", " ").split() for line in done.stdout.splitlines()]
    assert ["recipe", "lr", "0.01"] in shown
    assert ["lm", "weights_sha256", "lm1"] in shown
    done = CliRunner().invoke(app, [*call, "--format", "json"])
    assert done.stderr == "error: format json goes with --provenance: add it\n"


def test_show_of_an_unknown_or_ambiguous_run(path: Path) -> None:
    done = CliRunner().invoke(app, ["runs", "show", "run-c", "--store", str(path)])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: unknown run 'run-c'; valid: run-")
    done = CliRunner().invoke(app, ["runs", "show", "run", "--store", str(path)])
    assert done.stderr == "error: run 'run' is ambiguous: run-a, run-b\n"


def test_an_alignment_is_shown_and_counted_beside_own_runs(path: Path) -> None:
    with Store.open(path) as store:
        align_rows.add(store, "align-a", {1: [1]})
    done = CliRunner().invoke(app, ["runs", "--store", str(path)])
    assert done.stderr == "1 alignments beside these: `xmodal query @align-runs`\n"
    done = CliRunner().invoke(app, ["runs", "show", "align", "--store", str(path)])
    assert (done.exit_code, done.stderr) == (0, "")
    assert ["run_id", "align-a"] in [line.split() for line in done.stdout.splitlines()]


def test_a_binding_run_is_shown_and_counted_beside_own_runs(path: Path) -> None:
    with Store.open(path) as store:
        binding_rows.add(store, [(binding_rows.run("binding-a"), [])])
    done = CliRunner().invoke(app, ["runs", "--store", str(path)])
    assert done.stderr == "1 binding runs beside these: `xmodal query @binding-runs`\n"
    done = CliRunner().invoke(app, ["runs", "show", "binding", "--store", str(path)])
    assert (done.exit_code, done.stderr) == (0, "")
    assert ["run_id", "binding-a"] in [line.split() for line in done.stdout.splitlines()]
