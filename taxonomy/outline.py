"""The subtree under a concept as text, with counts of leaves and images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import networkx as nx

from taxonomy.errors import DataError, unknown
from taxonomy.graph import leaves_under, taxonomy_graph
from taxonomy.model import SPLITS, Taxonomy

_ROLES = ("hypernym", "inner", "leaf", "synset")


@dataclass(frozen=True, kw_only=True)
class _Tree:
    graph: nx.DiGraph
    """Hyponym -> hypernym, transitively reduced over the nodes that are shown."""
    full: nx.DiGraph
    leaves: frozenset[str]
    images: Counter[tuple[str, str]]
    """Number of images by key and split; inner nodes' images are in split "inner"."""
    dropped: frozenset[str]
    yes: frozenset[tuple[str, str]]
    """(leaf, hypernym) pairs that are a Yes."""

    def line(self, key: str) -> str:
        role, _, name = key.partition("/")
        if role == "leaf":
            parts = [f"{self.images[key, split]} {split}" for split in SPLITS]
            return f"{name}: {_n(self._n_images(key), 'image')} ({', '.join(parts)})"
        below = leaves_under(self.full, key, self.leaves)
        n_images = sum(self._n_images(leaf) for leaf in below)
        text = f"{_n(len(below), 'leaf')}, {_n(n_images, 'image')}"
        if role == "hypernym":
            n_yes = sum((leaf, key) in self.yes for leaf in below)
            text += "; dropped" if key in self.dropped else f"; asked of {n_yes}"
        if role == "inner":
            text += f"; inner, {_n(self._n_images(key), 'image')} of its own"
        return f"{name} [{role}]: {text}"

    def _n_images(self, key: str) -> int:
        return sum(self.images[key, split] for split in (*SPLITS, "inner"))

    def draw(self, key: str, indent: str = "") -> Iterator[str]:
        below = sorted(self.graph.predecessors(key), key=lambda k: (k in self.leaves, k))
        for child in below:
            last = child == below[-1]
            yield f"{indent}{'└── ' if last else '├── '}{self.line(child)}"
            yield from self.draw(child, indent + ("    " if last else "│   "))


def outline(taxonomy: Taxonomy, name: str, *, synsets: bool = False) -> str:
    """The tree of everything under a concept, one line each.

    Args:
        taxonomy: A built taxonomy.
        name: A concept's name ("bird"), key ("inner/dog"), key without its role ("bat1", of a
            homonym) or synset ("bird.n.01").
        synsets: Show the WordNet synsets in between too.

    Returns:
        The text; a concept with several hypernyms stands under each of them.

    Raises:
        DataError: No such concept; the message lists the nearest.
    """
    root = _find(taxonomy, name)
    if root.partition("/")[0] not in _ROLES:
        return _target(taxonomy, root)
    tree = _tree(taxonomy, root, synsets)
    return "\n".join([tree.line(root), *tree.draw(root)])


def _rank(role: str) -> int:
    """Targets of other relations come after everything else."""
    return _ROLES.index(role) if role in _ROLES else len(_ROLES)


def _target(taxonomy: Taxonomy, key: str) -> str:
    """The target of another relation with its Yes leaves, one line each."""
    keys = taxonomy.concepts["key"].to_pylist()
    role, _, name = key.partition("/")
    leaves = sorted(
        keys[pair["leaf_id"]].partition("/")[2]
        for pair in taxonomy.leaf_hypernym.to_pylist()
        if pair["used"] and keys[pair["hypernym_id"]] == key
    )
    lines = [f"{'└── ' if leaf == leaves[-1] else '├── '}{leaf}" for leaf in leaves]
    asked = f"asked of {_n(len(leaves), 'leaf')}" if leaves else "dropped, asked of no leaf"
    return "\n".join([f"{name} [{role}]: {asked}", *lines])


def _find(taxonomy: Taxonomy, name: str) -> str:
    """The key of a concept; of several with one name, by role and then the largest."""
    wanted = " ".join(name.lower().split())
    rows = taxonomy.concepts.select(["key", "name", "synset", "role"]).to_pylist()
    graph = taxonomy_graph(taxonomy)
    for column in ("key", "name", "bare_key", "synset"):
        found = [
            row
            for row in rows
            if (row | {"bare_key": row["key"].partition("/")[2]})[column] == wanted
        ]
        if found:
            best = min(
                found,
                key=lambda row: (_rank(row["role"]), -len(nx.ancestors(graph, row["key"]))),
            )
            return str(best["key"])
    raise DataError(unknown("concept", name, {row["name"] for row in rows}))


def _tree(taxonomy: Taxonomy, root: str, synsets: bool) -> _Tree:
    full = taxonomy_graph(taxonomy)
    below = full.subgraph({root} | nx.ancestors(full, root))
    shown = [n for n in below if synsets or n == root or not n.startswith("synset/")]
    closure = nx.transitive_closure_dag(below).subgraph(shown)
    keys = taxonomy.concepts["key"].to_pylist()
    images = Counter(
        (keys[image["concept_id"]], image["split"] or "inner")
        for image in taxonomy.images.select(["concept_id", "split"]).to_pylist()
    )
    rows = taxonomy.concepts.select(["key", "role", "dropped"]).to_pylist()
    return _Tree(
        graph=nx.transitive_reduction(closure),
        full=full,
        leaves=frozenset(row["key"] for row in rows if row["role"] == "leaf"),
        images=images,
        dropped=frozenset(row["key"] for row in rows if row["dropped"]),
        yes=frozenset(
            (keys[pair["leaf_id"]], keys[pair["hypernym_id"]])
            for pair in taxonomy.leaf_hypernym.to_pylist()
            if pair["used"]
        ),
    )


def _n(count: int, word: str) -> str:
    plural = "leaves" if word == "leaf" else f"{word}s"
    return f"{count} {word if count == 1 else plural}"
