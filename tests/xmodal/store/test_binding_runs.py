"""Folders of binding runs and probes: brought in once, refused whole when they do not fit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sql import binding_rows as rows
from tests.xmodal.store import world
from tests.xmodal.store.empty import empty_store
from xmodal.binding_tables import ACCURACY, TABLES
from xmodal.store import METRIC, Store
from xmodal.store.binding_probes import check_rows
from xmodal.store.binding_runs import check_accuracy, starts_first
from xmodal.store.folders import FolderError

NAN = float("nan")


@pytest.fixture
def store() -> Iterator[Store]:
    with empty_store() as opened:
        yield opened


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


def run(
    runs: Path, name: str = "r1", answers: Any = None, weights: bytes = b"w", **changes: Any
) -> Path:
    """A folder as `xmodal binding train` leaves it."""
    folder = runs / name
    folder.mkdir(exist_ok=True)
    record = rows.run(name, weights_sha256=sha256(weights).hexdigest()).values()
    del record["content_hash"]
    (folder / "run.json").write_text(json.dumps(record | changes))
    pq.write_table(world.table(METRIC, [(1, "train_loss", 2.0)]), folder / "metrics.parquet")
    given = rows.answers({2: 9, 6: 3}) if answers is None else answers
    pq.write_table(pa.Table.from_pylist(given, schema=ACCURACY), folder / "accuracy.parquet")
    (folder / "decoder.safetensors").write_bytes(weights)
    return folder


def probe(runs: Path, seen: Any = None, table: str = "interchange", **changes: Any) -> Path:
    """A folder as `xmodal binding probe` leaves it."""
    folder = runs.parent / "probes" / "p1"
    folder.mkdir(parents=True, exist_ok=True)
    record = rows.probe("p1", kind=table, run_id="r1", step=10).values()
    del record["content_hash"]
    (folder / "probe.json").write_text(json.dumps(record | changes))
    given = [rows.interchange(1, [1, 2, 3, 4, 0])] if seen is None else seen
    made = pa.Table.from_pylist(given, schema=TABLES[table][1])
    pq.write_table(made, folder / f"{table}.parquet")
    return folder


def counts(store: Store) -> list[int]:
    tables = ("binding_run", "binding_accuracy", "metric", "binding_probe", "binding_interchange")
    return [store.query("FROM query_table($name)", {"name": name}).num_rows for name in tables]


def test_a_run_and_its_probe_come_in_once(store: Store, runs: Path) -> None:
    run(runs)
    probe(runs)
    first = store.sync(runs)
    assert (first.n_ingested, first.n_probes, first.rejected) == (1, 1, ())
    assert first.summary().endswith("0 rejected, 1 probes brought in")
    assert counts(store) == [1, 2, 1, 1, 1]
    again = store.sync(runs)
    assert (again.n_ingested, again.n_unchanged, again.n_probes) == (0, 1, 0)
    # said otherwise, with the weights as they were: what was seen in them stays
    run(runs, answers=rows.answers({2: 9}), seconds=2.0)
    probe(runs, [rows.interchange(1, [1, 2, 3, 4, 0]), rows.interchange(2, [1] * 5)])
    third = store.sync(runs)
    assert (third.n_ingested, third.n_probes, third.rejected) == (1, 1, ())
    assert counts(store) == [1, 1, 1, 1, 2]
    run(runs, seconds=3.0, started_at="2028")
    assert store.sync(runs).rejected == ()
    assert counts(store) == [1, 2, 1, 1, 2]


def test_probes_of_other_weights_go(store: Store, runs: Path) -> None:
    run(runs)
    probe(runs)
    store.sync(runs)
    run(runs, weights=b"others", started_at="2028")
    report = store.sync(runs)
    assert counts(store) == [1, 2, 1, 0, 0]
    reason = "run 'r1' was trained again since: probe it anew, and delete this folder"
    assert report.rejected == (("probes/p1", reason),)


def test_what_goes_on_is_left_alone(store: Store, runs: Path) -> None:
    run(runs, status="running")
    (probe(runs) / "probe.json").unlink()
    report = store.sync(runs)
    assert (report.n_running, report.n_probes, report.rejected) == (1, 0, ())
    assert counts(store) == [0, 0, 0, 0, 0]


def test_probes_of_lms_need_no_run(store: Store, runs: Path) -> None:
    runs.rmdir()
    probe(runs, [rows.retrieval(4, 3)], "retrieval", **OF_LM)
    report = store.sync(runs)
    assert (report.n_ingested, report.n_probes, report.rejected) == (0, 1, ())
    assert store.query("FROM binding_retrieval").num_rows == 1


def test_a_start_comes_in_before_what_it_started(store: Store, runs: Path) -> None:
    of = {"start": "text-trained"}
    run(runs, "a", start_run_id="b", **of)
    run(runs, "b", start_run_id="z", **of)
    run(runs, "z")
    run(runs, "m", start_run_id="lost", **of)
    report = store.sync(runs)
    assert report.n_ingested == 3
    assert report.rejected == (("m", "start_run_id 'lost' is not in this store"),)


@given(st.lists(st.integers(0, 5), min_size=6, max_size=6))
def test_starts_first_whatever_starts_what(starts: list[int]) -> None:
    # run n starts from run starts[n], from scratch where that is itself
    class Folder:
        def __init__(self, n: int) -> None:
            self.name, self.n = str(n), n

        def stat(self) -> None:
            raise FileNotFoundError  # no file behind it

        def __truediv__(self, name: str) -> Folder:
            return self

        def read_bytes(self) -> bytes:
            start = None if starts[self.n] == self.n else str(starts[self.n])
            return json.dumps({"experiment": "s3", "start_run_id": start}).encode()

    found = [int(one.name) for one in starts_first([Folder(n) for n in range(6)])]  # type: ignore[misc]
    assert sorted(found) == list(range(6))

    def ends(n: int) -> bool:
        seen = [n]
        while starts[seen[-1]] not in seen:
            seen.append(starts[seen[-1]])
        return starts[seen[-1]] == seen[-1]

    for n in range(6):
        if ends(n):
            assert found.index(starts[n]) <= found.index(n)


PICTURES = {"uses_image": True, "scene_layout": "fixed", "encoder": "e"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"run_id": "r2"}, "run.json is of run 'r2', the folder's name must be the same"),
        ({"position": "left"}, "run.json: position: "),
        ({"colour": 1}, "run.json: colour is not a column of binding_run"),
        ({"weights_sha256": "0"}, "decoder.safetensors has the hash "),
        ({"n_from": 5}, "n_from must be at most n_to, 4, got 5"),
        ({"n_layers": 0}, "n_layers must be at least 1, got 0"),
        ({"flops": -1.0}, "flops must be at least 0, got -1.0"),
        ({"start_run_id": "r1"}, "start_run_id must be null from scratch alone, got 'r1'"),
        ({"start": "text-trained"}, "start_run_id must be null from scratch alone, got None"),
        (
            {"start": "text-trained", "start_run_id": "r1"},
            "start_run_id 'r1' is not in this store",
        ),
        ({"uses_image": True}, "scene_set_id, scene_layout, encoder must be given"),
        (PICTURES, "scene_set_id must be given, as the run has pictures"),
        (PICTURES | {"scene_set_id": "s9"}, "scene_set_id 's9' is not in this store"),
        ({"n_steps": 9}, "step must be at most n_steps, 9, got 2 others"),
        ({"n_to": 3}, None),
        (
            {"n_to": 6},
            "in_distribution must be true up to n_to, 6 objects, and false beyond, got 1",
        ),
    ],
)
def test_a_run_that_does_not_fit(
    store: Store, runs: Path, changes: dict[str, Any], reason: str | None
) -> None:
    run(runs, **changes)
    rejected = store.sync(runs).rejected
    if reason is None:
        assert rejected == ()
        return
    ((name, said),) = rejected
    assert name == "r1"
    assert said.startswith(reason)
    assert counts(store) == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"n_right": 11}, "n_right must be at most n_questions, got 1 others"),
        ({"n_in_scene": 11}, "n_in_scene must be at most n_questions, got 1 others"),
        ({"n_in_scene": 8}, "n_right must be at most n_in_scene, got 1 others"),
        ({"n_in_scene": 8, "question": "colour-shape"}, None),
        ({"n_right": -1}, "n_right must be a number from 0 on, got 1 others"),
        ({"n_questions": 0}, "n_questions must be a number from 1 on, got 1 others"),
        ({"loss": NAN}, "loss must be a number from 0 on, got 1 others"),
        ({"loss": float("inf")}, "loss must be a number from 0 on, got 1 others"),
        ({"step": -1}, "step must be a number from 0 on, got 1 others"),
        ({"context": "sound"}, "context must be one of text, image, got sound"),
        ({"vocabulary": "x"}, "vocabulary must be one of base, expanded, got x"),
        ({"question": "x"}, "question must be one of two, colour-shape, shape-item, got x"),
        ({"n_objects": 5}, "in_distribution must be true up to n_to, 4 objects, and false"),
        ({"n_objects": 3}, "each step, context, vocabulary, question, n_objects once, got 1 more"),
        ({"stage": "x"}, "a step must lie in one stage and end it or not, got 1 others"),
    ],
)
def test_accuracies_that_do_not_fit(changes: dict[str, Any], reason: str | None) -> None:
    one, two = rows.answers({2: 9, 3: 9})
    table = pa.Table.from_pylist([one | changes, two], schema=ACCURACY)
    if reason is None:
        check_accuracy(table, n_to=4, n_steps=10)
        return
    with pytest.raises(FolderError) as error:
        check_accuracy(table, n_to=4, n_steps=10)
    assert str(error.value).startswith(reason)


SEEN = rows.interchange(1, [1, 2, 3, 4, 0])
CUT = {"n_objects": 4, "edges": "e", "layer_from": 1, "layer_to": 2, "n_examples": 10,
       "n_right_before": 9, "n_right": 3}  # fmt: skip
READ = {"n_objects": 4, "layer": 1, "token": "query", "attribute": "shape", "permuted": False,
        "n_train": 9, "n_test": 9, "n_right": 3, "n_classes": 4}  # fmt: skip
ASKED = rows.retrieval(4, 3, 2)
MOVED = rows.shifts(4, {1: 3})[0]
OF_LM = {"lm": "x", "lm_hash": "h", "run_id": None, "step": None}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"probe_id": "p2"}, "probe_id must be that of its folder, 'p1'"),
        ({"run_id": "r2"}, "run_id 'r2' is not in this store"),
        ({"kind": "look"}, "probe.json: kind: "),
        ({"kind": "linear"}, "a probe of kind linear must hold linear.parquet alone"),
        ({"run_id": None}, "exactly one of run_id and lm must be given"),
        ({"lm": "x"}, "exactly one of run_id and lm must be given"),
        ({"step": None}, "a run has a step, no lm_revision, no lm_hash"),
        ({"step": 11}, "step must be from 0 to the run's 10, got 11"),
        ({"n_layers": 5}, "n_layers must be the run's 4, got 5"),
        (OF_LM | {"lm_hash": None}, "an LM has an lm_hash and no step"),
        (OF_LM | {"step": 1}, "an LM has an lm_hash and no step"),
    ],
)
def test_a_probe_that_does_not_fit(
    store: Store, runs: Path, changes: dict[str, Any], reason: str
) -> None:
    rows.add(store, [(rows.run("r1"), [])])
    probe(runs, **changes)
    ((name, said),) = store.sync(runs).rejected
    assert name == "probes/p1"
    assert said.startswith(reason)
    assert counts(store) == [1, 0, 0, 0, 0]


def test_counts_that_do_not_fit_are_not_stored(store: Store, runs: Path) -> None:
    rows.add(store, [(rows.run("r1"), [])])
    probe(runs, [SEEN, SEEN])
    assert store.sync(runs).rejected == (
        ("probes/p1", "each n_objects, layer, patch once, got 1 more"),
    )
    assert counts(store) == [1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("table", "seen", "reason"),
    [
        ("interchange", [SEEN], None),
        ("interchange", [SEEN | {"n_other": 1}], "n_positional, n_symbolic, n_reflexive, "),
        ("interchange", [SEEN | {"n_other": -1, "n_examples": 9}], "n_other must be a number"),
        ("interchange", [SEEN | {"patch": "x"}], "patch must be one of counterfactual, "),
        ("interchange", [SEEN | {"layer": 5}], "layer must be at most n_layers, 4, got 1"),
        ("interchange", [SEEN, SEEN], "each n_objects, layer, patch once, got 1 more"),
        ("interchange", [SEEN | {"n_objects": 3}], "n_objects must be a number from 4 on"),
        (
            *("interchange", [rows.interchange(1, [1] * 5, n_ambiguous=1)]),
            "n_ambiguous must be 0 unless as_published, got 1 others",
        ),
        ("knockout", [CUT], None),
        ("knockout", [CUT | {"n_right": 11}], "n_right must be at most n_examples, got 1"),
        ("knockout", [CUT | {"n_right_before": 11}], "n_right_before must be at most n_examples"),
        ("knockout", [CUT | {"layer_from": 3}], "layer_from must be at most layer_to, got 1"),
        ("knockout", [CUT | {"layer_from": 0}], "layer_from must be a number from 1 on"),
        ("knockout", [CUT, CUT], "each n_objects, edges, layer_from, layer_to once, got 1 more"),
        ("linear", [READ, READ | {"permuted": True}], None),
        ("linear", [READ | {"n_right": 10}], "n_right must be at most n_test, got 1"),
        ("linear", [READ, READ], "each n_objects, layer, token, attribute, permuted once"),
        ("retrieval", [ASKED], None),
        ("retrieval", [ASKED | {"n_right": 11}], "n_right must be at most n_questions"),
        ("retrieval", [ASKED | {"n_right": 1}], "n_right_open must be at most n_right"),
        ("retrieval", [ASKED | {"n_tokens": NAN}], "n_tokens must be a number from 1 on"),
        ("retrieval", [ASKED, ASKED], "each n_objects once, got 1 more"),
        ("shift", [MOVED, MOVED | {"shift": 0}], None),
        ("shift", [MOVED | {"shift": -1}], "shift must be a number from 0 on, got 1 others"),
        ("shift", [MOVED | {"n_right": 11}], "n_right must be at most n_questions, got 1"),
        ("shift", [MOVED, MOVED], "each n_objects, shift once, got 1 more"),
    ],
)
def test_counts_that_do_not_fit(table: str, seen: list[dict[str, Any]], reason: str | None) -> None:
    of = rows.probe("p1", kind=table, run_id="r1")
    found = pa.Table.from_pylist(seen, schema=TABLES[table][1])
    if reason is None:
        check_rows(of, found)
        return
    with pytest.raises(FolderError) as error:
        check_rows(of, found)
    assert str(error.value).startswith(reason)


def test_shifts_are_of_runs_in_text(store: Store, runs: Path) -> None:
    run(runs)
    probe(runs, rows.shifts(4, {0: 9, 1: 3}), "shift")
    report = store.sync(runs)
    assert (report.n_probes, report.rejected) == (1, ())
    found = store.query("SELECT shift, n_right FROM binding_shifted ORDER BY shift").to_pylist()
    assert found == [{"shift": 0, "n_right": 9}, {"shift": 1, "n_right": 3}]
    # read again, and gone with the weights that it was of
    probe(runs, rows.shifts(4, {0: 8}), "shift")
    assert store.sync(runs).n_probes == 1
    assert store.query("SELECT n_right FROM binding_shifted")["n_right"].to_pylist() == [8]
    run(runs, weights=b"others", started_at="2028")
    store.sync(runs)
    assert store.query("FROM binding_shifted").num_rows == 0
    run(runs, started_at="2026")
    for changes in ({"context": "image"}, OF_LM):
        probe(runs, rows.shifts(4, {0: 8}), "shift", **changes)
        ((_, said),) = store.sync(runs).rejected
        assert said.startswith("a probe of kind shift must be of a run in text, got run_id ")


def test_draws_as_published_may_be_ambiguous() -> None:
    seen = [rows.interchange(1, [1] * 5, n_objects=3, n_ambiguous=1)]
    found = pa.Table.from_pylist(seen, schema=TABLES["interchange"][1])
    check_rows(rows.probe("p1", as_published=True), found)


def test_a_probe_has_one_table(store: Store, runs: Path) -> None:
    run(runs)
    folder = probe(runs)
    (folder / "linear.parquet").write_bytes(b"")
    ((_, said),) = store.sync(runs).rejected
    assert said == (
        "a probe of kind interchange must hold interchange.parquet alone, got "
        "interchange.parquet, linear.parquet"
    )
