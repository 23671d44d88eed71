"""Bringing a store's schema up to this version, and refusing what is not an xmodal store."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from hashlib import sha256
from types import MappingProxyType

import duckdb

import sql
from taxonomy.errors import StoreError
from xmodal.store.connection import connect_memory, damage

_STEP_TABLE = """
CREATE TABLE IF NOT EXISTS schema_step (
    name VARCHAR PRIMARY KEY, sha256 VARCHAR NOT NULL, applied_at TIMESTAMP NOT NULL
)
"""
_RECORD = "INSERT OR REPLACE INTO schema_step VALUES ($name, $sha256, now()::TIMESTAMP)"
_TABLES = "SELECT table_name FROM information_schema.tables"
VIEWS = "views"
STEPS = "schema_step"
"""The table of the steps that made a store."""
_FOREIGN = "{path} is a DuckDB file but not an xmodal store: give another --store"


def apply_steps(con: duckdb.DuckDBPyConnection, names: Sequence[str]) -> None:
    """Apply some schema files to an empty database, and no views: a store as it once was.

    Args:
        con: Of the database.
        names: Of the files; they are applied in their order.
    """
    for name in sorted(names):
        _apply(con, name, sql.read("schema", name))


@functools.cache
def tables() -> frozenset[str]:
    """The tables that the schema files make."""
    con = connect_memory()
    try:
        apply_steps(con, sql.names("schema"))
        found = {name for (name,) in con.execute(_TABLES).fetchall()}
    finally:
        con.close()
    return frozenset(found - {STEPS})


def migrate(con: duckdb.DuckDBPyConnection, path: str) -> None:
    """Apply the missing schema files, each in a transaction, and refresh the views.

    Raises:
        StoreError: A foreign DuckDB file, a store made by a newer version, or one made by schema
            files that this version has otherwise, so that a step fails.
    """
    done = _applied(con, path)
    ours = steps()
    try:
        for name in sql.names("schema"):
            if name not in done:
                _apply(con, name, sql.read("schema", name))
        if done.get(VIEWS) != ours[VIEWS]:
            _apply(con, VIEWS, _views())
    except duckdb.Error as error:
        others = sorted(name for name in done if name != VIEWS and done[name] != ours[name])
        if not others:
            raise
        raise StoreError(
            f"{path} was made by an xmodal in development (schema {others[0]} was another one): "
            "make a new store; `xmodal store sync` brings the runs into it"
        ) from error


@functools.cache
def steps() -> Mapping[str, str]:
    """Hash of each schema file and of all views, by name, as a store of this version has them."""
    files = {name: _digest(sql.read("schema", name)) for name in sql.names("schema")}
    return MappingProxyType(files | {VIEWS: _digest(_views())})


def check(con: duckdb.DuckDBPyConnection, path: str) -> None:
    """Refuse to read a store whose schema is not this version's.

    Raises:
        StoreError: A foreign DuckDB file, or a store made by a newer or older version.
    """
    done = _applied(con, path)
    if not done:
        raise StoreError(_FOREIGN.format(path=path))
    current = set(sql.names("schema")) <= set(done) and done.get(VIEWS) == steps()[VIEWS]
    if not current:
        raise StoreError(
            f"{path} was made by an older xmodal: "
            f"`xmodal store upgrade --store {path}` brings it up to date"
        )


def _applied(con: duckdb.DuckDBPyConnection, path: str) -> dict[str, str]:
    try:
        return _steps(con, path)
    except duckdb.Error as error:
        if found := damage(path, error):
            raise StoreError(found) from error
        raise


def _steps(con: duckdb.DuckDBPyConnection, path: str) -> dict[str, str]:
    tables = {name for (name,) in con.execute(_TABLES).fetchall()}
    if "schema_step" not in tables:
        if tables:
            raise StoreError(_FOREIGN.format(path=path))
        return {}
    done = dict(con.execute("SELECT name, sha256 FROM schema_step").fetchall())
    newer = sorted(set(done) - set(sql.names("schema")) - {VIEWS})
    if newer:
        known = sql.names("schema")[-1]
        raise StoreError(
            f"{path} was made by a newer xmodal (schema {newer[-1]}, this version knows up to "
            f"{known}): upgrade xmodal or give another --store"
        )
    return done


def _apply(con: duckdb.DuckDBPyConnection, name: str, text: str) -> None:
    con.begin()
    try:
        con.execute(_STEP_TABLE)
        con.execute(text)
        con.execute(_RECORD, {"name": name, "sha256": _digest(text)})
    except BaseException:
        con.rollback()
        raise
    con.commit()


def _views() -> str:
    texts = [sql.read("views", name) for name in sql.names("views")]
    # macros first: a view is bound as it is made
    return "\n".join(sorted(texts, key=lambda text: "CREATE OR REPLACE MACRO" not in text))


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
