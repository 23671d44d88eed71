"""The store: what goes in comes out, all of it or nothing."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

import sql
from taxonomy.errors import StoreError
from taxonomy.model import ManifestConfig
from tests.xmodal.store import world
from tests.xmodal.store.world import BIRD, PARROT, RUBY
from xmodal.store import Store
from xmodal.store.binding_rows import BindingProbeRow, BindingRunRow
from xmodal.store.findings import TEXT_PROBE_ANSWER
from xmodal.store.rows import (
    AlignEvaluationRow,
    AlignRunRow,
    CapabilityRow,
    CaptionSetRow,
    CeilingRow,
    DatasetRow,
    EvaluationRow,
    FeatureSetRow,
    ManifestRow,
    ReleasedRunRow,
    Row,
    RunRow,
    SeparationRow,
    SkippedImageRow,
    TextFeatureSetRow,
    TextProbeRow,
)
from xmodal.store.scene_sets import SceneSetRow
from xmodal.store.setups import RunSetupRow

QUESTIONS = [(1, PARROT, BIRD, True, "held_out"), (2, RUBY, BIRD, False, "held_out")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s.duckdb"


def n_rows(store: Store, table: str) -> int:
    sizes = store.table_sizes().to_pylist()
    return next(row["n_rows"] for row in sizes if row["table"] == table)


def test_taxonomy_and_manifest_come_out_as_they_went_in(path: Path) -> None:
    dataset, of = world.taxonomy(), world.manifest(QUESTIONS, ratio=0.5, seed=7)
    with Store.open(path) as store:
        store.add_taxonomy(dataset)
        store.add_manifest(of)
    with Store.open(path, read_only=True) as store:
        assert store.load_taxonomy() == store.load_taxonomy("d1") == dataset
        assert store.load_manifest(of.manifest_id) == of
        assert store.load_manifest(of.manifest_id[:6]) == of
        assert store.manifests()["ratio_realised_cells"].to_pylist() == [0.5]
        assert store.datasets()["version"].to_pylist() == ["1"]


def test_adding_twice_changes_nothing(path: Path) -> None:
    of = world.manifest(QUESTIONS)
    with Store.open(path) as store:
        for _ in range(2):
            store.add_taxonomy(world.taxonomy())
            store.add_manifest(of)
            store.add_feature_set(world.feature_set())
            store.add_lm_pairs(
                "lm1", pa.table({"leaf": ["a"], "hypernym": ["b"], "answer": [True]})
            )
        tables = ("dataset", "concept", "manifest", "example", "feature_set", "lm_pair")
        assert [n_rows(store, table) for table in tables] == [1, 6, 1, 2, 1, 1]


def test_the_latest_dataset_is_the_default() -> None:
    with Store.in_memory() as store:
        store.add_taxonomy(world.taxonomy("d1"))
        store.add_taxonomy(world.taxonomy("a2"))
        assert store.load_taxonomy().dataset_id == "a2"


def test_a_moved_feature_set_gets_its_new_path() -> None:
    with Store.in_memory() as store:
        store.add_feature_set(world.feature_set())
        store.add_feature_set(world.feature_set(path="elsewhere.npy"))
        assert store.query("SELECT path FROM feature_set")["path"].to_pylist() == ["elsewhere.npy"]


def test_ids_that_do_not_exist() -> None:
    with Store.in_memory() as store:
        with pytest.raises(StoreError, match=r"^:memory: holds no dataset: `xmodal taxonomy build"):
            store.load_taxonomy()
        with pytest.raises(StoreError, match=r"^no manifest 'x': the store holds none yet$"):
            store.load_manifest("x")
        store.add_taxonomy(world.taxonomy("abc1"))
        store.add_taxonomy(world.taxonomy("abc2"))
        with pytest.raises(StoreError, match=r"^unknown dataset 'q'; valid: abc1, abc2$"):
            store.load_taxonomy("q")
        with pytest.raises(StoreError, match=r"^dataset 'abc' is ambiguous: abc1, abc2$"):
            store.load_taxonomy("abc")
        with pytest.raises(StoreError, match=r"^unknown dataset ''; valid: abc1, abc2$"):
            store.load_taxonomy("")


def test_a_manifest_needs_its_dataset_and_distinct_example_ids() -> None:
    with Store.in_memory() as store:
        with pytest.raises(StoreError, match=r"^unknown dataset 'd1'; valid: none are there$"):
            store.add_manifest(world.manifest(QUESTIONS))
        store.add_taxonomy(world.taxonomy())
        with pytest.raises(StoreError, match="has 3 examples but 2 example ids: they must be uniq"):
            store.add_manifest(world.manifest([*QUESTIONS, QUESTIONS[0]]))
        assert n_rows(store, "manifest") == 0


def test_one_manifest_id_cannot_have_two_sets_of_rows() -> None:
    of = world.manifest(QUESTIONS)
    with Store.in_memory() as store:
        store.add_taxonomy(world.taxonomy())
        store.add_manifest(of)
        with pytest.raises(StoreError, match="is stored with other rows"):
            store.add_manifest(replace(of, rows_sha256="0" * 64))


def insert_and_fail(store: Store) -> None:
    with store.transaction():
        store.insert_rows("feature_set", [world.feature_set()])
        raise RuntimeError("power cut")


def insert_and_swallow(store: Store) -> None:
    with store.transaction():
        store.insert_rows("feature_set", [world.feature_set()])
        with suppress(duckdb.ConstraintException):
            store.insert_rows("feature_set", [world.feature_set()])


def test_an_error_inside_a_transaction_leaves_nothing() -> None:
    with Store.in_memory() as store:
        with pytest.raises(RuntimeError, match="power cut"):
            insert_and_fail(store)
        assert n_rows(store, "feature_set") == 0
        store.add_feature_set(world.feature_set())
        assert n_rows(store, "feature_set") == 1


def test_a_swallowed_error_is_detected() -> None:
    with Store.in_memory() as store:
        with pytest.raises(duckdb.TransactionException, match="aborted"):
            insert_and_swallow(store)
        assert n_rows(store, "feature_set") == 0


def test_a_broken_manifest_leaves_nothing(path: Path) -> None:
    of = world.manifest(QUESTIONS)
    with Store.open(path) as store:
        store.add_taxonomy(world.taxonomy())
        with pytest.raises(pa.ArrowInvalid):
            store.add_manifest(
                replace(of, labels=of.labels.set_column(0, "image_leaf_id", [["x", "y"]]))
            )
    with Store.open(path, read_only=True) as store:
        tables = ("manifest", "manifest_cell", "example")
        assert [n_rows(store, table) for table in tables] == [0, 0, 0]


@pytest.mark.parametrize(
    ("table", "model"),
    [
        ("dataset", DatasetRow),
        ("manifest", ManifestRow),
        ("feature_set", FeatureSetRow),
        ("separation", SeparationRow),
        ("text_feature_set", TextFeatureSetRow),
        ("skipped_image", SkippedImageRow),
        ("run", RunRow),
        ("evaluation", EvaluationRow),
        ("released_run", ReleasedRunRow),
        ("text_probe", TextProbeRow),
        ("ceiling", CeilingRow),
        ("caption_set", CaptionSetRow),
        ("lm_capability", CapabilityRow),
        ("align_run", AlignRunRow),
        ("align_evaluation", AlignEvaluationRow),
        ("scene_set", SceneSetRow),
        ("binding_run", BindingRunRow),
        ("binding_probe", BindingProbeRow),
        ("run_setup", RunSetupRow),
    ],
)
def test_row_models_are_the_tables(table: str, model: type[Row]) -> None:
    types = {
        "VARCHAR": "str",
        "BIGINT": "int",
        "INTEGER": "int",
        "DOUBLE": "float",
        "BOOLEAN": "bool",
    }
    with Store.in_memory() as store:
        described = store.query(
            "SELECT column_name, data_type, is_nullable FROM information_schema.columns "
            "WHERE table_name = $name ORDER BY ordinal_position",
            {"name": table},
        ).to_pylist()
    want = {
        row["column_name"]: types[row["data_type"]] + " | None" * (row["is_nullable"] == "YES")
        for row in described
    }
    got = {}
    for name, field in model.model_fields.items():
        got[name] = getattr(field.annotation, "__name__", str(field.annotation))
        if got[name] == "Literal":
            got[name] = "str"
        assert field.is_required(), f"{name} must be given, even if None"
    assert got == want


def test_every_manifest_knob_is_a_column() -> None:
    assert {field.name for field in fields(ManifestConfig)} <= set(ManifestRow.columns())


def test_every_schema_file_and_the_views_are_recorded() -> None:
    with Store.in_memory() as store:
        applied = store.query("SELECT name FROM schema_step ORDER BY name")["name"].to_pylist()
    assert applied == [*sql.names("schema"), "views"]


def test_answers_of_probes_made_before_were_all_drawn(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = sql.names
    with monkeypatch.context() as older:
        older.setattr(sql, "names", lambda kind: names("schema")[:2] if kind == "schema" else [])
        with Store.open(path) as store, store.transaction():
            store.execute(
                "INSERT INTO text_probe_answer VALUES ('p', 1, 2, true, -1, -2, true, NULL)", {}
            )
    with Store.open(path) as store:
        answers = store.query("FROM text_probe_answer")
    assert answers["drawn"].to_pylist() == [True]
    assert set(answers.column_names) == {"probe_id", *TEXT_PROBE_ANSWER.names}


def test_python_variables_are_out_of_reach() -> None:
    secret = pa.table({"a": [1]})
    with Store.in_memory() as store, pytest.raises(duckdb.CatalogException):
        store.query("SELECT * FROM secret")
    assert secret.num_rows == 1


def test_only_the_store_connects() -> None:
    root = Path(__file__).parents[3]
    using = {
        str(file.relative_to(root))
        for package in ("cli", "taxonomy", "xmodal", "sql")
        for file in (root / package).rglob("*.py")
        if "duckdb.connect" in file.read_text()
    }
    assert using == {"xmodal/store/connection.py"}


def test_stored_rows_can_be_read_by_another_process(path: Path) -> None:
    with Store.open(path) as store:
        store.add_taxonomy(world.taxonomy())
    code = (
        "import sys; from xmodal.store import Store; "
        "print(Store.open(sys.argv[1], read_only=True).datasets().num_rows)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"
