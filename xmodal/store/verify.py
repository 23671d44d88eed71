"""Holding a store against itself, its files and its folders. Nothing is changed."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import sql
from taxonomy.identity import dataset_id_of
from taxonomy.manifest import rows_sha256
from taxonomy.manifest.strided import Strided
from taxonomy.manifest.strided_build import hash_of
from taxonomy.model import IMPORTED, Manifest, manifest_id
from xmodal.store import schema
from xmodal.store.designs import image_hash
from xmodal.store.on_disk import check_features, check_folders
from xmodal.store.references import REFERENCES, SCOPED
from xmodal.store.store import Store

_STEPS = "SELECT name, sha256 FROM schema_step"
_COLUMNS = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
_DISTINCT = "SELECT DISTINCT COLUMNS(lambda c: c = $column) FROM query_table($table)"
_SCORED = "SELECT (SELECT count(*) FROM run) + (SELECT count(*) FROM evaluation) AS n"


@dataclass(frozen=True, kw_only=True)
class Check:
    """What one check looked at and found."""

    name: str
    n: int
    """Things that were looked at."""
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What is not wrong but good to know, such as a run whose folder is gone."""

    def lines(self) -> list[str]:
        """The check in one line, then its problems and notes."""
        found = "OK"
        if self.problems:
            found = f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}"
        return [
            f"{self.name}: {self.n} checked, {found}",
            *(f"  problem: {text}" for text in self.problems),
            *(f"  note: {text}" for text in self.notes),
        ]


def verify(store: Store, runs_dir: Path, *, quick: bool = False) -> list[Check]:
    """Go through every check.

    Args:
        store: Open, to read.
        runs_dir: Folder of run folders.
        quick: Do not hash files; only see whether they are there.
    """
    checks = [
        _check("schema", *_schema(store)),
        _check("datasets", *_each(_datasets(store))),
        _check("manifests", *_each(_manifests(store))),
        _check("references", *_references(store)),
        _check("answers", *_answers(store)),
    ]
    for name, found in check_features(store, quick=quick).items():
        checks.append(_check(name, found.n, found.problems, found.notes))
    folders = check_folders(store, runs_dir, quick=quick)
    return [*checks, _check("folders", folders.n, folders.problems, folders.notes)]


def _check(name: str, n: int, problems: Iterable[str], notes: Iterable[str] = ()) -> Check:
    return Check(name=name, n=n, problems=tuple(problems), notes=tuple(notes))


def _each(found: Iterable[str | None]) -> tuple[int, list[str]]:
    """How many there are, and what is wrong with them."""
    listed = list(found)
    return len(listed), [text for text in listed if text is not None]


def _schema(store: Store) -> tuple[int, list[str]]:
    """Steps as they are in this version, and tables and views as these steps make them."""
    applied = {row["name"]: row["sha256"] for row in store.query(_STEPS).to_pylist()}
    wanted = schema.steps()
    problems = [
        f"schema step {name} is not the one of this version"
        for name, digest in wanted.items()
        if applied.get(name) != digest
    ]
    odd = sorted(_fresh_columns() ^ _columns(store))
    problems += [f"column {name} is not as the schema makes it" for name in odd]
    return len(wanted), problems


@functools.cache
def _fresh_columns() -> frozenset[str]:
    with Store.in_memory() as fresh:
        return _columns(fresh)


def _columns(store: Store) -> frozenset[str]:
    rows = store.query(_COLUMNS).to_pylist()
    return frozenset(f"{r['table_name']}.{r['column_name']} ({r['data_type']})" for r in rows)


def _values(store: Store, column: str) -> set[str]:
    """The different values of a column, given as table.column, but NULL."""
    table, name = column.split(".")
    found = store.query(_DISTINCT, {"table": table, "column": name})[name].to_pylist()
    return {value for value in found if value is not None}


def _datasets(store: Store) -> Iterable[str | None]:
    for row in store.datasets().to_pylist():
        given = row["dataset_id"]
        if row["source"] == "list":  # too many images to have them all at once
            found = dataset_id_of(store.load_taxonomy(given, lean=True), image_hash(store, given))
        else:
            found = dataset_id_of(store.load_taxonomy(given))
        yield None if found == given else f"dataset {given}: its rows have the id {found}"


def _manifests(store: Store) -> Iterable[str | None]:
    for given in store.manifests()["manifest_id"].to_pylist():
        of: Manifest | Strided
        if store.lists_questions(given):
            of = listed = store.load_manifest(given)
            found = rows_sha256(listed.cells, listed.labels, listed.examples)
        else:
            of = derived = store.load_strided(given)
            found = hash_of(derived)
        if found != of.rows_sha256:
            yield f"manifest {given}: its rows are not those that its rows_sha256 is of"
            continue
        rows = of.rows_sha256 if of.config.design == IMPORTED else None
        found = manifest_id(of.dataset_id, of.config, rows)
        yield None if found == given else f"manifest {given}: its settings have the id {found}"


def _references(store: Store) -> tuple[int, list[str]]:
    problems = []
    there: dict[str, set[str]] = {}
    for column, targets in REFERENCES.items():
        lacking = _values(store, column)
        for target in targets if lacking else ():
            if target not in there:
                there[target] = _values(store, target)
            lacking -= there[target]
        if lacking:
            where = " or ".join(targets)
            shown = ", ".join(sorted(lacking)[:3])
            problems.append(f"{column}: {len(lacking)} not in {where}: {shown}")
    for name in SCOPED:
        problems += [
            f"{row['place']}: {row['missing']} not in the {name} of its own, such as "
            f"{row['example']}"
            for row in store.query(sql.read("checks", name)).to_pylist()
        ]
    return len(REFERENCES) + sum(map(len, SCOPED.values())), problems


def _answers(store: Store) -> tuple[int, list[str]]:
    problems = []
    for row in store.query(sql.read("checks", "answers")).to_pylist():
        n_twice = row["n_answers"] - row["n_different"]
        twice = f", {n_twice} of them twice" if n_twice else ""
        problems.append(
            f"{row['id']}: {row['n_answers']} answers{twice} to {row['n_asked']} questions "
            f"(split {row['split']}, pictures {row['image_mode']})"
        )
    return int(store.query(_SCORED)["n"][0].as_py()), problems
