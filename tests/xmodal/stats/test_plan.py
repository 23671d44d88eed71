"""Plans: frozen before, and told from what came after."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxonomy.errors import ConfigError, StoreError
from tests.xmodal.stats import grids
from xmodal.stats.ask import run_plan
from xmodal.stats.plan import freeze, parse_plan
from xmodal.stats.words import statements
from xmodal.store import Store

PLAN = """
name = "does the LM matter"
manifests = ["{manifest}"]
n_resamples = 200

[[contrast]]
name = "weights"
a = {{lm_init = "pretrained"}}
b = {{lm_init = "random", ratio = 1.0}}
margin = 0.05

[[contrast]]
name = "level"
a = {{lm_init = "pretrained"}}
confidence = 0.9
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "x.duckdb"
    with Store.open(path) as store:
        # long before, and long after any clock of today
        grids.fill(
            store, grids.by_chance({"pretrained": 0.7, "random": 0.4}), inits=(1, 2),
            started_at="2125-01-01T00:00:00+00:00",
        )  # fmt: skip
    return path


def written(path: Path, text: str = PLAN) -> Path:
    with Store.open(path, read_only=True) as store:
        (manifest,) = (row["manifest_id"] for row in store.manifests().to_pylist())
    file = path.with_name("plan.toml")
    file.write_text(text.format(manifest=manifest[:8]))
    return file


def test_results_of_later_runs_are_confirmatory(path: Path) -> None:
    file = written(path)
    plan, is_new = freeze(path, file)
    assert is_new
    assert plan.n_contrasts == 2
    rows = run_plan(path, plan.plan_id[:6])
    assert {(row.contrast, row.confirmatory) for row in rows} == {
        ("weights", True),
        ("level", True),
    }
    assert {row.plan_id for row in rows} == {plan.plan_id}
    (single,) = (row for row in rows if row.contrast == "level")
    assert single.confidence == 0.9
    with Store.open(path, read_only=True) as store:
        (listed,) = store.analysis("plans").to_pylist()
        said = statements(store)
    assert (listed["n_confirmatory"], listed["n_exploratory"]) == (len(rows), 0)
    assert all(line.endswith(" [confirmatory]") for line in said)
    assert len(said) == len(rows)


def test_runs_that_began_before_make_it_exploratory(path: Path) -> None:
    plan, _ = freeze(path, written(path))
    with Store.open(path) as store:
        store.execute(
            "UPDATE run SET started_at = '2020-01-01T00:00:00+00:00' WHERE run_id = 'random-1-2'",
            {},
        )
    reasons = {row.contrast: row.exploratory_because for row in run_plan(path, plan.plan_id)}
    assert reasons == {
        "weights": "1 of its runs began before the plan was frozen, such as random-1-2",
        "level": None,
    }


def test_a_changed_manifest_makes_it_exploratory(path: Path) -> None:
    plan, _ = freeze(path, written(path))
    with Store.open(path) as store:
        store.execute("UPDATE manifest SET rows_sha256 = 'other'", {})
    (reason,) = {row.exploratory_because for row in run_plan(path, plan.plan_id)}
    assert reason is not None
    assert reason.endswith("has other rows than when the plan was frozen")


def test_frozen_is_frozen(path: Path) -> None:
    first, _ = freeze(path, written(path))
    # comments are no other plan; a margin is
    same, is_new = freeze(path, written(path, "# seen\n" + PLAN))
    assert (same.plan_id, same.plan_toml, is_new) == (first.plan_id, first.plan_toml, False)
    other, is_new = freeze(path, written(path, PLAN.replace("0.05", "0.1")))
    assert is_new
    assert other.plan_id != first.plan_id


def test_unknown_plan_and_manifest(path: Path) -> None:
    with pytest.raises(StoreError, match="no plan 'x': the store holds none yet"):
        run_plan(path, "x")
    with pytest.raises(StoreError, match="unknown manifest 'zz'"):
        freeze(path, written(path, PLAN.replace("{manifest}", "zz")))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "does the LM matter"', "", "p: give the plan a name"),
        ("manifests", "manifest", "p: unknown key 'manifest'; valid: manifests"),
        ('["m"]', "[]", "p: manifests must list manifest ids"),
        ("n_resamples = 200", "n_resamples = 5", "p, contrast 1: resamples must be from 100"),
        ("n_resamples = 200", 'n_resamples = "5"', "p, contrast 1: n_resamples must be a whole"),
        ("margin = 0.05", "margn = 0.05", "p, contrast 1: unknown key 'margn'; valid: margin"),
        ("margin = 0.05", "margin = true", "p, contrast 1: margin must be a number, got True"),
        ("lm_init", "lm_int", "p, contrast 1, a: unknown column 'lm_int'; valid: lm_init"),
        ('"pretrained"}', "[1]}", "p, contrast 1, a: lm_init must be a text or a number"),
        ('name = "level"', 'name = "weights"', "p: two contrasts are called 'weights'"),
        ('a = {lm_init = "pretrained"}', "", "p, contrast 1, a must say which runs"),
        ("[[contrast]]", "[contrast]", "p is not TOML: "),
        ("ratio = 1.0", 'question_set = "x"', "p, contrast 1, b: question_set must be one of"),
    ],
)
def test_wrong_plans(old: str, new: str, message: str) -> None:
    text = PLAN.format(manifest="m")
    assert old in text
    with pytest.raises(ConfigError) as caught:
        parse_plan(text.replace(old, new), "p")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
