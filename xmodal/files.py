"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from hashlib import file_digest
from pathlib import Path
from typing import IO

from taxonomy.errors import DataError
from xmodal.room import no_room, room_in, why_no_room

LOCK = "lock"
"""An empty file of a folder that one process has for itself."""


_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""What a network file system says that is mounted without locks."""

# what mkstemp makes of a name in write_whole, such as .run.json.a1b2c3d4.json
_BEGUN = re.compile(r"\..+(?P<suffix>\.\w+)\.\w{8}(?P=suffix)")


class TakenError(DataError):
    """Another process has a folder for itself."""


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let write fill a temporary file beside path, fsync it and rename it to path.

    Args:
        path: Where the file ends up; its folder must exist.
        write: Fills the file at the path it is given.

    Raises:
        NoRoomError: The disk is full; path is as it was.
    """
    with room_in(path.parent):
        handle, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent
        )
        os.close(handle)
        made = Path(name)
        try:
            write(made)
            with made.open("rb") as file:
                os.fsync(file.fileno())
            made.chmod(0o644)
            os.replace(made, path)
        finally:
            made.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A hidden folder to fill with files that are fsynced; it takes its place by one rename.

    Args:
        folder: Where it ends up; missing or empty.

    Yields:
        The folder to fill. After an error nothing of it is left.

    Raises:
        DataError: There is something, or it cannot be written.
        NoRoomError: The disk is full.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file: give a folder that is empty or not there")
    if folder.is_dir() and any(folder.iterdir()):
        raise DataError(f"{folder} is not empty: give a folder that is empty or not there")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        if why := why_no_room(error):
            raise no_room(folder.parent, why) from error
        raise DataError(f"{folder} cannot be made: {error.strerror}") from error
    try:
        with room_in(folder.parent):
            yield made
            made.chmod(0o755)
            os.replace(made, folder)
            sync_folder(folder.parent)
    except OSError as error:
        raise DataError(f"{folder} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Have a rename in a folder survive a power cut, where the system can say so."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path, what: str) -> None:
    """Make a folder, unless it is there.

    Args:
        folder: Its path.
        what: What it is for, such as "the demo's folder".

    Raises:
        DataError: It cannot be made.
        NoRoomError: The disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if why := why_no_room(error):
            raise no_room(folder.parent, why) from error
        raise DataError(f"{folder} cannot be {what}: {error.strerror}") from error


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes, read piece by piece."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


@contextmanager
def own(folder: Path, doing: str = "extracts into", needed: bool = True) -> Iterator[None]:
    """Have a folder for this process alone; a killed one gives it back.

    Args:
        folder: There already.
        doing: What whoever has it does with it, for the message.
        needed: Refuse a file system without locks; else two processes may have it there.

    Raises:
        TakenError: Another process has it.
        DataError: It cannot be written, or not be locked.
    """
    try:
        lock = (folder / LOCK).open("w")
    except FileNotFoundError as error:  # whoever had the folder has just removed it
        raise _taken(folder, doing) from error
    except OSError as error:
        if why := why_no_room(error):
            raise no_room(folder, why) from error
        raise DataError(f"{folder} cannot be written: {error.strerror}") from error
    with lock:
        try:
            _lock(lock)
            # whoever had it may have removed the file since it was opened here
            is_ours = os.path.samestat(os.fstat(lock.fileno()), (folder / LOCK).stat())
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise _taken(folder, doing) from error
            if needed:
                raise DataError(
                    f"{folder} cannot be locked ({error.strerror}), and two processes at once "
                    "would spoil it: take a file system with locks"
                ) from error
            is_ours = True
        if not is_ours:
            raise _taken(folder, doing)
        yield


def is_owned(folder: Path) -> bool:
    """Whether another process has a folder for itself now, see own; False where none can."""
    try:
        with (folder / LOCK).open("r+") as lock:
            _lock(lock)
    except OSError as error:
        return not isinstance(error, FileNotFoundError) and error.errno not in _NO_LOCKS
    return False


def _lock(lock: IO[str]) -> None:
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        return
    fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


def _taken(folder: Path, doing: str) -> TakenError:
    return TakenError(f"another process {doing} {folder}: wait for it to end")


@contextmanager
def own_runs(folders: Iterable[Path]) -> Iterator[None]:
    """Have the folders of runs for this process alone, to train them; they are made.

    What a run's folder holds must be read, or read again, once it is had.

    Args:
        folders: Of the runs that are to be trained.

    Raises:
        DataError: Another process trains one of them.
    """
    with ExitStack() as held:
        for folder in sorted(folders):
            if not folder.parent.exists():
                make_folder(folder.parent, "the folder of runs")
                held.callback(drop_empty, folder.parent)
            make_folder(folder, "a run's folder")
            held.callback(drop_empty, folder)
            held.enter_context(own(folder, "trains"))
            held.callback(_drop_lock, folder)
            _sweep(folder)
        yield


def _sweep(folder: Path) -> None:
    """Remove what write_whole had begun in a folder when its process was killed."""
    for left in folder.iterdir():
        if _BEGUN.fullmatch(left.name) and left.is_file():
            left.unlink(missing_ok=True)


def _drop_lock(folder: Path) -> None:
    with suppress(OSError):  # some systems keep a file that is open
        (folder / LOCK).unlink()


def drop_empty(folder: Path) -> None:
    """Remove a folder if there is nothing in it.

    Over NFS an open file that is removed keeps its folder from going until it is closed.
    """
    with suppress(OSError):
        folder.rmdir()
