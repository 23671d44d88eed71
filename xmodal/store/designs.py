"""Datasets and manifests in the store: written once, read back as they were."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from taxonomy.errors import StoreError, unknown
from taxonomy.hashing import canonical_json
from taxonomy.identity import ImageHash, flat_bytes
from taxonomy.manifest.strided import Strided
from taxonomy.model import STRIDED, Manifest, ManifestConfig, Taxonomy, TaxonomyConfig
from taxonomy.tables import CELL, CONCEPT, EDGE, EXAMPLE, IMAGE, LABEL, LEAF_HYPERNYM
from xmodal.store.ids import dataset_meant, resolve_id
from xmodal.store.rows import DatasetRow, ManifestRow

if TYPE_CHECKING:
    from xmodal.store.store import Store

# One statement a table: identifiers cannot be parameters. rowid keeps the order of arrival.
_DATASET_TABLES = {
    "concept": (CONCEPT, "SELECT * FROM concept WHERE dataset_id = $id ORDER BY rowid"),
    "edge": (EDGE, "SELECT * FROM edge WHERE dataset_id = $id ORDER BY rowid"),
    "leaf_hypernym": (
        LEAF_HYPERNYM,
        "SELECT * FROM leaf_hypernym WHERE dataset_id = $id ORDER BY rowid",
    ),
    "image": (IMAGE, "SELECT * FROM image WHERE dataset_id = $id ORDER BY rowid"),
}
_LEAN = (
    pa.schema(
        [
            IMAGE.field("image_id"),
            IMAGE.field("concept_id"),
            pa.field("split", pa.dictionary(pa.uint8(), pa.string())),
        ]
    ),
    "SELECT image_id, concept_id, split::ENUM ('train', 'validation', 'test') AS split "
    "FROM image WHERE dataset_id = $id ORDER BY rowid",
)
_MANIFEST_TABLES = {
    "manifest_cell": (CELL, "SELECT * FROM manifest_cell WHERE manifest_id = $id ORDER BY rowid"),
    "manifest_label": (
        LABEL,
        "SELECT * FROM manifest_label WHERE manifest_id = $id ORDER BY rowid",
    ),
    "example": (EXAMPLE, "SELECT * FROM example WHERE manifest_id = $id ORDER BY rowid"),
}


def add_taxonomy(
    store: Store, taxonomy: Taxonomy, created_at: str, images: Iterable[pa.Table] | None = None
) -> None:
    """Store a dataset; nothing happens when it is there already.

    Args:
        store: Open.
        taxonomy: The dataset.
        created_at: Now.
        images: Its rows of IMAGE in several tables, where they are too many for one.
    """
    if taxonomy.dataset_id in store.datasets()["dataset_id"].to_pylist():
        return
    row = DatasetRow(
        dataset_id=taxonomy.dataset_id,
        source=taxonomy.config.source,
        version=str(taxonomy.notes.get("version", "")),
        pairs=taxonomy.config.pairs,
        min_leaves=taxonomy.config.min_leaves,
        seed=taxonomy.config.seed,
        config_json=canonical_json(taxonomy.config.as_dict()),
        notes_json=canonical_json(dict(taxonomy.notes)),
        created_at=created_at,
        relations=", ".join(taxonomy.config.relations),
    )
    owner = {"dataset_id": taxonomy.dataset_id}
    with store.transaction():
        store.insert_rows("dataset", [row])
        store.insert("concept", taxonomy.concepts, CONCEPT, owner)
        store.insert("edge", taxonomy.edges, EDGE, owner)
        store.insert("leaf_hypernym", taxonomy.leaf_hypernym, LEAF_HYPERNYM, owner)
        for rows in [taxonomy.images] if images is None else images:
            store.insert("image", rows, IMAGE, owner)


def load_taxonomy(store: Store, dataset_id: str | None = None, *, lean: bool = False) -> Taxonomy:
    """A stored dataset by id or unique prefix; the latest one when None.

    Args:
        store: Open, to read.
        dataset_id: An id or its beginning.
        lean: Of the images only image_id, concept_id and split: a tenth of the memory.

    Raises:
        StoreError: No dataset yet, or an id that is unknown or ambiguous.
    """
    ids = store.datasets()["dataset_id"].to_pylist()
    found = dataset_meant(dataset_id, ids, store.path)
    row = dict(
        store.query("SELECT * FROM dataset WHERE dataset_id = $id", {"id": found}).to_pylist()[0]
    )
    tables = read_tables(store, _DATASET_TABLES | ({"image": _LEAN} if lean else {}), found)
    return Taxonomy(
        dataset_id=found,
        config=_taxonomy_config(row["config_json"]),
        concepts=tables["concept"],
        edges=tables["edge"],
        leaf_hypernym=tables["leaf_hypernym"],
        images=tables["image"],
        notes=json.loads(row["notes_json"]),
    )


def add_manifest(store: Store, manifest: Manifest, created_at: str) -> None:
    """Store a manifest; nothing happens when the same rows are there already.

    Raises:
        StoreError: Its dataset is not stored, its example ids collide, or the id is
            stored with other rows.
    """
    if not is_new(store, manifest):
        return
    n_ids = manifest.examples["example_id"].unique()
    if len(n_ids) != manifest.examples.num_rows:
        raise StoreError(
            f"manifest {manifest.manifest_id} has {manifest.examples.num_rows} examples "
            f"but {len(n_ids)} example ids: they must be unique"
        )
    owner = {"manifest_id": manifest.manifest_id}
    with store.transaction():
        store.insert_rows("manifest", [manifest_row(manifest, created_at)])
        store.insert("manifest_cell", manifest.cells, CELL, owner)
        store.insert("manifest_label", manifest.labels, LABEL, owner)
        store.insert("example", manifest.examples, EXAMPLE, owner)


def image_hash(store: Store, dataset_id: str) -> str:
    """The hash of the stored images that the id of a dataset of source list is made of."""
    text = (
        "SELECT concept_id, coalesce(list_position(['train', 'validation', 'test'], split), 0) - 1 "
        "AS split, family, unhex(sha256) AS digest FROM image WHERE dataset_id = $id"
    )
    found = ImageHash()
    for batch in store.query_batches(text, {"id": dataset_id}):
        digests = flat_bytes(batch["digest"]).reshape(len(batch), -1)
        found.add_images(digests, batch["family"])
        found.add_columns(batch["concept_id"].to_numpy(), batch["split"].to_numpy())
    return found.hexdigest()


def is_new(store: Store, manifest: Manifest | Strided) -> bool:
    """Whether a manifest is not stored yet.

    Raises:
        StoreError: Its dataset is not stored, or the id is stored with other rows.
    """
    known = store.datasets()["dataset_id"].to_pylist()
    if manifest.dataset_id not in known:
        raise StoreError(unknown("dataset", manifest.dataset_id, known))
    stored = {m["manifest_id"]: m["rows_sha256"] for m in store.manifests().to_pylist()}
    if manifest.manifest_id in stored:
        if stored[manifest.manifest_id] != manifest.rows_sha256:
            raise StoreError(
                f"manifest {manifest.manifest_id} is stored with other rows than this "
                "version of xmodal draws: give another --store"
            )
        return False
    return True


def manifest_row(manifest: Manifest | Strided, created_at: str) -> ManifestRow:
    """What is stored of a manifest but its rows."""
    return ManifestRow(
        manifest_id=manifest.manifest_id,
        dataset_id=manifest.dataset_id,
        shuffle_id=manifest.shuffle_id,
        **manifest.config.as_dict(),
        ratio_realised_cells=manifest.summary.get("ratio_realised_cells"),
        ratio_realised_questions=manifest.summary.get("ratio_realised_questions"),
        summary_json=canonical_json(dict(manifest.summary)),
        rows_sha256=manifest.rows_sha256,
        created_at=created_at,
    )


def load_manifest(store: Store, manifest_id: str) -> Manifest:
    """A stored manifest by id or unique prefix.

    Raises:
        StoreError: An id that is unknown or ambiguous, or of a manifest that lists no questions.
    """
    row = stored_row(store, manifest_id)
    found, config = row["manifest_id"], stored_config(row)
    if config.negatives == STRIDED:
        raise StoreError(
            f"manifest {found} lists no questions (negatives strided): ask the view "
            "example_derived, write them with `xmodal manifest export --format parquet`, or "
            "build it with negatives matched"
        )
    tables = read_tables(store, _MANIFEST_TABLES, found)
    return Manifest(
        manifest_id=found,
        dataset_id=row["dataset_id"],
        config=config,
        shuffle_id=row["shuffle_id"],
        cells=tables["manifest_cell"],
        labels=tables["manifest_label"],
        examples=tables["example"],
        rows_sha256=row["rows_sha256"],
        summary=json.loads(row["summary_json"]),
    )


def stored_row(store: Store, manifest_id: str) -> dict[str, Any]:
    """The row of the table manifest of an id or unique prefix.

    Raises:
        StoreError: It is unknown or ambiguous.
    """
    found = resolve_id("manifest", manifest_id, store.manifests()["manifest_id"].to_pylist())
    text = "SELECT * FROM manifest WHERE manifest_id = $id"
    return dict(store.query(text, {"id": found}).to_pylist()[0])


def stored_config(row: Mapping[str, Any]) -> ManifestConfig:
    """The settings in a row of the table manifest."""
    return ManifestConfig(**{field.name: row[field.name] for field in fields(ManifestConfig)})


def read_tables(
    store: Store, wanted: Mapping[str, tuple[pa.Schema, str]], key: str
) -> dict[str, pa.Table]:
    """Rows of an owner in some tables, each by its schema and statement with $id."""
    return {
        name: store.query(text, {"id": key}).select(rows.names).cast(rows)
        for name, (rows, text) in wanted.items()
    }


def _taxonomy_config(text: str) -> TaxonomyConfig:
    """The config as stored; settings that came later are at their defaults."""
    said = json.loads(text)
    if "relations" in said:
        said["relations"] = tuple(said["relations"])
    return TaxonomyConfig(**said)
