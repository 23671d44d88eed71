"""Bad run folders, exports and store files against a store: all of a thing comes in, or nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taxonomy.errors import XmodalError
from tests.fuzz import case
from tests.fuzz.case import COUNTS, check_message, limited, nothing_written, put, seen
from tests.fuzz.damage import PLACES, any_bytes, damaged
from tests.xmodal.store import test_align_runs as aligned
from tests.xmodal.store import test_binding_runs as bound
from tests.xmodal.store.empty import empty_store
from tests.xmodal.store.full import full_store
from tests.xmodal.store.test_broken import OF, fill, made_evaluation
from tests.xmodal.store.world import run_folder
from xmodal.store import Store
from xmodal.store.exchange import export_store
from xmodal.store.importing import import_store

FEW, MANY = 3, 60
ROWS = {
    "vlm": ("run", "metric", "prediction", "evaluation", "evaluation_prediction", "run_setup"),
    "align": ("align_run", "metric", "align_evaluation", "align_answer", "run_setup"),
    "binding": ("binding_run", "metric", "binding_accuracy", "run_setup", "binding_probe"),
}
KINDS = {".json": "json", ".parquet": "parquet", ".safetensors": "text"}


def vlm(runs: Path) -> None:
    run_folder(runs, "r1", OF, [(1, True), (2, False)])
    made_evaluation(runs)


def align(runs: Path) -> None:
    runs.mkdir(parents=True)
    aligned.run(runs)
    aligned.evaluation(runs)


def binding(runs: Path) -> None:
    runs.mkdir(parents=True)
    bound.run(runs)
    bound.probe(runs)


MAKE: dict[str, Callable[[Path], None]] = {"vlm": vlm, "align": align, "binding": binding}


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with empty_store() as opened:
        fill(opened)
        yield opened


def counts(store: Store, kind: str) -> dict[str, int]:
    sizes = {row["table"]: row["n_rows"] for row in store.table_sizes().to_pylist()}
    return {table: sizes[table] for table in ROWS[kind]}


def clear(store: Store, kind: str) -> None:
    for table in (*ROWS[kind], "binding_interchange", "broken_folder"):
        store.execute(f"TRUNCATE {table}", {})


def many(n: int, same: bool, check: Callable[[st.DrawFn], None]) -> None:
    @settings(
        max_examples=n,
        derandomize=same,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        check(data.draw)

    run()


def damage_one(draw: st.DrawFn, path: Path, good: bytes) -> None:
    if draw(st.integers(0, 9)) == 0:
        put(path, draw(st.sampled_from(PLACES)))
    else:
        path.write_bytes(draw(damaged(KINDS[path.suffix], good)))


def sync_bad_folders(store: Store, home: Path, kind: str, n: int, same: bool) -> None:
    (home / "outside").mkdir()
    (home / "outside" / "secret").write_bytes(b"{}")
    runs = home / "runs"
    good_home = home / "good"
    MAKE[kind](good_home / "runs")
    clear(store, kind)
    report = store.sync(good_home / "runs")
    assert report.rejected == ()
    whole = counts(store, kind)
    files = [path for path in sorted(good_home.rglob("*")) if path.is_file()]

    def check(draw: st.DrawFn) -> None:
        clear(store, kind)
        for name in ("runs", "probes"):
            shutil.rmtree(home / name, ignore_errors=True)
            if (good_home / name).is_dir():
                shutil.copytree(good_home / name, home / name)
        source = draw(st.sampled_from(files))
        damage_one(draw, home / source.relative_to(good_home), source.read_bytes())
        if draw(st.integers(0, 9)) == 0:
            (runs / draw(st.sampled_from(["odd\nname", "ünï", "a" * 200, "-x", "a=b"]))).mkdir()
        before = seen(home)
        COUNTS[f"sync-{kind}"] += 1
        with limited(), nothing_written():
            report = store.sync(runs)
        for _, reason in report.rejected:
            check_message(reason, (reason,))
        assert seen(home) == before
        got = counts(store, kind)
        own = {table: got[table] for table in ROWS[kind][:1]}
        assert own[ROWS[kind][0]] in (0, 1)
        # a run without its rows, or rows without their run, would be half a thing
        if not own[ROWS[kind][0]]:
            assert not any(got.values()), got
        else:
            assert set(got.values()) <= {0, *whole.values(), *range(4)}, got
        assert (report.n_ingested == 1) == bool(own[ROWS[kind][0]])

    many(n, same, check)


@pytest.mark.parametrize("kind", MAKE)
def test_bad_run_folders(store: Store, tmp_path: Path, kind: str) -> None:
    sync_bad_folders(store, tmp_path, kind, FEW, same=True)


@pytest.mark.fuzz
@pytest.mark.parametrize("kind", MAKE)
def test_many_bad_run_folders(store: Store, tmp_path: Path, kind: str) -> None:
    sync_bad_folders(store, tmp_path, kind, MANY, same=False)


def test_a_mistake_in_a_sync_comes_out(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise TypeError("planted")

    places = {
        "vlm": (
            "xmodal.store.projector_runs._check_predictions",
            "xmodal.store.evaluations._check_record",
        ),
        "align": ("xmodal.store.align_runs.read_setup",),
        "binding": ("xmodal.store.binding_runs.check_accuracy",),
    }
    for kind, names in places.items():
        for number, name in enumerate(names):
            runs = tmp_path / f"{kind}{number}" / "runs"
            MAKE[kind](runs)
            clear(store, kind)
            with monkeypatch.context() as patched:
                patched.setattr(name, fail)
                with pytest.raises(TypeError, match="planted"):
                    store.sync(runs)
    clear(store, "vlm")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("full")
    with Store.open(full_store(home), read_only=True) as store:
        export_store(store, home / "export")
    return home / "export"


def import_bad_exports(exported: Path, home: Path, n: int, same: bool) -> None:
    export, made = home / "export", home / "made"
    shutil.copytree(exported, export)
    made.mkdir()
    (home / "outside").mkdir()
    (home / "outside" / "secret").write_bytes(b"{}")
    description = (export / "export.json").read_bytes()
    table = export / "concept" / "part-00000.parquet"
    part = table.read_bytes()

    def check(draw: st.DrawFn) -> None:
        path, good = draw(st.sampled_from([(export / "export.json", description), (table, part)]))
        damage_one(draw, path, good)
        if path == table and path.is_file() and draw(st.booleans()):
            reseal(export / "export.json", description, path)
        before = seen(export)
        COUNTS["import"] += 1
        try:
            with limited():
                import_store(export, made / "s.duckdb")
        except XmodalError as error:
            check_message(str(error), ("export", "made"))
            assert os.listdir(made) == []
        assert seen(export) == before
        for left in made.iterdir():
            left.unlink()
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        path.unlink(missing_ok=True)
        path.write_bytes(good)
        (export / "export.json").write_bytes(description)

    many(n, same, check)


def reseal(path: Path, description: bytes, table: Path) -> None:
    """A description that fits a damaged table: damage gets past the hashes."""
    from xmodal.files import file_sha256

    said = json.loads(description)
    said["tables"]["concept"]["files"][0]["sha256"] = file_sha256(table)
    path.write_text(json.dumps(said))


def test_bad_exports(exported: Path, tmp_path: Path) -> None:
    import_bad_exports(exported, tmp_path, FEW, same=True)


@pytest.mark.fuzz
def test_many_bad_exports(exported: Path, tmp_path: Path) -> None:
    import_bad_exports(exported, tmp_path, MANY, same=False)


def open_bad_stores(exported: Path, home: Path, n: int, same: bool) -> None:
    """Cut and flipped beginnings of a DuckDB file, and what is none."""
    path = home / "s.duckdb"
    good = next(exported.parent.glob("*.duckdb")).read_bytes()

    def check(draw: st.DrawFn) -> None:
        how = draw(st.sampled_from(["head", "cut", "other"]))
        if how == "other":
            content = draw(st.binary(max_size=200) | st.sampled_from([b"", b"a,b\n1,2\n", b"PK"]))
        elif how == "cut":
            content = good[: draw(st.integers(0, 20_000))]
        else:
            content = draw(any_bytes(good[:12_288])) + good[12_288:]
        path.write_bytes(content)
        COUNTS["store"] += 1
        with limited():
            try:
                with Store.open(path, read_only=True) as store:
                    store.query("SELECT count(*) AS n FROM concept")
            except XmodalError as error:
                check_message(str(error), ("s.duckdb",))
        assert path.read_bytes() == content
        assert os.listdir(home) == ["s.duckdb"]

    many(n, same, check)


def test_files_that_are_no_store(exported: Path, tmp_path: Path) -> None:
    open_bad_stores(exported, tmp_path, FEW, same=True)


@pytest.mark.fuzz
def test_many_files_that_are_no_store(exported: Path, tmp_path: Path) -> None:
    open_bad_stores(exported, tmp_path, MANY, same=False)


def endless() -> None:
    with limited():
        while True:
            pass


def test_a_case_that_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(case, "LIMIT_S", 0.05)
    with pytest.raises(case.TooLongError):
        endless()


def write_watched(path: Path) -> None:
    with nothing_written():
        path.write_text("")


def test_a_written_file_is_seen(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"open .*x"):
        write_watched(tmp_path / "x")
    before = seen(tmp_path)
    (tmp_path / "x").write_text("1")
    assert seen(tmp_path) != before
