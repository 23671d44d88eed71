"""SQL against plain Python on random predictions."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxonomy.manifest.build import build_manifest
from taxonomy.manifest.exposure import exposure
from taxonomy.model import ManifestConfig
from tests.xmodal.store import world
from tests.xmodal.store.empty import empty_store
from tests.xmodal.store.world import BIRD, GEM, NAMES, PARROT, RUBY, SAW, TOOL
from xmodal.store import IMAGE_MODES, METRIC, Store
from xmodal.store.rows import RunRow

HYPERNYMS, LEAVES = (BIRD, GEM, TOOL), (PARROT, RUBY, SAW)

# one test question: label leaf, asked hypernym (None: a leaf question), answer, question_set
questions = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(LEAVES),
            st.sampled_from(HYPERNYMS),
            st.booleans(),
            st.sampled_from(["held_out", "seen", "unasked"]),
        ),
        st.tuples(st.sampled_from(LEAVES), st.none(), st.booleans(), st.just("leaf")),
    ),
    min_size=1,
    max_size=40,
)


@st.composite
def experiments(draw: st.DrawFn) -> tuple[list[Any], list[tuple[str, str, list[bool]]]]:
    """Questions, and for one to three runs: lm_init, image_mode and the answers given."""
    asked = draw(questions)
    answers = st.lists(st.booleans(), min_size=len(asked), max_size=len(asked))
    inits = st.sampled_from(["pretrained", "scrambled"])
    return asked, draw(
        st.lists(
            st.tuples(inits, st.sampled_from(IMAGE_MODES[:2]), answers), min_size=1, max_size=3
        )
    )


def fill(store: Store, asked: list[Any], runs: list[tuple[str, str, list[bool]]]) -> None:
    store.add_taxonomy(world.taxonomy())
    of = world.manifest(
        [
            (number, leaf, SAW if hypernym is None else hypernym, answer, kind)
            for number, (leaf, hypernym, answer, kind) in enumerate(asked)
        ]
    )
    store.add_manifest(of)
    for number, (lm_init, mode, answers) in enumerate(runs):
        record = world.record(f"run{number}", of, lm_init=lm_init)
        row = RunRow(**record, content_hash="x")
        with store.transaction():
            predictions = world.predictions(enumerate(answers), mode)
            store.replace_runs([(row, METRIC.empty_table(), predictions)])


def mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def plain_f1(truth: list[bool], said: list[bool], label: bool) -> float:
    n_right = sum(t == s == label for t, s in zip(truth, said, strict=True))
    precision = n_right / said.count(label) if label in said else 0.0
    recall = n_right / truth.count(label)
    return 2 * precision * recall / (precision + recall) if n_right else 0.0


def plain_macro(truth: list[bool], said: list[bool]) -> float | None:
    if len(set(truth)) < 2:
        return None
    return (plain_f1(truth, said, True) + plain_f1(truth, said, False)) / 2


def plain_groups(asked: list[Any], answers: list[bool]) -> dict[tuple[str, Any], Any]:
    """(question_set, hypernym) to macro_f1, from precision and recall."""
    groups: dict[tuple[str, Any], tuple[list[bool], list[bool]]] = defaultdict(lambda: ([], []))
    for (_, hypernym, answer, kind), said in zip(asked, answers, strict=True):
        groups[kind, hypernym][0].append(answer)
        groups[kind, hypernym][1].append(said)
    return {key: plain_macro(*group) for key, group in groups.items()}


def plain_blind(asked: list[Any], kind: str) -> float | None:
    guesses = [plain_groups(asked, [guess] * len(asked)) for guess in (True, False)]
    return mean(
        [
            max(g[key] for g in guesses)
            for key in guesses[0]
            if key[0] == kind and all_set(guesses, key)
        ]
    )


def all_set(groups: list[dict[Any, Any]], key: Any) -> bool:
    return all(group[key] is not None for group in groups)


def close(got: Any, want: Any) -> bool:
    return got is want is None or got == pytest.approx(want, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(experiments())
def test_main_results_and_image_blind_match_plain_python(
    experiment: tuple[list[Any], list[tuple[str, str, list[bool]]]],
) -> None:
    asked, runs = experiment
    with empty_store() as store:
        fill(store, asked, runs)
        got = store.analysis("main-results").to_pylist()
        blind = store.analysis("image-blind").to_pylist()
        single = store.analysis("hypernym-f1").to_pylist()
    want = {}
    for lm_init in ("pretrained", "scrambled"):
        for kind in ("held_out", "seen", "leaf"):
            scored = [
                {k: v for k, v in plain_groups(asked, answers).items() if k[0] == kind}
                for init, mode, answers in runs
                if init == lm_init and mode == "real"
            ]
            if scored and scored[0]:
                want[lm_init, kind] = scored
    assert {(row["lm_init"], row["question_set"]) for row in got} == set(want)
    for row in got:
        scored = want[row["lm_init"], row["question_set"]]
        by_run = [mean([v for v in run.values() if v is not None]) for run in scored]
        assert close(row["macro_f1"], mean([v for v in by_run if v is not None]))
        assert close(
            row["blind_f1"], plain_blind(asked, row["question_set"]) if row["n_runs"] else None
        )
        assert row["n_runs"] == sum(v is not None for v in by_run)
        assert row["n_single_class"] == sum(v is None for run in scored for v in run.values())
        if row["question_set"] != "leaf":
            assert row["n_hypernyms"] == sum(v is not None for v in scored[0].values())
        (beside,) = [
            b
            for b in blind
            if (b["lm_init"], b["question_set"]) == (row["lm_init"], row["question_set"])
        ]
        assert close(beside["real"], row["macro_f1"])
    for row in single:
        _, _, answers = runs[int(row["run_id"].removeprefix("run"))]
        key = (row["question_set"], NAMES.index(row["hypernym"]))
        assert close(row["macro_f1"], plain_groups(asked, answers)[key])
        right: dict[bool, list[float]] = {True: [], False: []}
        for (_, hypernym, answer, kind), said in zip(asked, answers, strict=True):
            if (kind, hypernym) == key:
                right[answer].append(said == answer)
        shares = [mean(right[answer]) for answer in (True, False)]
        want_accuracy = None if None in shares else mean(shares)
        assert close(row["balanced_accuracy"], want_accuracy)


@settings(max_examples=40, deadline=None)
@given(
    experiments(),
    st.dictionaries(st.tuples(st.sampled_from(LEAVES), st.sampled_from(HYPERNYMS)), st.booleans()),
)
def test_scrambled_matches_plain_python(
    experiment: tuple[list[Any], list[tuple[str, str, list[bool]]]],
    taught: dict[tuple[int, int], bool],
) -> None:
    asked, runs = experiment
    rows = [
        {"leaf": NAMES[leaf], "hypernym": NAMES[hypernym], "answer": answer}
        for (leaf, hypernym), answer in taught.items()
    ]
    with empty_store() as store:
        fill(store, asked, runs)
        if rows:
            store.add_lm_pairs("lm1", pa.Table.from_pylist(rows))
        got = {row["run_id"]: row for row in store.analysis("scrambled").to_pylist()}
    for number, (lm_init, mode, answers) in enumerate(runs):
        follows: dict[bool, list[bool]] = {True: [], False: []}
        for (leaf, hypernym, answer, kind), said in zip(asked, answers, strict=True):
            if kind == "held_out" and taught.get((leaf, hypernym), answer) != answer:
                follows[taught[leaf, hypernym]].append(said == taught[leaf, hypernym])
        row = got.pop(f"run{number}", None)
        if lm_init != "scrambled" or mode != "real" or not any(follows.values()):
            assert row is None
            continue
        assert row is not None
        shares = [mean([float(v) for v in follows[answer]]) for answer in (True, False)]
        assert close(row["taught_yes"], shares[0])
        assert close(row["taught_no"], shares[1])
        assert close(row["taught_mean"], None if None in shares else sum(shares) / 2)
    assert not got


@pytest.mark.parametrize("design", ["none", "random"])
@pytest.mark.parametrize("mentions", ["drop_all", "keep", "rebalance"])
def test_exposure_matches_the_taxonomy_layer(design: str, mentions: str) -> None:
    dataset = world.with_images(world.taxonomy(), n_per_leaf=6)
    config = ManifestConfig(design=design, ratio=0.5 * (design != "none"), mentions=mentions)
    of = build_manifest(dataset, config)
    with empty_store() as store:
        store.add_taxonomy(dataset)
        store.add_manifest(of)
        got = store.analysis("exposure")
    want = exposure(dataset, of).drop_columns(["hypernym_id"])
    assert got.select(want.column_names).to_pylist() == want.to_pylist()
    assert want["n_questions"].to_pylist() != [0, 0, 0]
