"""A taxonomy as arrays: who is a leaf, which cells are true, which are safely false."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np

from taxonomy.manifest.draws import Bools, Ints
from taxonomy.model import SPLITS, Taxonomy

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
    leaves: Concepts
    hypernyms: Concepts
    used: Bools
    """bool [L, H]: a Yes of this dataset."""
    claimed: Bools
    """bool [L, H]: true in some source, used or not."""
    false: Bools
    """bool [L, H]: false in every source, and no conflict of words or graph."""
    below: Bools
    """bool [H, H]: the row is a descendant of the column in the graph."""
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
    """Ancestors and descendants by synset, over edges and over what any source claims."""

    def __init__(self, taxonomy: Taxonomy, rows: Sequence[Mapping[str, object]]) -> None:
        self.node = {row["concept_id"]: row["synset"] or row["key"] for row in rows}
        self.members: dict[object, list[int]] = defaultdict(list)
        self.words: dict[object, set[str]] = defaultdict(set)
        for row in rows:
            node = self.node[row["concept_id"]]
            self.members[node].append(int(str(row["concept_id"])))
            self.words[node].add(surface(str(row["name"])))
        self.graph = nx.DiGraph()
        self.graph.add_nodes_from(self.node.values())
        for table, low, high in (
            (taxonomy.edges, "hyponym_id", "hypernym_id"),
            (taxonomy.leaf_hypernym, "leaf_id", "hypernym_id"),
        ):
            lows, highs = table[low].to_pylist(), table[high].to_pylist()
            self.graph.add_edges_from(
                (self.node[a], self.node[b])
                for a, b in zip(lows, highs, strict=True)
                if self.node[a] != self.node[b]
            )

    def above(self, concept_id: int) -> set[object]:
        node = self.node[concept_id]
        return set(nx.descendants(self.graph, node)) | {node}

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


def _pairs(taxonomy: Taxonomy, leaves: Concepts, hypernyms: Concepts) -> tuple[Bools, Bools]:
    """bool [L, H] twice: claimed by some source, used as a Yes."""
    leaf_row = {int(concept): row for row, concept in enumerate(leaves.ids)}
    hypernym_row = {int(concept): row for row, concept in enumerate(hypernyms.ids)}
    claimed = np.zeros((len(leaves), len(hypernyms)), dtype=np.bool_)
    used = np.zeros_like(claimed)
    table = taxonomy.leaf_hypernym.select(["leaf_id", "hypernym_id", "used"]).to_pydict()
    for leaf, hypernym, is_used in zip(*table.values(), strict=True):
        if leaf in leaf_row and hypernym in hypernym_row:
            claimed[leaf_row[leaf], hypernym_row[hypernym]] = True
            used[leaf_row[leaf], hypernym_row[hypernym]] |= is_used
    return claimed, used


def _images(taxonomy: Taxonomy, leaves: Concepts) -> tuple[Ints, Ints, Ints]:
    """Ids, leaf rows and split positions of the images that can be in questions."""
    leaf_row = {int(concept): row for row, concept in enumerate(leaves.ids)}
    split_of = {name: position for position, name in enumerate(SPLITS)}
    table = taxonomy.images.select(["image_id", "concept_id", "split"]).to_pydict()
    rows = sorted(
        (image, leaf_row[concept], split_of[split])
        for image, concept, split in zip(*table.values(), strict=True)
        if split is not None and concept in leaf_row
    )
    ids, leaf, split = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return ids, leaf, split


def read_world(taxonomy: Taxonomy) -> World:
    """Read a taxonomy into arrays and decide which cells are true and which are false.

    A cell is true if the dataset uses it. It is false if no source claims it, leaf and
    hypernym are unrelated in the graph, and their words do not clash; anything else is
    in no question and counted by the first reason that applies.
    """
    rows = sorted(taxonomy.concepts.to_pylist(), key=lambda row: int(row["concept_id"]))
    leaves, hypernyms = _concepts(rows, "leaf"), _concepts(rows, "hypernym")
    relatives = _Relatives(taxonomy, rows)
    claimed, used = _pairs(taxonomy, leaves, hypernyms)
    related_rows, clash_rows = _conflict_rows(leaves, hypernyms, relatives)
    open_cells = ~used
    excluded = {}
    for reason, mask in zip(
        REASONS,
        (claimed, _mask(related_rows, len(hypernyms)), _mask(clash_rows, len(hypernyms))),
        strict=True,
    ):
        excluded[reason] = int((open_cells & mask).sum())
        open_cells &= ~mask
    related_leaves, clash_leaves = _conflict_rows(leaves, leaves, relatives)
    conflicts = tuple(
        np.array(sorted(a | b), dtype=np.int64)
        for a, b in zip(related_leaves, clash_leaves, strict=True)
    )
    above = [relatives.above(int(h)) - {relatives.node[int(h)]} for h in hypernyms.ids]
    nodes = [relatives.node[int(h)] for h in hypernyms.ids]
    below = np.array([[node in high for node in nodes] for high in above], dtype=np.bool_)
    ids, image_leaf, image_split = _images(taxonomy, leaves)
    return World(
        dataset_id=taxonomy.dataset_id,
        leaves=leaves,
        hypernyms=hypernyms,
        used=used,
        claimed=claimed,
        false=open_cells,
        below=below.reshape(len(hypernyms), len(hypernyms)),
        conflicts=conflicts,
        n_excluded_cells=excluded,
        n_excluded_leaf_pairs=sum(len(rows) - 1 for rows in conflicts),
        image_ids=ids,
        image_leaf=image_leaf,
        image_split=image_split,
    )
