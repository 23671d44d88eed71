"""Opening the DuckDB file: the only place that connects, and where foreign files stop.

DuckDB lets one process write or many read. While one process has the file open for
writing, every other is refused, readers too, so an opener waits a little and then says who
holds it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from taxonomy.errors import StoreError
from xmodal.room import no_room, room_in, why_no_room
from xmodal.store import leftovers
from xmodal.store.turns import Turn

Fill = Callable[[duckdb.DuckDBPyConnection], None]
CONFIG: dict[str, str | bool | int | float | list[str]] = {
    # else `from rows` in SQL would read a Python variable of that name
    "python_enable_replacements": False,
    "python_scan_all_frames": False,
    # else opening an SQLite file would fetch an extension from the network
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
}
_LOCK_DOWN = (
    "SET GLOBAL temp_directory = ''",
    "SET GLOBAL enable_external_access = false",
    "SET GLOBAL lock_configuration = true",
)

_LOCKED = "Could not set lock on file"
_HOLDER = re.compile(r"held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")
_OWN = "{path} is already open in this process in another mode: close it first"
# how DuckDB begins: the file ends before what it should hold, or a block is not what was written
_DAMAGED = ("IO Error: Could not read enough bytes", "Corrupt database file")


def connect_memory() -> duckdb.DuckDBPyConnection:
    """A private database that ends with its connection."""
    return duckdb.connect(":memory:", config=CONFIG)


def need_store(path: Path, maker: str) -> None:
    """Refuse to read a store that is not there, by the command that makes what is looked for.

    Args:
        path: Of the store.
        maker: The command, in backticks, without --store.

    Raises:
        StoreError: There is no store.
    """
    if not path.exists():
        raise StoreError(f"no store at {path}: {maker[:-1]} --store {path}` makes one")


def connect_file(
    path: Path,
    *,
    read_only: bool,
    wait_s: float,
    asker: int | None = None,
    fill: Fill | None = None,
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file, waiting for another process's lock.

    Args:
        path: The file; made with its folder when missing and not read_only.
        read_only: Many processes may read at once; none while one writes.
        wait_s: Seconds to wait while another process holds the file.
        asker: Id of the process on whose behalf this one opens the file: not waited for.
        fill: What a new file is given before anybody sees it.

    Raises:
        StoreError: The file is missing, foreign, damaged or in use.
        NoRoomError: The disk is full.
    """
    if read_only and not path.exists():
        raise StoreError(
            f"no store at {path}: `xmodal demo` or `xmodal taxonomy build --store {path}` makes one"
        )
    if path.is_dir():
        raise StoreError(f"{path} is a folder, and a store is one file: give a file name")
    with room_in(path.absolute().parent):
        _make_place(path)
        if not read_only and not path.exists():
            _put_new(path, fill)
    with Turn(path, read_only=read_only, wait_s=wait_s) as turn:
        while True:
            turn.come()
            try:
                before = _file_id(path)
                con = _connect(path, read_only)
                if before in (None, _file_id(path)) or turn.is_over():
                    return con
                con.close()  # another file took its place meanwhile: this one is no store any more
            except duckdb.IOException as error:
                holder = _holder(path, error, asker)
                if turn.is_over():
                    raise StoreError(
                        f"{path} is in use by {holder}; waited {wait_s:g} s: try again when it is "
                        "done"
                    ) from error
                turn.refused()


def _holder(path: Path, error: duckdb.IOException, asker: int | None) -> str:
    """Who has a store open, so that it could not be opened.

    Raises:
        StoreError: It is something else that is wrong, or who has it open is not to be waited for.
        NoRoomError: The disk is full.
    """
    if why := why_no_room(error):
        raise no_room(path.absolute().parent, why) from error
    if _LOCKED not in str(error):
        raise StoreError(_refusal(path, error)) from error
    found = _HOLDER.search(str(error))
    if found is None:  # it has ended meanwhile, or is on another machine
        return "another process"
    if int(found["pid"]) == asker:
        raise StoreError(_OWN.format(path=path)) from error
    return f"process {found['pid']} ({Path(found['program']).name})"


def _make_place(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if why_no_room(error):
            raise
        raise StoreError(f"{path} cannot be made: {error.strerror}") from error


def _put_new(path: Path, fill: Fill | None) -> None:
    """Put a new database in place, whole: one that was cut off looks damaged or foreign.

    Where another process is faster, or files have no second name, nothing happens.
    """
    if path.with_name(f"{path.name}.wal").exists():  # of a file that is gone: DuckDB removes it
        return
    leftovers.remove_left(path)
    made = leftovers.own_name(path)
    try:
        con = duckdb.connect(str(made.absolute()), config=CONFIG)
        try:
            if fill is not None:
                fill(con)
                con.execute("CHECKPOINT")
        finally:
            con.close()
        with suppress(OSError):
            os.link(made, path)
    except duckdb.IOException as error:
        if why_no_room(error):
            raise
        # else opening the file itself says what is wrong
    finally:
        leftovers.remove(made)


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino


def _connect(path: Path, read_only: bool) -> duckdb.DuckDBPyConnection:
    # The file is never opened from Python first, say to look at its header: closing such a
    # handle would drop the lock that DuckDB may hold on the file in this same process.
    try:
        con = duckdb.connect(str(path.absolute()), read_only=read_only, config=CONFIG)
    except duckdb.IOException:
        raise
    except duckdb.ConnectionException as error:
        raise StoreError(_OWN.format(path=path)) from error
    except duckdb.Error as error:
        raise StoreError(_refusal(path, error)) from error
    # DuckDB takes a CSV or Parquet file for data and opens an in-memory database over it
    if con.execute("SELECT path FROM duckdb_databases() WHERE NOT internal").fetchone() in (
        None,
        (None,),
    ):
        con.close()
        raise StoreError(f"{path} is not a DuckDB file: give another --store")
    return con


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection, path: str) -> Iterator[None]:
    """All or nothing. Never nest, and never catch duckdb.Error inside.

    DuckDB aborts a transaction at its first error; a later commit would return normally and drop
    every row, so a probe before it raises if an error was swallowed.

    Args:
        con: Of the database.
        path: Its file, for messages.

    Raises:
        NoRoomError: The disk is full; nothing was written.
    """
    with room_in(Path(path).absolute().parent):
        con.begin()
        try:
            yield
            con.execute("SELECT 1")
        except BaseException:
            # a database that could not write may refuse this too: the first error says why
            with suppress(duckdb.Error):
                con.rollback()
            raise
        con.commit()


def copy_database(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Copy everything of an open database into a new file.

    Args:
        con: Of the database.
        path: The file, which must not be there.

    Raises:
        StoreError: It cannot be written, or the database is damaged.
        NoRoomError: The disk is full.
    """
    ((name, source),) = con.execute(
        "SELECT database_name, path FROM duckdb_databases() WHERE NOT internal"
    ).fetchall()
    quoted = '"' + name.replace('"', '""') + '"'  # made of the file's name, no parameter
    try:
        con.execute("ATTACH $path AS xmodal_copy", {"path": str(path.absolute())})
        try:
            con.execute(f"COPY FROM DATABASE {quoted} TO xmodal_copy")
        finally:
            con.execute("DETACH xmodal_copy")
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        if why := why_no_room(error):
            raise no_room(path.parent, why) from error
        raise StoreError(
            damage(source or name, error) or f"{path} cannot be written: {reason}"
        ) from error


def lock_down(con: duckdb.DuckDBPyConnection, memory_bytes: int) -> None:
    """No access to other files from here on, and no way to switch that back on.

    Args:
        con: A connection that is read from only.
        memory_bytes: What DuckDB may use. It spills nothing to disk: what needs more fails.
    """
    con.execute("SET GLOBAL memory_limit = $limit", {"limit": f"{memory_bytes}B"})
    # in this order: a locked configuration refuses the rest
    for statement in _LOCK_DOWN:
        con.execute(statement)


def damage(path: Path | str, error: Exception) -> str | None:
    """What to say where DuckDB's error means that the file is damaged; else None."""
    reason = str(error).splitlines()[0]
    if not reason.startswith(_DAMAGED):
        return None
    what = "it ends too early" if reason.startswith(_DAMAGED[0]) else "a block has changed"
    return (
        f"{path} is damaged ({what}): restore a copy; or move it away and build its taxonomy and "
        f"manifests anew: they get the same ids, and `xmodal store sync --store {path}` brings the "
        "runs back from their folders"
    )


def _refusal(path: Path, error: Exception) -> str:
    if found := damage(path, error):
        return found
    reason = str(error).splitlines()[0]
    if "not a valid DuckDB" in reason or "Extension" in reason or "in-memory" in reason:
        return f"{path} is not a DuckDB file: give another --store"
    return f"{path} cannot be opened: {reason}"
