"""A store on disk with a row or more in every table, and the folders that its runs came from."""

from __future__ import annotations

import shutil
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from tests.xmodal.store import test_align_runs as aligned
from tests.xmodal.store import test_binding_runs as bound
from tests.xmodal.store import test_broken as broken
from tests.xmodal.store import world
from tests.xmodal.store.test_evaluations import evaluation
from xmodal.store import Store

_COLUMNS = """
SELECT table_name, column_name, data_type
FROM duckdb_columns()
JOIN duckdb_tables() USING (table_name)
WHERE table_name <> 'schema_step'
ORDER BY table_name, column_index
"""
VALUES: dict[str, Any] = {
    "VARCHAR": "é\n☃",
    "BIGINT": -(2**62),
    "BIGINT[]": [3, -(2**62)],
    "INTEGER": 7,
    "DOUBLE": 0.1,
    "FLOAT": 0.5,
    "BOOLEAN": True,
    "TIMESTAMP": datetime(2026, 1, 2, 3, 4, 5, 6),
}


@cache
def _made() -> TemporaryDirectory[str]:
    """Made once a process: a store with all its views takes half a second."""
    place = TemporaryDirectory()
    home = Path(place.name)
    with Store.open(home / "s.duckdb") as store:
        broken.fill(store)
        store.add_feature_set(world.feature_set())
        lay_folders(home / "runs")
        report = store.sync(home / "runs")
        assert (report.n_ingested, report.n_evaluations, report.n_probes) == (4, 3, 1)
        assert report.rejected == ()
    return place


def lay_folders(runs: Path) -> None:
    """A run of each kind, with what is measured of it."""
    answers = [(1, True), (2, False)]
    setup = world.SETUP | {"together_json": None}
    broken.seal(world.run_folder(runs, "v1", broken.OF, answers, setup=setup))
    (runs / "v1" / "projector.safetensors").write_bytes(b"weights")
    evaluation(runs, "v1", broken.OF, [(1, True)], image_mode="zero")
    broken.seal(world.card_folder(runs))
    evaluation(runs, "c1", broken.OF, [(1, False)], evaluation_id="e2")
    aligned.run(runs)
    aligned.evaluation(runs)
    bound.run(runs, "b1")
    bound.probe(runs, run_id="b1")


def full_store(home: Path) -> Path:
    """A copy of it all in a folder; returns the store."""
    shutil.copytree(_made().name, home, dirs_exist_ok=True)
    return home / "s.duckdb"


def fill_empty_tables(store: Store) -> dict[str, dict[str, Any]]:
    """A row in every table that has none, which makes no sense; returns them by table."""
    sizes = store.table_sizes().to_pylist()
    empty = {row["table"] for row in sizes if not row["n_rows"]}
    columns: dict[str, dict[str, Any]] = {}
    for row in store.query(_COLUMNS).to_pylist():
        columns.setdefault(row["table_name"], {})[row["column_name"]] = VALUES[row["data_type"]]
    filled = {table: columns[table] for table in sorted(empty & set(columns))}
    with store.transaction():
        for table, row in filled.items():
            store.insert_table(table, pa.Table.from_pylist([row]))
    return filled


def contents(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table but how the schema came about, in a fixed order."""
    tables = store.table_sizes()["table"].to_pylist()
    text = "SELECT * FROM query_table($name) ORDER BY ALL"
    return {
        name: store.query(text, {"name": name}).to_pylist()
        for name in tables
        if name != "schema_step"
    }
