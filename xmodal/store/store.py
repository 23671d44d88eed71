"""The experiment store: one DuckDB file, opened for as short as needed and passed in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from taxonomy.errors import StoreError
from taxonomy.manifest.strided import Strided
from taxonomy.model import STRIDED, Manifest, Taxonomy
from xmodal.room import room_in
from xmodal.store import schema
from xmodal.store.analyses import Analysis
from xmodal.store.connection import connect_file, connect_memory, copy_database, transaction
from xmodal.store.derived import add_strided, load_strided
from xmodal.store.designs import (
    add_manifest,
    add_taxonomy,
    load_manifest,
    load_taxonomy,
    stored_row,
)
from xmodal.store.feature_sets import replace_feature_set
from xmodal.store.ids import resolve_id as resolve_id  # others take it from here
from xmodal.store.rows import (
    CapabilityRow,
    CaptionSetRow,
    FeatureSetRow,
    Row,
    RunRow,
    SkippedImageRow,
    TextFeatureSetRow,
)
from xmodal.store.scan import Scan
from xmodal.store.separations import add_separation, load_separation
from xmodal.store.sync import SyncReport, sync_runs

if TYPE_CHECKING:
    import duckdb

    from taxonomy.separation import Separation

LM_PAIR = pa.schema(
    [
        pa.field("leaf", pa.string(), nullable=False),
        pa.field("hypernym", pa.string(), nullable=False),
        pa.field("answer", pa.bool_(), nullable=False),
    ]
)

_REMOVE_RUNS = (
    "DELETE FROM run WHERE run_id IN (SELECT unnest($ids))",
    "DELETE FROM metric WHERE run_id IN (SELECT unnest($ids))",
    "DELETE FROM prediction WHERE run_id IN (SELECT unnest($ids))",
)


class Store:
    """Taxonomies, manifests, runs and predictions in one DuckDB file.

    Use it as a context manager: while it is open for writing no other process can read.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, path: str) -> None:
        self._con = con
        self.path = path

    @classmethod
    def open(cls, path: Path | str, *, read_only: bool = False, wait_s: float = 10.0) -> Store:
        """Open a store; when writing, make it if missing and bring its schema up to date.

        Args:
            path: The DuckDB file.
            read_only: Several processes may read at once; none while one writes.
            wait_s: Seconds to wait for another process's lock.

        Raises:
            StoreError: Missing (read_only), foreign, newer, or in use by another process.
            NoRoomError: The disk is full.
        """
        schema.steps()  # read now: others wait for as long as the file is open
        con = connect_file(
            Path(path),
            read_only=read_only,
            wait_s=wait_s,
            fill=lambda new: schema.migrate(new, str(path)),
        )
        try:
            with room_in(Path(path).absolute().parent):
                (schema.check if read_only else schema.migrate)(con, str(path))
        except BaseException:
            con.close()
            raise
        return cls(con, str(path))

    @classmethod
    def of_steps(cls, path: Path, steps: Sequence[str]) -> Store:
        """A new store as an older version made it, by some schema files and without views."""
        con = connect_file(path, read_only=False, wait_s=0.0)
        schema.apply_steps(con, steps)
        return cls(con, str(path))

    def upgrade(self) -> None:
        """Apply the schema files that are missing, and make the views anew."""
        schema.migrate(self._con, self.path)

    @classmethod
    def in_memory(cls) -> Store:
        """An empty store that ends with the object."""
        con = connect_memory()
        schema.migrate(con, ":memory:")
        return cls(con, ":memory:")

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back to other processes."""
        self._con.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Never nest, and never catch duckdb.Error inside.

        Raises:
            NoRoomError: The disk is full; nothing was written.
        """
        with transaction(self._con, self.path):
            yield

    def query(self, text: str, params: Mapping[str, Any] | None = None) -> pa.Table:
        """Result of one trusted SELECT, as Arrow. For a user's text see sandbox.py."""
        return self._con.sql(text, params=dict(params or {})).to_arrow_table()

    def analysis(self, name: str, /, **params: Any) -> pa.Table:
        """Result of a named analysis of sql/analyses; parameters left out are NULL.

        Raises:
            StoreError: No such analysis or parameter.
        """
        analysis = Analysis.load(name)
        return self.query(analysis.text, analysis.bind(params))

    # -- datasets ---------------------------------------------------------------------------

    def add_taxonomy(self, taxonomy: Taxonomy, images: Iterable[pa.Table] | None = None) -> None:
        """Store a dataset; nothing happens when it is there already; see designs.add_taxonomy."""
        add_taxonomy(self, taxonomy, _now(), images)

    def load_taxonomy(self, dataset_id: str | None = None, *, lean: bool = False) -> Taxonomy:
        """A stored dataset by id or unique prefix; the latest one when None.

        Lean, its images have the columns image_id, concept_id and split alone.

        Raises:
            StoreError: No dataset yet, or an id that is unknown or ambiguous.
        """
        return load_taxonomy(self, dataset_id, lean=lean)

    def datasets(self) -> pa.Table:
        """One row per dataset, oldest first."""
        return self.query("SELECT * FROM dataset ORDER BY created_at")

    # -- manifests --------------------------------------------------------------------------

    def add_manifest(self, manifest: Manifest) -> None:
        """Store a manifest; nothing happens when the same rows are there already.

        Raises:
            StoreError: Its dataset is not stored, its example ids collide, or the id is
                stored with other rows.
        """
        add_manifest(self, manifest, _now())

    def load_manifest(self, manifest_id: str) -> Manifest:
        """A stored manifest by id or unique prefix.

        Raises:
            StoreError: An id that is unknown or ambiguous.
        """
        return load_manifest(self, manifest_id)

    def add_strided(self, manifest: Strided, image_places: pa.Table) -> None:
        """Store a manifest whose questions are derived; see derived.add_strided."""
        add_strided(self, manifest, image_places, _now())

    def lists_questions(self, manifest_id: str) -> bool:
        """Whether a manifest, by id or unique prefix, has its questions in the table example.

        Raises:
            StoreError: An id that is unknown or ambiguous.
        """
        return bool(stored_row(self, manifest_id)["negatives"] != STRIDED)

    def load_strided(self, manifest_id: str) -> Strided:
        """A stored manifest whose questions are derived, by id or unique prefix.

        Raises:
            StoreError: An id that is unknown or ambiguous.
        """
        return load_strided(self, manifest_id)

    def manifests(self) -> pa.Table:
        """One row per manifest, oldest first."""
        return self.query("SELECT * FROM manifest ORDER BY created_at")

    def example_ids(self, manifest_id: str) -> pa.ChunkedArray:
        """The int64 ids of a manifest's examples."""
        text = "SELECT example_id FROM example WHERE manifest_id = $id"
        return self.query(text, {"id": manifest_id})["example_id"]

    # -- what runs need and leave behind ----------------------------------------------------

    def add_feature_set(self, row: FeatureSetRow, skipped: Sequence[SkippedImageRow] = ()) -> None:
        """Store where a file of features lies; a set that has moved gets its new path."""
        replace_feature_set(self, row, skipped)

    def add_text_feature_set(self, row: TextFeatureSetRow) -> None:
        """Store where a file of text features lies; a set that has moved gets its new path."""
        own = {"id": row.text_feature_set_id}
        with self.transaction():
            self.execute("DELETE FROM text_feature_set WHERE text_feature_set_id = $id", own)
            self.insert_rows("text_feature_set", [row])

    def add_caption_set(self, row: CaptionSetRow) -> None:
        """Store where a caption set lies; one that has moved or has a new name is replaced."""
        own = {"id": row.caption_set_id}
        with self.transaction():
            self.execute("DELETE FROM caption_set WHERE caption_set_id = $id", own)
            self.insert_rows("caption_set", [row])

    def load_separation(self, separation_id: str) -> Separation:
        """A stored separation by id or unique prefix.

        Raises:
            StoreError: An id that is unknown or ambiguous.
        """
        return load_separation(self, separation_id)

    def add_separation(
        self,
        made: Separation,
        leaks: Mapping[tuple[str, str], pa.Table],
        text_feature_set_id: str | None = None,
    ) -> None:
        """Store a separation and what its audit found; nothing if it is there already."""
        add_separation(self, made, leaks, _now(), text_feature_set_id)

    def add_lm_pairs(self, lm_hash: str, pairs: pa.Table) -> None:
        """Store the (leaf, hypernym, answer) triples that an LM was taught in text.

        Args:
            lm_hash: Hash of the LM's weights, as in run.lm_hash.
            pairs: Columns of LM_PAIR: names of leaf and hypernym, and the taught answer.
                Replaces what is stored for this LM.
        """
        with self.transaction():
            self._con.execute("DELETE FROM lm_pair WHERE lm_hash = $id", {"id": lm_hash})
            self.insert("lm_pair", pairs, LM_PAIR, {"lm_hash": lm_hash})

    def add_capabilities(self, rows: Sequence[CapabilityRow]) -> None:
        """Store measures of LMs; each replaces an earlier one of its LM and capability.

        Raises:
            StoreError: Two of them are of one LM and capability.
        """
        keys = [(row.lm, row.capability) for row in rows]
        twice = next((key for n, key in enumerate(keys) if key in keys[:n]), None)
        if twice is not None:
            raise StoreError(f"{twice[1]} of {twice[0]} is given twice: leave one value")
        given = {"lms": [key[0] for key in keys], "names": [key[1] for key in keys]}
        with self.transaction():
            self.execute(
                "DELETE FROM lm_capability WHERE (lm, capability) IN "
                "(SELECT unnest($lms), unnest($names))",
                given,
            )
            self.insert_rows("lm_capability", rows)

    def sync(self, runs_dir: Path | str, scanned: Scan | None = None) -> SyncReport:
        """Bring finished run folders in; safe at any time, and a no-op when nothing changed.

        A folder that cannot be used is reported and skipped, the others come in.

        Args:
            runs_dir: Folder of run folders.
            scanned: See scan(): what was read of them before this store was opened.

        Raises:
            StoreError: runs_dir is not a folder.
        """
        return sync_runs(self, Path(runs_dir), scanned)

    def replace_runs(self, runs: Sequence[tuple[RunRow, pa.Table, pa.Table]]) -> None:
        """Write runs with all they told over earlier ones of them. Call in a transaction."""
        ids = {"ids": [row.run_id for row, _, _ in runs]}
        for text in _REMOVE_RUNS:
            self._con.execute(text, ids)
        self.insert_rows("run", [row for row, _, _ in runs])
        self.insert_parts("metric", [({"run_id": row.run_id}, metrics) for row, metrics, _ in runs])
        self.insert_parts("prediction", [({"run_id": row.run_id}, told) for row, _, told in runs])

    def runs(self) -> pa.Table:
        """One row per finished run, oldest first."""
        return self.query("SELECT * FROM run ORDER BY started_at, run_id")

    def load_run(self, run_id: str) -> dict[str, Any]:
        """All columns of one run, by id or unique prefix, and its `last_metrics` by name.

        Raises:
            StoreError: An id that is unknown or ambiguous.
        """
        found = resolve_id("run", run_id, self._ids("SELECT run_id FROM run"))
        row = self._row("SELECT * FROM run WHERE run_id = $id", found)
        last = self.query(
            "SELECT name, arg_max(value, step) AS value FROM metric WHERE run_id = $id "
            "GROUP BY name ORDER BY name",
            {"id": found},
        )
        return row | {"last_metrics": {m["name"]: m["value"] for m in last.to_pylist()}}

    def table_sizes(self) -> pa.Table:
        """Name and number of rows of every table."""
        names = self._ids("SELECT table_name FROM duckdb_tables() ORDER BY table_name")
        count = "SELECT count(*) FROM query_table($name)"
        sizes = [self._con.execute(count, {"name": name}).fetchall()[0][0] for name in names]
        return pa.table({"table": names, "n_rows": sizes})

    # -- helpers ----------------------------------------------------------------------------

    def _ids(self, text: str) -> list[str]:
        return [row[0] for row in self._con.execute(text).fetchall()]

    def _row(self, text: str, key: str) -> dict[str, Any]:
        (row,) = self.query(text, {"id": key}).to_pylist()
        return dict(row)

    def execute(self, text: str, params: Mapping[str, Any]) -> None:
        """Run one trusted statement. Call in a transaction."""
        self._con.execute(text, dict(params))

    def batches(self, table: str, n_rows: int) -> pa.RecordBatchReader:
        """The rows of a table in their order, at most n_rows at a time."""
        return self._con.table(table).to_arrow_reader(n_rows)

    def query_batches(self, text: str, params: Mapping[str, Any]) -> pa.RecordBatchReader:
        """Result of one trusted SELECT without ORDER BY, in the order of the rows, in parts."""
        return self._con.sql(text, params=dict(params)).to_arrow_reader(1 << 18)

    def write_parquet(self, text: str, params: Mapping[str, Any], folder: Path, part: str) -> None:
        """Write the result of one trusted SELECT as Parquet, a folder a value of a column."""
        found = self._con.sql(text, params=dict(params))
        found.write_parquet(str(folder), partition_by=[part], compression="zstd", overwrite=True)

    def execute_all(self, text: str) -> None:
        """Run several trusted statements without parameters. Call in a transaction."""
        self._con.execute(text)

    def checkpoint(self) -> None:
        """Write what the log beside the file holds into the file, so that there is no log.

        Raises:
            NoRoomError: The disk is full.
        """
        with room_in(Path(self.path).absolute().parent):
            self._con.execute("CHECKPOINT")

    def copy_to(self, path: Path) -> None:
        """Write all tables, views and macros into a new DuckDB file.

        Raises:
            StoreError: It cannot be written.
            NoRoomError: The disk is full.
        """
        copy_database(self._con, path)

    def insert_table(self, table: str, rows: pa.Table) -> None:
        """Insert rows that have exactly a table's columns. Call in a transaction."""
        self._con.from_arrow(rows.select(self._con.table(table).columns)).insert_into(table)

    def insert_rows(self, table: str, rows: Sequence[Row]) -> None:
        """Insert checked rows of a small table. Call in a transaction."""
        # from Arrow, so that column names come from the table and no SQL text is put together
        names = self._con.table(table).columns
        values = [row.values() for row in rows]
        columns = {name: pa.array([value[name] for value in values]) for name in names}
        if rows:
            self._con.from_arrow(pa.table(columns)).insert_into(table)

    def insert(
        self,
        table: str,
        rows: pa.Table,
        row_schema: pa.Schema,
        owner: Mapping[str, str] | None = None,
    ) -> None:
        """Insert rows of a schema, with the owner's columns added. Call in a transaction."""
        self.insert_parts(table, [(owner or {}, rows.select(row_schema.names).cast(row_schema))])

    def insert_parts(self, table: str, parts: Sequence[tuple[Mapping[str, str], pa.Table]]) -> None:
        """Insert rows of several owners at once. Call in a transaction.

        Args:
            table: Its name.
            parts: Of each owner its columns, the same for all of its rows, and the rows.
        """
        names, owned = self._con.table(table).columns, []
        for owner, rows in parts:
            for name, value in owner.items():
                column = pa.repeat(pa.scalar(value), rows.num_rows).dictionary_encode()
                rows = rows.append_column(name, column)
            owned.append(rows.select(names))
        if owned:
            self._con.from_arrow(pa.concat_tables(owned)).insert_into(table)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
