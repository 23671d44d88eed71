"""manifest.json: everything about an exported manifest that the conversations do not say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from taxonomy.errors import DataError
from taxonomy.interchange.llava import SIDECAR, Layout, chat_files
from taxonomy.interchange.reading import read_json
from taxonomy.manifest.rows import rows_sha256
from taxonomy.model import IMPORTED, Manifest, ManifestConfig, Taxonomy, manifest_id
from taxonomy.reading import record_of, short, value_of
from taxonomy.tables import CELL, EXAMPLE, LABEL

FORMAT, VERSION = "xmodal-manifest", 1
TABLES = {"cells": CELL, "labels": LABEL, "examples": EXAMPLE}
KEYS = ("manifest_id", "dataset_id", "shuffle_id", "rows_sha256", "config", "summary")


def sidecar(manifest: Manifest, layout: Layout) -> dict[str, Any]:
    """A manifest as JSON values: settings, counts and its three tables by column."""
    tables = {"cells": manifest.cells, "labels": manifest.labels, "examples": manifest.examples}
    return {
        "format": FORMAT,
        "version": VERSION,
        "manifest_id": manifest.manifest_id,
        "dataset_id": manifest.dataset_id,
        "shuffle_id": manifest.shuffle_id,
        "rows_sha256": manifest.rows_sha256,
        "config": manifest.config.as_dict(),
        "summary": dict(manifest.summary),
        "layout": layout.as_dict(),
        "tables": {name: table.to_pydict() for name, table in tables.items()},
    }


def read_sidecar(path: Path) -> dict[str, Any]:
    """The JSON of a sidecar.

    Raises:
        DataError: No JSON, or not what an export of this version writes.
    """
    said = read_json(path)
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise DataError(f"{path} is no {FORMAT} file: take it away to import the chat files alone")
    if said.get("version") != VERSION:
        raise DataError(
            f"{path} has version {short(said.get('version'))}, this xmodal reads {VERSION}: use "
            "the xmodal that wrote it, or take it away to import the chat files alone"
        )
    missing = [key for key in (*KEYS, "layout", "tables") if key not in said]
    if missing:
        raise DataError(f"{path} lacks {', '.join(missing)}: export the manifest again")
    return said


def manifest_of(said: dict[str, Any], taxonomy: Taxonomy, folder: Path) -> Manifest:
    """The manifest that a folder holds, once files, rows and ids are seen to agree.

    Args:
        said: What read_sidecar gave.
        taxonomy: The dataset it names.
        folder: Where the chat files lie.

    Raises:
        DataError: Rows, ids or a chat file are not what was exported.
    """
    where = folder / SIDECAR
    config = record_of(ManifestConfig, said["config"], f"{where} cannot be read: config")
    layout = record_of(Layout, said["layout"], f"{where} cannot be read: layout")
    columns = value_of(dict[str, dict[str, Any]], said["tables"], f"{where} cannot be read: tables")
    tables = {name: _table(columns.get(name, {}), of, name, where) for name, of in TABLES.items()}
    shuffle_id = value_of(str, said["shuffle_id"], f"{where} cannot be read: shuffle_id")
    summary = value_of(dict[str, Any], said["summary"], f"{where} cannot be read: summary")
    found = rows_sha256(tables["cells"], tables["labels"], tables["examples"])
    if found != said["rows_sha256"]:
        raise DataError(
            f"{where} has rows of sha256 {found[:16]}, its own record says "
            f"{short(said['rows_sha256'])[:18]}: it was changed; export the manifest again"
        )
    rows = found if config.design == IMPORTED else None
    expected = manifest_id(taxonomy.dataset_id, config, rows)
    if said["manifest_id"] != expected:
        raise DataError(
            f"{where} calls itself manifest {short(said['manifest_id'])}, its settings are those "
            f"of {expected}: it was changed; export the manifest again"
        )
    _check_references(taxonomy, tables, where)
    manifest = Manifest(
        manifest_id=expected,
        dataset_id=taxonomy.dataset_id,
        config=config,
        shuffle_id=shuffle_id,
        cells=tables["cells"],
        labels=tables["labels"],
        examples=tables["examples"],
        rows_sha256=found,
        summary=summary,
    )
    _check_files(taxonomy, manifest, layout, folder)
    return manifest


def _table(columns: dict[str, Any], schema: pa.Schema, name: str, where: Path) -> pa.Table:
    arrays = []
    for field in schema:
        values = columns.get(field.name)
        if not isinstance(values, list):
            raise DataError(f"{where} has no column {field.name} of {name}: export it again")
        try:
            array = pa.array(values, field.type)
        except (pa.ArrowException, OverflowError, UnicodeEncodeError) as error:
            raise DataError(
                f"{where}: column {field.name} of {name} must hold {field.type} ({error}): export "
                "it again"
            ) from error
        if not field.nullable and array.null_count:
            raise DataError(f"{where}: column {field.name} of {name} must not hold null")
        arrays.append(array)
    if len({len(array) for array in arrays}) > 1:
        raise DataError(f"{where}: the columns of {name} must be of one length: export it again")
    return pa.Table.from_arrays(arrays, schema=schema)


def _check_references(taxonomy: Taxonomy, tables: dict[str, pa.Table], where: Path) -> None:
    """Raise DataError if a row speaks of a concept or an image that the dataset has not."""
    concepts, images = taxonomy.concepts["concept_id"], taxonomy.images["image_id"]
    known = {
        "leaf_id": concepts,
        "hypernym_id": concepts,
        "image_leaf_id": concepts,
        "label_leaf_id": concepts,
        "asked_id": concepts,
        "image_id": images,
        "kind": pa.array(["leaf", "hypernym"]),
    }
    for name, table in tables.items():
        for column in table.column_names:
            if column not in known:
                continue
            values = table[column].drop_null()
            strange = values.filter(pc.invert(pc.is_in(values, value_set=known[column])))
            if len(strange):
                raise DataError(
                    f"{where}: {column} {strange[0].as_py()!r} of {name} is none of the dataset's: "
                    "export it again"
                )


def _check_files(taxonomy: Taxonomy, manifest: Manifest, layout: Layout, folder: Path) -> None:
    """Raise DataError unless the chat files are those of the manifest."""
    for name, expected in chat_files(taxonomy, manifest, layout).items():
        found = read_json(folder / name)
        if found == expected:
            continue
        place = "its entries"
        if isinstance(found, list):
            pairs = zip(found, expected, strict=False)
            differing = (row for row, (got, want) in enumerate(pairs) if got != want)
            row = next(differing, min(len(found), len(expected)))
            place = f"entry {row} of {len(found)}"
        raise DataError(
            f"{folder / name}: {place} is not what {SIDECAR} says was exported ({len(expected)} "
            f"entries); take {SIDECAR} away to import the files as they are"
        )
