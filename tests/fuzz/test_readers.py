"""Every reader of files against bad ones."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.case import COUNTS, REFUSED, Reader, check, lay_out
from tests.fuzz.readers import NAMES, readers

FEW, MANY = 8, int(os.environ.get("XMODAL_FUZZ", "250"))
"""Cases of a reader, by default and in `make fuzz`; XMODAL_FUZZ is for a long night."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def reader_of(home: Path, name: str) -> Reader:
    return readers(home)[name]


def run(reader: Reader, folder: Path, n: int, *, same: bool) -> None:
    @settings(
        max_examples=n,
        derandomize=same,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def many(data: st.DataObject) -> None:
        try:
            check(data.draw, reader, folder)
        except BaseException:
            lay_out(folder, reader.files)
            raise

    lay_out(folder, reader.files)
    many()


@pytest.mark.parametrize("name", NAMES)
def test_bad_files_are_read_or_named(home: Path, tmp_path: Path, name: str) -> None:
    run(reader_of(home, name), tmp_path / "case", FEW, same=True)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", NAMES)
def test_many_bad_files(home: Path, tmp_path: Path, name: str) -> None:
    before = COUNTS[name], REFUSED[name]
    run(reader_of(home, name), tmp_path / "case", MANY, same=False)
    n, n_refused = COUNTS[name] - before[0], REFUSED[name] - before[1]
    print(f"{name}: {n} cases, {n_refused} refused")
    # a note that cannot be read counts as none
    assert n_refused > n / 20 or name == "note"


def raiser(*args: object, **kwargs: object) -> None:
    raise TypeError("planted")


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_in_a_reader_comes_out(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    reader = reader_of(home, name)
    folder = lay_out(tmp_path / "case", reader.files)
    reader.read(folder)
    module, _, attribute = reader.planted.partition(":")
    owner: object = importlib.import_module(module)
    while "." in attribute:
        first, _, attribute = attribute.partition(".")
        owner = getattr(owner, first)
    planted: Callable[..., None] = raiser
    monkeypatch.setattr(owner, attribute, planted)
    with pytest.raises(TypeError, match="planted"):
        reader.read(folder)
