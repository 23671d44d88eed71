"""Manifests whose questions are derived: what is stored of them, and their rows as Parquet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from taxonomy.manifest.strided import Strided
from taxonomy.tables import (
    LABEL,
    STRIDED_CELL,
    STRIDED_DRAW,
    STRIDED_HYPERNYM,
    STRIDED_LEAF,
)
from xmodal.room import room_in
from xmodal.store.designs import (
    is_new,
    manifest_row,
    read_tables,
    stored_config,
    stored_row,
)

if TYPE_CHECKING:
    from xmodal.store.store import Store

_TABLES = {
    "manifest_label": (
        LABEL,
        "SELECT * FROM manifest_label WHERE manifest_id = $id ORDER BY rowid",
    ),
    "strided_cell": (
        STRIDED_CELL,
        "SELECT * FROM strided_cell WHERE manifest_id = $id ORDER BY rowid",
    ),
    "strided_leaf": (
        STRIDED_LEAF,
        "SELECT * FROM strided_leaf WHERE manifest_id = $id ORDER BY rowid",
    ),
    "strided_hypernym": (
        STRIDED_HYPERNYM,
        "SELECT * FROM strided_hypernym WHERE manifest_id = $id ORDER BY rowid",
    ),
    "strided_draw": (
        STRIDED_DRAW,
        "SELECT * FROM strided_draw WHERE manifest_id = $id ORDER BY rowid",
    ),
}
_LISTED = "SELECT *, label_leaf_id // 1024 AS leaves FROM example WHERE manifest_id = $id"
_DERIVED = "SELECT *, label_leaf_id // 1024 AS leaves FROM example_derived WHERE manifest_id = $id"
_BLOCKS = """
INSERT INTO strided_block
SELECT
    manifest_id, hypernym_id, split, n_images,
    (start + first * stride) % n_images, stride, least(4096, n_draws - first)
FROM (SELECT *, unnest(range(0, n_draws, 4096)) AS first FROM strided_draw WHERE manifest_id = $id)
"""
"""What the view example_derived takes in place of strided_draw: rows as many as there are draws."""


def add_strided(store: Store, manifest: Strided, image_places: pa.Table, created_at: str) -> None:
    """Store a strided manifest; nothing happens when the same rows are there already.

    Args:
        store: Open.
        manifest: Its tables.
        image_places: Columns of IMAGE_PLACE, stored once for a dataset.
        created_at: Now.

    Raises:
        StoreError: Its dataset is not stored, or the id is stored with other rows.
    """
    if not is_new(store, manifest):
        return
    known = "SELECT count(*) > 0 AS there FROM image_place WHERE dataset_id = $id"
    there = store.query(known, {"id": manifest.dataset_id})["there"][0].as_py()
    owner = {"manifest_id": manifest.manifest_id}
    mask = pa.table({"id_mask": [manifest.id_mask]})
    with store.transaction():
        if not there:
            of = {"dataset_id": manifest.dataset_id}
            store.insert_parts("image_place", [(of, image_places)])
        store.insert_rows("manifest", [manifest_row(manifest, created_at)])
        store.insert_parts("strided", [(owner, mask)])
        store.insert("manifest_label", manifest.labels, LABEL, owner)
        store.insert("strided_cell", manifest.cells, STRIDED_CELL, owner)
        store.insert("strided_leaf", manifest.leaves, STRIDED_LEAF, owner)
        store.insert("strided_hypernym", manifest.hypernyms, STRIDED_HYPERNYM, owner)
        store.insert("strided_draw", manifest.draws, STRIDED_DRAW, owner)
        store.execute(_BLOCKS, {"id": manifest.manifest_id})


def load_strided(store: Store, manifest_id: str) -> Strided:
    """A stored strided manifest by id or unique prefix.

    Raises:
        StoreError: An id that is unknown or ambiguous.
    """
    row = stored_row(store, manifest_id)
    found = row["manifest_id"]
    tables = read_tables(store, _TABLES, found)
    mask = store.query("SELECT id_mask FROM strided WHERE manifest_id = $id", {"id": found})
    return Strided(
        manifest_id=found,
        dataset_id=row["dataset_id"],
        config=stored_config(row),
        shuffle_id=row["shuffle_id"],
        id_mask=mask["id_mask"][0].as_py(),
        labels=tables["manifest_label"],
        cells=tables["strided_cell"],
        leaves=tables["strided_leaf"],
        hypernyms=tables["strided_hypernym"],
        draws=tables["strided_draw"],
        rows_sha256=row["rows_sha256"],
        summary=json.loads(row["summary_json"]),
    )


def write_examples(store: Store, manifest_id: str, folder: Path) -> None:
    """Write the questions of a manifest, listed or derived, as Parquet.

    Args:
        store: Open, to read.
        manifest_id: Its whole id.
        folder: There already; gets a folder leaves=N for every 1024 concept ids of label leaves.

    Raises:
        NoRoomError: The disk is full.
    """
    text = _LISTED if store.lists_questions(manifest_id) else _DERIVED
    with room_in(folder.parent):
        # their order in the files means nothing, and keeping one takes memory
        store.execute("SET preserve_insertion_order = false", {})
        store.write_parquet(text, {"id": manifest_id}, folder, "leaves")
