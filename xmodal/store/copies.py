"""A store written anew beside itself and put in its own place, so that a kill loses nothing.

The old file is held for writing from the first row read to the rename: no other process can
write what the copy would lack. Until the rename the old file is whole and is the store.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taxonomy.errors import StoreError
from xmodal.files import sync_folder
from xmodal.store.store import Store


@contextmanager
def rewritten(path: Path, *, wait_s: float = 10.0) -> Iterator[tuple[Store, Store]]:
    """The store and a compact copy of it, which takes its place at the end of the block.

    An error in the block leaves the store as it was and removes the copy.

    Args:
        path: The store; it must be there. A link stays and its target is replaced.
        wait_s: Seconds to wait for another process's lock.

    Yields:
        The store, open and not to be changed, and the copy, open to be changed.

    Raises:
        StoreError: Missing, foreign, damaged or in use.
        NoRoomError: No room for the copy.
    """
    if not path.exists():
        raise StoreError(
            f"no store at {path}: `xmodal demo` or `xmodal taxonomy build --store {path}` makes one"
        )
    with Store.open(path, wait_s=wait_s) as old, replaced(old) as copy:
        old.copy_to(copy)
        with Store.open(copy) as new:
            if new.table_sizes() != old.table_sizes():
                raise StoreError(
                    f"the copy of {path} has other rows than the store: the disk may fail"
                )
            yield old, new


@contextmanager
def replaced(old: Store) -> Iterator[Path]:
    """The name of a file that takes a store's place at the end of the block.

    Args:
        old: The store, open to write all the while and not changed.

    Yields:
        A path that is not there; the block makes a store of it and closes that.

    Raises:
        NoRoomError: The disk is full; the store is as it was.
    """
    place = Path(old.path).resolve()
    copy = place.with_name(f".{place.name}.new")
    _remove(copy)
    # a log of the old file, left by a killed writer or by an upgrade just now, would be taken for
    # one of the new file
    old.checkpoint()
    try:
        yield copy
        _finish(copy)
        _check_no_log(place)
        _put(copy, place)
    except BaseException:
        _remove(copy)
        raise


def _finish(copy: Path) -> None:
    """Have all of a copy in its own file.

    DuckDB says nothing when it has no room to do so on closing: the rest then stays in a log, and
    the file, renamed without it, would lack rows.
    """
    log = copy.with_name(copy.name + ".wal")
    if log.exists():
        with Store.open(copy) as store:
            store.checkpoint()
    if log.exists() and log.stat().st_size:
        raise StoreError(f"{copy} cannot be written whole: its log {log} stays")


def _check_no_log(place: Path) -> None:
    log = place.with_name(place.name + ".wal")
    if log.exists() and log.stat().st_size:
        raise StoreError(f"{log} is in use: try again when nothing writes to {place}")


def vacuum(path: Path) -> tuple[int, int]:
    """Write a store compactly; what was deleted from it takes no more room.

    Returns:
        Its bytes before and after.

    Raises:
        StoreError: See rewritten.
    """
    with rewritten(path):
        before = path.stat().st_size
    return before, path.stat().st_size


def _put(copy: Path, place: Path) -> None:
    """Rename a copy that is on the disk to its place, with the permissions of what was there."""
    state = place.stat()
    copy.chmod(state.st_mode & 0o7777)
    with contextlib.suppress(OSError):  # only root may give a file to another user
        os.chown(copy, state.st_uid, state.st_gid)
    with copy.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(copy, place)
    sync_folder(place.parent)


def _remove(copy: Path) -> None:
    """Remove a copy, of this call or of one that was killed."""
    copy.unlink(missing_ok=True)
    copy.with_name(copy.name + ".wal").unlink(missing_ok=True)
