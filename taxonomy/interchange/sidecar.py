"""manifest.json: everything about an exported manifest that the conversations do not say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from taxonomy.errors import DataError, XmodalError
from taxonomy.interchange.llava import SIDECAR, Layout, chat_files
from taxonomy.interchange.reading import read_json
from taxonomy.manifest.rows import rows_sha256
from taxonomy.model import IMPORTED, Manifest, ManifestConfig, Taxonomy, manifest_id
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
            f"{path} has version {said.get('version')!r}, this xmodal reads {VERSION}: use the "
            "xmodal that wrote it, or take it away to import the chat files alone"
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
    try:
        config = ManifestConfig(**said["config"])
        layout = Layout(**said["layout"])
        tables = {name: _table(said["tables"][name], rows) for name, rows in TABLES.items()}
    except (TypeError, KeyError, ValueError, pa.ArrowException, XmodalError) as error:
        raise DataError(f"{where} cannot be read ({error}): export the manifest again") from error
    found = rows_sha256(tables["cells"], tables["labels"], tables["examples"])
    if found != said["rows_sha256"]:
        raise DataError(
            f"{where} has rows of sha256 {found[:16]}, its own record says "
            f"{str(said['rows_sha256'])[:16]}: it was changed; export the manifest again"
        )
    rows = found if config.design == IMPORTED else None
    expected = manifest_id(taxonomy.dataset_id, config, rows)
    if said["manifest_id"] != expected:
        raise DataError(
            f"{where} calls itself manifest {said['manifest_id']}, its settings are those of "
            f"{expected}: it was changed; export the manifest again"
        )
    manifest = Manifest(
        manifest_id=expected,
        dataset_id=taxonomy.dataset_id,
        config=config,
        shuffle_id=said["shuffle_id"],
        cells=tables["cells"],
        labels=tables["labels"],
        examples=tables["examples"],
        rows_sha256=found,
        summary=said["summary"],
    )
    _check_files(taxonomy, manifest, layout, folder)
    return manifest


def _table(columns: dict[str, list[Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pydict({name: columns[name] for name in schema.names}, schema=schema)


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
