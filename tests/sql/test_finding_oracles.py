"""Statistics in SQL against plain Python: correlations, t, conditional scores, distances."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxonomy.tables import CONCEPT, EDGE, EXAMPLE, LEAF_HYPERNYM
from tests.sql import released
from tests.sql.released import add_own
from tests.sql.test_oracles import close, mean, plain_f1, plain_macro
from tests.xmodal.store import world
from tests.xmodal.store.empty import empty_store
from tests.xmodal.store.world import BIRD, GEM, PARROT, RUBY, SAW, TOOL
from xmodal.store import Store


@pytest.fixture(scope="module")
def empty() -> Iterator[Store]:
    with Store.in_memory() as store:
        yield store


def plain_ranks(values: list[float]) -> list[float]:
    """Positions in sorted order, counted from 1; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    places = defaultdict(list)
    for place, i in enumerate(order, start=1):
        places[values[i]].append(place)
    return [sum(places[v]) / len(places[v]) for v in values]


def plain_pearson(xs: list[float], ys: list[float]) -> float | None:
    if len(set(xs)) < 2 or len(set(ys)) < 2:
        return None
    x, y = math.fsum(xs) / len(xs), math.fsum(ys) / len(ys)
    sxy = math.fsum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True))
    sxx, syy = math.fsum((a - x) ** 2 for a in xs), math.fsum((b - y) ** 2 for b in ys)
    return sxy / math.sqrt(sxx) / math.sqrt(syy)


# sixteenths: ties are common, and no two distinct values are too near for an exact comparison
value = st.integers(-16, 16).map(lambda n: n / 16)
CORRELATIONS = """
SELECT
    list_ranks($xs::DOUBLE[]) AS ranks,
    pearson($xs::DOUBLE[], $ys::DOUBLE[]) AS pearson,
    spearman($xs::DOUBLE[], $ys::DOUBLE[]) AS spearman,
    slope($xs::DOUBLE[], $ys::DOUBLE[]) AS slope
"""


@settings(max_examples=150, deadline=None)
@given(points=st.lists(st.tuples(value, value), min_size=1, max_size=30))
def test_correlations_match_plain_python(empty: Store, points: list[tuple[float, float]]) -> None:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    (got,) = empty.query(CORRELATIONS, {"xs": xs, "ys": ys}).to_pylist()
    assert got["ranks"] == plain_ranks(xs)
    assert close(got["pearson"], plain_pearson(xs, ys))
    assert close(got["spearman"], plain_pearson(plain_ranks(xs), plain_ranks(ys)))
    want = None
    if len(set(xs)) > 1:
        x, y = (math.fsum(values) / len(values) for values in (xs, ys))
        want = sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a in xs)
    assert close(got["slope"], want)


def test_correlations_of_nothing(empty: Store) -> None:
    (got,) = empty.query(CORRELATIONS, {"xs": None, "ys": None}).to_pylist()
    assert got == {"ranks": None, "pearson": None, "spearman": None, "slope": None}


def t_distribution(t: float, df: int) -> float:
    """P(T < t) for t > 0, by Simpson's rule over the density."""
    scale = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(df * math.pi)
    n, width = 2000, t / 2000
    density = [scale * (1 + (i * width) ** 2 / df) ** (-(df + 1) / 2) for i in range(n + 1)]
    total = density[0] + density[n] + 4 * sum(density[1:n:2]) + 2 * sum(density[2:n:2])
    return 0.5 + total * width / 3


@pytest.mark.parametrize("df", [1, 2, 3, 4, 5, 6, 8, 12, 33, 52, 158, 1000])
def test_quantiles_of_t(empty: Store, df: int) -> None:
    (got,) = empty.query("SELECT t_975($df::BIGINT) AS t", {"df": df}).to_pylist()
    low, high = 1.0, 20.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if t_distribution(middle, df) < 0.975 else (low, middle)
    assert got["t"] == pytest.approx(low, rel=1e-6)


def test_no_quantile_without_a_degree_of_freedom(empty: Store) -> None:
    text = "SELECT t_975(0) AS zero, t_975(-1) AS below, t_975(NULL) AS none"
    assert empty.query(text).to_pylist() == [{"zero": None, "below": None, "none": None}]


HYPERNYMS, LEAVES = (BIRD, GEM, TOOL), (PARROT, RUBY, SAW)
# image, asked (None: the leaf's own question), true answer, given answer
asked = st.tuples(
    st.integers(0, 3),
    st.one_of(st.none(), st.sampled_from(HYPERNYMS)),
    st.booleans(),
    st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(questions=st.lists(asked, min_size=1, max_size=40))
def test_given_leaf_matches_plain_python(questions: list[Any]) -> None:
    examples = []
    for number, (image, hypernym, answer, _) in enumerate(questions):
        if hypernym is None:
            what: tuple[Any, ...] = (SAW, "leaf", answer, None, "leaf")
        else:
            what = (hypernym, "hypernym", answer, True, "held_out")
        examples.append((number, image, "test", SAW, *what, False))
    of = replace(world.manifest([]), examples=world.table(EXAMPLE, examples))
    with empty_store() as store:
        store.add_taxonomy(world.taxonomy())
        store.add_manifest(of)
        add_own(store, "a", of, [(n, q[3]) for n, q in enumerate(questions)])
        got = {row["leaf_right"]: row for row in store.analysis("given-leaf").to_pylist()}
        adjusted = store.analysis("chance-adjusted").to_pylist()
        single = store.analysis("single-class").to_pylist()
    seen: dict[int, list[tuple[bool, bool]]] = defaultdict(list)
    for image, hypernym, answer, guess in questions:
        if hypernym is None:
            seen[image].append((answer, guess))
    groups: dict[Any, dict[int, tuple[list[bool], list[bool]]]] = defaultdict(
        lambda: defaultdict(lambda: ([], []))
    )
    whole: dict[int, tuple[list[bool], list[bool]]] = defaultdict(lambda: ([], []))
    for image, hypernym, answer, guess in questions:
        if hypernym is not None:
            both = {answer for answer, _ in seen[image]} == {True, False}
            right = all(a == b for a, b in seen[image]) if both else None
            for group in (groups[right][hypernym], whole[hypernym]):
                group[0].append(answer)
                group[1].append(guess)
    assert set(got) == set(groups)
    for right, by_hypernym in groups.items():
        f1 = [plain_macro(*group) for group in by_hypernym.values()]
        pairs = [pair for group in by_hypernym.values() for pair in zip(*group, strict=True)]
        row = got[right]
        assert close(row["macro_f1"], mean([v for v in f1 if v is not None]))
        assert close(row["accuracy"], mean([float(a == b) for a, b in pairs]))
        assert (row["n_questions"], row["n_single_class"]) == (len(pairs), f1.count(None))
    for row in adjusted:
        if row["question_set"] == "held_out":
            kappas = [plain_kappa(group) for group in whole.values()]
            assert close(row["kappa"], mean([v for v in kappas if v is not None]))
    for row in single:
        assert close(row["macro_f1_s1"], mean([plain_macro_s1(*g) for g in whole.values()]))
        assert row["n_single_class"] == sum(len(set(truth)) < 2 for truth, _ in whole.values())


def plain_kappa(group: tuple[list[bool], list[bool]]) -> float | None:
    truth, said = group
    if len(set(truth)) < 2:
        return None
    n = len(truth)
    observed = sum(a == b for a, b in zip(*group, strict=True)) / n
    expected = sum(truth.count(label) * said.count(label) / n / n for label in (True, False))
    return (observed - expected) / (1 - expected)


def plain_macro_s1(truth: list[bool], said: list[bool]) -> float:
    """Mean F1 over the labels among true and given answers."""
    labels = sorted({*truth, *said})
    return sum(plain_f1(truth, said, k) if k in truth else 0.0 for k in labels) / len(labels)


@st.composite
def graphs(draw: st.DrawFn) -> Any:
    """Edges of an acyclic graph over 8 concepts, upwards, which of them a list alone says, the
    concepts' synsets, and pairs of a leaf and a hypernym.

    Concepts 0 to 2 are leaves, 5 to 7 hypernyms.
    """
    every = [(low, high) for high in range(8) for low in range(high)]
    edges = draw(st.lists(st.sampled_from(every), unique=True))
    listed = draw(st.sets(st.sampled_from(edges))) if edges else set()
    name = st.sampled_from([None, "a.n.01", "b.n.01", "c.n.01"])
    synsets = draw(st.lists(name, min_size=8, max_size=8))
    pairs = [(leaf, hypernym) for leaf in range(3) for hypernym in range(5, 8)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, min_size=1))
    return edges, listed, synsets, chosen


@settings(max_examples=40, deadline=None)
@given(graph=graphs())
def test_distances_match_networkx(graph: Any) -> None:
    edges, listed, synsets, pairs = graph
    concept = world.taxonomy().concepts.to_pylist()[0]
    concepts = [
        concept
        | {"concept_id": i, "key": f"k{i}", "name": f"n{i}", "depth": i, "synset": synsets[i]}
        for i in range(8)
    ]
    sources = [(a, b, "everyday" if (a, b) in listed else "wordnet") for a, b in edges]
    of = world.manifest(
        [(h * 2 + n, 0, h, bool(n), "held_out") for h in range(5, 8) for n in (0, 1)]
    )
    with empty_store() as store:
        store.add_taxonomy(
            replace(
                world.taxonomy(),
                concepts=released.rows(CONCEPT, concepts),
                edges=world.table(EDGE, sources),
                leaf_hypernym=world.table(
                    LEAF_HYPERNYM, [(a, b, True, None, True, "hypernym") for a, b in pairs]
                ),
            )
        )
        store.add_manifest(of)
        add_own(store, "a", of, [(h * 2 + n, True) for h in range(5, 8) for n in (0, 1)])
        got = store.analysis("hypernym-depth").to_pylist()
    plain = nx.DiGraph()
    plain.add_nodes_from(range(8))
    for a, b, source in sources:
        same = synsets[a] is not None and synsets[a] == synsets[b]
        if source == "wordnet":
            plain.add_edge(a, b, weight=0 if same else 1)
    assert [row["hypernym"] for row in got] == ["n5", "n6", "n7"]
    for row, hypernym in zip(got, range(5, 8), strict=True):
        leaves = [leaf for leaf, above in pairs if above == hypernym]
        steps = [
            float(nx.dijkstra_path_length(plain, leaf, hypernym))
            for leaf in leaves
            if nx.has_path(plain, leaf, hypernym)
        ]
        assert close(row["distance"], mean(steps))
        assert row["n_leaves"] == (len(leaves) or None)
        assert row["n_on_path"] == (len(steps) if leaves else None)
        assert row["depth"] == (hypernym if leaves else None)


@settings(max_examples=60, deadline=None)
@given(
    f1=st.lists(st.tuples(value, st.lists(value, min_size=1, max_size=3)), min_size=2, max_size=12)
)
def test_paired_interval_matches_plain_python(f1: list[tuple[float, list[float]]]) -> None:
    # one pretrained run and up to three random ones, which need not have every hypernym
    runs = [(released.run("a"), [score(i, x) for i, (x, _) in enumerate(f1)])]
    for n in range(3):
        scores = [score(i, ys[n]) for i, (_, ys) in enumerate(f1) if n < len(ys)]
        runs.append((released.run(f"r{n}", lm_init="random", seed=n), scores))
    with empty_store() as store:
        released.add(store, runs)
        (row,) = store.analysis("pretrained-vs-random", question_set="held_out_s1").to_pylist()
        (t,) = store.query("SELECT t_975($n::BIGINT) AS t", {"n": len(f1) - 1}).to_pylist()
    changes = [x - math.fsum(ys) / len(ys) for x, ys in f1]
    middle = math.fsum(changes) / len(changes)
    variance = math.fsum((c - middle) ** 2 for c in changes) / (len(changes) - 1)
    half = t["t"] * math.sqrt(variance / len(changes))
    got = [row["difference"], row["low"], row["high"]]
    assert got == pytest.approx([middle, middle - half, middle + half], abs=1e-12)
    assert row["n_hypernyms"] == len(f1)


def score(number: int, f1: float) -> released.Score:
    return ("held_out_s1", f"h{number}", f1, 0.4, 1, False)
