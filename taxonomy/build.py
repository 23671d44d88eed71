"""From a source to a Taxonomy: roles, ids, pairs, edges and images as Arrow tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx
import pyarrow as pa

from taxonomy import tables
from taxonomy.errors import DataError
from taxonomy.graph import hypernym_graph, inner_concepts
from taxonomy.identity import id_of_rows
from taxonomy.model import RELATION, SPLITS, Taxonomy, TaxonomyConfig
from taxonomy.pairs import Claim, claims, n_leaves
from taxonomy.phrases import phrase
from taxonomy.sources.emoji import read_emoji
from taxonomy.sources.source import Source
from taxonomy.wordnet import WordNet


def build_emoji(
    config: TaxonomyConfig,
    wordnet: WordNet,
    spec_path: Path,
    hypernyms_path: Path,
    pictures: pa.Table,
) -> Taxonomy:
    """Build the taxonomy of the bundled pictures.

    Args:
        config: Choice of pairs and the least number of leaves of a hypernym.
        wordnet: Gives the strict closure.
        spec_path: Lines `concept=lemma#sense=emoji names`.
        hypernyms_path: JSON list of hypernyms with their everyday leaves.
        pictures: One row a picture: concept, split, style, family, sha256.

    Returns:
        The taxonomy; an image's id is its row in pictures.

    Raises:
        DataError: The lists, the pictures and WordNet do not fit each other.
    """
    return assemble(config, read_emoji(wordnet, spec_path, hypernyms_path, pictures), wordnet)


@dataclass(frozen=True, kw_only=True)
class _Roles:
    """Who is what: the graph with final keys, the claims, and who is dropped."""

    graph: nx.DiGraph
    leaves: frozenset[str]
    inner: frozenset[str]
    kept_inner: frozenset[str]
    """Leaves that are above other leaves, where these are kept."""
    claims: tuple[Claim, ...]
    dropped: Mapping[str, int]
    """Hypernyms with too few leaves, and how many they have."""

    def key(self, concept: str) -> str:
        return f"inner/{concept}" if concept in self.inner else f"leaf/{concept}"


def assemble(config: TaxonomyConfig, source: Source, wordnet: WordNet) -> Taxonomy:
    """Build a taxonomy from a source that has been read.

    Args:
        config: Choice of pairs, min_leaves; becomes part of the identity.
        source: Concepts, hypernyms, list and pictures.
        wordnet: Gives the strict closure, glosses, offsets and depths.

    Returns:
        The taxonomy, acyclic, with at least one hypernym.

    Raises:
        DataError: A cycle, a leaf without training or test pictures, or no hypernym left.
    """
    roles = _roles(config, source, wordnet)
    _check_pictures(source, roles)
    concepts = _concept_table(source, roles, wordnet)
    ids = {key: i for i, key in enumerate(concepts["key"].to_pylist())}
    edges = _edge_table(roles, ids)
    pairs = _pair_table(config, roles, ids)
    images = _image_table(source, roles, ids)
    return Taxonomy(
        dataset_id=id_of_rows(config, concepts, edges, pairs, images),
        config=config,
        concepts=concepts,
        edges=edges,
        leaf_hypernym=pairs,
        images=images,
        notes=_notes(config, source, roles, wordnet),
    )


def _roles(config: TaxonomyConfig, source: Source, wordnet: WordNet) -> _Roles:
    graph = hypernym_graph(source, wordnet)
    high = frozenset(inner_concepts(graph, source, wordnet))
    inner = high if config.inner_leaves == "drop" else frozenset()
    leaves = frozenset(source.concepts) - inner
    above = {
        name: frozenset({synset} | wordnet.ancestors(synset))
        for name, synset in source.concepts.items()
        if synset is not None and name in leaves
    }
    found = claims(
        leaves, source.hypernyms, above, source.hypernyms, source.listed, source.spoken_of
    )
    counts = n_leaves(found, source.hypernyms, config.pairs)
    dropped = {word: n for word, n in counts.items() if n < config.min_leaves}
    if len(dropped) == len(counts):
        most = max(counts, key=lambda word: (counts[word], word), default=None)
        largest = f"; the largest is {most!r} with {counts[most]}" if most is not None else ""
        raise DataError(
            f"no hypernym has min_leaves = {config.min_leaves} leaves under pairs "
            f"{config.pairs!r}{largest}; lower min_leaves or list more pairs"
        )
    final = {
        f"concept/{name}": f"inner/{name}" if name in inner else f"leaf/{name}"
        for name in source.concepts
    }
    return _Roles(
        graph=nx.relabel_nodes(graph, final),
        leaves=leaves,
        inner=inner,
        kept_inner=high - inner,
        claims=tuple(found),
        dropped=dropped,
    )


def _check_pictures(source: Source, roles: _Roles) -> None:
    """Every leaf can be trained and tested, and inner nodes are in no split."""
    if not source.pictured:
        return
    seen: dict[str, set[str | None]] = {name: set() for name in source.concepts}
    for picture in source.pictures:
        if picture.concept in roles.leaves and picture.split not in SPLITS:
            raise DataError(
                f"picture {picture.uri} of leaf {picture.concept!r} must be in one of "
                f"{', '.join(SPLITS)}, got {picture.split!r}"
            )
        seen[picture.concept].add(picture.split)
    for name, splits in sorted(seen.items()):
        if not splits:
            raise DataError(f"leaf {name!r} has no images; add one or take the leaf out")
        for split in ("train", "test"):
            if name in roles.leaves and split not in splits:
                raise DataError(f"leaf {name!r} has no {split} image; it needs at least one")


def _concept_table(source: Source, roles: _Roles, wordnet: WordNet) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for key in sorted(roles.graph):
        role, _, name = key.partition("/")
        synset = source.hypernyms[name] if role == "hypernym" else source.concepts.get(name)
        if role == "synset":
            synset, name = name, wordnet.lemmas(name)[0].lower()
        elif role != "hypernym":
            name = source.word(name)
        rows.append(
            {
                "concept_id": len(rows),
                "key": key,
                "name": name,
                "phrase": source.phrases.get(name) or phrase(name),
                "synset": synset,
                "wn_offset": None if synset is None else wordnet.offset(synset),
                "gloss": None if synset is None else wordnet.gloss(synset),
                "role": role,
                "dropped": role == "hypernym" and name in roles.dropped,
                "depth": None if synset is None else wordnet.depth(synset),
            }
        )
    return pa.Table.from_pylist(rows, schema=tables.CONCEPT)


def _edge_table(roles: _Roles, ids: Mapping[str, int]) -> pa.Table:
    edges = sorted((ids[a], ids[b], data["source"]) for a, b, data in roles.graph.edges(data=True))
    rows = [{"hyponym_id": a, "hypernym_id": b, "source": source} for a, b, source in edges]
    return pa.Table.from_pylist(rows, schema=tables.EDGE)


def _pair_table(config: TaxonomyConfig, roles: _Roles, ids: Mapping[str, int]) -> pa.Table:
    rows = [
        {
            "leaf_id": ids[f"leaf/{claim.leaf}"],
            "hypernym_id": ids[f"hypernym/{claim.hypernym}"],
            "strict": claim.strict,
            "everyday": claim.listed,
            "used": claim.is_yes(config.pairs) and claim.hypernym not in roles.dropped,
            "relation": RELATION,
        }
        for claim in roles.claims
    ]
    rows.sort(key=lambda row: (row["leaf_id"], row["hypernym_id"]))
    return pa.Table.from_pylist(rows, schema=tables.LEAF_HYPERNYM)


def _image_table(source: Source, roles: _Roles, ids: Mapping[str, int]) -> pa.Table:
    rows = [
        {
            "image_id": i,
            "concept_id": ids[roles.key(picture.concept)],
            "split": picture.split if picture.concept in roles.leaves else None,
            "style": picture.style,
            "family": picture.family,
            "sha256": picture.sha256,
            "uri": picture.uri,
        }
        for i, picture in enumerate(source.pictures)
    ]
    return pa.Table.from_pylist(rows, schema=tables.IMAGE)


def _notes(
    config: TaxonomyConfig, source: Source, roles: _Roles, wordnet: WordNet
) -> dict[str, Any]:
    """Counts and lists for the reader; no part of the dataset's identity."""
    validated = {p.concept for p in source.pictures if p.split == "validation"}
    return {
        "wordnet_version": wordnet.version,
        "dropped": dict(roles.dropped),
        "n_pairs_strict": sum(bool(claim.strict) for claim in roles.claims),
        "n_pairs_listed": sum(bool(claim.listed) for claim in roles.claims),
        "leaves_without_validation": sorted(roles.leaves - validated),
        "kept_inner": sorted(roles.kept_inner),
        **source.notes,
    }
