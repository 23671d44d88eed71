"""A dataset for pages: its hypernyms with sample pictures, its images, its tree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import networkx as nx

from taxonomy.graph import leaves_under, taxonomy_graph
from taxonomy.hashing import keyed_order
from taxonomy.model import Taxonomy
from xmodal.store import Store

Row = dict[str, Any]

_DATASETS = """
SELECT
    dataset.* EXCLUDE (config_json, notes_json),
    (SELECT count(*) FROM image WHERE image.dataset_id = dataset.dataset_id) AS n_images,
    (
        SELECT count(*)
        FROM concept
        WHERE concept.dataset_id = dataset.dataset_id AND role = 'leaf'
    ) AS n_leaves,
    (SELECT count(*) FROM manifest WHERE manifest.dataset_id = dataset.dataset_id) AS n_manifests,
    (SELECT count(*) FROM run WHERE run.dataset_id = dataset.dataset_id) AS n_runs
FROM dataset
ORDER BY created_at, dataset_id
"""
_IMAGES_OF_TARGETS = """
SELECT pair.hypernym_id, image.image_id, image.concept_id
FROM leaf_hypernym AS pair
JOIN image
    ON image.dataset_id = pair.dataset_id AND image.concept_id = pair.leaf_id
WHERE pair.used AND pair.dataset_id = $dataset
"""
_IMAGES = """
SELECT image_id, image.concept_id, concept.name AS leaf, split, sha256, uri
FROM image
LEFT JOIN concept USING (dataset_id, concept_id)
WHERE dataset_id = $dataset AND image_id IN (SELECT unnest($ids))
ORDER BY image_id
"""


@dataclass(frozen=True, kw_only=True)
class Node:
    """One line of the taxonomy's tree; nodes come in the order of an outline."""

    concept_id: int
    name: str
    role: str
    """hypernym, inner or leaf."""
    gloss: str | None
    depth: int
    """0 for what has nothing above it."""
    n_leaves: int
    """Leaves below; 0 for a leaf."""
    n_images: int
    """Pictures of it and of the leaves below."""
    n_yes: int
    """Leaves that it is a Yes of: what questions are drawn from."""
    dropped: bool
    """A hypernym with too few leaves: never asked."""
    again: bool
    """It stands under another one further up, with what is below it."""


def datasets(store: Store) -> list[Row]:
    """One row per dataset, oldest first: dataset_id, source, pairs, created_at, n_ counts."""
    rows: list[Row] = store.query(_DATASETS).to_pylist()
    return rows


def hypernyms(store: Store, dataset_id: str, n_samples: int = 6) -> list[Row]:
    """Rows of @hypernyms of one dataset, each with sample_ids: image ids of its leaves.

    Args:
        store: Open, to read.
        dataset_id: A whole id.
        n_samples: Pictures at most. Leaves in the order of a hash, and of each leaf the first
            picture in the order of a hash; second pictures where there are too few leaves.
    """
    by_leaf: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row in store.query(_IMAGES_OF_TARGETS, {"dataset": dataset_id}).to_pylist():
        by_leaf[row["hypernym_id"]][row["concept_id"]].append(row["image_id"])
    rows: list[Row] = store.analysis("hypernyms", dataset=dataset_id).to_pylist()
    for row in rows:
        leaves = by_leaf[row["concept_id"]]
        queues = [
            keyed_order(leaves[leaf], dataset_id, "report picture")
            for leaf in keyed_order(leaves, dataset_id, f"report leaf {row['concept_id']}")
        ]
        longest = max(map(len, queues), default=0)
        ordered = [queue[n] for n in range(longest) for queue in queues if n < len(queue)]
        row["sample_ids"] = ordered[:n_samples]
    return rows


def images(store: Store, dataset_id: str, ids: Iterable[int]) -> dict[int, Row]:
    """By image id: leaf (its name), split, sha256 and uri. Unknown ids are left out."""
    given = {"dataset": dataset_id, "ids": sorted(set(ids))}
    return {row["image_id"]: row for row in store.query(_IMAGES, given).to_pylist()}


def tree(store: Store, dataset_id: str) -> list[Node]:
    """The taxonomy as an outline, WordNet's synsets in between left out.

    What has several hypernyms stands under each, with what is below it only the first time.
    """
    return list(_outline(store.load_taxonomy(dataset_id)))


def _outline(taxonomy: Taxonomy) -> Iterator[Node]:
    rows = {row["key"]: row for row in taxonomy.concepts.to_pylist()}
    full = taxonomy_graph(taxonomy)
    shown = [key for key in full if rows[key]["role"] in ("hypernym", "inner", "leaf")]
    graph = nx.transitive_reduction(nx.transitive_closure_dag(full).subgraph(shown))
    leaves = frozenset(key for key, row in rows.items() if row["role"] == "leaf")
    pictured: dict[int, int] = defaultdict(int)
    for concept_id in taxonomy.images["concept_id"].to_pylist():
        pictured[concept_id] += 1
    yes: dict[int, int] = defaultdict(int)
    for pair in taxonomy.leaf_hypernym.to_pylist():
        yes[pair["hypernym_id"]] += pair["used"]
    below = {key: leaves_under(full, key, leaves) for key in shown if key not in leaves}

    def node(key: str, depth: int, again: bool) -> Node:
        row, under = rows[key], below.get(key, ())
        own = pictured[row["concept_id"]]
        return Node(
            concept_id=row["concept_id"], name=row["name"], role=row["role"], gloss=row["gloss"],
            depth=depth, n_leaves=len(under),
            n_images=own + sum(pictured[rows[leaf]["concept_id"]] for leaf in under),
            n_yes=yes[row["concept_id"]], dropped=row["dropped"], again=again,
        )  # fmt: skip

    def order(keys: Iterable[str]) -> list[str]:
        return sorted(keys, key=lambda k: (k in leaves, rows[k]["name"], k))

    done: set[str] = set()
    stack = [(key, 0) for key in reversed(order(k for k in graph if not graph.out_degree(k)))]
    while stack:
        key, depth = stack.pop()
        again = key in done and graph.in_degree(key) > 0
        yield node(key, depth, again)
        if not again:
            done.add(key)
            stack += [(child, depth + 1) for child in reversed(order(graph.predecessors(key)))]
