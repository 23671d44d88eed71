"""A taxonomy as arrays: who is a leaf, which cells are true, which are safely false.

Under another relation than hypernym, the targets of that relation stand where the hypernyms do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from taxonomy.manifest.draws import Bools, Ints
from taxonomy.model import RELATION, SPLITS, Taxonomy
from taxonomy.relations.relation import ROLES, check_relation

REASONS = ("claimed", "related", "same_surface_form")


def surface(name: str) -> str:
    """The form under which two names are the same word to a reader."""
    return " ".join(name.replace("_", " ").casefold().split())


@dataclass(frozen=True, kw_only=True)
class Concepts:
    """The leaves, or the kept hypernyms, in the order of their ids."""

    ids: Ints
    keys: tuple[str, ...]
    words: tuple[str, ...]
    """Surface forms."""
    phrases: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything a manifest needs of a taxonomy. L leaves, H kept hypernyms, N images."""

    dataset_id: str
    relation: str
    leaves: Concepts
    hypernyms: Concepts
    """Of the relation hypernym; else its targets, in this and every name below."""
    used: Bools
    """bool [L, H]: a Yes of this dataset."""
    claimed: Bools
    """bool [L, H]: true in some source, used or not."""
    false: Bools
    """bool [L, H]: false in every source, and no conflict of words or graph."""
    below: Bools
    """bool [H, H]: the row is a descendant of the column in the graph; nowhere for targets."""
    conflicts: tuple[Ints, ...]
    """For each leaf the leaves that must not be asked as a No about it, itself included."""
    n_excluded_cells: Mapping[str, int]
    """Cells that are neither true nor false, by reason."""
    n_excluded_leaf_pairs: int
    """Ordered pairs of different leaves that are no leaf No."""
    image_ids: Ints
    """int64 [N]: images with a split, in the order of their ids."""
    image_leaf: Ints
    """int64 [N]: row of the leaf."""
    image_split: Ints
    """int64 [N]: position in SPLITS."""

    @property
    def cells(self) -> Bools:
        """bool [L, H]: the cell universe, true or false."""
        return self.used | self.false


def _concepts(rows: Sequence[Mapping[str, object]], role: str) -> Concepts:
    chosen = [row for row in rows if row["role"] == role and not row["dropped"]]
    return Concepts(
        ids=np.array([row["concept_id"] for row in chosen], dtype=np.int64),
        keys=tuple(str(row["key"]) for row in chosen),
        words=tuple(surface(str(row["name"])) for row in chosen),
        phrases=tuple(str(row["phrase"]) for row in chosen),
    )


class _Relatives:
    """Ancestors and descendants by synset, over edges and over what any source claims.

    Targets of other relations and their pairs are no part of this graph.
    """

    def __init__(self, taxonomy: Taxonomy, rows: Sequence[Mapping[str, object]]) -> None:
        rows = [row for row in rows if row["role"] in ROLES]
        self.node = {row["concept_id"]: row["synset"] or row["key"] for row in rows}
        self.members: dict[object, list[int]] = defaultdict(list)
        self.words: dict[object, set[str]] = defaultdict(set)
        for row in rows:
            node = self.node[row["concept_id"]]
            self.members[node].append(int(str(row["concept_id"])))
            self.words[node].add(surface(str(row["name"])))
        self._above: dict[object, frozenset[object]] = {}
        self.graph = nx.DiGraph()
        self.graph.add_nodes_from(self.node.values())
        for table, low, high in (
            (taxonomy.edges, "hyponym_id", "hypernym_id"),
            (_pairs_of(taxonomy, RELATION), "leaf_id", "hypernym_id"),
        ):
            lows, highs = table[low].to_pylist(), table[high].to_pylist()
            self.graph.add_edges_from(
                (self.node[a], self.node[b])
                for a, b in zip(lows, highs, strict=True)
                if self.node[a] != self.node[b]
            )

    def above(self, concept_id: int) -> frozenset[object]:
        node = self.node[concept_id]
        if node not in self._above:
            self._above[node] = frozenset(nx.descendants(self.graph, node)) | {node}
        return self._above[node]

    def related(self, concept_id: int) -> set[int]:
        """Ids of ancestors, descendants and concepts of the same synset, itself included."""
        nodes = self.above(concept_id) | set(nx.ancestors(self.graph, self.node[concept_id]))
        return {member for node in nodes for member in self.members[node]}

    def words_above(self, concept_id: int, own: str) -> set[str]:
        """Surface forms of the concept and of its ancestors (not of its synonyms)."""
        nodes = self.above(concept_id) - {self.node[concept_id]}
        return {own}.union(*(self.words[node] for node in nodes))


def _conflict_rows(
    leaves: Concepts, asked: Concepts, relatives: _Relatives
) -> tuple[list[set[int]], list[set[int]]]:
    """For each leaf the rows of `asked` related to it, and those that clash in words.

    Words clash when the surface form of one is that of the other or of one of the
    other's ancestors.
    """
    row_of = {int(concept): row for row, concept in enumerate(asked.ids)}
    rows_of_word: dict[str, set[int]] = defaultdict(set)
    rows_with_above: dict[str, set[int]] = defaultdict(set)
    for row, word in enumerate(asked.words):
        rows_of_word[word].add(row)
        for high in relatives.words_above(int(asked.ids[row]), word):
            rows_with_above[high].add(row)
    related, clashing = [], []
    for leaf, word in zip(leaves.ids, leaves.words, strict=True):
        related.append({row_of[c] for c in relatives.related(int(leaf)) if c in row_of})
        highs = relatives.words_above(int(leaf), word)
        clash = rows_with_above.get(word, set()).union(*(rows_of_word.get(w, ()) for w in highs))
        clashing.append(clash)
    return related, clashing


def _mask(rows: Sequence[set[int]], width: int) -> Bools:
    mask = np.zeros((len(rows), width), dtype=np.bool_)
    for row, columns in enumerate(rows):
        mask[row, list(columns)] = True
    return mask


def _pairs_of(taxonomy: Taxonomy, relation: str) -> pa.Table:
    """The rows of leaf_hypernym that speak of a relation."""
    return taxonomy.leaf_hypernym.filter(pc.equal(taxonomy.leaf_hypernym["relation"], relation))


def _pairs(
    taxonomy: Taxonomy, relation: str, leaves: Concepts, hypernyms: Concepts
) -> tuple[Bools, Bools]:
    """bool [L, H] twice: claimed by some source, used as a Yes."""
    leaf_row = {int(concept): row for row, concept in enumerate(leaves.ids)}
    hypernym_row = {int(concept): row for row, concept in enumerate(hypernyms.ids)}
    claimed = np.zeros((len(leaves), len(hypernyms)), dtype=np.bool_)
    used = np.zeros_like(claimed)
    columns = ["leaf_id", "hypernym_id", "used"]
    table = _pairs_of(taxonomy, relation).select(columns).to_pydict()
    for leaf, hypernym, is_used in zip(*table.values(), strict=True):
        if leaf in leaf_row and hypernym in hypernym_row:
            claimed[leaf_row[leaf], hypernym_row[hypernym]] = True
            used[leaf_row[leaf], hypernym_row[hypernym]] |= is_used
    return claimed, used


def _images(taxonomy: Taxonomy, leaves: Concepts) -> tuple[Ints, Ints, Ints]:
    """Ids, leaf rows and split positions of the images that can be in questions."""
    concept = taxonomy.images["concept_id"].to_numpy()
    row_of = np.full(taxonomy.concepts.num_rows, -1, dtype=np.int64)
    row_of[leaves.ids] = np.arange(len(leaves))
    split = pc.index_in(taxonomy.images["split"], pa.array(SPLITS)).fill_null(-1).to_numpy()
    chosen = np.flatnonzero((row_of[concept] >= 0) & (split >= 0))
    ids = taxonomy.images["image_id"].to_numpy()[chosen].astype(np.int64)
    if (np.diff(ids) < 0).any():
        order = np.argsort(ids, kind="stable")
        ids, chosen = ids[order], chosen[order]
    return ids, row_of[concept[chosen]], split[chosen].astype(np.int64)


def _own_words(leaves: Concepts, targets: Concepts, relatives: _Relatives) -> list[set[int]]:
    """For each leaf the targets called like it or like one of its ancestors.

    A lab coat is a coat: "does it have a coat?" would read as a question of what it is.
    """
    rows_of_word: dict[str, set[int]] = defaultdict(set)
    for row, word in enumerate(targets.words):
        rows_of_word[word].add(row)
    return [
        set().union(*(rows_of_word.get(w, ()) for w in relatives.words_above(int(leaf), word)))
        for leaf, word in zip(leaves.ids, leaves.words, strict=True)
    ]


def _called_like_targets(
    taxonomy: Taxonomy, rows: Sequence[Mapping[str, object]], leaves: Concepts, relation: str
) -> list[set[int]]:
    """For each leaf the leaves called like a target that some source gives it, dropped or not.

    A parrot has a wing, so that "is there a wing in the image?" is no leaf No about it.
    """
    name = {row["concept_id"]: surface(str(row["name"])) for row in rows}
    rows_of_word: dict[str, set[int]] = defaultdict(set)
    for row, word in enumerate(leaves.words):
        rows_of_word[word].add(row)
    row_of = {int(concept): row for row, concept in enumerate(leaves.ids)}
    found: list[set[int]] = [set() for _ in leaves.words]
    table = _pairs_of(taxonomy, relation).select(["leaf_id", "hypernym_id"]).to_pydict()
    for leaf, target in zip(*table.values(), strict=True):
        if leaf in row_of:
            found[row_of[leaf]] |= rows_of_word.get(name[target], set())
    return found


def read_world(taxonomy: Taxonomy, relation: str = RELATION) -> World:
    """Read a taxonomy into arrays and decide which cells are true and which are false.

    A cell is true if the dataset uses it. It is false if no source claims it, leaf and
    hypernym are unrelated in the graph, and their words do not clash; anything else is
    in no question and counted by the first reason that applies. A target of another relation
    is related to no leaf; its word clashes with those of the leaf and of its ancestors.

    Raises:
        ConfigError: The dataset does not have the relation.
    """
    check_relation(taxonomy, relation)
    rows = sorted(taxonomy.concepts.to_pylist(), key=lambda row: int(row["concept_id"]))
    leaves, hypernyms = _concepts(rows, "leaf"), _concepts(rows, relation)
    relatives = _Relatives(taxonomy, rows)
    claimed, used = _pairs(taxonomy, relation, leaves, hypernyms)
    related_rows: list[set[int]] = [set() for _ in leaves.words]
    related_leaves, clash_leaves = _conflict_rows(leaves, leaves, relatives)
    if relation == RELATION:
        related_rows, clash_rows = _conflict_rows(leaves, hypernyms, relatives)
        below = _below(hypernyms, relatives)
    else:
        clash_rows = _own_words(leaves, hypernyms, relatives)
        below = np.zeros((len(hypernyms), len(hypernyms)), dtype=np.bool_)
        named = _called_like_targets(taxonomy, rows, leaves, relation)
        clash_leaves = [a | b for a, b in zip(clash_leaves, named, strict=True)]
    open_cells = ~used
    excluded = {}
    for reason, mask in zip(
        REASONS,
        (claimed, _mask(related_rows, len(hypernyms)), _mask(clash_rows, len(hypernyms))),
        strict=True,
    ):
        excluded[reason] = int((open_cells & mask).sum())
        open_cells &= ~mask
    conflicts = tuple(
        np.array(sorted(a | b), dtype=np.int64)
        for a, b in zip(related_leaves, clash_leaves, strict=True)
    )
    ids, image_leaf, image_split = _images(taxonomy, leaves)
    return World(
        dataset_id=taxonomy.dataset_id,
        relation=relation,
        leaves=leaves,
        hypernyms=hypernyms,
        used=used,
        claimed=claimed,
        false=open_cells,
        below=below,
        conflicts=conflicts,
        n_excluded_cells=excluded,
        n_excluded_leaf_pairs=sum(len(rows) - 1 for rows in conflicts),
        image_ids=ids,
        image_leaf=image_leaf,
        image_split=image_split,
    )


def _below(hypernyms: Concepts, relatives: _Relatives) -> Bools:
    """bool [H, H]: the row is a descendant of the column."""
    above = [relatives.above(int(h)) - {relatives.node[int(h)]} for h in hypernyms.ids]
    nodes = [relatives.node[int(h)] for h in hypernyms.ids]
    below = np.array([[node in high for node in nodes] for high in above], dtype=np.bool_)
    return below.reshape(len(hypernyms), len(hypernyms))
