"""The ids of datasets, from what is stored of them: so that a store can be held against its ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from taxonomy.hashing import content_id
from taxonomy.model import RELATION, Taxonomy, TaxonomyConfig

QUESTIONS = "questions"
"""Note of a dataset with other relations: what their questions say, by relation."""


def dataset_id_of(taxonomy: Taxonomy, images: str | None = None) -> str:
    """The id that a dataset of these rows has.

    Args:
        taxonomy: Rows in the order in which they were built; its own id plays no part.
        images: Of ImageHash, for source list.
    """

    def alone(config: TaxonomyConfig, concepts: pa.Table, pairs: pa.Table) -> str:
        if images is not None:
            return id_of_list(config, concepts, taxonomy.edges, pairs, images)
        return id_of_rows(config, concepts, taxonomy.edges, pairs, taxonomy.images)

    others = [name for name in taxonomy.config.relations if name != RELATION]
    if not others:
        return alone(taxonomy.config, taxonomy.concepts, taxonomy.leaf_hypernym)
    roles = taxonomy.concepts["role"].to_pylist()
    n_base = next((i for i, role in enumerate(roles) if role in others), len(roles))
    relations = taxonomy.leaf_hypernym["relation"].to_pylist()
    n_pairs = next((i for i, name in enumerate(relations) if name in others), len(relations))
    base = alone(
        replace(taxonomy.config, relations=(RELATION,)),
        taxonomy.concepts.slice(0, n_base),
        taxonomy.leaf_hypernym.slice(0, n_pairs),
    )
    return id_with_relations(
        base,
        taxonomy.concepts.slice(n_base),
        taxonomy.leaf_hypernym.slice(n_pairs),
        taxonomy.notes.get(QUESTIONS, {}),
    )


def id_of_rows(
    config: TaxonomyConfig, concepts: pa.Table, edges: pa.Table, pairs: pa.Table, images: pa.Table
) -> str:
    """The id of a dataset of hypernyms: all rows but where a picture's file lies.

    Args:
        config: Its settings.
        concepts: Columns of taxonomy.tables.CONCEPT.
        edges: Of EDGE.
        pairs: Of LEAF_HYPERNYM; the relation counts only where there are others.
        images: Of IMAGE.
    """
    rows = images.drop_columns(["uri"]).to_pydict()
    return _id_of(config, concepts, edges, pairs, rows)


def id_of_list(
    config: TaxonomyConfig, concepts: pa.Table, edges: pa.Table, pairs: pa.Table, images: str
) -> str:
    """The id of a dataset of source list, whose images count by a hash of their rows.

    Args:
        config: Its settings.
        concepts: Columns of taxonomy.tables.CONCEPT.
        edges: Of EDGE.
        pairs: Of LEAF_HYPERNYM.
        images: Of ImageHash.
    """
    return _id_of(config, concepts, edges, pairs, images)


def _id_of(
    config: TaxonomyConfig, concepts: pa.Table, edges: pa.Table, pairs: pa.Table, images: Any
) -> str:
    if set(pairs["relation"].to_pylist()) <= {RELATION}:
        pairs = pairs.drop_columns(["relation"])
    return content_id(
        {
            "config": config.identity(),
            "concepts": concepts.to_pydict(),
            "edges": edges.to_pydict(),
            "leaf_hypernym": pairs.to_pydict(),
            "images": images,
        }
    )


def flat_bytes(column: Any) -> Any:
    """The bytes of texts or binaries without NULL, one after the other: uint8 array."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    plain = pa.concat_arrays(
        [pa.array([], pa.large_binary()), *(c.cast(pa.large_binary()) for c in chunks)]
    )
    _, offsets, data = plain.buffers()
    ends = np.frombuffer(offsets, np.int64)[plain.offset : plain.offset + len(plain) + 1]
    if data is None or not len(plain):
        return np.empty(0, dtype=np.uint8)
    return np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]


class ImageHash:
    """Hash of the rows of many images in the order of their ids, batch by batch.

    What a picture's file is called does not count, as for other datasets.
    """

    def __init__(self) -> None:
        self._parts = {name: sha256() for name in ("concept", "split", "digest", "family")}
        self._parts["length"] = sha256()

    def add_images(self, digests: Any, family: Any = None) -> None:
        """Go on with some images.

        Args:
            digests: uint8 [n, 32].
            family: Texts or NULL, n; None for all NULL.
        """
        self._parts["digest"].update(np.ascontiguousarray(digests).tobytes())
        lengths = np.full(len(digests), -1, dtype="<i4")
        if family is not None:
            lengths = pc.fill_null(pc.binary_length(family), -1).to_numpy().astype("<i4")
            self._parts["family"].update(flat_bytes(pc.drop_null(family)).tobytes())
        self._parts["length"].update(lengths.tobytes())

    def add_columns(self, concept: Any, split: Any) -> None:
        """Go on with concept ids, and positions in SPLITS or -1, of some images."""
        self._parts["concept"].update(concept.astype("<i4").tobytes())
        self._parts["split"].update(split.astype(np.int8).tobytes())

    def hexdigest(self) -> str:
        """Hash of all that was added."""
        return content_id({name: part.hexdigest() for name, part in self._parts.items()})


def id_with_relations(
    base_id: str, targets: pa.Table, pairs: pa.Table, questions: Mapping[str, Any]
) -> str:
    """The id of a dataset to which other relations were added.

    Args:
        base_id: Of the dataset of hypernyms.
        targets: The added rows of CONCEPT.
        pairs: The added rows of LEAF_HYPERNYM.
        questions: Text of a relation's questions, where one was given.
    """
    return content_id(
        {
            "dataset": base_id,
            "targets": targets.to_pydict(),
            "pairs": pairs.to_pydict(),
            "questions": dict(questions),
        }
    )
