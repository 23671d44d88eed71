"""`store verify`: clean where all is well, and each kind of damage found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import sql
from taxonomy.identity import dataset_id_of
from taxonomy.manifest import rows_sha256
from taxonomy.model import Manifest, Taxonomy
from tests.xmodal.store import world
from tests.xmodal.store.empty import empty_store
from tests.xmodal.store.test_broken import flip, seal
from tests.xmodal.store.world import BIRD, PARROT
from xmodal.files import file_sha256
from xmodal.store import Store
from xmodal.store.references import FOLDER_TABLES, FREE, KEYS, REFERENCES, SCOPED
from xmodal.store.verify import Check, verify

_IDS = """
SELECT table_name || '.' || column_name AS place
FROM duckdb_columns()
JOIN duckdb_tables() USING (table_name)
WHERE ends_with(column_name, '_id')
"""


def sound_taxonomy() -> Taxonomy:
    made = world.taxonomy("")
    return replace(made, dataset_id=dataset_id_of(made))


def sound_manifest(of: Taxonomy) -> Manifest:
    questions = [(1, PARROT, BIRD, True, "held_out"), (2, PARROT, PARROT, True, "leaf")]
    made = world.manifest(questions, of.dataset_id)
    return replace(made, rows_sha256=rows_sha256(made.cells, made.labels, made.examples))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where a store would lie, with a feature set."""
    lay_features(tmp_path)
    return tmp_path


def lay_features(home: Path) -> None:
    (home / "features" / "f1").mkdir(parents=True)
    np.save(home / "features" / "f1" / "features.npy", np.zeros(3))


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with empty_store() as opened:
        opened.path = str(home / "s.duckdb")
        yield fill(opened, home)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """For tests that change rows in a transaction alone, and take it back."""
    home = tmp_path_factory.mktemp("lasting")
    with Store.in_memory() as opened:
        opened.path = str(home / "s.duckdb")
        lay_features(home)
        yield fill(opened, home)


def fill(store: Store, home: Path) -> Store:
    of = sound_taxonomy()
    store.add_taxonomy(of)
    store.add_manifest(sound_manifest(of))
    digest = file_sha256(home / "features" / "f1" / "features.npy")
    features = world.feature_set(dataset_id=of.dataset_id, sha256=digest, path="features/f1")
    store.add_feature_set(features)
    seal(world.run_folder(home / "runs", "a", sound_manifest(of), [(1, True), (2, False)]))
    assert store.sync(home / "runs").n_ingested == 1
    return store


def found(store: Store, quick: bool = False) -> dict[str, Check]:
    runs = Path(store.path).parent / "runs"
    return {check.name: check for check in verify(store, runs, quick=quick)}


def problems(store: Store, quick: bool = False) -> list[tuple[str, str]]:
    checks = found(store, quick)
    return [(name, text) for name, check in checks.items() for text in check.problems]


def test_a_sound_store_is_clean(store: Store) -> None:
    checks = found(store)
    assert [check.lines()[1:] for check in checks.values()] == [[]] * len(checks)
    assert {name: check.n for name, check in checks.items() if name != "references"} == {
        "schema": len(sql.names("schema")) + 1,
        "datasets": 1,
        "manifests": 1,
        "answers": 1,
        "features": 1,
        "text features": 0,
        "caption sets": 0,
        "scene sets": 0,
        "folders": 1,
    }
    assert found(store, quick=True) == checks


DAMAGE: list[tuple[list[str], list[tuple[str, str]]]] = [
    (
        [
            "UPDATE schema_step SET sha256 = 'x' WHERE name = '0001_core'",
            "UPDATE concept SET phrase = 'a gull' WHERE concept_id = 3",
            "UPDATE example SET answer = false WHERE example_id = 2",
            "UPDATE run SET feature_set_id = 'gone', content_hash = 'x'",
            "INSERT INTO edge SELECT dataset_id, 77, 0, 'x' FROM dataset",
            "INSERT INTO skipped_image VALUES ('f1', 99, 'u', 'r')",
            "UPDATE prediction SET example_id = 7 WHERE example_id = 2",
        ],
        [
            ("schema", "schema step 0001_core is not the one of this version"),
            ("datasets", "its rows have the id"),
            ("manifests", "its rows are not those that its rows_sha256 is of"),
            ("references", "run.feature_set_id: 1 not in feature_set.feature_set_id: gone"),
            ("references", "edge.hyponym_id: 1 not in the concepts of its own, such as 77"),
            ("references", "skipped_image.image_id: 1 not in the images of its own, such as 99"),
            ("references", "prediction.example_id: 1 not in the examples of its own, such as 7"),
            ("answers", "a: 1 answers to 2 questions (split test, pictures real)"),
            ("folders", "a: it is not what is stored: `xmodal store sync` brings it in"),
        ],
    ),
    (
        [
            "UPDATE manifest SET seed = 43",
            "UPDATE run SET run_id = 'b'",
            "INSERT INTO prediction SELECT 'b', image_mode, example_id, 0, 1, true FROM prediction",
            "INSERT INTO prediction SELECT * FROM prediction WHERE run_id = 'b' AND example_id = 2",
            "CREATE TABLE mine AS SELECT 1 AS x",
        ],
        [
            ("schema", "column mine.x (INTEGER) is not as the schema makes it"),
            ("manifests", "its settings have the id"),
            (
                "references",
                "metric.run_id: 1 not in run.run_id or align_run.run_id or binding_run.run_id: a",
            ),
            ("references", "prediction.run_id: 1 not in run.run_id: a"),
            ("answers", "b: 3 answers, 1 of them twice to 2 questions (split test, pictures real)"),
        ],
    ),
]


@pytest.mark.parametrize(("statements", "expected"), DAMAGE, ids=["one", "two"])
def test_damage_is_found(
    lasting: Store, statements: list[str], expected: list[tuple[str, str]]
) -> None:
    lasting._con.begin()
    try:
        for statement in statements:
            lasting.execute(statement, {})
        got = problems(lasting)
    finally:
        lasting._con.rollback()
    assert [name for name, _ in got] == [name for name, _ in expected]
    for (_, said), (_, text) in zip(got, expected, strict=True):
        assert text in said


def test_questions_about_pictures_without_features_are_not_asked(lasting: Store) -> None:
    lasting._con.begin()
    try:
        lasting.execute("UPDATE example SET image_id = 1 WHERE example_id = 2", {})
        lasting.execute("DELETE FROM prediction WHERE example_id = 2", {})
        assert len(found(lasting)["answers"].problems) == 1
        lasting.execute("INSERT INTO skipped_image VALUES ('f1', 1, 'u', 'r')", {})
        assert found(lasting)["answers"].problems == ()
    finally:
        lasting._con.rollback()


def test_changed_files_are_found(store: Store, home: Path) -> None:
    flip(home / "features" / "f1" / "features.npy")
    flip(home / "runs" / "a" / "predictions.parquet")
    assert problems(store) == [
        (
            "features",
            "f1: features/f1 is not what was made, by its sha256: delete the folder and make it "
            "anew",
        ),
        (
            "folders",
            "a: it is not what is stored: `xmodal store sync` brings it in, or restore a copy",
        ),
    ]
    assert problems(store, quick=True) == []


def test_weights_beside_what_is_stored_are_held_against_the_seal(store: Store, home: Path) -> None:
    weights = home / "runs" / "a" / "projector.safetensors"
    weights.write_bytes(b"weights")
    seal(home / "runs" / "a")
    store.sync(home / "runs")
    assert problems(store) == []
    flip(weights)
    assert [text for _, text in problems(store)] == [
        "a: projector.safetensors is not what was written, by its sha256: restore a copy, or "
        "delete the folder to make it anew"
    ]


def test_what_is_gone_is_noted_and_no_problem(store: Store, home: Path) -> None:
    for one in (home / "runs" / "a").iterdir():
        one.unlink()
    (home / "runs" / "a").rmdir()
    (home / "features" / "f1" / "features.npy").unlink()
    assert [text for _, text in problems(store, quick=True)] == [
        "f1: features/f1 cannot be read: No such file or directory"
    ]
    (home / "features" / "f1").rmdir()
    checks = found(store)
    assert checks["folders"].notes == ("a is kept in the store alone: its folder is not here",)
    assert checks["features"].notes == ("f1: features/f1 is not here; it can be made anew",)
    assert not any(check.problems for check in checks.values())


def test_what_sync_refused_is_a_problem_while_it_lies_there(store: Store, home: Path) -> None:
    (home / "runs" / "mine").mkdir()
    store.sync(home / "runs")
    reason = "mine was refused: run.json cannot be read: No such file or directory"
    assert problems(store) == [("folders", reason)]
    (home / "runs" / "mine").rmdir()
    assert problems(store) == []


def test_every_id_is_a_key_a_reference_or_free() -> None:
    with empty_store() as store:
        columns = store.query(_IDS)["place"].to_pylist()
        tables = store.table_sizes()["table"].to_pylist()
    scoped = [place for places in SCOPED.values() for place in places]
    declared = [*KEYS, *REFERENCES, *scoped, *FREE]
    assert sorted(declared) == sorted(columns)
    assert {target for targets in REFERENCES.values() for target in targets} <= KEYS
    assert set(FOLDER_TABLES) <= set(tables)
    owners = ("run_id", "evaluation_id", "probe_id")
    of_folders = {place.split(".")[0] for place in columns if place.split(".")[1] in owners}
    others = {"released_run", "released_score", "text_probe", "text_probe_answer"}
    assert of_folders - others == set(FOLDER_TABLES)


@pytest.mark.parametrize("name", SCOPED)
def test_checks_name_the_columns_that_are_declared(name: str) -> None:
    text = sql.read("checks", name)
    named = [part.split("'")[0] for part in text.split("SELECT '")[1:]]
    named += [part.split("'")[0] for part in text.split("SELECT DISTINCT '")[1:]]
    assert sorted(named) == sorted(SCOPED[name])
