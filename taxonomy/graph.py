"""The hypernym graph: edges run from hyponym to hypernym, and never in a circle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import networkx as nx

from taxonomy.errors import DataError
from taxonomy.model import Taxonomy
from taxonomy.sources.source import Source
from taxonomy.wordnet import WordNet


def check_acyclic(graph: nx.DiGraph, where: str) -> None:
    """Raise DataError with one cycle spelt out, if the graph has any.

    Args:
        graph: Nodes are keys such as "hypernym/bird".
        where: What the graph was made from, for the message.
    """
    if nx.is_directed_acyclic_graph(graph):
        return
    nodes = [edge[0] for edge in nx.find_cycle(graph)]
    first = nodes.index(min(nodes))
    names = [str(node).partition("/")[2] for node in nodes[first:] + nodes[:first]]
    circle = " -> ".join([*names, names[0]])
    raise DataError(f"{where}: hypernyms must not form a cycle, got {circle}; take out one of them")


def hypernym_graph(source: Source, wordnet: WordNet) -> nx.DiGraph:
    """The graph over pictured concepts, hypernyms and the synsets between and above them.

    A hypernym stands for its synset, else the one concept that has it; a concept that
    does not stand for its own synset is a hyponym of what does. Edges of the list that
    WordNet implies already are not repeated.

    Args:
        source: Concepts, hypernyms and the list.
        wordnet: The closure above every synset.

    Returns:
        Nodes "concept/<name>", "hypernym/<word>" and "synset/<name>"; edges with
        attribute source.

    Raises:
        DataError: The list and WordNet together have a cycle.
    """
    stands = _stand_ins(source, wordnet)
    graph = nx.DiGraph()
    graph.add_nodes_from(f"hypernym/{word}" for word in source.hypernyms)
    graph.add_nodes_from(f"concept/{name}" for name in source.concepts)
    synsets = [s for s in (*source.concepts.values(), *source.hypernyms.values()) if s]
    for below, above in wordnet.graph(synsets).edges:
        ends = (stands.get(s, f"synset/{s}") for s in (below, above))
        graph.add_edge(*ends, source="wordnet")
    for name, synset in source.concepts.items():
        if synset is not None and stands.get(synset) != f"concept/{name}":
            graph.add_edge(
                f"concept/{name}", stands.get(synset, f"synset/{synset}"), source="wordnet"
            )
    _add_list(graph, source)
    check_acyclic(graph, f"{source.list_name} list with WordNet {wordnet.version}")
    return graph


def _stand_ins(source: Source, wordnet: WordNet) -> dict[str, str]:
    """The node that takes a synset's place, for synsets where one does.

    Where names are keys, a concept that the list puts below what WordNet puts below it (the
    THINGS concept fruit, fruit.n.01, is in the category fruit, edible_fruit.n.01) is a thing
    under its synset, not the synset itself; else the two would make a circle.
    """
    names = defaultdict(list)
    for name, synset in source.concepts.items():
        listed = (source.hypernyms.get(word) for word in source.listed.get(name, ()))
        if source.words and any(s and synset in wordnet.ancestors(s) for s in listed):
            continue
        names[synset].append(f"concept/{name}")
    stands = {s: nodes[0] for s, nodes in names.items() if s is not None and len(nodes) == 1}
    stands |= {s: f"hypernym/{word}" for word, s in source.hypernyms.items() if s is not None}
    return stands


def _add_list(graph: nx.DiGraph, source: Source) -> None:
    """Add the list's edges that no path says yet, and tie a word to its namesake concept.

    Where names are keys, a name means the concept and never a hypernym's word, and
    namesakes with two synsets are two things.
    """
    implied = {node: nx.descendants(graph, node) for node in graph if not _is_synset(node)}
    edges = [
        (f"hypernym/{hyponym}", f"hypernym/{hypernym}")
        if hyponym in source.hypernyms and hyponym != hypernym and not source.words
        else (f"concept/{hyponym}", f"hypernym/{hypernym}")
        for hyponym, hypernym in source.edges
    ]
    for below, above in [*edges, *_namesakes(source)]:
        if above not in implied[below]:
            graph.add_edge(below, above, source=source.list_name)


def _namesakes(source: Source) -> list[tuple[str, str]]:
    """Concepts with the surface form of a hypernym, and that hypernym."""
    found = []
    for name, synset in source.concepts.items():
        word = source.word(name)
        if word not in source.hypernyms:
            continue
        other = source.hypernyms[word]
        if not source.words or None in (synset, other) or synset == other:
            found.append((f"concept/{name}", f"hypernym/{word}"))
    return found


def _is_synset(node: str) -> bool:
    return node.startswith("synset/")


def inner_by_synset(concepts: Mapping[str, str | None], wordnet: WordNet) -> set[str]:
    """Concepts whose synset is above that of another concept."""
    above: set[str] = set()
    for synset in concepts.values():
        if synset is not None:
            above |= wordnet.ancestors(synset)
    return {name for name, synset in concepts.items() if synset in above}


def inner_concepts(graph: nx.DiGraph, source: Source, wordnet: WordNet) -> set[str]:
    """Pictured concepts that are above other pictured ones, by synset, path or the source."""
    by_path: set[str] = set()
    for name in source.concepts:
        by_path |= nx.descendants(graph, f"concept/{name}")
    inner = {name for name in source.concepts if f"concept/{name}" in by_path}
    return inner | source.inner | inner_by_synset(source.concepts, wordnet)


def leaves_under(graph: nx.DiGraph, node: str, leaves: Iterable[str]) -> list[str]:
    """The leaves from which a path leads to the node, sorted; the node itself left out."""
    return sorted(nx.ancestors(graph, node) & set(leaves))


def taxonomy_graph(taxonomy: Taxonomy) -> nx.DiGraph:
    """The graph of a built taxonomy: nodes are concept keys, edges carry their source."""
    keys = taxonomy.concepts["key"].to_pylist()
    graph = nx.DiGraph()
    graph.add_nodes_from(keys)
    for edge in taxonomy.edges.to_pylist():
        graph.add_edge(keys[edge["hyponym_id"]], keys[edge["hypernym_id"]], source=edge["source"])
    return graph
