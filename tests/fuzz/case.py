"""One case: a reader, a bad file, and what must hold whatever the reader does."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from hypothesis import strategies as st

from taxonomy.errors import XmodalError
from tests.fuzz.damage import PLACES, damaged

LIMIT_S = 10
"""Of one case; most take a thousandth of it."""
COUNTS: Counter[str] = Counter()
"""Cases by reader, of this process."""
REFUSED: Counter[str] = Counter()
"""Of these, those that ended in an XmodalError."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A function that reads files, and good files for it."""

    name: str
    files: Mapping[str, bytes]
    """By their names in the folder that is read."""
    kinds: Mapping[str, str]
    """The files that are damaged, and what they are: a key of damage.KINDS."""
    read: Callable[[Path], object]
    """Given the folder."""
    planted: str
    """A function inside the reader, as module:name; a TypeError in it must come out."""
    says: tuple[str, ...] = field(default=())
    """What messages may name beside the files."""


class TooLongError(BaseException):
    """A case did not end."""


@contextmanager
def limited() -> Iterator[None]:
    """Stop what runs longer than LIMIT_S."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooLongError(f"no end after {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


_WRITES: list[str] | None = None
_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.chmod"}


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if _WRITES is None:
        return
    if event == "open" and isinstance(args[0], str | bytes | os.PathLike):
        flags = args[2] if isinstance(args[2], int) else 0
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            _WRITES.append(f"{event} {args[0]!r}")
    elif event in _CHANGES:
        _WRITES.append(f"{event} {args[0]!r}")


sys.addaudithook(_watch)


@contextmanager
def nothing_written() -> Iterator[None]:
    """Fail where Python opens a file to write, makes, moves or removes one."""
    global _WRITES
    _WRITES = []
    try:
        yield
        assert not _WRITES, _WRITES
    finally:
        _WRITES = None


def seen(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Everything in a folder: kind, size and time of the last change."""
    found = {}
    for path in folder.rglob("*"):
        state = path.lstat()
        found[str(path)] = (state.st_mode, state.st_size, state.st_mtime_ns)
    return found


def lay_out(folder: Path, files: Mapping[str, bytes]) -> Path:
    """A fresh folder with files, and one beside it that nobody may look into."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "outside").mkdir(parents=True)
    (folder / "outside" / "secret").write_bytes(b"{}\n")
    for name, content in files.items():
        path = folder / "target" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "target"


def put(path: Path, what: str) -> None:
    """Something else in the place of a file."""
    path.unlink()
    if what == "folder":
        path.mkdir()
    elif what == "link":
        path.symlink_to(os.path.relpath(path.parents[1] / "outside" / "secret", path.parent))
    elif what == "loop":
        path.symlink_to(path.name)
    elif what == "dangling":
        path.symlink_to("nowhere")


def damage(draw: st.DrawFn, reader: Reader, target: Path) -> str:
    """Damage a file of a reader; its name."""
    name = draw(st.sampled_from(sorted(reader.kinds)))
    if draw(st.integers(0, 19)) == 0:
        what = draw(st.sampled_from(PLACES))
        put(target / name, what)
        return name
    content = draw(damaged(reader.kinds[name], reader.files[name]))
    (target / name).write_bytes(content)
    return name


def mend(path: Path, good: bytes) -> None:
    """Put the good file in its place again."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    path.write_bytes(good)


def check(draw: st.DrawFn, reader: Reader, folder: Path) -> None:
    """Damage a file and read: a value, or one line that names a file, and nothing changed."""
    target = folder / "target"
    name = damage(draw, reader, target)
    before = seen(folder)
    COUNTS[reader.name] += 1
    with limited(), nothing_written():
        try:
            reader.read(target)
        except XmodalError as error:
            REFUSED[reader.name] += 1
            check_message(str(error), (*reader.files, "target", *reader.says))
    assert seen(folder) == before
    mend(target / name, reader.files[name])


def check_message(message: str, names: tuple[str, ...]) -> None:
    assert message.isprintable(), message
    assert message, "an error without a message"
    assert len(message) < 3000, len(message)
    assert any(Path(name).name in message for name in names), message
