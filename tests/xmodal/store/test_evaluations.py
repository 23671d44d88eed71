"""Evaluations of trained runs: brought in once, refused when they do not fit, seen by analyses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxonomy.model import Manifest
from tests.xmodal.store import world
from tests.xmodal.store.world import BIRD, PARROT, RUBY, SAW, Answer
from xmodal.store import EVALUATION_PREDICTION, Store

QUESTIONS = [(1, PARROT, BIRD, True, "held_out"), (2, RUBY, BIRD, False, "held_out")]
OTHERS = [(1, PARROT, BIRD, True, "seen"), (2, RUBY, BIRD, False, "seen"),
          (3, SAW, BIRD, False, "seen"), (4, SAW, SAW, True, "leaf")]  # fmt: skip
RIGHT, WRONG = [(1, True), (2, False)], [(1, False), (2, True)]


@pytest.fixture
def own() -> Manifest:
    return world.manifest(QUESTIONS)


@pytest.fixture
def other() -> Manifest:
    return world.manifest(OTHERS, ratio=0.0)


@pytest.fixture
def store(own: Manifest, other: Manifest) -> Iterator[Store]:
    with filled(own, other) as opened:
        yield opened


def filled(*manifests: Manifest) -> Store:
    store = Store.in_memory()
    store.add_taxonomy(world.taxonomy())
    for one in manifests:
        store.add_manifest(one)
    return store


def evaluation(
    runs_dir: Path, run_id: str, of: Manifest, answers: list[Answer], **changes: Any
) -> Path:
    """A folder as `xmodal eval` leaves it."""
    record = {
        "evaluation_id": "e1",
        "run_id": run_id,
        "manifest_id": of.manifest_id,
        "image_mode": "real",
        "split": "test",
        "seed": 42,
        "projector_sha256": sha256(b"weights").hexdigest(),
        "n_questions": len(answers),
        "packed": True,
        "n_verified": None,
        "largest_difference": None,
        "seconds": 0.5,
        "device": "cpu",
        "versions_json": "{}",
        "command": "xmodal eval",
        "created_at": "2026-01-02T03:04:05+00:00",
    } | changes
    folder = runs_dir / run_id / "evals" / str(record["evaluation_id"])
    folder.mkdir(parents=True, exist_ok=True)
    rows = world.predictions(answers).drop_columns(["image_mode"])
    pq.write_table(rows, folder / "predictions.parquet")
    (folder / "evaluation.json").write_text(json.dumps(record))
    return folder


def snapshot(store: Store) -> list[Any]:
    text = "SELECT * FROM query_table($name) ORDER BY ALL"
    names = ("evaluation", "evaluation_prediction", "answered")
    return [store.query(text, {"name": name}).to_pylist() for name in names]


def test_evaluations_come_in_once_and_from_the_folders_alone(
    store: Store, own: Manifest, other: Manifest, tmp_path: Path
) -> None:
    world.run_folder(tmp_path, "a", own, RIGHT)
    folder = evaluation(tmp_path, "a", other, [*RIGHT, (3, True), (4, True)])
    evaluation(tmp_path, "a", own, WRONG, evaluation_id="e2", image_mode="zero")
    first = store.sync(tmp_path)
    assert (first.n_ingested, first.n_evaluations, first.rejected) == (1, 2, ())
    assert first.summary().endswith("0 rejected, 2 evaluations brought in")
    before = snapshot(store)
    assert [len(rows) for rows in before] == [2, 6, 4]
    again = store.sync(tmp_path)
    assert (again.n_unchanged, again.n_evaluations) == (1, 0)
    assert again.summary().endswith("0 rejected")
    assert snapshot(store) == before
    with filled(own, other) as rebuilt:
        rebuilt.sync(tmp_path)
        assert snapshot(rebuilt) == before
    stored = store.query(
        "SELECT * EXCLUDE (evaluation_id) FROM evaluation_prediction WHERE evaluation_id = 'e1'"
    ).cast(EVALUATION_PREDICTION)
    assert stored == pq.read_table(folder / "predictions.parquet", schema=EVALUATION_PREDICTION)


def test_an_evaluation_made_again_replaces_its_rows(
    store: Store, own: Manifest, tmp_path: Path
) -> None:
    world.run_folder(tmp_path, "a", own, RIGHT)
    evaluation(tmp_path, "a", own, RIGHT, image_mode="zero")
    store.sync(tmp_path)
    evaluation(tmp_path, "a", own, WRONG, image_mode="zero", seconds=2.0)
    assert store.sync(tmp_path).n_evaluations == 1
    ((evaluation_row,), answers, _) = snapshot(store)
    assert evaluation_row["seconds"] == 2.0
    assert [row["predicted"] for row in answers] == [False, True]


def test_a_run_made_again_loses_the_evaluations_of_its_old_weights(
    store: Store, own: Manifest, tmp_path: Path
) -> None:
    run = world.run_folder(tmp_path, "a", own, RIGHT)
    (run / "projector.safetensors").write_bytes(b"weights")
    evaluation(tmp_path, "a", own, RIGHT, image_mode="zero")
    assert store.sync(tmp_path).rejected == ()
    world.run_folder(tmp_path, "a", own, WRONG, seconds=9.0)
    (run / "projector.safetensors").write_bytes(b"other weights")
    report = store.sync(tmp_path)
    assert report.n_ingested == 1
    assert report.problems() == [
        "rejected a/evals/e1: the run was trained again since: `xmodal eval` scores it anew"
    ]
    assert snapshot(store)[0] == []


def test_one_that_is_not_finished_is_passed_over(
    store: Store, own: Manifest, tmp_path: Path
) -> None:
    world.run_folder(tmp_path, "a", own, RIGHT)
    (evaluation(tmp_path, "a", own, RIGHT, image_mode="zero") / "evaluation.json").unlink()
    report = store.sync(tmp_path)
    assert (report.n_ingested, report.n_evaluations, report.rejected) == (1, 0, ())


def edit(folder: Path, **changes: object) -> None:
    path = folder / "evaluation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def predict(folder: Path, rows: pa.Table) -> None:
    pq.write_table(rows.drop_columns(["image_mode"]), folder / "predictions.parquet")


BROKEN: list[tuple[str, Callable[[Path], object], str]] = [
    ("cut", lambda f: (f / "evaluation.json").write_text("{"), "evaluation.json is not JSON: "),
    (
        "field",
        lambda f: edit(f, colour="red"),
        "evaluation.json: colour is not a column of evaluation",
    ),
    ("split", lambda f: edit(f, split="all"), "evaluation.json: split: input should be 'train', "),
    ("mode", lambda f: edit(f, image_mode="blur"), "image_mode must be one of real, mean, zero, "),
    ("id", lambda f: edit(f, evaluation_id="z"), "evaluation_id must be that of its folder, 'e1'"),
    ("run", lambda f: edit(f, run_id="z"), "run_id must be that of its folder, 'a', got 'z'"),
    ("manifest", lambda f: edit(f, manifest_id="z"), "manifest 'z' is not in this store"),
    (
        "dangling",
        lambda f: predict(f, world.predictions([(1, True), (9, True)])),
        "1 of 2 predictions are of no example of manifest",
    ),
    (
        "twice",
        lambda f: predict(f, world.predictions([(1, True), (1, True)])),
        "each example once, got 1 more",
    ),
    (
        "answered",
        lambda f: edit(f, image_mode="real"),
        "the run has answered 2 of these questions before the real picture already",
    ),
    (
        "answered by another evaluation",
        lambda f: edit(f, image_mode="mean"),
        "the run has answered 2 of these questions before the mean picture already",
    ),
    (
        "no answers",
        lambda f: (f / "predictions.parquet").unlink(),
        "predictions.parquet cannot be read: No such file",
    ),
]


@pytest.mark.parametrize(("damage", "reason"), [b[1:] for b in BROKEN], ids=[b[0] for b in BROKEN])
def test_what_does_not_fit_is_named_and_the_rest_comes_in(
    store: Store, own: Manifest, tmp_path: Path, damage: Callable[[Path], object], reason: str
) -> None:
    world.run_folder(tmp_path, "a", own, RIGHT)
    evaluation(tmp_path, "a", own, RIGHT, evaluation_id="e0", image_mode="mean")
    damage(evaluation(tmp_path, "a", own, RIGHT, image_mode="zero"))
    report = store.sync(tmp_path)
    assert (report.n_ingested, report.n_evaluations) == (1, 1)
    ((name, got),) = report.rejected
    assert name == "a/evals/e1"
    assert got.startswith(reason)
    assert [row["evaluation_id"] for row in snapshot(store)[0]] == ["e0"]


def test_another_datasets_manifest_is_refused(store: Store, own: Manifest, tmp_path: Path) -> None:
    foreign = world.manifest(QUESTIONS, dataset_id="d2")
    store.add_taxonomy(world.taxonomy("d2"))
    store.add_manifest(foreign)
    world.run_folder(tmp_path, "a", own, RIGHT)
    evaluation(tmp_path, "a", foreign, RIGHT)
    ((_, reason),) = store.sync(tmp_path).rejected
    assert reason.endswith("is of dataset 'd2', its run of 'd1'")


def test_other_image_modes_fill_the_columns_of_baselines(
    store: Store, own: Manifest, other: Manifest, tmp_path: Path
) -> None:
    world.run_folder(tmp_path, "a", own, RIGHT)
    # zeros: both Yes -> F1(Yes) = 2/3, F1(No) = 0 -> 1/3; noise: both right -> 1
    evaluation(tmp_path, "a", own, [(1, True), (2, True)], image_mode="zero")
    evaluation(tmp_path, "a", own, RIGHT, image_mode="noise", evaluation_id="e2")
    # another manifest's questions are no business of these columns
    evaluation(tmp_path, "a", other, WRONG, image_mode="other-leaf", evaluation_id="e3")
    assert store.sync(tmp_path).rejected == ()
    (row,) = store.analysis("baselines").to_pylist()
    assert (row["macro_f1"], row["noise_f1"]) == (1.0, 1.0)
    assert row["zero_f1"] == pytest.approx(1 / 3, abs=1e-12)
    assert (row["mean_image_f1"], row["other_leaf_f1"], row["n_runs"]) == (None, None, 1)
    (blind,) = store.analysis("image-blind").to_pylist()
    assert blind["zero"] == row["zero_f1"]


def test_transfer(store: Store, own: Manifest, other: Manifest, tmp_path: Path) -> None:
    world.run_folder(tmp_path, "a", own, RIGHT)
    evaluation(tmp_path, "a", own, WRONG, image_mode="zero")
    answers = [(1, True), (2, True), (3, False), (4, True)]
    evaluation(tmp_path, "a", other, answers, evaluation_id="e2")
    store.sync(tmp_path)
    rows = store.analysis("transfer").to_pylist()
    found = {(row["question_set"], row["own_set"]): row for row in rows}
    assert set(found) == {("leaf", None), ("seen", "held_out"), ("seen", None)}
    # questions 1 and 2, which the own manifest held out, both Yes:
    # F1(Yes) = 2/3, F1(No) = 0 -> 1/3, as the better constant; half of each answer right
    held_out = found["seen", "held_out"]
    assert held_out["macro_f1"] == pytest.approx(1 / 3, abs=1e-12)
    assert held_out["blind_f1"] == pytest.approx(1 / 3, abs=1e-12)
    assert held_out["balanced_accuracy"] == 0.5
    counts = ("n_hypernyms", "n_single_class", "n_questions")
    assert [held_out[name] for name in counts] == [1, 0, 2]
    # question 3 alone has one true answer: no F1
    assert found["seen", None]["macro_f1"] is None
    assert [found["seen", None][name] for name in counts] == [0, 1, 1]
    assert [found["leaf", None][name] for name in counts] == [None, 1, 1]
    settings = ("run_id", "image_mode", "split", "trained_ratio", "asked_ratio", "trained_design")
    assert [held_out[name] for name in settings] == ["a", "real", "test", 1.0, 0.0, "random"]
    assert held_out["manifest_id"] == other.manifest_id
    assert store.analysis("transfer", run="a").num_rows == 3
    assert store.analysis("transfer", run="b").num_rows == 0
