"""Analyses of trained alignments against plain Python and numpy, and all of them on one store."""

from __future__ import annotations

import math
from statistics import NormalDist, fmean, stdev
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sql
from tests.sql.align_rows import (
    COMPOSITION,
    MLP,
    NONE,
    add_all,
    answers,
    insert,
    recipe,
    run,
)
from tests.xmodal.store.empty import empty_store
from xmodal.store import Store
from xmodal.store.rows import AlignRunRow, CapabilityRow

CLASSES = (1, 2, 3)
LMS = ("a", "b", "c", "d", "e", "f")
T_975 = {1: 12.7062047362, 2: 4.3026527297}
TABLES = ("align_run", "align_evaluation", "align_answer", "align_composition", "lm_capability")


@st.composite
def experiments(draw: st.DrawFn) -> dict[tuple[str, int], dict[int, list[int]]]:
    """By encoder and seed the ranks of each class; pictures are the same for all."""
    sizes = {one: draw(st.integers(1, 3)) for one in draw(st.sets(st.sampled_from(CLASSES))) | {1}}
    keys = draw(
        st.sets(
            st.tuples(st.sampled_from(["clip", "dino"]), st.integers(0, 1)), min_size=1, max_size=4
        )
    )
    return {
        key: {
            one: draw(st.lists(st.integers(1, 7), min_size=n, max_size=n))
            for one, n in sizes.items()
        }
        for key in sorted(keys)
    }


def clear(store: Store) -> None:
    with store.transaction():
        for table in TABLES:
            store.execute(f"DELETE FROM {table}", {})  # noqa: S608 -- the names above


def share(given: list[int], k: int) -> float:
    return fmean(rank <= k for rank in given)


def class_means(runs: list[dict[int, list[int]]], k: int) -> dict[int, float]:
    return {one: fmean(share(ranks[one], k) for ranks in runs) for one in runs[0]}


def interval(values: list[float]) -> tuple[Any, Any, Any]:
    if len(values) < 2:
        return values[0], None, None
    half = T_975[len(values) - 1] * stdev(values) / math.sqrt(len(values))
    return fmean(values), fmean(values) - half, fmean(values) + half


def close(got: Any, want: Any) -> bool:
    return bool(got is want is None or got == pytest.approx(want, abs=1e-9))


def check_means(runs: dict[str, list[dict[int, list[int]]]], row: dict[str, Any]) -> None:
    mine = runs[row["encoder"]]
    top1, top5 = (class_means(mine, k) for k in (1, 5))
    want = interval(list(top1.values()))
    for name, value in zip(("top1", "low", "high"), want, strict=True):
        assert close(row[name], value), name
    assert close(row["top5"], fmean(top5.values()))
    pictures = [[rank for one in by.values() for rank in one] for by in mine]
    for k in (1, 5):
        assert close(row[f"micro{k}"], fmean(share(one, k) for one in pictures))
    assert (row["n_runs"], row["n_classes"]) == (len(mine), len(top1))


def test_means_and_pairs_match_plain_python() -> None:
    # several experiments at once, each of a recipe: what takes time is a query
    with empty_store() as store:

        @settings(max_examples=3, deadline=None)
        @given(st.lists(experiments(), min_size=8, max_size=8))
        def check(made: list[dict[tuple[str, int], dict[int, list[int]]]]) -> None:
            clear(store)
            given: list[tuple[AlignRunRow, dict[str, Any], list[dict[str, Any]]]] = []
            for n, experiment in enumerate(made):
                for (encoder, seed), by in experiment.items():
                    name = f"{n}{encoder}{seed}"
                    of = run(
                        name, recipe=str(n), encoder=encoder, feature_set_id=encoder, seed_init=seed
                    )
                    given.append((of, {}, answers(name, by)))
            add_all(store, given)
            got = store.analysis("zero-shot").to_pylist()
            paired = store.analysis("align-encoders").to_pylist()
            for n, experiment in enumerate(made):
                runs: dict[str, list[dict[int, list[int]]]] = {}
                for (encoder, _), by in experiment.items():
                    runs.setdefault(encoder, []).append(by)
                mine = [row for row in got if row["recipe"] == str(n)]
                assert sorted(row["encoder"] for row in mine) == sorted(runs)
                for row in mine:
                    check_means(runs, row)
                pairs = [row for row in paired if row["recipe"] == str(n)]
                assert len(pairs) == (len(runs) == 2)
                for row in pairs:
                    a, b = (class_means(runs[encoder], 1) for encoder in ("clip", "dino"))
                    want = interval([b[one] - a[one] for one in a])
                    for name, value in zip(("difference", "low", "high"), want, strict=True):
                        assert close(row[name], value), name

        check()


def ranked(values: list[float]) -> list[float]:
    """Ranks from 1, equal values at the mean of their places."""
    order = sorted(values)
    return [fmean(n for n, one in enumerate(order, 1) if one == value) for value in values]


def correlation(xs: list[float], ys: list[float]) -> float | None:
    if len(set(xs)) < 2 or len(set(ys)) < 2:
        return None
    return float(np.corrcoef(xs, ys)[0, 1])


def fisher(r: float | None, variance: float | None) -> tuple[float | None, float | None]:
    if r is None or variance is None or abs(r) > 1 - 1e-9:
        return None, None
    half = NormalDist().inv_cdf(0.975) * math.sqrt(variance)
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def check_correlation(made: list[tuple[int, float]], row: dict[str, Any]) -> None:
    xs, ys = [value for _, value in made], [n / 5 for n, _ in made]
    r, rho = correlation(xs, ys), correlation(ranked(xs), ranked(ys))
    n = len(made)
    assert close(row["pearson"], r)
    assert close(row["spearman"], rho)
    low, high = fisher(r, 1 / (n - 3) if n > 3 else None)
    assert close(row["pearson_low"], low)
    assert close(row["pearson_high"], high)
    low, high = fisher(rho, (1 + rho**2 / 2) / (n - 3) if n > 3 and rho is not None else None)
    assert close(row["spearman_low"], low)
    assert close(row["spearman_high"], high)


def test_correlations_match_numpy() -> None:
    values = st.sampled_from([0.1, 0.3, 0.7, 0.9])
    scores = st.lists(st.integers(0, 5), min_size=1, max_size=len(LMS))
    with empty_store() as store:

        @settings(max_examples=3, deadline=None)
        @given(
            st.lists(values, min_size=len(LMS), max_size=len(LMS)),
            st.lists(scores, min_size=8, max_size=8),
        )
        def check(of_lms: list[float], made: list[list[int]]) -> None:
            clear(store)
            runs: list[tuple[AlignRunRow, dict[str, Any], list[dict[str, Any]]]] = []
            for group, right in enumerate(made):
                for lm, n in zip(LMS, right, strict=False):
                    name = f"{group}{lm}"
                    of = run(name, recipe=str(group), lm=lm, lm_hash=lm, text_feature_set_id=lm)
                    runs.append((of, {}, answers(name, {1: [1] * n + [2] * (5 - n)})))
            add_all(store, runs)
            store.add_capabilities(
                [
                    CapabilityRow(lm=lm, capability="c", value=value, source=None)
                    for lm, value in zip(LMS, of_lms, strict=True)
                ]
            )
            got = {row["recipe"]: row for row in store.analysis("capability").to_pylist()}
            assert len(got) == len(made)
            for group, right in enumerate(made):
                check_correlation(list(zip(right, of_lms, strict=False)), got[str(group)])

        check()


ALIGNED = [
    name
    for name in sql.names("analyses")
    if name != "feature-sets"  # of all features, used or not
    and (
        "align_seed_mean" in sql.read("analyses", name) or "align_run" in sql.read("analyses", name)
    )
] + ["hierarchical", "retrieval", "winoground"]


def test_every_analysis_has_rows_of_a_filled_store() -> None:
    bert = {"lm": "bert", "lm_kind": "encoder", "lm_pooling": "mean", "text_feature_set_id": "tb"}
    both = {"side": "both", "recipe": "b", "recipe_json": recipe("b", MLP, MLP)}
    wide = {"recipe": "w", "recipe_json": recipe("w", MLP | {"width": 9}, NONE), "width": 9}
    changes: list[dict[str, Any]] = [
        {},
        bert,
        both,
        wide,
        {"encoder": "clip", "feature_set_id": "fc"},
        {"lm_init": "random", "text_feature_set_id": "tr"},
        {"n_pairs": 9},
        {"level": "none"},
    ]
    with empty_store() as store:
        made = []
        for n, change in enumerate(changes):
            name = f"r{n}"
            said = [
                one
                for task in ("zero-shot", "seen", "generalised", "text-to-image")
                for one in answers(name, {1: [1, 2], 2: [3]}, task)
            ]
            made.append((run(name, **change), {}, said))
        add_all(store, made)
        cosines = dict.fromkeys(COMPOSITION.names[3:], 0.5)
        example = {"evaluation_id": "r0", "example_id": 1, "tag": None} | cosines
        insert(store, "align_composition", COMPOSITION, [example])
        measure = CapabilityRow(lm="bert", capability="c", value=1.0, source=None)
        store.add_capabilities([measure])
        assert len(ALIGNED) == 16
        for name in ALIGNED:
            assert store.analysis(name).num_rows > 0, name
