"""The classes that a zero-shot evaluation tells apart: the leaves of a dataset."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from taxonomy.errors import DataError
from taxonomy.model import Taxonomy
from taxonomy.relations.relation import ROLES
from taxonomy.separation.nouns import Nouns


@dataclass(frozen=True, kw_only=True)
class Classes:
    """C classes in the order of their ids, and the graph they lie in.

    A class lies at its synset. One without lies where the dataset's own edges put it, and
    nowhere if there are none: then only its name can say that it is like another.
    """

    ids: tuple[int, ...]
    """Concept ids, ascending."""
    keys: tuple[str, ...]
    names: tuple[str, ...]
    nodes: tuple[str | None, ...]
    """Where each lies in nouns; several may share a node."""
    nouns: Nouns

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def row_of(self) -> Mapping[int, int]:
        """Row by concept id."""
        return {concept: row for row, concept in enumerate(self.ids)}

    @cached_property
    def at(self) -> Mapping[str, tuple[int, ...]]:
        """Rows by node."""
        found = defaultdict(list)
        for row, node in enumerate(self.nodes):
            if node is not None:
                found[node].append(row)
        return {node: tuple(rows) for node, rows in found.items()}

    @property
    def n_unplaced(self) -> int:
        """Classes with neither synset nor edge."""
        return sum(node is None for node in self.nodes)

    def rows(self, ids: Iterable[int]) -> list[int]:
        """Rows of concept ids, ascending.

        Raises:
            DataError: One is no class of the dataset.
        """
        given = sorted(set(ids))
        wrong = next((concept for concept in given if concept not in self.row_of), None)
        if wrong is not None:
            raise DataError(
                f"concept {wrong} is no class of this dataset; name leaves, of which it has "
                f"{len(self)}"
            )
        return [self.row_of[concept] for concept in given]

    def words(self, row: int) -> tuple[str, ...]:
        """The words of a class's synset."""
        return self.nouns.lemmas.get(self.nodes[row] or "", ())


def read_classes(taxonomy: Taxonomy, nouns: Nouns) -> Classes:
    """The leaves of a dataset; pictured concepts above others are in no question, so no class.

    Raises:
        DataError: A synset that this WordNet does not have.
    """
    rows = [row for row in taxonomy.concepts.to_pylist() if row["role"] in ROLES]
    leaves = sorted((r for r in rows if r["role"] == "leaf"), key=lambda r: int(r["concept_id"]))
    for leaf in leaves:
        if leaf["synset"] is not None and leaf["synset"] not in nouns.above:
            raise DataError(
                f"leaf {leaf['name']!r} has the synset {leaf['synset']}, which WordNet "
                f"{nouns.version} does not have; name the WordNet that the dataset was built with"
            )
    node = {int(row["concept_id"]): str(row["synset"] or row["key"]) for row in rows}
    hung = _hung(taxonomy, node, {str(r["key"]) for r in rows if r["synset"] is None})
    placed = [node[int(leaf["concept_id"])] for leaf in leaves]
    return Classes(
        ids=tuple(int(leaf["concept_id"]) for leaf in leaves),
        keys=tuple(str(leaf["key"]) for leaf in leaves),
        names=tuple(str(leaf["name"]) for leaf in leaves),
        nodes=tuple(n if n in nouns.above or n in hung else None for n in placed),
        nouns=nouns.with_nodes(hung),
    )


def _hung(
    taxonomy: Taxonomy, node: Mapping[int, str], without: set[str]
) -> dict[str, tuple[str, ...]]:
    """Hypernyms, by the dataset's edges, of concepts that have no synset."""
    found = defaultdict(set)
    lows = taxonomy.edges["hyponym_id"].to_pylist()
    highs = taxonomy.edges["hypernym_id"].to_pylist()
    for low, high in zip(lows, highs, strict=True):
        if low in node and high in node and node[low] in without:
            found[node[low]].add(node[high])
    return {low: tuple(sorted(high)) for low, high in sorted(found.items())}
