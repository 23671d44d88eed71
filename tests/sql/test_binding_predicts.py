"""Golden numbers a reader can redo: what mechanism predicts, and shifted positions."""

from __future__ import annotations

import math
from typing import Any

from tests.sql.binding_rows import add, answers, controlled, interchange, look, probe, run, shifts
from tests.sql.golden import T1, close, picked, rows
from xmodal.store import Store


def mechanism(
    store: Store, made: dict[str, tuple[int, int, int]], base: int = 10, **of: Any
) -> None:
    """By run: positional and symbolic answers at the peak, right answers of 10 beyond training.

    Right answers of 10 with 4 objects are `base`; the share at layer 0 follows accuracy.
    """
    add(
        store,
        [(run(name, **of), answers({4: base, 6: right})) for name, (_, _, right) in made.items()],
    )
    look(
        store,
        [
            (
                probe(f"p{name}", run_id=name, step=10),
                controlled(
                    interchange(0, [100 - 10 * right, 10 * right, 0, 0, 0]),
                    interchange(1, [positional, symbolic, 0, 100 - positional - symbolic, 0]),
                ),
            )
            for name, (positional, symbolic, right) in made.items()
        ],
    )


def test_binding_points_and_predicts(store: Store) -> None:
    mechanism(store, {"a": (30, 10, 2), "b": (10, 10, 4), "c": (10, 30, 3)})
    mechanism(store, {"d": (0, 40, 9), "e": (0, 0, 5)}, arm="own")
    # this one cannot do the task to begin with
    mechanism(store, {"f": (40, 0, 1)}, base=8, arm="own")
    seen = controlled(interchange(1, [0, 50, 0, 50, 0]))
    # an earlier look is a point, but takes no part in the correlation
    look(store, [(probe("early", run_id="a", step=0), seen)])
    # nor does one with more objects than training shows
    more = controlled(interchange(1, [0, 50, 0, 50, 0], n_objects=6))
    look(store, [(probe("more", run_id="a", step=10), more)])
    points = rows(store, "binding-points")
    names = ("run_id", "step", "is_last", "symbolic_share", "out_accuracy")
    assert [picked(row, *names) for row in points] == [
        ["d", 10, True, 1, 0.9],
        ["e", 10, True, None, 0.5],
        ["f", 10, True, 0, 0.1],
        ["a", 0, False, 1, None],
        ["a", 10, True, 0.25, 0.2],
        ["a", 10, True, 1, 0.2],
        ["b", 10, True, 0.5, 0.4],
        ["c", 10, True, 0.75, 0.3],
    ]
    names = ("n_objects", "in_distribution", "accuracy", "layer0_share")
    assert picked(points[4], *names) == [4, True, 1, close(0.2)]
    assert picked(points[5], *names) == [6, False, close(0.2), None]
    (row,) = rows(store, "binding-predicts")
    # x 1, 1/4, 1/2, 3/4 about 5/8: 3/8, -3/8, -1/8, 1/8; y .9, .2, .4, .3 about .45
    xy = (3 * 0.45 + 3 * 0.25 + 0.05 - 0.15) / 8
    r = xy / math.sqrt(20 / 64 * (0.45**2 + 0.25**2 + 0.05**2 + 0.15**2))
    z = 1.959963985
    want = [r, math.tanh(math.atanh(r) - z), math.tanh(math.atanh(r) + z)]
    assert picked(row, "r", "low", "high") == close(want)
    # within text: x -1/4, 0, 1/4; y -.1, .1, 0: 0.025 / sqrt(1/8 * 0.02); own has one run
    assert row["within_r"] == close(0.5)
    # the share at layer 0 was made to be the accuracy
    assert picked(row, "r_layer0", "n_runs_layer0") == [close(1), 4]
    names = ("n_runs", "n_conditions", "n_failed", "n_left_out", "in_distribution")
    assert picked(row, *names) == [4, 2, 1, 1, True]
    assert picked(row, "within_low", "out_objects", "least_accuracy") == [None, [6], 1]
    four, six = rows(store, "binding-predicts", looks="all")
    assert picked(four, *names) == [5, 2, 0, 1, True]
    assert four["least_accuracy"] == close(0.8)
    assert picked(six, "n_objects", "n_runs", "in_distribution", "r") == [6, 1, False, None]


def test_a_share_at_layer_0_that_all_have_predicts_nothing(store: Store) -> None:
    mechanism(store, {"a": (30, 10, 2), "b": (10, 10, 4)})
    store.execute(
        "UPDATE binding_interchange SET n_positional = 0, n_symbolic = 100 "
        "WHERE layer = 0 AND patch = 'counterfactual'",
        {},
    )
    (row,) = rows(store, "binding-predicts")
    assert picked(row, "r", "r_layer0", "n_runs_layer0") == [close(1), None, 2]


def test_binding_shift(store: Store) -> None:
    add(
        store,
        [(run("a"), []), (run("b", seed_init=1), []), (run("n", arm="own"), [])],
    )
    of = {"kind": "shift", "step": 10}
    look(
        store,
        [
            (
                probe("p", run_id="a", **of),
                [*shifts(4, {0: 100, 1: 51, 2: 20}, 100), *shifts(8, {0: 30}, 100)],
            ),
            (probe("q", run_id="b", **of), shifts(4, {0: 98, 1: 51}, 100)),
            (probe("r", run_id="n", **of), shifts(4, {1: 7})),
        ],
    )
    alone, none, one, two, eight = rows(store, "binding-shift")
    names = ("arm", "step", "n_objects", "in_distribution", "shift", "n_questions", "n_runs")
    assert picked(none, *names) == ["text", 10, 4, True, 0, 200, 2]
    assert picked(one, *names) == ["text", 10, 4, True, 1, 200, 2]
    assert picked(two, *names) == ["text", 10, 4, True, 2, 100, 1]
    assert picked(eight, *names) == ["text", 10, 8, False, 0, 100, 1]
    # 1 and 0.98: half = T1 * 0.01, and no share is above 1; both at 0.51; fallen by 0.49 and 0.47
    scores = ("accuracy", "low", "high", "fall", "fall_low", "fall_high", "chance")
    assert picked(none, *scores) == close([0.99, 0.99 - T1 * 0.01, 1, 0, 0, 0, 0.25])
    fall = [0.48, 0.48 - T1 * 0.01, 0.48 + T1 * 0.01]
    assert picked(one, *scores) == close([0.51, 0.51, 0.51, *fall, 0.25])
    assert picked(two, *scores) == [0.2, None, None, close(0.8), None, None, 0.25]
    # without an unshifted answer nothing is known to fall
    assert picked(alone, "arm", "accuracy", "fall") == ["own", 0.7, None]
    assert rows(store, "binding-shift", run="b") == [none, one, two, eight]
