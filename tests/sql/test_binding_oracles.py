"""Analyses of binding against plain Python and numpy."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import product
from statistics import NormalDist, fmean, stdev
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sql.binding_rows import TABLES, add, answers, interchange, look, probe, run
from tests.xmodal.store.empty import empty_store
from xmodal.store import Store

T_975 = {1: 12.7062047362, 2: 4.3026527297, 3: 3.1824463053}


def clear(store: Store) -> None:
    with store.transaction():
        for table in TABLES:
            store.execute(f"DELETE FROM {table}", {})  # noqa: S608 -- the names above


def interval(values: list[float], least: float = 0.0) -> tuple[float, float | None, float | None]:
    """Mean and interval, cut where no value can lie."""
    if len(values) < 2:
        return values[0], None, None
    half = T_975[len(values) - 1] * stdev(values) / math.sqrt(len(values))
    return fmean(values), max(least, fmean(values) - half), min(1.0, fmean(values) + half)


def close(got: Any, want: Any) -> bool:
    return bool(got is want is None or got == pytest.approx(want, abs=1e-9))


RIGHT = st.lists(st.integers(0, 10), min_size=4, max_size=4)
STARTS = st.lists(st.tuples(st.sampled_from("abc"), RIGHT), min_size=1, max_size=4)
"""By fine-tuned run, what it started from and the right answers for 2, 4, 6 and 8 objects."""


def units(made: list[tuple[str, list[int]]], score: Any) -> list[float]:
    """What an interval is over: starts where there are several, else runs."""
    by: dict[str, list[float]] = defaultdict(list)
    for start, right in made:
        by[start].append(score(right))
    return [fmean(of) for of in by.values()] if len(by) > 1 else next(iter(by.values()))


def test_arms_and_accuracies_match_plain_python() -> None:
    with empty_store() as store:

        @settings(max_examples=3, deadline=None)
        @given(st.lists(STARTS, min_size=5, max_size=5))
        def check(arms: list[list[tuple[str, list[int]]]]) -> None:
            clear(store)
            base = [(run(name, seed_init=n), []) for n, name in enumerate("abc")]
            tuned = [
                (
                    run(f"{arm}-{n}", arm=str(arm), start="text-trained", start_run_id=start,
                        seed_order=n, flops=float(n)),
                    answers(dict(zip((2, 4, 6, 8), right, strict=True))),
                )
                for arm, made in enumerate(arms)
                for n, (start, right) in enumerate(made)
            ]  # fmt: skip
            add(store, [*base, *tuned])
            found = {row["arm"]: row for row in store.analysis("binding-arms").to_pylist()}
            each = {
                (row["arm"], row["n_objects"]): row
                for row in store.analysis("binding-accuracy").to_pylist()
            }
            assert (len(found), len(each)) == (len(arms), 4 * len(arms))
            for arm, made in enumerate(arms):
                row = found[str(arm)]
                assert (row["n_runs"], row["n_starts"]) == (len(made), len({s for s, _ in made}))
                for at, side in ((slice(0, 2), "in"), (slice(2, 4), "out")):
                    values = units(made, lambda right, at=at: fmean(right[at]) / 10)
                    names = (f"{side}_accuracy", f"{side}_low", f"{side}_high")
                    for name, want in zip(names, interval(values), strict=True):
                        assert close(row[name], want), name
                for place, n_objects in enumerate((2, 4, 6, 8)):
                    values = units(made, lambda right, place=place: right[place] / 10)
                    row = each[str(arm), n_objects]
                    for name, want in zip(
                        ("accuracy", "low", "high"), interval(values), strict=True
                    ):
                        assert close(row[name], want), name

        check()


COUNTS = st.lists(st.integers(0, 30), min_size=5, max_size=5).filter(any)
LAYERS = st.lists(COUNTS, min_size=3, max_size=3)
"""Of the embeddings and two blocks: positional, symbolic, reflexive, no effect, other."""
CONTROLS = {"permuted": [2, 1, 0, 20, 0], "random-direction": [1, 0, 0, 40, 0]}
"""The same of the two controls, at each layer."""


def wilson(p: float, n: int) -> tuple[float, float]:
    """95 % interval: the shares whose test by the normal distribution p does not reject."""
    z = NormalDist().inv_cdf(0.975)
    roots = np.roots([1 + z**2 / n, -(2 * p + z**2 / n), p**2])
    return float(min(roots.real)), float(max(roots.real))


def peak_of(layers: list[tuple[float, float, int]], n_runs: int = 1) -> int | None:
    """Layer of the most positional and symbolic, the first of equal ones; None without any.

    Args:
        layers: Rates of both, and examples.
        n_runs: Whose controls are counted together.
    """
    sums = [round(a + b, 9) for a, b, _ in layers]
    peak = 1 + sums[1:].index(max(sums[1:]))
    ends = [wilson(sum(of[:2]) / sum(of), sum(of) * n_runs)[1] for of in CONTROLS.values()]
    return peak if wilson(sums[peak], layers[peak][2])[0] > max(ends) else None


def pearson(points: list[tuple[float, float]]) -> float | None:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    if not points or np.ptp(xs) < 1e-9 or np.ptp(ys) < 1e-9:
        return None
    return float(np.corrcoef(xs, ys)[0, 1])


def fisher(r: float | None, df: int) -> tuple[float | None, float | None]:
    if r is None or df < 1 or abs(r) > 1 - 1e-9:
        return None, None
    half = NormalDist().inv_cdf(0.975) / math.sqrt(df)
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def check_predicts(row: dict[str, Any], arms: list[list[tuple[list[list[int]], int]]]) -> None:
    points, before = [], []
    for arm, made in enumerate(arms):
        for layers, right in made:
            rates = [(one[0] / sum(one), one[1] / sum(one), sum(one)) for one in layers]
            if (peak := peak_of(rates)) is not None:
                points.append((arm, layers[peak][1] / sum(layers[peak][:2]), right / 10))
                if sum(layers[0][:2]):
                    before.append((layers[0][1] / sum(layers[0][:2]), right / 10))
    assert row["n_runs"] == len(points)
    assert row["n_left_out"] == sum(map(len, arms)) - len(points)
    r = pearson([(x, y) for _, x, y in points])
    assert close(row["r"], r)
    assert close(row["r_layer0"], pearson(before))
    assert row["n_runs_layer0"] == len(before)
    low, high = fisher(r, len(points) - 3)
    assert close(row["low"], low)
    assert close(row["high"], high)
    off = [
        tuple(
            value - fmean(other[at] for other in points if other[0] == point[0])
            for at, value in ((1, point[1]), (2, point[2]))
        )
        for point in points
    ]
    within = pearson([(x, y) for x, y in off])
    assert close(row["within_r"], within)
    low, high = fisher(within, len(points) - len({arm for arm, _, _ in points}) - 2)
    assert close(row["within_low"], low)
    assert close(row["within_high"], high)


def test_mechanism_and_what_it_predicts_match_plain_python() -> None:
    with empty_store() as store:

        @settings(max_examples=3, deadline=None)
        @given(
            st.lists(
                st.lists(st.tuples(LAYERS, st.integers(0, 10)), min_size=1, max_size=4),
                min_size=3,
                max_size=3,
            )
        )
        def check(arms: list[list[tuple[list[list[int]], int]]]) -> None:
            clear(store)
            named = [
                (f"{arm}-{n}", str(arm), n, layers, right)
                for arm, made in enumerate(arms)
                for n, (layers, right) in enumerate(made)
            ]
            add(
                store,
                [(run(name, arm=arm, seed_init=n), answers({4: 10, 6: right}))
                 for name, arm, n, _, right in named],
            )  # fmt: skip
            look(
                store,
                [
                    (
                        probe(name, run_id=name, step=10),
                        [interchange(layer, counts) for layer, counts in enumerate(layers)]
                        + [
                            interchange(layer, counts, patch=patch)
                            for layer in range(3)
                            for patch, counts in CONTROLS.items()
                        ],
                    )
                    for name, _, _, layers, _ in named
                ],
            )
            got = {
                (row["arm"], row["layer"]): row
                for row in store.analysis("binding-mechanism", patch="counterfactual").to_pylist()
            }
            assert len(got) == 3 * len(arms)
            for arm, made in enumerate(arms):
                means: list[list[float]] = []
                for layer in range(3):
                    shares = [[n / sum(one[layer]) for n in one[layer]] for one, _ in made]
                    means.append([fmean(run[k] for run in shares) for k in range(5)])
                    row = got[str(arm), layer]
                    for k, name in enumerate(
                        ("positional", "symbolic", "reflexive", "no_effect", "other")
                    ):
                        assert close(row[f"{name}_rate"], means[-1][k]), name
                    _, low, high = interval([run[1] for run in shares])
                    assert close(row["symbolic_low"], low)
                    assert close(row["symbolic_high"], high)
                n_examples = [sum(sum(one[layer]) for one, _ in made) for layer in range(3)]
                shown = [(one[0], one[1], n) for one, n in zip(means, n_examples, strict=True)]
                peak = peak_of(shown, len(made))
                peaks = [layer for layer in range(3) if got[str(arm), layer]["is_peak"]]
                assert peaks == ([] if peak is None else [peak])
            (row,) = store.analysis("binding-predicts").to_pylist()
            check_predicts(row, arms)

        check()


FACTORS = list(product([False, True], [False, True], ["none", "rope"], [0, 1, 2]))
"""uses_noise, uses_grounding, position, seed."""


def test_factors_match_plain_python() -> None:
    with empty_store() as store:

        @settings(max_examples=3, deadline=None)
        @given(st.dictionaries(st.sampled_from(FACTORS), st.integers(0, 10), min_size=12))
        def check(made: dict[tuple[bool, bool, str, int], int]) -> None:
            clear(store)
            add(
                store,
                [
                    (
                        run(f"{key}", uses_noise=key[0], uses_grounding=key[1], position=key[2],
                            seed_init=key[3], arm=f"{key[:2]}"),
                        answers({6: right}),
                    )
                    for key, right in made.items()
                ],
            )  # fmt: skip
            got = {row["factor"]: row for row in store.analysis("binding-factors").to_pylist()}
            wanted = {}
            for at, name, a, b in (
                (0, "uses_noise", False, True),
                (1, "uses_grounding", False, True),
                (2, "position", "rope", "none"),
            ):
                by: dict[int, list[float]] = defaultdict(list)
                for key, right in made.items():
                    other = (*key[:at], b, *key[at + 1 :])
                    if key[at] == a and other in made:
                        by[key[3]].append((made[other] - right) / 10)
                if by:
                    wanted[name] = by
            assert got.keys() == wanted.keys()
            for name, by in wanted.items():
                row = got[name]
                assert (row["n_seeds"], row["n_pairs"]) == (len(by), sum(map(len, by.values())))
                want = interval([fmean(values) for values in by.values()], -1.0)
                for column, value in zip(("difference", "low", "high"), want, strict=True):
                    assert close(row[column], value), column

        check()
