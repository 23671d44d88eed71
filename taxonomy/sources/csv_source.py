"""A user's own table as a source: its hypernyms, their synsets, and its list of pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import networkx as nx

from taxonomy.errors import DataError
from taxonomy.graph import check_acyclic, inner_by_synset
from taxonomy.model import TaxonomyConfig
from taxonomy.sources.csv_pictures import read_pictures
from taxonomy.sources.csv_table import Row, read_edges, read_table
from taxonomy.sources.source import Source
from taxonomy.wordnet import WordNet


def read_csv(
    config: TaxonomyConfig,
    wordnet: WordNet,
    csv_path: Path,
    image_root: Path | None = None,
    edges_path: Path | None = None,
    *,
    allow_outside: bool = False,
) -> Source:
    """Read a user's table as a source.

    Hypernyms are the words of its hypernym column and whatever the edges put above them;
    where neither names any, they are found in WordNet above the leaves' synsets. A leaf
    that is also a hypernym of others becomes an inner node.

    Args:
        config: Seed of the split; min_leaves for hypernyms found in WordNet.
        wordnet: Where synsets are looked up.
        csv_path: See taxonomy.sources.csv_table for the columns.
        image_root: Where relative picture paths start; the table's folder if None.
        edges_path: Optional table of hyponym, hypernym rows between words.
        allow_outside: Take pictures that do not lie below image_root too.

    Returns:
        The source, checked.

    Raises:
        DataError: Anything in the table, the edges or a picture that cannot be used.
    """
    table = read_table(csv_path)
    concepts = _concepts(table.rows, wordnet)
    edges = [(row.leaf, word) for row in table.rows for word in row.hypernyms]
    edges += read_edges(edges_path) if edges_path is not None else []
    graph = nx.DiGraph((f"word/{below}", f"word/{above}") for below, above in edges)
    graph.add_nodes_from(f"word/{name}" for name in concepts)
    check_acyclic(graph, str(csv_path if edges_path is None else f"{csv_path} with {edges_path}"))
    listed = {name: _above(graph, name) for name in concepts}
    listed = {name: words for name, words in listed.items() if words}
    words = sorted(frozenset().union(*listed.values()))
    if words:
        hypernyms = _resolve(words, listed, concepts, wordnet)
    else:
        hypernyms = _found_above(concepts, wordnet, config.min_leaves)
    inner = frozenset(set(words) & set(concepts))
    by_synset = inner_by_synset(concepts, wordnet)
    return Source(
        list_name="csv",
        concepts=concepts,
        hypernyms=hypernyms,
        listed=listed,
        edges=sorted({(a, b) for a, b in edges if b in words and (a in words or a in concepts)}),
        pictures=read_pictures(
            table.rows,
            image_root or csv_path.parent,
            config.seed,
            inner | by_synset,
            allow_outside=allow_outside,
        ),
        inner=inner,
        notes={"ignored_columns": list(table.ignored)},
    )


def _concepts(rows: Iterable[Row], wordnet: WordNet) -> dict[str, str | None]:
    """The synset of each leaf, checked; DataError if a leaf has two or no image at all."""
    synsets: dict[str, str | None] = {}
    first: dict[str, Row] = {}
    pictured = set()
    for row in rows:
        first.setdefault(row.leaf, row)
        synsets.setdefault(row.leaf, None)
        if row.image:
            pictured.add(row.leaf)
        if not row.synset:
            continue
        try:
            synset = wordnet.name(row.synset)
        except DataError as error:
            raise DataError(f"{row.where}: leaf {row.leaf!r}: {error}") from error
        if synsets[row.leaf] not in (None, synset):
            raise DataError(
                f"{row.where}: leaf {row.leaf!r} has synset {synset} here and "
                f"{synsets[row.leaf]} before; a leaf has one"
            )
        synsets[row.leaf] = synset
    for leaf in sorted(set(first) - pictured):
        raise DataError(
            f"{first[leaf].where}: leaf {leaf!r} has no images; give it at least two rows with one"
        )
    return {leaf: synsets[leaf] for leaf in sorted(synsets)}


def _above(graph: nx.DiGraph, name: str) -> frozenset[str]:
    return frozenset(node.removeprefix("word/") for node in nx.descendants(graph, f"word/{name}"))


def _resolve(
    words: Iterable[str],
    listed: Mapping[str, frozenset[str]],
    concepts: Mapping[str, str | None],
    wordnet: WordNet,
) -> dict[str, str | None]:
    """The synset of each word: the sense above most of the leaves listed under it.

    A word with no sense above any of them has none, and WordNet is not asked about it.
    """
    found: dict[str, str | None] = {}
    for word in words:
        counts: Counter[str] = Counter()
        for name, above in listed.items():
            synset = concepts[name]
            if word in above and synset is not None:
                counts.update(wordnet.ancestors(synset) | {synset})
        senses = [sense for sense in wordnet.senses(word) if sense not in found.values()]
        best = max(senses, key=lambda sense: counts[sense], default=None)
        found[word] = best if best is not None and counts[best] else None
    return found


def _found_above(
    concepts: Mapping[str, str | None], wordnet: WordNet, min_leaves: int
) -> dict[str, str | None]:
    """Synsets above at least min_leaves leaves but not all, one for each set of leaves.

    Of synsets with the same leaves the most specific is taken. A hypernym is called by
    the first of its words that no leaf and no other hypernym has.
    """
    inner = inner_by_synset(concepts, wordnet)
    leaves = {name: s for name, s in concepts.items() if s is not None and name not in inner}
    below: dict[str, set[str]] = {}
    for name, synset in leaves.items():
        for above in wordnet.ancestors(synset):
            below.setdefault(above, set()).add(name)
    by_leaves: dict[frozenset[str], str] = {}
    for synset in sorted(below, key=lambda s: (-len(wordnet.ancestors(s)), s)):
        if min_leaves <= len(below[synset]) < len(leaves):
            by_leaves.setdefault(frozenset(below[synset]), synset)
    named: dict[str, str | None] = {}
    for synset in sorted(by_leaves.values(), key=lambda s: (-len(below[s]), s)):
        words = (lemma.lower() for lemma in wordnet.lemmas(synset))
        word = next((w for w in words if w not in named and w not in leaves), None)
        if word is not None:
            named[word] = synset
    return named
