"""Files that appear whole, what a kill or a full disk leaves of them, and what is said then."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import typer
from safetensors.torch import save_file
from typer.testing import CliRunner

from cli.errors import user_errors
from taxonomy.errors import DataError, NoRoomError
from tests.small_disk import files_at_most
from xmodal.align.parts import join_chunks
from xmodal.files import make_folder, own_runs, write_whole

NUMBERS = np.random.default_rng(0).normal(size=10_000)
WRITERS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("x" * 80_000),
    "numpy": lambda path: np.save(path, NUMBERS),
    "parquet": lambda path: pq.write_table(pa.table({"a": NUMBERS}), path),
    "safetensors": lambda path: save_file({"a": torch.tensor(NUMBERS)}, path),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())
def test_no_room_names_the_folder_and_leaves_what_was_there(
    tmp_path: Path, write: Callable[[Path], object]
) -> None:
    path = tmp_path / "a.npy"
    path.write_text("before")
    with files_at_most(10_000), pytest.raises(NoRoomError) as refused:
        write_whole(path, write)
    assert str(refused.value).startswith(f"no room in {tmp_path} (")
    assert str(refused.value).endswith("then give the command again")
    assert [one.name for one in tmp_path.iterdir()] == ["a.npy"]
    assert path.read_text() == "before"
    write_whole(path, write)
    assert path.stat().st_size > 70_000


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    def fail(_: Path) -> None:
        raise OSError(errno.EACCES, "no")

    with pytest.raises(PermissionError):
        write_whole(tmp_path / "a", fail)
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file/b cannot be made: Not a directory$"):
        make_folder(tmp_path / "file" / "b", "made")


@pytest.mark.parametrize("shape", [(5, 3), (1, 1), (4, 7)])
def test_chunks_are_joined_to_what_numpy_saves(tmp_path: Path, shape: tuple[int, int]) -> None:
    rows = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    np.save(tmp_path / "want.npy", rows)
    join_chunks(tmp_path / "got.npy", shape, [rows[:2].copy(), rows[2:]])
    assert (tmp_path / "got.npy").read_bytes() == (tmp_path / "want.npy").read_bytes()
    with files_at_most(64), pytest.raises(NoRoomError, match=f"^no room in {tmp_path} "):
        join_chunks(tmp_path / "got.npy", shape, [rows])


KILLED = """
import os, sys
from pathlib import Path
from xmodal.files import own_runs, write_whole

with own_runs([Path(sys.argv[1])]):
    write_whole(Path(sys.argv[1]) / "run.json", lambda path: os.kill(os.getpid(), 9))
"""


def test_what_a_killed_process_began_is_removed_by_who_has_the_folder_next(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert subprocess.run([sys.executable, "-c", KILLED, run], check=False).returncode == -9
    (run / ".mine.txt").touch()
    assert len(list(run.iterdir())) == 3
    with own_runs([run]):
        assert {one.name for one in run.iterdir()} == {"lock", ".mine.txt"}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.ENOSPC, "x", "/a/b/c"),
            "no room in /a/b (No space left on device): make room",
        ),
        (OSError(errno.EDQUOT, "x"), "no room in its folder (Disk quota exceeded): make room"),
        (OSError(errno.EACCES, "no"), None),
    ],
)
def test_a_command_says_it_in_a_line_wherever_it_happens(error: OSError, said: str | None) -> None:
    app = typer.Typer()

    @app.command()
    @user_errors
    def write() -> None:
        raise error

    done = CliRunner().invoke(app, [])
    assert done.exit_code == 1
    if said is None:
        assert done.exception is error
    else:
        assert done.stderr == f"error: {said}, then give the command again\n"
