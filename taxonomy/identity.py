"""The ids of datasets, from what is stored of them: so that a store can be held against its ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from taxonomy.hashing import content_id
from taxonomy.model import RELATION, Taxonomy, TaxonomyConfig

if TYPE_CHECKING:
    import pyarrow as pa

QUESTIONS = "questions"
"""Note of a dataset with other relations: what their questions say, by relation."""


def dataset_id_of(taxonomy: Taxonomy) -> str:
    """The id that a dataset of these rows has.

    Args:
        taxonomy: Rows in the order in which they were built; its own id plays no part.
    """
    others = [name for name in taxonomy.config.relations if name != RELATION]
    if not others:
        return id_of_rows(
            taxonomy.config,
            taxonomy.concepts,
            taxonomy.edges,
            taxonomy.leaf_hypernym,
            taxonomy.images,
        )
    roles = taxonomy.concepts["role"].to_pylist()
    n_base = next((i for i, role in enumerate(roles) if role in others), len(roles))
    relations = taxonomy.leaf_hypernym["relation"].to_pylist()
    n_pairs = next((i for i, name in enumerate(relations) if name in others), len(relations))
    base = id_of_rows(
        replace(taxonomy.config, relations=(RELATION,)),
        taxonomy.concepts.slice(0, n_base),
        taxonomy.edges,
        taxonomy.leaf_hypernym.slice(0, n_pairs),
        taxonomy.images,
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
    if set(pairs["relation"].to_pylist()) <= {RELATION}:
        pairs = pairs.drop_columns(["relation"])
    return content_id(
        {
            "config": config.identity(),
            "concepts": concepts.to_pydict(),
            "edges": edges.to_pydict(),
            "leaf_hypernym": pairs.to_pydict(),
            "images": images.drop_columns(["uri"]).to_pydict(),
        }
    )


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
