"""Many processes that finish runs and sync at the same moment, while others read in a loop."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from taxonomy.model import Manifest
from tests.xmodal.store import world
from tests.xmodal.store.world import BIRD, PARROT
from xmodal.files import own_runs, write_whole
from xmodal.run_record import RecordFolder
from xmodal.store import Store
from xmodal.store.scan import scan

N_ANSWERS = 2000
_LOOK = """
SELECT
    run_id,
    (SELECT count(*) FROM prediction AS p WHERE p.run_id = run.run_id) AS n_predictions,
    (SELECT count(*) FROM metric AS m WHERE m.run_id = run.run_id) AS n_metrics
FROM run
"""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one process did and saw."""

    writes: bool
    longest_wait_s: float
    """For the store to open."""
    n_times: int
    """Syncs or queries."""
    n_runs: int
    """In the store at its end."""
    errors: tuple[str, ...] = ()
    """What went wrong, such as half a run."""


def manifest() -> Manifest:
    return world.manifest([(n, PARROT, BIRD, True, "held_out") for n in range(N_ANSWERS)])


def make_store(path: Path) -> None:
    with Store.open(path) as store:
        store.add_taxonomy(world.taxonomy())
        store.add_manifest(manifest())


def train(runs: Path, run_id: str) -> None:
    """What a run leaves, in the order in which training leaves it."""
    folder = RecordFolder(runs / run_id)
    of = manifest()
    with own_runs([folder.path]):
        folder.write_record(world.record(run_id, of, status="running"))
        folder.write_metrics([(0, "loss", 2.5), (10, "loss", 0.5)])
        table = world.predictions((n, n % 2 == 0) for n in range(N_ANSWERS))
        write_whole(folder.path / "predictions.parquet", lambda path: pq.write_table(table, path))
        folder.write_record(world.record(run_id, of))


def write(path: Path, run_id: str, barrier: Any, results: Any) -> None:
    """Finish a run and sync."""
    barrier.wait(120)
    train(path.parent / "runs", run_id)
    start = time.monotonic()
    try:
        scanned = scan(path.parent / "runs")
        with Store.open(path) as store:
            waited = time.monotonic() - start
            report = store.sync(path.parent / "runs", scanned)
            n = store.runs().num_rows
        errors = tuple(f"{name} was rejected: {why}" for name, why in report.rejected)
    except Exception as error:  # for the test to show
        waited, n, errors = time.monotonic() - start, 0, (f"{run_id}: {error}",)
    seen = Seen(writes=True, longest_wait_s=waited, n_times=1, n_runs=n, errors=errors)
    results.put(asdict(seen))


def read(path: Path, n_runs: int, barrier: Any, results: Any) -> None:
    """Query until all runs are there; every run that is seen has all its rows."""
    barrier.wait(120)
    longest, n_times, n, errors = 0.0, 0, 0, []
    deadline = time.monotonic() + 120
    try:
        while n < n_runs and time.monotonic() < deadline:
            start = time.monotonic()
            with Store.open(path, read_only=True) as store:
                longest = max(longest, time.monotonic() - start)
                rows = store.query(_LOOK).to_pylist()
            errors += [
                f"half of {row['run_id']}: {row}"
                for row in rows
                if (row["n_predictions"], row["n_metrics"]) != (N_ANSWERS, 2)
            ]
            if len(rows) < n:
                errors.append(f"{n} runs, then {len(rows)}")
            n, n_times = len(rows), n_times + 1
    except Exception as error:  # for the test to show
        errors.append(f"a reader, after {time.monotonic() - start:.1f} s: {error}")
    seen = Seen(
        writes=False, longest_wait_s=longest, n_times=n_times, n_runs=n, errors=tuple(errors)
    )
    results.put(asdict(seen))


def crowd(path: Path, n_writers: int, n_readers: int) -> list[Seen]:
    """Start them all, let them go at once, and wait for them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # imported once, in a server without threads
    barrier, results = context.Barrier(n_writers + n_readers), context.Queue()
    given = [(write, (path, f"run-{n:02d}")) for n in range(n_writers)]
    given += [(read, (path, n_writers))] * n_readers
    processes = [
        context.Process(target=work, args=(*some, barrier, results), daemon=True)
        for work, some in given
    ]
    for process in processes:
        process.start()
    seen = [Seen(**results.get(timeout=180)) for _ in processes]
    for process in processes:
        process.join()
    return seen
