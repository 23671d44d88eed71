"""Many processes at one store: all rows arrive once, nobody sees half a run, nobody fails."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests.xmodal.store.crowd import N_ANSWERS, crowd, make_store
from xmodal.machine import n_cores
from xmodal.store import Store


@pytest.mark.parametrize(
    ("n_writers", "n_readers"), [(6, 3), pytest.param(16, 8, marks=pytest.mark.slow)]
)
def test_all_rows_arrive_once_and_nobody_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_writers: int, n_readers: int
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    path = tmp_path / "s.duckdb"
    make_store(path)
    start = time.monotonic()
    seen = crowd(path, n_writers, n_readers)
    seconds = time.monotonic() - start
    assert [line for one in seen for line in one.errors] == []
    assert sum(one.writes for one in seen) == n_writers
    assert all(one.n_times > 0 for one in seen)
    with Store.open(path) as store:
        report = store.sync(tmp_path / "runs")
        assert (report.n_ingested, report.n_unchanged) == (0, n_writers)
        counts = store.query(
            "SELECT run_id, count(*) AS n FROM prediction GROUP BY ALL"
        ).to_pylist()
        assert store.runs().num_rows == n_writers
    assert [row["n"] for row in counts] == [N_ANSWERS] * n_writers
    assert {one.name for one in tmp_path.iterdir()} == {"s.duckdb", "runs"}
    if (folder := os.environ.get("XMODAL_RESULTS")) and n_writers == 16:
        readers = [one for one in seen if not one.writes]
        result = {
            "n_writers": n_writers,
            "n_readers": n_readers,
            "cores": n_cores(),
            "seconds": round(seconds, 2),
            "n_queries": sum(one.n_times for one in readers),
            "longest_wait_of_a_writer_s": round(
                max(one.longest_wait_s for one in seen if one.writes), 2
            ),
            "longest_wait_of_a_reader_s": round(max(one.longest_wait_s for one in readers), 2),
            "n_failed": 0,
            "n_half_runs_seen": 0,
        }
        (Path(folder) / "crowd.json").write_text(json.dumps(result, indent=1) + "\n")
