"""A dataset with the leaves, hypernyms and numbers of images of S1's THINGS subset."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from taxonomy import tables
from taxonomy.hashing import content_id, hash63
from taxonomy.model import Taxonomy, TaxonomyConfig

N_LEAVES, N_HYPERNYMS, N_IMAGES = 1222, 53, 17_336
TEST_RATIO, VALIDATION_RATIO = 0.25, 0.05

Pair = tuple[str, str]


def read_pairs(path: Path) -> list[Pair]:
    """The (leaf, hypernym) pairs of S1's minimal pairs, each once, in order of their names."""
    with path.open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return sorted({(row["hyponym"], row["hypernym_pos"]) for row in rows})


def random_pairs() -> list[Pair]:
    """As many leaves and hypernyms without names: 1 to 4 hypernyms a leaf."""
    n_of = (1, 1, 1, 1, 2, 2, 2, 3, 3, 4)
    return sorted(
        {
            (f"leaf{leaf}", f"hypernym{hash63('pair', leaf, k) % N_HYPERNYMS}")
            for leaf in range(N_LEAVES)
            for k in range(n_of[hash63("n", leaf) % len(n_of)])
        }
    )


def things_shaped(pairs: Sequence[Pair]) -> Taxonomy:
    """A dataset of the pairs with 17,336 image rows, 70/5/25 within each leaf, no files."""
    hypernyms = sorted({hypernym for _, hypernym in pairs})
    leaves = sorted({leaf for leaf, _ in pairs})
    ids = {("hypernym", name): row for row, name in enumerate(hypernyms)}
    ids |= {("leaf", name): len(hypernyms) + row for row, name in enumerate(leaves)}
    concepts = [_concept(role, name, row) for (role, name), row in ids.items()]
    linked = [(ids["leaf", leaf], ids["hypernym", high]) for leaf, high in pairs]
    rows: dict[str, list[dict[str, Any]]] = {
        "edges": [{"hyponym_id": a, "hypernym_id": b, "source": "csv"} for a, b in linked],
        "pairs": [
            {"leaf_id": a, "hypernym_id": b, "strict": None, "everyday": True}
            | {"used": True, "relation": "hypernym"}
            for a, b in linked
        ],
        "images": list(_images([(name, ids["leaf", name]) for name in leaves])),
    }
    return Taxonomy(
        dataset_id=content_id([concepts, rows]),
        config=TaxonomyConfig(source="csv", min_leaves=1),
        concepts=pa.Table.from_pylist(concepts, schema=tables.CONCEPT),
        edges=pa.Table.from_pylist(rows["edges"], schema=tables.EDGE),
        leaf_hypernym=pa.Table.from_pylist(rows["pairs"], schema=tables.LEAF_HYPERNYM),
        images=pa.Table.from_pylist(rows["images"], schema=tables.IMAGE),
    )


def _concept(role: str, name: str, row: int) -> dict[str, Any]:
    word = name.replace("_", " ")
    blank = dict.fromkeys(tables.CONCEPT.names)
    return blank | {
        "concept_id": row,
        "key": f"{role}/{name}",
        "name": word,
        "phrase": f"a {word}",
        "role": role,
        "dropped": False,
    }


def _images(leaves: Sequence[tuple[str, int]]) -> Iterable[dict[str, Any]]:
    """Rows as THINGS ships its files: <leaf>/<leaf>_<number>.jpg, leaf by leaf."""
    image_id = 0
    for row, (name, concept) in enumerate(leaves):
        n_images = N_IMAGES // len(leaves) + (row < N_IMAGES % len(leaves))
        n_test, n_validation = round(TEST_RATIO * n_images), round(VALIDATION_RATIO * n_images)
        for number in range(n_images):
            in_test, in_validation = number < n_test, number < n_test + n_validation
            yield {
                "image_id": image_id,
                "concept_id": concept,
                "split": "test" if in_test else "validation" if in_validation else "train",
                "style": None,
                "family": None,
                "sha256": f"{image_id:064x}",
                "uri": f"{name}/{name}_{number:02}.jpg",
            }
            image_id += 1
