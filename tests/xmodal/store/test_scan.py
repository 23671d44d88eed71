"""A sync that was told what folders held before leaves nothing for a sync that reads them all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.xmodal.store import test_broken as broken
from tests.xmodal.store import world
from tests.xmodal.store.empty import empty_store
from tests.xmodal.store.full import contents, full_store
from tests.xmodal.store.test_evaluations import evaluation
from xmodal.store import Store
from xmodal.store import sync as syncing
from xmodal.store.scan import scan

OF = broken.OF
CHANGES: dict[str, Callable[[Path, str], object]] = {
    "train": lambda runs, name: world.run_folder(runs, name, OF, [(1, True)], setup=SETUP),
    "train again": lambda runs, name: world.run_folder(runs, name, OF, [(2, True)], setup=SETUP),
    "is trained": lambda runs, name: world.run_folder(runs, name, OF, [], status="running"),
    "evaluate": lambda runs, name: evaluate(runs, name, True),
    "evaluate again": lambda runs, name: evaluate(runs, name, False),
    "begin": lambda runs, name: begin(runs / name),
    "delete": lambda runs, name: shutil.rmtree(runs / name, ignore_errors=True),
    "delete evaluations": lambda r, name: shutil.rmtree(r / name / "evals", ignore_errors=True),
    "damage": lambda runs, name: damage(runs / name / "predictions.parquet"),
}
SETUP = world.SETUP | {"together_json": None}


def evaluate(runs: Path, name: str, answer: bool) -> None:
    evaluation(runs, name, OF, [(1, answer)], image_mode="zero", evaluation_id=f"e-{name}")


def begin(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "lock").touch()


def damage(path: Path) -> None:
    if path.exists():
        broken.flip(path)


changes = st.lists(st.tuples(st.sampled_from(sorted(CHANGES)), st.sampled_from("ab")), max_size=5)


@settings(max_examples=10, deadline=None)
@given(before=changes, between=changes)
def test_nothing_is_left_for_a_sync_without_it(
    before: list[tuple[str, str]], between: list[tuple[str, str]]
) -> None:
    with TemporaryDirectory() as place, empty_store() as store:
        broken.fill(store)
        runs = Path(place)
        for change, name in before:
            CHANGES[change](runs, name)
        early = scan(runs)
        store.sync(runs)
        for change, name in between:
            CHANGES[change](runs, name)
        # what was read long ago may be out of date, and must not bring anything back
        store.sync(runs, early)
        now = store.sync(runs, scan(runs))
        rows = contents(store)
        plain = store.sync(runs)
        assert (plain.n_ingested, plain.n_evaluations) == (0, 0)
        assert (plain.rejected, plain.n_running) == (now.rejected, now.n_running)
        assert plain.n_unchanged == now.n_unchanged + now.n_ingested
        after = contents(store)
        assert after == rows
    assert after.keys() == rows.keys()


def test_nothing_that_is_stored_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = full_store(tmp_path)
    scanned = scan(tmp_path / "runs")
    assert scanned.runs.keys() == {"v1", "r1", "b1", "c1"}
    read = []
    monkeypatch.setattr(syncing, "read_run", lambda *given: read.append(given) or "running")
    others = {kind: lambda *given: read.append(given) or "running" for kind in syncing._OTHERS}
    monkeypatch.setattr(syncing, "_OTHERS", others)
    with Store.open(path) as store:
        assert store.sync(tmp_path / "runs", scanned).n_unchanged == 4
        assert read == []
        evaluation(tmp_path / "runs", "v1", OF, [(2, True)], image_mode="noise")
        assert store.sync(tmp_path / "runs", scan(tmp_path / "runs")).n_unchanged == 3
    assert [folder.name for folder, _ in read] == ["v1"]


def test_a_folder_in_which_training_has_begun_is_not_broken(tmp_path: Path) -> None:
    begin(tmp_path / "a")
    (tmp_path / "b").mkdir()
    with empty_store() as store:
        report = store.sync(tmp_path)
    assert report.n_running == 1
    assert [name for name, _ in report.rejected] == ["b"]
