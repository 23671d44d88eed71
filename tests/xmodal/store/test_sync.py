"""Sync: finished folders come in whole, broken ones are named and left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxonomy.errors import StoreError
from taxonomy.model import Manifest
from tests.xmodal.store import world
from tests.xmodal.store.empty import empty_store
from tests.xmodal.store.world import BIRD, PARROT, RUBY
from xmodal.store import METRIC, PREDICTION, Store

QUESTIONS = [(1, PARROT, BIRD, True, "held_out"), (2, RUBY, BIRD, False, "held_out")]
RIGHT, WRONG = [(1, True), (2, False)], [(1, False), (2, True)]


@pytest.fixture
def of() -> Manifest:
    return world.manifest(QUESTIONS)


@pytest.fixture
def store(of: Manifest) -> Iterator[Store]:
    with empty_store() as opened:
        opened.add_taxonomy(world.taxonomy())
        opened.add_manifest(of)
        yield opened


def snapshot(store: Store) -> list[object]:
    tables = ("run", "metric", "prediction")
    text = "SELECT * FROM query_table($name) ORDER BY ALL"
    return [store.query(text, {"name": name}).to_pylist() for name in tables]


def test_sync_is_idempotent(store: Store, of: Manifest, tmp_path: Path) -> None:
    world.run_folder(tmp_path, "a", of, RIGHT)
    world.run_folder(tmp_path, "b", of, WRONG)
    world.run_folder(tmp_path, "c", of, WRONG, status="running")
    first = store.sync(tmp_path)
    assert (first.n_ingested, first.n_unchanged, first.n_running) == (2, 0, 1)
    assert first.rejected == ()
    before = snapshot(store)
    second = store.sync(tmp_path)
    assert (second.n_ingested, second.n_unchanged, second.n_running) == (0, 2, 1)
    assert snapshot(store) == before
    assert store.runs()["run_id"].to_pylist() == ["a", "b"]


def test_what_comes_in_is_what_the_folder_says(store: Store, of: Manifest, tmp_path: Path) -> None:
    folder = world.run_folder(tmp_path, "a", of, RIGHT)
    store.sync(tmp_path)
    row = store.load_run("a")
    assert row.pop("last_metrics") == {"loss": 0.5, "lr": 0.0}
    assert len(row.pop("content_hash")) == 64
    assert row == world.record("a", of)
    got = store.query("SELECT * EXCLUDE (run_id) FROM prediction ORDER BY rowid").cast(PREDICTION)
    assert got == pq.read_table(folder / "predictions.parquet", schema=PREDICTION)
    got = store.query("SELECT * EXCLUDE (run_id) FROM metric ORDER BY rowid").cast(METRIC)
    assert got == pq.read_table(folder / "metrics.parquet", schema=METRIC)


def test_machine_and_checkout_come_in_with_a_run(
    store: Store, of: Manifest, tmp_path: Path
) -> None:
    def stored() -> list[dict[str, object]]:
        rows: list[dict[str, object]] = store.query("FROM run_setup").to_pylist()
        return rows

    world.run_folder(tmp_path, "a", of, RIGHT, setup=world.SETUP)
    store.sync(tmp_path)
    assert stored() == [{"run_id": "a"} | world.SETUP]
    world.run_folder(tmp_path, "a", of, RIGHT, setup=world.SETUP | {"git_dirty": True})
    store.sync(tmp_path)
    assert stored() == [{"run_id": "a"} | world.SETUP | {"git_dirty": True}]
    world.run_folder(tmp_path, "b", of, RIGHT, setup=world.SETUP | {"threads": 2.5})
    world.run_folder(tmp_path, "c", of, RIGHT, setup="fast")
    world.run_folder(tmp_path, "d", of, RIGHT, setup=world.SETUP)
    assert store.sync(tmp_path).problems() == [
        "rejected b: run.json: threads: input should be a valid integer, got 2.5",
        "rejected c: run.json: setup must be an object, got 'fast'",
        "rejected d: run.json: together_json must be a JSON list of run ids, d among them, got "
        """'["a", "b"]'""",
    ]
    world.run_folder(tmp_path, "a", of, RIGHT)
    store.sync(tmp_path)
    assert stored() == []


def test_a_retrained_run_replaces_its_rows(store: Store, of: Manifest, tmp_path: Path) -> None:
    world.run_folder(tmp_path, "a", of, RIGHT)
    world.run_folder(tmp_path, "b", of, RIGHT)
    store.sync(tmp_path)
    world.run_folder(tmp_path, "a", of, WRONG, seconds=9.0)
    report = store.sync(tmp_path)
    assert (report.n_ingested, report.n_unchanged) == (1, 1)
    answers = store.query(
        "SELECT run_id, list(predicted ORDER BY example_id) AS said, any_value(seconds) AS seconds "
        "FROM prediction JOIN run USING (run_id) GROUP BY run_id ORDER BY run_id"
    ).to_pylist()
    assert answers == [
        {"run_id": "a", "said": [False, True], "seconds": 9.0},
        {"run_id": "b", "said": [True, False], "seconds": 1.5},
    ]


def edit(folder: Path, **changes: object) -> None:
    content = json.loads((folder / "run.json").read_text()) | changes
    (folder / "run.json").write_text(json.dumps(content))


def drop_field(folder: Path) -> None:
    content = json.loads((folder / "run.json").read_text())
    del content["lm_revision"]
    (folder / "run.json").write_text(json.dumps(content))


def truncate(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])


def predict(folder: Path, rows: pa.Table) -> None:
    pq.write_table(rows, folder / "predictions.parquet")


def with_logit(value: float | None) -> pa.Table:
    rows = world.predictions(RIGHT)
    return rows.set_column(2, "logit_yes", pa.array([value, 0.0], pa.float32()))


BROKEN: list[tuple[str, Callable[[Path], object], str]] = [
    ("no run.json", lambda f: (f / "run.json").unlink(), "run.json cannot be read: No such file"),
    ("cut run.json", lambda f: truncate(f, "run.json"), "run.json is not JSON: "),
    ("a list", lambda f: (f / "run.json").write_text("[]"), "run.json must hold one object"),
    ("missing field", drop_field, "run.json: lm_revision is missing"),
    ("extra field", lambda f: edit(f, colour="red"), "run.json: colour is not a column of run"),
    (
        "ill-typed field",
        lambda f: edit(f, n_steps="10"),
        "run.json: n_steps: input should be a valid integer, got '10'",
    ),
    ("no JSON", lambda f: edit(f, recipe_json="{"), "run.json: recipe_json: value error, "),
    ("NaN", lambda f: edit(f, seconds=float("nan")), "seconds: input should be a finite number"),
    ("status", lambda f: edit(f, status="crashed"), "status: input should be 'running' or"),
    ("other id", lambda f: edit(f, run_id="z"), "run.json is of run 'z', the folder's name must"),
    ("manifest", lambda f: edit(f, manifest_id="z"), "manifest 'z' is not in this store"),
    ("dataset", lambda f: edit(f, dataset_id="z"), "is of dataset 'd1', got 'z'"),
    (
        "no predictions",
        lambda f: (f / "predictions.parquet").unlink(),
        "predictions.parquet cannot be read: No such file",
    ),
    (
        "cut predictions",
        lambda f: truncate(f, "predictions.parquet"),
        "predictions.parquet is not readable Parquet: ",
    ),
    (
        "cut metrics",
        lambda f: truncate(f, "metrics.parquet"),
        "metrics.parquet is not readable Parquet: ",
    ),
    (
        "columns",
        lambda f: predict(f, world.predictions(RIGHT).drop_columns(["predicted"])),
        "predictions.parquet must have columns {",
    ),
    (
        "dangling",
        lambda f: predict(f, world.predictions([(1, True), (3, True)])),
        "1 of 2 predictions are of no example of manifest",
    ),
    (
        "twice",
        lambda f: predict(f, world.predictions([(1, True), (1, False)])),
        "each example once per image_mode, got 1 more",
    ),
    (
        "mode",
        lambda f: predict(f, world.predictions(RIGHT, "blurred")),
        "image_mode must be one of real, mean, zero, noise, other-leaf, got blurred",
    ),
    (
        "NaN logit",
        lambda f: predict(f, with_logit(float("nan"))),
        "logit_yes must be finite, got 1 NaN or infinite values",
    ),
    (
        "NULL logit",
        lambda f: predict(f, with_logit(None)),
        "predictions.parquet: logit_yes must not be NULL, got 1 of 2",
    ),
]


@pytest.mark.parametrize(("damage", "reason"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_a_broken_folder_is_named_and_the_others_come_in(
    store: Store,
    of: Manifest,
    tmp_path: Path,
    damage: Callable[[Path], object],
    reason: str,
) -> None:
    world.run_folder(tmp_path, "a", of, RIGHT)
    damage(world.run_folder(tmp_path, "b", of, RIGHT))
    world.run_folder(tmp_path, "c", of, RIGHT)
    report = store.sync(tmp_path)
    assert report.n_ingested == 2
    ((name, got),) = report.rejected
    assert name == "b"
    assert reason in got
    assert store.runs()["run_id"].to_pylist() == ["a", "c"]


def test_a_run_that_broke_later_keeps_its_stored_rows(
    store: Store, of: Manifest, tmp_path: Path
) -> None:
    folder = world.run_folder(tmp_path, "a", of, RIGHT)
    store.sync(tmp_path)
    before = snapshot(store)
    truncate(folder, "predictions.parquet")
    assert [name for name, _ in store.sync(tmp_path).rejected] == ["a"]
    assert snapshot(store) == before


def test_the_same_example_under_two_image_modes(store: Store, of: Manifest, tmp_path: Path) -> None:
    both = pa.concat_tables([world.predictions(RIGHT), world.predictions(RIGHT, "zero")])
    world.run_folder(tmp_path, "a", of, both)
    assert store.sync(tmp_path).n_ingested == 1


def test_no_predictions_yet_is_fine_and_stray_files_are_ignored(
    store: Store, of: Manifest, tmp_path: Path
) -> None:
    world.run_folder(tmp_path, "a", of, [])
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".partial").mkdir()
    report = store.sync(tmp_path)
    assert (report.n_ingested, report.rejected) == (1, ())


def test_sync_needs_a_folder(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"^no folder of runs at .*: `xmodal train` makes one$"):
        store.sync(tmp_path / "none")
