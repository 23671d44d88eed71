"""`xmodal compare`: which runs of two stores agree, with differences that a reader can redo."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from taxonomy.errors import ConfigError, StoreError
from tests.sql import align_rows, binding_rows, released
from tests.xmodal.store import world
from tests.xmodal.store.test_evaluations import evaluation
from tests.xmodal.store.world import BIRD, PARROT, RUBY
from xmodal.sharing.compare import compare_stores
from xmodal.store import Store

QUESTIONS = [(1, PARROT, BIRD, True, "held_out"), (2, RUBY, BIRD, False, "held_out")]
RIGHT = [(1, True), (2, False)]
RUNS = ("evaluated", "far", "lost", "near", "odd", "same", "timed")
# one change of the second store a run: what differs, and by how much
CHANGES = (
    # logits 1 and 0: one of four is off by 2^-10
    "UPDATE prediction SET logit_no = 0.0009765625 WHERE run_id = 'near' AND example_id = 1",
    # answers No in place of Yes
    "UPDATE prediction SET logit_yes = -1, predicted = false "
    "WHERE run_id = 'far' AND example_id = 1",
    # says otherwise with the same logits
    "UPDATE prediction SET predicted = false WHERE run_id = 'odd' AND example_id = 1",
    "DELETE FROM prediction WHERE run_id = 'lost' AND example_id = 2",
    "UPDATE evaluation_prediction SET logit_yes = 0.75 WHERE example_id = 1",
    "INSERT INTO metric VALUES ('timed', 10, 'seconds_per_step', 0.5)",
    "UPDATE align_answer SET cosine_first = 0.75, rank = 3 "
    "WHERE query_id = 101 AND evaluation_id = 'aligned'",
    # 5 of 10 right, then 6
    "UPDATE binding_accuracy SET n_right = 6 WHERE run_id = 'bound' AND n_objects = 4",
    "UPDATE released_score SET macro_f1_s1 = 0.75 WHERE run_id = 'published' AND concept = 'bird'",
)  # fmt: skip


def fill(path: Path) -> None:
    """A store with runs of each kind."""
    of = world.manifest(QUESTIONS)
    runs = path.parent / "runs"
    for name in RUNS:
        world.run_folder(runs, name, of, RIGHT)
    evaluation(runs, "evaluated", of, RIGHT, image_mode="zero")
    scores = [("seen_s1", concept, 0.5, None, None, False) for concept in ("bird", "gem")]
    with Store.open(path) as store:
        store.add_taxonomy(world.taxonomy())
        store.add_manifest(of)
        store.add_feature_set(world.feature_set())
        assert store.sync(runs).rejected == ()
        align_rows.add(store, "aligned", {1: (1, 2)})
        binding_rows.add(store, [(binding_rows.run("bound"), binding_rows.answers({2: 9, 4: 5}))])
        released.add(store, [(released.run(name), scores) for name in ("published", "repeated")])


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two stores that differ by CHANGES, and by one run each."""
    folder = tmp_path_factory.mktemp("stores")
    a, b = folder / "a.duckdb", folder / "b.duckdb"
    fill(a)
    shutil.copy(a, b)
    with Store.open(b) as store, store.transaction():
        for text in (*CHANGES, "UPDATE run SET run_id = 'new' WHERE run_id = 'same'"):
            store.execute(text, {})
        for table in ("metric", "prediction"):
            text = f"UPDATE {table} SET run_id = 'new' WHERE run_id = 'same'"  # noqa: S608
            store.execute(text, {})
    return a, b


def rows(a: Path, b: Path, tolerance: float = 0.0) -> dict[str, dict[str, Any]]:
    table = compare_stores(a, b, tolerance=tolerance).table
    return {row["id"]: row for row in table.to_pylist()}


def test_each_run_has_its_verdict(stores: tuple[Path, Path]) -> None:
    found = rows(*stores)
    said = {
        name: (row["verdict"], row["n_answers"], row["n_otherwise"], row["largest_difference"])
        for name, row in found.items()
    }
    assert said == {
        "near": ("different", 2, 0, 2**-10),
        "far": ("different", 2, 1, 2.0),
        "odd": ("different", 2, 1, math.inf),
        "lost": ("different", 2, 0, math.inf),
        # asked again before the zero picture: 2 and 2 answers
        "evaluated": ("different", 4, 0, 0.25),
        # how long it took tells of the machine
        "timed": ("identical", 2, 0, 0.0),
        "same": ("only in A", None, None, None),
        "new": ("only in B", None, None, None),
        "aligned": ("different", 2, 1, 0.25),
        "bound": ("different", 2, 0, pytest.approx(0.1, abs=1e-12)),
        # scores of NULL on both sides are equal
        "published": ("different", 2, 0, 0.25),
        "repeated": ("identical", 2, 0, 0.0),
    }
    assert found["lost"]["note"] == "predictions: 1 rows only in A"
    assert found["odd"]["note"] == (
        "predictions: 1 rows differ in predicted though their numbers are equal"
    )
    assert found["evaluated"]["note"] == "evaluations: 1 of 2 rows differ"
    kinds = {name: found[name]["kind"] for name in ("near", "aligned", "bound", "published")}
    assert kinds == {
        "near": "projector", "aligned": "alignment", "bound": "decoder", "published": "released"
    }  # fmt: skip


def test_a_tolerance_is_for_numbers_and_not_for_what_is_missing(stores: tuple[Path, Path]) -> None:
    given = ["compare", *map(str, stores), "--tolerance", "0.25", "--format", "json"]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 1
    assert done.stderr == (
        "10 runs in both: 2 identical, 5 equal within tolerance of 0.25, 3 different; "
        "1 only in A, 1 only in B\n"
    )
    within = {
        row["id"] for row in json.loads(done.stdout) if row["verdict"] == "equal within tolerance"
    }
    assert within == {"near", "evaluated", "aligned", "bound", "published"}
    with pytest.raises(ConfigError, match="tolerance must be at least 0 and finite, got -1"):
        compare_stores(*stores, tolerance=-1)


def test_designs_that_differ_under_one_id_are_listed(tmp_path: Path) -> None:
    a, b = tmp_path / "a.duckdb", tmp_path / "b.duckdb"
    with Store.open(a) as store:
        store.add_taxonomy(world.taxonomy())
        store.add_manifest(world.manifest(QUESTIONS))
        store.add_feature_set(world.feature_set())
        released.add(store, [(released.run("published"), [])])
    shutil.copy(a, b)

    def after(*changes: str) -> tuple[bool, list[tuple[str, str]]]:
        with Store.open(b) as store, store.transaction():
            for text in changes:
                store.execute(text, {})
        found = compare_stores(a, b)
        told = [row for row in found.table.to_pylist() if row["verdict"] != "identical"]
        return found.is_same, [(row["kind"], row["note"]) for row in told]

    features = ("feature set", f"sha256 {'0' * 16} in A, other in B")
    # where pictures lie is no part of a dataset; of features the runs tell, and these agree
    moved = ("UPDATE image SET uri = 'elsewhere'", "UPDATE feature_set SET sha256 = 'other'")
    assert after(*moved) == (True, [features])
    changed = ("UPDATE image SET sha256 = 'x' WHERE image_id = 0", "UPDATE manifest SET seed = 1")
    assert after(*changed) == (False, [features, ("dataset", "other pictures")])


def test_rows_that_are_there_twice_are_one_line(stores: tuple[Path, Path], tmp_path: Path) -> None:
    b = Path(shutil.copy(stores[0], tmp_path / "b.duckdb"))
    with Store.open(b) as store, store.transaction():
        store.execute("INSERT INTO prediction FROM prediction WHERE run_id = 'near'", {})
    with pytest.raises(
        StoreError, match=r"^predictions of run near are there twice in .*: `xmodal"
    ):
        compare_stores(stores[0], b)


def test_stores_agree_where_all_common_runs_do(stores: tuple[Path, Path], tmp_path: Path) -> None:
    same = compare_stores(stores[0], stores[0])
    assert same.is_same
    assert same.line() == "11 runs in both: 11 identical, 0 different; 0 only in A, 0 only in B"
    # nothing in common shows nothing
    empty = tmp_path / "empty.duckdb"
    Store.open(empty).close()
    nothing = compare_stores(empty, empty)
    assert (nothing.is_same, nothing.table.num_rows) == (False, 0)
    with pytest.raises(StoreError, match=r"no store at .*gone\.duckdb"):
        compare_stores(stores[0], tmp_path / "gone.duckdb")
