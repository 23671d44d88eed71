"""Unpacking of the bundled WordNet: once, whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from taxonomy.errors import DataError
from xmodal.bundle.files import cache_dir
from xmodal.bundle.wordnet_files import EMPTY, PACKED, PLAIN, wordnet_dir

PRINCETON = {  # sha256 of the files of WordNet 3.0
    "data.noun": "fea17d2f9656611334eac790e5d69e47645fa180c4aa481fb4cd9b3520754ca2",
    "index.noun": "a490d99d93d017bf4822fe2f0ffa51fd73911ce271dc7535fade21f8814b5a04",
    "noun.exc": "2b5d675c380b39ecf595af9fa9d4e7feb1d58c643b0bff08c40ed5bfe41fab7a",
}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XMODAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Name to inode and time of change, of the folder itself and of its files."""
    paths = [folder, *folder.iterdir()]
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def test_the_folder_has_every_file_and_nothing_lies_beside_it(cache: Path):
    folder = wordnet_dir()
    assert folder.parent == cache
    assert {path.name for path in folder.iterdir()} == {*PACKED, *PLAIN, *EMPTY}
    assert list(cache.iterdir()) == [folder]
    assert all((folder / name).stat().st_size == 0 for name in EMPTY)
    for name, digest in PRINCETON.items():
        assert sha256((folder / name).read_bytes()).hexdigest() == digest
    assert len((folder / "lexnames").read_text().splitlines()) == 45
    assert "Princeton University" in (folder / "LICENSE").read_text()


def test_a_second_call_touches_nothing(cache: Path):
    before = snapshot(wordnet_dir())
    assert snapshot(wordnet_dir()) == before


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_folder_is_made_anew(cache: Path, damage: str):
    folder = wordnet_dir()
    if damage == "missing":
        (folder / "data.noun").unlink()
    else:
        (folder / "index.noun").write_bytes(b"cut")
    assert wordnet_dir() == folder
    assert (folder / "data.noun").stat().st_size == 15_300_280
    assert (folder / "index.noun").stat().st_size == 4_786_655
    assert list(cache.iterdir()) == [folder]


def test_processes_that_unpack_at_once_all_get_the_same_whole_folder(cache: Path):
    code = "from xmodal.bundle.wordnet_files import wordnet_dir; print(wordnet_dir())"
    command = [sys.executable, "-c", code]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], answers
    assert {answer[0].strip() for answer in answers} == {str(wordnet_dir())}
    assert list(cache.iterdir()) == [wordnet_dir()]


def test_a_cache_that_cannot_be_made_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XMODAL_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError) as error:
        wordnet_dir()
    assert str(error.value) == (
        f"the WordNet files cannot be unpacked into {tmp_path}/file/cache: Not a directory; "
        "set XMODAL_CACHE to a folder that can be written"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_cache_is_one_clear_line(cache: Path):
    cache.mkdir()
    cache.chmod(0o500)
    with pytest.raises(DataError, match=r"cannot be unpacked into .*: Permission denied; set XM"):
        wordnet_dir()


def test_a_read_only_cache_that_is_filled_already_will_do(cache: Path):
    folder = wordnet_dir()
    cache.chmod(0o500)
    assert wordnet_dir() == folder
    cache.chmod(0o700)


def test_the_cache_lies_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XMODAL_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv("XMODAL_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_dir() == tmp_path / "xdg" / "xmodal"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_dir() == tmp_path / "home" / ".cache" / "xmodal"
