"""What a sweep's tasks read: datasets and manifests as Parquet files beside the plan.

A node reads these and never opens the store, which may be written meanwhile, and which may lie
on a file system without locks.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from taxonomy.errors import DataError
from taxonomy.hashing import canonical_json
from taxonomy.manifest.rows import rows_sha256
from taxonomy.model import Manifest, ManifestConfig, Taxonomy, TaxonomyConfig
from taxonomy.reading import read_object, record_of
from taxonomy.tables import CELL, CONCEPT, EDGE, EXAMPLE, IMAGE, LABEL, LEAF_HYPERNYM
from xmodal.files import make_folder, write_whole
from xmodal.parquet import read_exactly

_TAXONOMY = {
    "concepts": CONCEPT,
    "edges": EDGE,
    "leaf_hypernym": LEAF_HYPERNYM,
    "images": IMAGE,
}
_MANIFEST = {"cells": CELL, "labels": LABEL, "examples": EXAMPLE}
_WHOLE = "whole.json"
"""Written last: a folder without it is made again."""


class Inputs:
    """Datasets and manifests of one sweep, in a folder; reads as a store does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, taxonomies: Iterable[Taxonomy], manifests: Iterable[Manifest]) -> None:
        """Write what is not there yet, each whole or not at all.

        Raises:
            NoRoomError: The disk is full.
        """
        for taxonomy in taxonomies:
            said: dict[str, Any] = {
                "config": taxonomy.config.as_dict(),
                "notes": dict(taxonomy.notes),
            }
            self._write(taxonomy.dataset_id, taxonomy, _TAXONOMY, said)
        for manifest in manifests:
            said = {
                "dataset_id": manifest.dataset_id,
                "config": manifest.config.as_dict(),
                "shuffle_id": manifest.shuffle_id,
                "rows_sha256": manifest.rows_sha256,
                "summary": dict(manifest.summary),
            }
            self._write(manifest.manifest_id, manifest, _MANIFEST, said)

    def has(self, name: str) -> bool:
        """Whether a dataset or manifest was written, by its whole id."""
        return (self._folder / name / _WHOLE).is_file()

    def load_taxonomy(self, dataset_id: str) -> Taxonomy:
        """A dataset by its whole id.

        Raises:
            DataError: A file is missing or damaged.
        """
        said = self._said(dataset_id)
        config = record_of(TaxonomyConfig, said["config"], str(self._folder / dataset_id))
        tables = self._tables(dataset_id, _TAXONOMY)
        return Taxonomy(dataset_id=dataset_id, config=config, notes=said["notes"], **tables)

    def load_manifest(self, manifest_id: str) -> Manifest:
        """A manifest by its whole id.

        Raises:
            DataError: A file is missing or damaged, or its rows are not those that were written.
        """
        said = self._said(manifest_id)
        config = record_of(ManifestConfig, said["config"], str(self._folder / manifest_id))
        tables = self._tables(manifest_id, _MANIFEST)
        found = rows_sha256(tables["cells"], tables["labels"], tables["examples"])
        if found != said["rows_sha256"]:
            self._spoilt(manifest_id)
            raise DataError(
                f"{self._folder / manifest_id} holds other rows than were written: give "
                "`xmodal sweep run` again to write them anew"
            )
        return Manifest(
            manifest_id=manifest_id,
            dataset_id=said["dataset_id"],
            config=config,
            shuffle_id=said["shuffle_id"],
            rows_sha256=said["rows_sha256"],
            summary=said["summary"],
            **tables,
        )

    def _write(
        self, name: str, whole: Taxonomy | Manifest, tables: dict[str, pa.Schema], said: Any
    ) -> None:
        folder = self._folder / name
        if (folder / _WHOLE).is_file():
            return
        make_folder(folder, "a folder of a sweep's inputs")
        for part in tables:
            table = getattr(whole, part)
            write_whole(
                folder / f"{part}.parquet",
                lambda path, table=table: pq.write_table(table, path, compression="zstd"),  # type: ignore[misc]
            )
        write_whole(folder / _WHOLE, lambda path: path.write_text(canonical_json(said)))

    def _said(self, name: str) -> dict[str, Any]:
        path = self._folder / name / _WHOLE
        if not path.is_file():
            raise DataError(f"{path} is missing: give `xmodal sweep run` again to write it")
        return read_object(path)

    def _tables(self, name: str, schemas: dict[str, pa.Schema]) -> dict[str, pa.Table]:
        folder = self._folder / name
        try:
            return {
                part: read_exactly(folder / f"{part}.parquet", schema)
                for part, schema in schemas.items()
            }
        except DataError as error:
            self._spoilt(name)
            raise DataError(f"{error}: give `xmodal sweep run` again to write it anew") from error

    def _spoilt(self, name: str) -> None:
        """Have the next `xmodal sweep run` write a dataset or manifest anew."""
        with suppress(OSError):
            (self._folder / name / _WHOLE).unlink()
