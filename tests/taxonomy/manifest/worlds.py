"""Small taxonomies for properties, and one of the size of THINGS for measuring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from hypothesis import reject
from hypothesis import strategies as st

from taxonomy import tables
from taxonomy.errors import ManifestError
from taxonomy.hashing import content_id, hash63
from taxonomy.manifest import ManifestBuilder
from taxonomy.model import Manifest, ManifestConfig, Taxonomy, TaxonomyConfig

SPLIT_CHOICES = ("train", "validation", "test")


def concept(number: int, role: str, name: str, **changes: Any) -> dict[str, Any]:
    row = {
        "concept_id": number,
        "key": f"{role}/{number}-{name}",
        "name": name,
        "phrase": f"a {name}",
        "synset": None,
        "wn_offset": None,
        "gloss": None,
        "role": role,
        "dropped": False,
        "depth": None,
    }
    return {**row, **changes}


def make(
    concepts: list[dict[str, Any]],
    edges: list[tuple[int, int]],
    pairs: list[tuple[int, int, bool]],
    images: Sequence[tuple[int, str | None]],
) -> Taxonomy:
    """A taxonomy from rows; pairs are (leaf, hypernym, used), images (concept, split)."""
    rows = {
        "edges": [{"hyponym_id": a, "hypernym_id": b, "source": "wordnet"} for a, b in edges],
        "pairs": [
            {
                "leaf_id": a,
                "hypernym_id": b,
                "strict": used,
                "everyday": True,
                "used": used,
                "relation": "hypernym",
            }
            for a, b, used in pairs
        ],
        "images": [
            {
                "image_id": 100 + number,
                "concept_id": owner,
                "split": split,
                "style": None,
                "family": None,
                "sha256": f"{number:064x}",
                "uri": f"{number}.png",
            }
            for number, (owner, split) in enumerate(images)
        ],
    }
    return Taxonomy(
        dataset_id=content_id([concepts, rows]),
        config=TaxonomyConfig(min_leaves=1),
        concepts=pa.Table.from_pylist(concepts, schema=tables.CONCEPT),
        edges=pa.Table.from_pylist(rows["edges"], schema=tables.EDGE),
        leaf_hypernym=pa.Table.from_pylist(rows["pairs"], schema=tables.LEAF_HYPERNYM),
        images=pa.Table.from_pylist(rows["images"], schema=tables.IMAGE),
    )


@st.composite
def taxonomies(draw: st.DrawFn, max_pairs: int = 3) -> Taxonomy:
    """DAGs by construction: each concept has parents among the ones before it.

    Some leaves share a word with a leaf or a hypernym, some share a synset, some pairs are
    claimed by a source that is not used, some hypernyms are dropped, some leaves have no
    hypernym.
    """
    roles = ["hypernym"] * draw(st.integers(1, 5))
    roles += draw(st.lists(st.sampled_from(["inner", "synset"]), max_size=2))
    n_leaves = draw(st.integers(2, 9))
    concepts, edges, pairs, images = [], [], [], []
    for number, role in enumerate([*roles, *["leaf"] * n_leaves]):
        name = f"{role} {number}"
        synset: str | None = f"c{number}.n.01"
        if role != "hypernym":
            name = draw(
                st.one_of(
                    st.just(name),
                    st.just(name),
                    st.sampled_from(
                        ["Hypernym  0", "hypernym_1", "toy hypernym 0", "twin", "other twin"]
                    ),
                )
            )
            synset = draw(st.sampled_from([synset, synset, synset, None, "c0.n.01", "twin.n.01"]))
        dropped = role == "hypernym" and number > 0 and draw(st.integers(0, 5)) == 0
        row = concept(number, role, name, synset=synset, dropped=dropped)
        concepts.append(row)
        if number:
            tall = len(roles) if role == "leaf" else number
            parents = draw(st.sets(st.integers(0, tall - 1), max_size=2))
            edges += [(number, parent) for parent in sorted(parents)]
    hypernyms = [row["concept_id"] for row in concepts if row["role"] == "hypernym"]
    for row in concepts:
        if row["role"] == "leaf":
            for high in sorted(draw(st.sets(st.sampled_from(hypernyms), max_size=max_pairs))):
                used = not concepts[high]["dropped"] and draw(st.integers(0, 3)) > 0
                pairs.append((row["concept_id"], high, used))
            for split, most in zip(SPLIT_CHOICES, (3, 1, 2), strict=True):
                n_images = draw(st.integers(0 if split == "validation" else 1, most))
                images += [(row["concept_id"], split)] * n_images
        elif row["role"] == "inner":
            images.append((row["concept_id"], None))
    return make(concepts, edges, pairs, draw(st.permutations(images)))


def seeds() -> st.SearchStrategy[int]:
    return st.integers(0, 50)


@st.composite
def configs(draw: st.DrawFn, **fixed: Any) -> ManifestConfig:
    """Any design that a taxonomy with one hypernym allows."""
    knobs = {
        "design": draw(st.sampled_from(["none", "random", "random", "systematic"])),
        "unit": draw(st.sampled_from(["pair", "leaf"])),
        "ratio": draw(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 1.0])),
        "closure": draw(st.sampled_from(["none", "down"])),
        "mentions": draw(
            st.sampled_from(["drop_all", "keep", "drop_positives", "drop_words", "rebalance"])
        ),
        "negatives": draw(st.sampled_from(["matched", "image"])),
        "shuffle": draw(
            st.sampled_from(["none", "within", "across", "across_s1", "swap", "swap_control"])
        ),
        "seed": draw(seeds()),
        "shuffle_seed": draw(st.one_of(st.none(), seeds())),
        "train_leaf_negatives": draw(st.integers(1, 3)),
        **fixed,
    }
    if knobs["design"] == "systematic":
        knobs["n_held_out_hypernyms"] = 1
    return ManifestConfig(**knobs)


def build(source: Taxonomy | ManifestBuilder, config: ManifestConfig) -> Manifest:
    """Build a manifest; an example in which the shuffle finds nothing to exchange is void."""
    builder = source if isinstance(source, ManifestBuilder) else ManifestBuilder(source)
    try:
        return builder.build(config)
    except ManifestError:
        assert config.shuffle in ("across", "swap", "swap_control")
        reject()


def things_like(n_leaves: int = 1222, n_hypernyms: int = 53, n_images: int = 17336) -> Taxonomy:
    """Random pairs in the numbers of THINGS: 1 to 6 hypernyms a leaf, 70/5/25 splits."""
    concepts = [
        concept(h, "hypernym", f"hypernym{h}", synset=f"h{h}.n.01") for h in range(n_hypernyms)
    ]
    edges, pairs, images = [], [], []
    for row in range(n_leaves):
        number = n_hypernyms + row
        concepts.append(concept(number, "leaf", f"leaf{row}", synset=f"l{row}.n.01"))
        n_pairs = (1, 1, 1, 1, 2, 2, 2, 3, 3, 4)[hash63("n", row) % 10]
        for high in sorted({hash63("pair", row, k) % n_hypernyms for k in range(n_pairs)}):
            pairs.append((number, high, True))
            edges.append((number, high))
    for image in range(n_images):
        split = ("train",) * 14 + ("validation",) + ("test",) * 5
        images.append((n_hypernyms + image % n_leaves, split[image // n_leaves % 20]))
    return make(concepts, edges, pairs, images)
