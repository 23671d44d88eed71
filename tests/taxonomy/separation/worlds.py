"""Small graphs with words and classes, for properties; plain oracles for what is in them."""

from __future__ import annotations

import re

import networkx as nx
from hypothesis import HealthCheck, reject, settings
from hypothesis import strategies as st

from taxonomy.errors import ManifestError
from taxonomy.separation import Classes, Nouns
from taxonomy.separation.unseen import draw_unseen

PLURALS = {
    "owl": "owls",
    "barn owl": "barn owls",
    "owl box": "owl boxes",
    "box": "boxes",
    "berry": "berries",
    "mouse": "mice",
    "wolf": "wolves",
    "scarf": "scarves",
    "snowman": "snowmen",
    "man of war": "men of war",
    "jack-o'-lantern": "jack-o'-lanterns",
    "glass": "glasses",
    "tomato": "tomatoes",
    "it": "its",
}
WORDS = tuple(PLURALS)
SETTINGS = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@st.composite
def worlds(draw: st.DrawFn) -> Classes:
    """Node i has its hypernyms among the nodes before it; classes lie anywhere, or nowhere."""
    n_nodes = draw(st.integers(2, 14))
    numbers = range(n_nodes)
    above = {
        f"n{i}": tuple(
            f"n{parent}" for parent in sorted(draw(st.sets(st.integers(0, i - 1), max_size=2)))
        )
        if i
        else ()
        for i in numbers
    }
    words = st.sampled_from(WORDS)
    lemmas = {f"n{i}": tuple(draw(st.lists(words, max_size=2, unique=True))) for i in numbers}
    n_classes = draw(st.integers(2, 12))
    places = st.none() | st.sampled_from(sorted(above)) | st.sampled_from(sorted(above))
    return Classes(
        ids=tuple(range(10, 10 + 2 * n_classes, 2)),
        keys=tuple(f"leaf/{i}" for i in range(n_classes)),
        names=tuple(draw(words | st.just(f"thing{i}")) for i in range(n_classes)),
        nodes=tuple(draw(places) for _ in range(n_classes)),
        nouns=Nouns(above=above, lemmas=lemmas, irregular={}, version="none"),
    )


def drawn(classes: Classes, n_unseen: int, max_branch: int, seed: int) -> list[int]:
    """Rows of unseen classes, where branches make them up."""
    try:
        return draw_unseen(classes, n_unseen, max_branch, seed)[0]
    except ManifestError:
        reject()


@st.composite
def worlds_with_unseen(draw: st.DrawFn) -> tuple[Classes, list[int]]:
    """A world and rows of any classes, whole branches or not: levels must not count on that."""
    classes = draw(worlds())
    rows = st.sets(st.integers(0, len(classes) - 1), min_size=1, max_size=4)
    return classes, sorted(draw(rows))


def graph_of(classes: Classes) -> nx.DiGraph:
    """Hyponym -> hypernym."""
    graph = nx.DiGraph()
    graph.add_nodes_from(classes.nouns.above)
    graph.add_edges_from((a, b) for a, up in classes.nouns.above.items() for b in up)
    return graph


def mentioned(word: str, text: str) -> bool:
    """Whether a text has a word of WORDS, or another that only takes an s, by a regex."""
    numbers = (word, PLURALS.get(word, f"{word}s"))
    forms = [r"[\W_]+".join(map(re.escape, re.findall(r"[a-z0-9]+", w))) for w in numbers]
    return bool(
        re.search(rf"(?<![^\W_])(?:{'|'.join(forms)})(?![^\W_])", text, flags=re.IGNORECASE)
    )


def words_of(classes: Classes, row: int, level: str) -> set[str]:
    """The words that no text of a level may have because of one unseen class."""
    if level == "none":
        return set()
    node, own = classes.nodes[row], {classes.names[row]}
    if level == "lemma" or node is None:
        return own
    nodes = {node} if level == "synset" else {node} | nx.ancestors(graph_of(classes), node)
    names = {n for n, at in zip(classes.names, classes.nodes, strict=True) if at in nodes}
    lemmas = {lemma for n in nodes for lemma in classes.nouns.lemmas[n]}
    return own | ((names | lemmas) - {"it"})
