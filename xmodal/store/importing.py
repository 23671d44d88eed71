"""Making a store out of an export, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

import sql
from taxonomy.errors import DataError, StoreError
from xmodal.store import schema
from xmodal.store.copies import replaced
from xmodal.store.exchange import Description, read_description, read_parts
from xmodal.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping


def import_store(folder: Path, path: Path) -> int:
    """Fill a store from an export; one of an older schema is brought up to date.

    It is made beside its place and renamed: a store that is there stays as it is until then.

    Args:
        folder: As export_store left it.
        path: The store; missing, or without a row.

    Returns:
        Rows that came in.

    Raises:
        DataError: The export is damaged.
        StoreError: The store holds rows or is in use, or the export is of a newer schema.
    """
    said = read_description(folder)
    _check_steps(folder, said.steps)
    existed = path.exists()
    try:
        # a new file needs no tables, it only keeps others out
        with Store.open(path) if existed else Store.of_steps(path, []) as old:
            if n := sum(_counts(old).values()):
                raise StoreError(
                    f"{path} holds {n} rows: give a --store that is not there or empty"
                )
            with replaced(old) as copy:
                return _fill(folder, said, copy)
    except BaseException:
        if not existed:
            path.unlink(missing_ok=True)
            path.with_name(path.name + ".wal").unlink(missing_ok=True)
        raise


def _fill(folder: Path, said: Description, path: Path) -> int:
    with Store.of_steps(path, list(said.steps)) as store:
        there = set(_counts(store))
        if odd := sorted(there ^ set(said.tables)):
            what = "lacks" if odd[0] in there else "has an unknown"
            raise DataError(f"{folder} {what} table {odd[0]}: export the store anew")
        try:
            with store.transaction():
                for name, parts in said.tables.items():
                    want = store.batches(name, 1).schema
                    for rows in read_parts(folder, parts, want):
                        store.insert_table(name, rows)
        except duckdb.ConstraintException as error:
            raise DataError(
                f"{folder} holds rows that the store cannot ({error}): export the store anew"
            ) from error
        counts = _counts(store)
        store.upgrade()
    wanted = {name: sum(part["n_rows"] for part in parts) for name, parts in said.tables.items()}
    if counts != wanted:
        raise DataError(f"{folder} did not come in whole: export the store anew")
    return sum(counts.values())


def _check_steps(folder: Path, steps: Mapping[str, str]) -> None:
    """Refuse an export whose tables this version does not know."""
    known = sql.names("schema")
    if newer := sorted(set(steps) - set(known)):
        raise StoreError(
            f"{folder} was exported by a newer xmodal (schema {newer[-1]}, this version knows up "
            f"to {known[-1]}): upgrade xmodal"
        )
    ours = schema.steps()
    if odd := [name for name, digest in steps.items() if ours[name] != digest]:
        raise StoreError(f"{folder} was exported by another xmodal: schema {odd[0]} differs")


def _counts(store: Store) -> dict[str, int]:
    rows = store.table_sizes().to_pylist()
    return {row["table"]: row["n_rows"] for row in rows if row["table"] != schema.STEPS}
