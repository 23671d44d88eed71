"""Export and import: the same rows again, readable by others, and nothing by halves."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.dataset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sql
from taxonomy.errors import DataError, NoRoomError, StoreError, XmodalError
from tests.xmodal.store.full import contents, fill_empty_tables, full_store
from tests.xmodal.store.test_broken import flip
from xmodal.store import Store
from xmodal.store.exchange import export_store, read_parts, write_table
from xmodal.store.importing import import_store


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a row in every table; read only."""
    path = full_store(tmp_path_factory.mktemp("full"))
    with Store.open(path) as store:
        fill_empty_tables(store)
    return path


@pytest.fixture(scope="module")
def whole(path: Path) -> Path:
    """An export of it; tests copy it before they break it."""
    folder = path.parent / "export"
    with Store.open(path, read_only=True) as store:
        export_store(store, folder)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "export"))


def read(path: Path) -> dict[str, list[dict[str, object]]]:
    with Store.open(path, read_only=True) as store:
        return contents(store)


def test_what_was_exported_comes_in_again(path: Path, whole: Path, tmp_path: Path) -> None:
    rows = read(path)
    assert all(rows.values())
    made = tmp_path / "new" / "s.duckdb"
    assert import_store(whole, made) == sum(map(len, rows.values()))
    assert read(made) == rows
    assert os.listdir(made.parent) == ["s.duckdb"]


def test_other_tools_read_an_export(path: Path, whole: Path) -> None:
    said = json.loads((whole / "export.json").read_text())
    with Store.open(path, read_only=True) as store:
        for name, of in said["tables"].items():
            want = store.query("FROM query_table($name)", {"name": name})
            parts = str(whole / name / "*.parquet")
            assert duckdb.read_parquet(parts).to_arrow_table() == want
            assert pyarrow.dataset.dataset(whole / name).to_table() == want
            assert of["n_rows"] == want.num_rows
        table = store.query("FROM concept")
    pandas = pytest.importorskip("pandas")
    assert pandas.read_parquet(whole / "concept")["name"].to_list() == table["name"].to_pylist()
    polars = pytest.importorskip("polars")
    found = polars.read_parquet(whole / "concept" / "*.parquet")
    assert found["concept_id"].to_list() == table["concept_id"].to_pylist()


ROWS = st.lists(
    st.tuples(
        st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=4),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
        st.one_of(st.none(), st.text("é\n☃'", max_size=3)),
    ),
    max_size=7,
)


@pytest.fixture(scope="module")
def in_memory() -> Iterator[Store]:
    with Store.in_memory() as store:
        yield store


@settings(max_examples=25, deadline=None)
@given(ROWS, st.integers(1, 4))
def test_random_rows_come_in_again_in_their_order(
    in_memory: Store,
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, int, float, str | None]],
    most: int,
) -> None:
    folder = tmp_path_factory.mktemp("random")
    metrics = pa.table(
        {
            "run_id": pa.array([row[0] for row in rows], pa.string()),
            "step": pa.array([row[1] for row in rows], pa.int64()),
            "name": pa.array([str(row[3]) for row in rows], pa.string()),
            "value": pa.array([row[2] for row in rows], pa.float64()),
        }
    )
    capabilities = pa.table(
        {
            "lm": metrics["run_id"],
            "capability": metrics["name"],
            "value": metrics["value"],
            "source": pa.array([row[3] for row in rows], pa.string()),
        }
    )
    for name, table in {"metric": metrics, "lm_capability": capabilities}.items():
        in_memory.execute(f"TRUNCATE {name}", {})
        in_memory.insert_table(name, table)
        parts = write_table(in_memory, name, folder, most)
        assert [part["n_rows"] for part in parts[:-1]] == [most] * (len(parts) - 1)
        in_memory.execute(f"TRUNCATE {name}", {})
        for piece in read_parts(folder, parts, table.schema):
            in_memory.insert_table(name, piece)
        assert in_memory.query("FROM query_table($name)", {"name": name}) == table


def test_an_export_needs_an_empty_place(path: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with Store.open(path, read_only=True) as store:
        with pytest.raises(DataError, match=r" is not empty: give a folder that is empty or not"):
            export_store(store, tmp_path)
        with pytest.raises(DataError, match=r" is a file: give a folder that is empty or not"):
            export_store(store, tmp_path / "notes.txt")
        (tmp_path / "empty").mkdir()
        assert export_store(store, tmp_path / "empty").n_tables > 40
    assert sorted(os.listdir(tmp_path)) == ["empty", "notes.txt"]


def test_a_table_of_the_users_own_is_named_and_left_out(tmp_path: Path) -> None:
    with Store.in_memory() as store:
        store.execute("CREATE TABLE mine AS SELECT 1 AS x", {})
        done = export_store(store, tmp_path / "export")
    assert done.left_out == ("mine",)
    assert not (tmp_path / "export" / "mine").exists()


def test_an_export_that_fails_leaves_nothing(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for code, error, reason in (
        (errno.EIO, DataError, r"export cannot be written: Input/output error$"),
        (
            errno.ENOSPC,
            NoRoomError,
            r"^no room in .* \(No space left on device\): make room, then ",
        ),
    ):

        def fail(*_: object, code: int = code) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr("xmodal.store.exchange._describe", fail)
        with Store.open(path, read_only=True) as store, pytest.raises(error, match=reason):
            export_store(store, tmp_path / "export")
        assert os.listdir(tmp_path) == []


def edit(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    said = json.loads((folder / "export.json").read_text())
    change(said)
    (folder / "export.json").write_text(json.dumps(said))


def lead_out(folder: Path) -> None:
    shutil.copy(folder / "edge" / "part-00000.parquet", folder.parent / "x.parquet")
    edit(folder, lambda said: said["tables"]["edge"]["files"][0].update(name="../x.parquet"))


EMPTY = {"n_rows": 0, "files": []}
BROKEN: list[tuple[Callable[[Path], object], str]] = [
    (lambda f: (f / "export.json").unlink(), "is no export of a store: export.json cannot be read"),
    (lambda f: (f / "export.json").write_text("{"), "export.json is damaged: it is not JSON"),
    (lambda f: (f / "export.json").write_text("[]"), "is damaged: it does not describe an export"),
    (lambda f: edit(f, lambda s: s.update(format=2)), "has export format 2, this version reads 1"),
    (lead_out, "export.json is damaged: it does not describe an export"),
    (lambda f: flip(f / "run" / "part-00000.parquet"), "is not what was exported, by its sha256"),
    (lambda f: (f / "run" / "part-00000.parquet").unlink(), "part-00000.parquet is missing"),
    (lambda f: edit(f, lambda s: s["tables"].pop("run")), "lacks table run"),
    (lambda f: edit(f, lambda s: s["tables"].update(x=EMPTY)), "has an unknown table x"),
    (
        lambda f: edit(f, lambda s: s["tables"].update(run=s["tables"]["edge"])),
        "does not describe an export",
    ),
    (lambda f: edit(f, lambda s: s["schema"].update({"9999_later": "x"})), "by a newer xmodal (sc"),
    (lambda f: edit(f, lambda s: s["schema"].update({"0001_core": "x"})), "by another xmodal: sch"),
]


@pytest.mark.parametrize(("damage", "reason"), BROKEN, ids=[reason for _, reason in BROKEN])
def test_a_broken_export_makes_no_store(
    folder: Path, damage: Callable[[Path], object], reason: str
) -> None:
    damage(folder)
    home = folder.parent / "home"
    home.mkdir()
    with pytest.raises(XmodalError) as refused:
        import_store(folder, home / "s.duckdb")
    assert reason in str(refused.value)
    assert os.listdir(home) == []


def test_a_store_with_rows_is_left_alone(path: Path, folder: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"holds \d+ rows: give a --store that is not there or em"):
        import_store(folder, path)
    assert path.read_bytes() == before


def test_an_older_export_is_brought_up_to_date(tmp_path: Path) -> None:
    with Store.of_steps(tmp_path / "old.duckdb", sql.names("schema")[:2]) as old:
        fill_empty_tables(old)
        rows = contents(old)
        export_store(old, tmp_path / "export")
    with Store.open(tmp_path / "new.duckdb"):
        pass  # an empty store is as good as none
    import_store(tmp_path / "export", tmp_path / "new.duckdb")
    new = read(tmp_path / "new.duckdb")
    for name, of in rows.items():
        assert [{key: row[key] for key in of[0]} for row in new[name]] == of
    assert not any(of for name, of in new.items() if name not in rows)
