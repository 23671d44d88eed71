"""The process that runs queries: reads requests on stdin, answers on stdout, ends with stdin.

Run as `python -m xmodal.store.asked` by xmodal.store.asking; not for people.
"""

from __future__ import annotations

import io
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import duckdb
import pyarrow as pa

from taxonomy.errors import StoreError
from xmodal.store import frames, schema
from xmodal.store.analyses import Analysis
from xmodal.store.connection import connect_file, damage, lock_down
from xmodal.store.fence import check_reads
from xmodal.store.frames import Request

Send = Callable[[bytes, bytes], None]

_BATCH_ROWS = 100_000
_VECTOR_ROWS = 2048
"""Rows that DuckDB works on at a time; a reader of fewer takes a second to close."""
_DUCKDB_SHARE = 0.8
"""Share of the memory that DuckDB counts. It leaves some out, such as long strings and lists: for
those the whole process is watched from outside."""


def answer(request: Request, send: Send) -> None:
    """Run one query and send its frames, or what is wrong with it.

    Args:
        request: The query.
        send: Called with (kind of frame, content).
    """
    try:
        more = _run(request, send)
    except StoreError as error:
        send(frames.REFUSED, str(error).encode())
    except Exception:
        send(frames.BUG, traceback.format_exc().encode())
    else:
        send(frames.DONE, b"1" if more else b"0")


def _run(request: Request, send: Send) -> bool:
    text, given, analysis = request.text, request.params, None
    if text.lstrip().startswith("@"):
        analysis = Analysis.load(text.strip()[1:])
        text, given = analysis.text, analysis.bind(given)
    path = Path(request.path)
    con = connect_file(path, read_only=True, wait_s=request.wait_s, asker=os.getppid())
    try:
        schema.check(con, request.path)
        lock_down(con, int(request.memory_bytes * _DUCKDB_SHARE))
        if analysis is not None:
            analysis.check_ids(given, lambda ids: [row[0] for row in con.execute(ids).fetchall()])
        send(frames.OPENED, b"")
        with _interrupted_after(con, request.timeout_s):
            check_reads(con, text)
            return _send_rows(con.sql(text, params=dict(given)), request.rows, send)
    except MemoryError as error:
        raise StoreError(frames.stopped_by_memory(request.memory_bytes)) from error
    # while rows are fetched, Arrow says OSError for what DuckDB says
    except (duckdb.Error, OSError) as error:
        raise StoreError(_said(error, request)) from error
    finally:
        con.close()


def _send_rows(relation: duckdb.DuckDBPyRelation, rows: int | None, send: Send) -> bool:
    """Send the result batch by batch; whether there were more rows than asked for."""
    n_batch = _BATCH_ROWS if rows is None else min(_BATCH_ROWS, max(_VECTOR_ROWS, rows + 1))
    left = rows
    with relation.to_arrow_reader(n_batch) as reader:
        # the columns of a result without rows
        send(frames.ROWS, _stream(reader.schema, []))
        for batch in reader:
            if left is not None and batch.num_rows > left:
                send(frames.ROWS, _stream(reader.schema, [batch.slice(0, left)]))
                return True
            send(frames.ROWS, _stream(reader.schema, [batch]))
            left = None if left is None else left - batch.num_rows
    return False


def _stream(columns: pa.Schema, batches: list[pa.RecordBatch]) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, columns) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue()


@contextmanager
def _interrupted_after(con: duckdb.DuckDBPyConnection, timeout_s: float) -> Iterator[None]:
    timer = threading.Timer(timeout_s, con.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _said(error: Exception, request: Request) -> str:
    reason = _reason(error)
    if reason.startswith("INTERRUPT Error"):
        return frames.stopped_by_time(request.timeout_s)
    if reason.startswith("Out of Memory Error"):
        return frames.stopped_by_memory(request.memory_bytes)
    return damage(request.path, error) or f"query: {reason}"


def _reason(error: Exception) -> str:
    """DuckDB's message without the echo of the query below it."""
    lines = str(error).split("LINE 1:")[0].strip().splitlines()
    return " ".join(line.strip() for line in lines if line.strip())


def _listen(requests: queue.SimpleQueue[bytes], stdin: BinaryIO) -> None:
    """Take requests in; end the process at once where whoever asked is gone."""
    while len(size := stdin.read(frames.SIZE_BYTES)) == frames.SIZE_BYTES:
        requests.put(stdin.read(frames.read_size(size)))
    os._exit(0)


def main() -> None:
    """Answer until stdin ends."""
    # Ctrl-C goes to both processes: the one that asked decides
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # nothing that a library prints may get between the frames
    stdout = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def send(kind: bytes, content: bytes) -> None:
        stdout.write(frames.header(kind, len(content)))
        left = memoryview(content)
        while left:
            left = left[stdout.write(left) :]

    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, sys.stdin.buffer), daemon=True).start()
    while True:
        try:
            request = pickle.loads(requests.get())
        except Exception as error:
            send(frames.REFUSED, frames.bad_parameter(error).encode())
        else:
            answer(request, send)


if __name__ == "__main__":
    main()
