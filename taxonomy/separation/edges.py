"""How far apart two classes lie in the hypernym graph."""

from __future__ import annotations

from collections.abc import Mapping

from taxonomy.errors import DataError
from taxonomy.separation.nouns import Nouns


class Edges:
    """Edges of the shortest path between two classes, up to a common ancestor and down again.

    Hypernyms and instance hypernyms count alike; a node is an ancestor of itself. No root is put
    above a graph that has several. What is above a class is looked up once.
    """

    def __init__(self, nouns: Nouns, node_of: Mapping[int, str | None]) -> None:
        """Distances over a graph.

        Args:
            nouns: The graph.
            node_of: Where each class lies; None where it has no place.
        """
        self._nouns = nouns
        self._node_of = node_of
        self._above: dict[str, Mapping[str, int]] = {}

    def __call__(self, a: int, b: int) -> int | None:
        """Edges between two classes; 0 if they are one, or lie at one node.

        Returns:
            None if one has no place, or nothing is above both.

        Raises:
            DataError: A node that the graph does not have.
        """
        if a == b:
            return 0
        node_a, node_b = self._node_of.get(a), self._node_of.get(b)
        if node_a is None or node_b is None:
            return None
        above, others = self._ancestors(node_a), self._ancestors(node_b)
        if len(others) < len(above):
            above, others = others, above
        both = [n + others[node] for node, n in above.items() if node in others]
        return min(both, default=None)

    def _ancestors(self, node: str) -> Mapping[str, int]:
        """Every node above one, itself included, and the least edges up to it."""
        if node not in self._above:
            if node not in self._nouns.above:
                raise DataError(
                    f"a class lies at {node}, which WordNet {self._nouns.version} does not have; "
                    "name the WordNet that the dataset was built with"
                )
            found, front, n_edges = {node: 0}, [node], 0
            while front:
                n_edges += 1
                higher = {up for one in front for up in self._nouns.above.get(one, ())}
                front = sorted(higher - found.keys())
                found.update(dict.fromkeys(front, n_edges))
            self._above[node] = found
        return self._above[node]
