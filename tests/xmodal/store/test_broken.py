"""Folders that are damaged: each named with its reason, the others come in, nothing is changed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.xmodal.store import test_align_runs as aligned
from tests.xmodal.store import test_binding_runs as bound
from tests.xmodal.store import world
from tests.xmodal.store.empty import empty_store
from tests.xmodal.store.world import BIRD, PARROT, RUBY
from xmodal.seals import SEAL, sealed
from xmodal.store import Store
from xmodal.store import broken as broken_module
from xmodal.store.folders import DamageError, read_json
from xmodal.store.references import FOLDER_TABLES

OF = world.manifest([(1, PARROT, BIRD, True, "held_out"), (2, RUBY, BIRD, False, "held_out")])
MAKE: dict[str, Callable[[Path], Path]] = {
    "vlm": lambda runs: world.run_folder(runs, "r1", OF, [(1, True), (2, False)]),
    "align": aligned.run,
    "binding": bound.run,
}
TABLES = {"vlm": "run", "align": "align_run", "binding": "binding_run"}
DATA = {"vlm": "predictions.parquet", "align": "metrics.parquet", "binding": "accuracy.parquet"}
BINARY = {"align": "aligner.safetensors", "binding": "decoder.safetensors"}


@pytest.fixture(scope="module")
def filled() -> Iterator[Store]:
    with empty_store() as opened:
        fill(opened)
        yield opened


@pytest.fixture
def store(filled: Store) -> Store:
    for table in (*FOLDER_TABLES, "broken_folder"):
        filled.execute(f"TRUNCATE {table}", {})
    return filled


def fill(store: Store) -> None:
    store.add_taxonomy(world.taxonomy())
    store.add_manifest(OF)
    counts = dict.fromkeys(("longest", "n_rows", "n_texts", "n_cut", "n_unknown", "width"), 1)
    made = dict.fromkeys(aligned.TextFeatureSetRow.model_fields)
    made |= aligned.TEXTS | counts | {"pooling": "last", "sha256": "s", "path": "p"}
    store.add_text_feature_set(aligned.TextFeatureSetRow(**made))


def seal(folder: Path, record: str = "run.json") -> Path:
    """The record as the run writes it, with the hashes of the files beside it."""
    path = folder / record
    names = [one.name for one in folder.iterdir() if one.is_file() and one != path]
    path.write_text(json.dumps(sealed(json.loads(path.read_text()), folder, names), indent=1))
    return folder


def flip(path: Path, at: float = 0.5, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[int(at * (len(content) - 1))] ^= 1 << bit
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def link_out(path: Path) -> None:
    shutil.move(path, path.parent.parent / f"outside-{path.name}")
    path.symlink_to(path.parent.parent / f"outside-{path.name}")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def other_columns(path: Path) -> None:
    pq.write_table(pa.table({"colour": ["red"]}), path)


def no_text(path: Path) -> None:
    """A name that is no UTF-8: only the store would choke on it."""
    table = pq.read_table(path)
    at = next(i for i, field in enumerate(table.schema) if field.type == pa.string())
    wrong = pa.Array.from_buffers(
        pa.string(),
        len(table),
        [None, *pa.array(["ab"] * len(table)).buffers()[1:2], pa.py_buffer(b"\xff\xfe" * 9)],
    )
    pq.write_table(table.set_column(at, table.schema[at], wrong), path)


DAMAGE: list[tuple[str, Callable[[Path], object], str]] = [
    ("flipped", flip, "is not what was written, by its sha256: restore a copy, or delete the fol"),
    ("truncated", cut, "is not what was written, by its sha256"),
    ("missing", Path.unlink, "cannot be read: No such file or directory"),
    ("link", link_out, "is a link that leads out of its folder: put the file there"),
    ("pipe", pipe, "must be a file"),
    ("folder", lambda path: (path.unlink(), path.mkdir()), "must be a file"),
]
UNSEALED = [
    ("truncated", cut, "is not readable Parquet: "),
    ("schema", other_columns, "must have columns {"),
    ("no text", no_text, "is not readable Parquet: "),
]


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize(("damage", "reason"), [d[1:] for d in DAMAGE], ids=[d[0] for d in DAMAGE])
def test_damage_is_named_and_others_come_in(
    store: Store, tmp_path: Path, kind: str, damage: Callable[[Path], object], reason: str
) -> None:
    runs = tmp_path / "runs"
    whole = "vlm" if kind != "vlm" else "binding"
    folder = seal(MAKE[kind](runs if runs.exists() else (runs.mkdir(), runs)[1]))
    other = MAKE[whole](tmp_path / "other" if whole == "vlm" else made(tmp_path / "other"))
    name = BINARY.get(kind, DATA[kind]) if damage is flip else DATA[kind]
    damage(folder / name)
    (runs / "foreign").mkdir()
    (runs / "foreign" / "notes.txt").write_text("mine")
    assert store.sync(other.parent).n_ingested == 1
    report = store.sync(runs)
    assert report.n_ingested == 0
    (_, foreign), (_, got) = report.rejected
    assert foreign == "run.json cannot be read: No such file or directory"
    assert got.startswith(f"{name} {reason}")
    assert store.query(f"FROM {TABLES[kind]}").num_rows == 0
    assert (runs / "foreign" / "notes.txt").read_text() == "mine"


def made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize(
    ("damage", "reason"), [d[1:] for d in UNSEALED], ids=[d[0] for d in UNSEALED]
)
def test_damage_without_a_seal(
    store: Store, tmp_path: Path, kind: str, damage: Callable[[Path], object], reason: str
) -> None:
    folder = MAKE[kind](tmp_path)
    damage(folder / DATA[kind])
    ((_, got),) = store.sync(tmp_path).rejected
    assert got.startswith(f"{DATA[kind]} {reason}")


@pytest.mark.parametrize("kind", ["vlm", "align", "probe"])
def test_a_flipped_byte_in_an_evaluation_or_probe(store: Store, tmp_path: Path, kind: str) -> None:
    runs = made(tmp_path / "runs")
    if kind == "vlm":
        MAKE["vlm"](runs)
        folder = seal(made_evaluation(runs), "evaluation.json")
        name, table, data = "r1/evals/e1", "evaluation", "predictions.parquet"
    elif kind == "align":
        aligned.run(runs)
        folder = seal(aligned.evaluation(runs), "evaluation.json")
        name, table, data = "r1/evals/e1", "align_evaluation", "answers.parquet"
    else:
        bound.run(runs)
        folder = seal(bound.probe(runs), "probe.json")
        name, table, data = "probes/p1", "binding_probe", "interchange.parquet"
    flip(folder / data)
    report = store.sync(runs)
    assert report.n_ingested == 1
    ((got, reason),) = report.rejected
    assert got == name
    assert reason.startswith(f"{data} is not what was written, by its sha256")
    assert store.query(f"FROM {table}").num_rows == 0
    flip(folder / data)
    assert store.sync(runs).rejected == ()
    assert store.query(f"FROM {table}").num_rows == 1


def made_evaluation(runs: Path) -> Path:
    from tests.xmodal.store.test_evaluations import evaluation

    (runs / "r1" / "projector.safetensors").write_bytes(b"weights")
    return evaluation(runs, "r1", OF, [(1, True)], image_mode="zero")


def test_no_flipped_bit_changes_a_stored_number(store: Store, tmp_path: Path) -> None:
    folder = seal(MAKE["vlm"](tmp_path))
    whole = {one.name: one.read_bytes() for one in folder.iterdir()}
    store.sync(tmp_path)
    before = {k: v for k, v in store.load_run("r1").items() if k != "content_hash"}

    @settings(max_examples=30, deadline=None)
    @given(st.sampled_from(sorted(whole)), st.floats(0, 1), st.integers(0, 7))
    def check(name: str, at: float, bit: int) -> None:
        flip(folder / name, at, bit)
        report = store.sync(tmp_path)
        (folder / name).write_bytes(whole[name])
        after = store.load_run("r1")
        assert {key: after[key] for key in before} == before
        # only a blank of run.json is no damage
        assert (report.n_running, len(report.rejected)) == (0, 1) or name == "run.json"

    check()


def test_what_a_run_writes_is_sealed_and_comes_in(store: Store, tmp_path: Path) -> None:
    from xmodal.vlm.run_folder import RunFolder

    folder = MAKE["vlm"](tmp_path)
    (folder / "projector.safetensors").write_bytes(b"weights")
    record = json.loads((folder / "run.json").read_text())
    RunFolder(folder).write_record(record)
    said = json.loads((folder / "run.json").read_text())
    assert set(said[SEAL]) == {"record", *RunFolder.FILES}
    assert store.sync(tmp_path).n_ingested == 1
    # a run that goes on has no seal: its files are not whole
    RunFolder(folder).write_record(said | {"status": "running"})
    assert SEAL not in json.loads((folder / "run.json").read_text())


def test_records_that_are_no_json_of_a_record(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("[" * 200_000)
    with pytest.raises(DamageError, match="nested too deep"):
        read_json(path)
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(DamageError, match=r"run.json is not JSON: 'utf-8' codec"):
        read_json(path)


@pytest.fixture
def no_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled at once: else a test would wait two seconds."""
    monkeypatch.setattr(broken_module, "_TICK_S", 0.0)


def notes(store: Store) -> list[dict[str, object]]:
    return store.query("FROM broken_folder ORDER BY folder").to_pylist()


@pytest.mark.usefixtures("no_tick")
def test_damage_is_noted_and_not_read_again_until_it_changes(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = seal(MAKE["vlm"](tmp_path))
    flip(folder / "predictions.parquet")
    first = store.sync(tmp_path)
    before = notes(store)
    assert [(n["folder"], n["reason"]) for n in before] == list(first.rejected)
    with monkeypatch.context() as patched:
        patched.setattr("xmodal.store.sync.read_run", None)  # would fail if it were called
        assert store.sync(tmp_path).rejected == first.rejected
    assert notes(store) == before
    state = (folder / "predictions.parquet").stat()
    flip(folder / "predictions.parquet")  # mended, with the size and the times that it had
    os.utime(folder / "predictions.parquet", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert store.sync(tmp_path).n_ingested == 1
    assert notes(store) == []


@pytest.mark.usefixtures("no_tick")
def test_what_the_store_lacks_is_looked_for_again(store: Store, tmp_path: Path) -> None:
    other = world.manifest([(9, PARROT, BIRD, True, "held_out")], ratio=0.25)
    world.run_folder(tmp_path, "b", other, [(9, True)])
    assert [name for name, _ in store.sync(tmp_path).rejected] == ["b"]
    store.add_manifest(other)
    assert store.sync(tmp_path).n_ingested == 1
    assert notes(store) == []


def test_a_folder_that_changed_just_now_is_read_again(store: Store, tmp_path: Path) -> None:
    folder = seal(MAKE["vlm"](tmp_path))
    flip(folder / "predictions.parquet")
    store.sync(tmp_path)
    assert [note["stamp"] for note in notes(store)] == [""]


def test_folders_of_other_places_keep_their_notes(store: Store, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "foreign").mkdir(parents=True)
        store.sync(tmp_path / name)
    assert len({note["runs"] for note in notes(store)}) == 2
    shutil.rmtree(tmp_path / "one" / "foreign")
    store.sync(tmp_path / "one")
    assert [Path(str(note["runs"])).name for note in notes(store)] == ["two"]
