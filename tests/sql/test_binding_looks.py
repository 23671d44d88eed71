"""Golden numbers a reader can redo: what probes see in runs and LMs."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.sql.binding_rows import (
    add,
    answers,
    controlled,
    interchange,
    look,
    probe,
    retrieval,
    run,
    shifts,
)
from tests.sql.golden import T1, close, picked, rows
from xmodal.store import Store


def test_binding_mechanism(store: Store) -> None:
    add(
        store,
        [(run("a"), answers({4: 10})), (run("b", seed_init=1), answers({4: 10}))],
    )
    look(
        store,
        [
            (
                probe("p", run_id="a", step=10),
                [
                    interchange(0, [50, 50, 0, 0, 0]),
                    interchange(1, [20, 10, 0, 70, 0]),
                    interchange(2, [32, 28, 10, 20, 10]),
                    interchange(2, [3, 6, 0, 91, 0], patch="permuted"),
                    interchange(2, [0, 1, 0, 99, 0], patch="random-direction"),
                ],
            ),
            (
                probe("q", run_id="b", step=10),
                [interchange(1, [40, 30, 0, 30, 0]), interchange(2, [28, 32, 10, 30, 0])],
            ),
        ],
    )
    zero, one, two, control, _ = found = rows(store, "binding-mechanism")
    rates = [f"{name}_rate" for name in ("positional", "symbolic", "reflexive", "no_effect")]
    names = ("arm", "step", "stage", "ends_stage", "n_objects", "patch", "layer")
    assert picked(zero, *names) == ["text", 10, "text", True, 4, "counterfactual", 0]
    assert picked(zero, *rates, "ratio", "n_runs", "n_examples") == [0.5, 0.5, 0, 0, 1, 1, 100]
    # layer 1: (0.2 + 0.4) / 2 and (0.1 + 0.3) / 2; layer 2: 0.3 both
    assert picked(one, *rates, "ratio") == close([0.3, 0.2, 0, 0.5, 2 / 3])
    assert picked(one, "symbolic_share", "symbolic_low", "symbolic_high") == close([0.4, 0, 1])
    assert picked(two, *rates, "ratio") == close([0.3, 0.3, 0.1, 0.25, 1])
    assert picked(two, "other_rate", "ambiguous_rate") == close([0.05, 0])
    # 0.32 and 0.28: half = T1 * 0.02
    want = [0.3 - T1 * 0.02, 0.3 + T1 * 0.02]
    assert picked(two, "positional_low", "symbolic_high") == close(want)
    # the embeddings have the highest sum and are left out; controls have no peak
    assert [r["is_peak"] for r in (zero, one, two, control)] == [False, False, True, False]
    assert picked(two, "n_runs", "n_examples", "lm") == [2, 200, None]
    # the control counts whichever patch is asked for
    assert rows(store, "binding-mechanism", patch="counterfactual") == [zero, one, two]
    assert rows(store, "binding-mechanism", patch="permuted") == [control]
    assert rows(store, "binding-mechanism", run="a") == found
    assert rows(store, "binding-mechanism", lm="x") == []


def test_equal_layers_peak_at_the_first_and_nothing_has_no_peak(store: Store) -> None:
    add(store, [(run("a"), []), (run("b", arm="own"), [])])
    look(
        store,
        [
            (
                probe("p", run_id="a", step=10),
                controlled(interchange(1, [10, 20, 0, 70, 0]), interchange(2, [20, 10, 70, 0, 0])),
            ),
            (probe("q", run_id="b", step=10), controlled(interchange(1, [0, 0, 0, 10, 0]))),
        ],
    )
    peaks = [
        picked(r, "arm", "layer", "is_peak")
        for r in rows(store, "binding-mechanism", patch="counterfactual")
    ]
    assert peaks == [["own", 1, False], ["text", 1, True], ["text", 2, False]]
    names = ("run_id", "layer", "ratio", "symbolic_share", "n_examples")
    assert [picked(r, *names) for r in rows(store, "binding-ratio")] == [
        ["b", None, None, None, 10],
        ["a", 1, 2, close(2 / 3), 100],
    ]
    left = [picked(r, "run_id", "symbolic_share") for r in rows(store, "binding-points")]
    assert left == [["b", None], ["a", close(2 / 3)]]


def test_a_peak_is_above_its_controls(store: Store) -> None:
    # answers of 100 at layer 1: bound, of the permuted control, of the random direction; the peak.
    # Wilson of 30 in 100: 0.219 to 0.396; of 20: 0.133 to 0.289; of 12: 0.070 to 0.198
    cases = [
        (30, 20, 0, None),
        (30, 0, 20, None),
        (30, 12, 12, 1),
        (30, 0, 0, 1),
        (100, None, 0, None),
        (100, 0, None, None),
    ]
    add(store, [(run(f"r{n}", arm=f"arm{n}"), []) for n in range(len(cases))])
    made = []
    for n, (n_bound, permuted, direction, _) in enumerate(cases):
        seen = [
            interchange(1, [n_bound, 0, 0, 100 - n_bound, 0]),
            # the controls of another layer say nothing
            interchange(2, [1, 0, 0, 99, 0]),
            interchange(2, [90, 0, 0, 10, 0], patch="permuted"),
            interchange(2, [90, 0, 0, 10, 0], patch="random-direction"),
        ]
        for k, patch in ((permuted, "permuted"), (direction, "random-direction")):
            if k is not None:
                seen.append(interchange(1, [0, k, 0, 100 - k, 0], patch=patch))
        made.append((probe(f"p{n}", run_id=f"r{n}", step=10), seen))
    look(store, made)
    peaks = [peak for *_, peak in cases]
    found = rows(store, "binding-mechanism")
    layers = {row["arm"]: row["layer"] for row in found if row["is_peak"]}
    assert [layers.get(f"arm{n}") for n in range(len(cases))] == peaks
    # no answer is symbolic: a ratio of 0 where there is a peak
    want = [[peak, None if peak is None else 0] for peak in peaks]
    assert [picked(row, "layer", "ratio") for row in rows(store, "binding-ratio")] == want
    found = rows(store, "binding-points")
    assert [picked(row, "layer", "symbolic_share") for row in found] == want


def test_the_largest_look_counts_and_of_equal_ones_the_latest(store: Store) -> None:
    add(store, [(run("a"), [])])
    of = {"run_id": "a", "step": 10}
    made = [
        ("p1", 20, 1, "2030"),
        ("p2", 100, 2, "2027"),
        ("p3", 100, 3, "2028"),
        ("p4", 50, 4, "2029"),
    ]
    look(
        store,
        [
            (
                probe(name, n_examples=n, created_at=at, **of),
                [interchange(1, [n * k // 10, 0, 0, n - n * k // 10, 0])],
            )
            for name, n, k, at in made
        ],
    )
    found = store.query("FROM binding_rate").to_pylist()
    assert [picked(row, "n_examples", "n_positional") for row in found] == [[100, 30]]
    # knockouts, linear probes, retrieval and shifts go by the same rule
    for kind, row_of, name, column in (
        ("knockout", lambda n, k: cut(n * k // 10, n_examples=n), "binding-knockout", "after"),
        ("linear", lambda n, k: read(n * k // 10, n_test=n), "binding-linear", "accuracy"),
        ("shift", lambda n, k: shifts(4, {0: n * k // 10}, n)[0], "binding-shift", "accuracy"),
    ):
        look(
            store,
            [
                (
                    probe(f"{kind}{probe_id}", kind=kind, n_examples=n, created_at=at, **of),
                    [row_of(n, k)],
                )
                for probe_id, n, k, at in made
            ],
        )
        assert [row[column] for row in rows(store, name)] == [close(0.3)], kind
    look(
        store,
        [
            (
                probe(f"r{probe_id}", kind="retrieval", n_examples=n, created_at=at, **LM),
                [retrieval(4, n * k // 10, n_questions=n)],
            )
            for probe_id, n, k, at in made
        ],
    )
    assert [row["accuracy"] for row in rows(store, "binding-retrieval")] == [close(0.3)]


LM = {"lm": "Qwen/Qwen2-7B", "lm_hash": "h"}
VLM = {"lm": "Qwen/Qwen2-VL-7B-Instruct", "lm_hash": "v", "is_vlm": True}


def test_binding_ratio(store: Store) -> None:
    add(store, [(run("a"), [])])
    look(
        store,
        [
            (
                probe("l", **LM),
                controlled(
                    interchange(0, [9, 1, 0, 0, 0]),
                    interchange(1, [1, 0, 0, 9, 0]),
                    interchange(2, [2, 4, 1, 3, 0]),
                ),
            ),
            (probe("m", seed=1, **LM), controlled(interchange(2, [2, 4, 1, 3, 0]))),
            (probe("v", **VLM), controlled(interchange(1, [0, 40, 0, 60, 0]))),
            (probe("r", run_id="a", step=10), controlled(interchange(1, [40, 10, 0, 50, 0]))),
            (probe("lr", kind="retrieval", **LM), [retrieval(4, 8), retrieval(9, 3)]),
        ],
    )
    own, lm, vlm = rows(store, "binding-ratio")
    names = ("run_id", "lm", "layer", "paper", "retrieval", "longest_objects")
    assert picked(own, *names) == ["a", None, 1, None, None, None]
    assert picked(lm, *names) == [None, LM["lm"], 2, 1.383, 0.8, 9]
    assert picked(vlm, *names) == [None, VLM["lm"], 1, 1.499, None, None]
    assert picked(own, "ratio", "step", "arm") == [0.25, 10, "text"]
    # 8 symbolic to 4 positional of 20; the variance of the logarithm is 1/8 + 1/4
    factor = math.exp(1.959963985 * math.sqrt(3 / 8))
    assert picked(lm, "ratio", "low", "high") == close([2, 2 / factor, 2 * factor])
    assert picked(lm, "n_examples", "positional_rate", "longest_retrieval") == [20, 0.2, 0.3]
    assert picked(vlm, "ratio", "low", "symbolic_share") == [None, None, 1]
    assert picked(lm, "symbolic_share") == close([2 / 3])
    assert rows(store, "binding-ratio", run="a") == [own]
    assert rows(store, "binding-ratio", lm=VLM["lm"]) == [vlm]


def test_ratios_of_the_paper(store: Store) -> None:
    known = [
        ("/models/Qwen2.5-7B-Instruct", False, 1.218),
        ("Qwen/Qwen2.5-VL-7B-Instruct", True, 1.282),
        ("Qwen/Qwen3-8B", False, 1.819),
        ("Qwen/Qwen3-VL-8B-Instruct", True, 2.463),
        ("Qwen/Qwen3-8B", True, None),
        ("Qwen/Qwen2.5-Coder-7B", False, None),
        ("Qwen/Qwen1.5-7B", False, None),
        ("gpt2", False, None),
    ]
    seen = [interchange(1, [1, 1, 0, 8, 0])]
    made = [
        (probe(f"p{n}", lm=lm, lm_hash="h", is_vlm=is_vlm), seen)
        for n, (lm, is_vlm, _) in enumerate(known)
    ]
    look(store, made)
    found = {(row["lm"], row["is_vlm"]): row["paper"] for row in rows(store, "binding-ratio")}
    assert found == {(lm, is_vlm): paper for lm, is_vlm, paper in known}


def test_binding_pairs(store: Store) -> None:
    look(
        store,
        [
            (
                probe("l", pair_id="pair", **LM),
                controlled(interchange(1, [40, 20, 0, 40, 0]), interchange(2, [10, 20, 0, 70, 0])),
            ),
            (
                probe("v", pair_id="pair", **VLM),
                controlled(interchange(1, [10, 20, 0, 70, 0]), interchange(2, [0, 50, 0, 50, 0])),
            ),
            (probe("alone", lm="x", lm_hash="x", pair_id="lost"), [interchange(1, [1] * 5)]),
            (probe("lr", kind="retrieval", **LM), [retrieval(4, 6)]),
            (probe("vr", kind="retrieval", **VLM), [retrieval(4, 7), retrieval(5, 1)]),
        ],
    )
    one, two = rows(store, "binding-pairs")
    names = ("pair_id", "lm", "vlm_lm", "layer", "lm_is_peak", "vlm_is_peak")
    assert picked(one, *names) == ["pair", LM["lm"], VLM["lm"], 1, True, False]
    assert picked(two, *names) == ["pair", LM["lm"], VLM["lm"], 2, False, True]
    ratios = ("lm_ratio", "vlm_ratio", "times", "lm_retrieval", "vlm_retrieval")
    # 2/4 and 2/1; 2/1 and nothing positional
    assert picked(one, *ratios) == [0.5, 2, 4, 0.6, 0.7]
    assert picked(two, *ratios) == [2, None, None, 0.6, 0.7]
    assert picked(two, "lm_symbolic_share", "vlm_symbolic_share") == close([2 / 3, 1])
    assert rows(store, "binding-pairs", pair="pa") == [one, two]
    assert rows(store, "binding-pairs", pair="lost") == []


def test_of_two_looks_with_one_seed_the_later_counts(store: Store) -> None:
    for kind, rows_of in (
        ("interchange", lambda n: [interchange(1, [n, 1, 0, 9 - n, 0])]),
        ("retrieval", lambda n: [retrieval(4, n)]),
    ):
        look(
            store,
            [
                (probe(f"{kind}1", kind=kind, created_at="2028", **LM), rows_of(2)),
                (probe(f"{kind}2", kind=kind, pair_id="x", created_at="2027", **LM), rows_of(8)),
                # another setting, by which nothing may be averaged
                (probe(f"{kind}3", kind=kind, settings_json='{"a": 1}', **LM), rows_of(5)),
                (
                    probe(f"{kind}4", kind=kind, seed=1, settings_json='{"seed": 1}', **LM),
                    rows_of(4),
                ),
            ],
        )
    rates = sorted(row["positional_rate"] for row in rows(store, "binding-mechanism"))
    assert rates == close([0.3, 0.5])
    found = sorted(picked(r, "accuracy", "n_questions") for r in rows(store, "binding-retrieval"))
    assert found == [[0.3, 20], [0.5, 10]]


def test_binding_retrieval(store: Store) -> None:
    look(
        store,
        [
            (probe("a", kind="retrieval", **LM), [retrieval(4, 10, 5), retrieval(8, 2)]),
            (probe("b", kind="retrieval", **VLM), [retrieval(4, 1)]),
        ],
    )
    four, eight, _ = rows(store, "binding-retrieval")
    names = ("lm", "n_objects", "n_tokens", "accuracy", "open_accuracy", "chance", "n_questions")
    assert picked(four, *names) == [LM["lm"], 4, 40, 1, 0.5, 0.25, 10]
    assert picked(eight, *names) == [LM["lm"], 8, 80, 0.2, 0, 0.125, 10]
    # Wilson with all of 10 right: 1 / (1 + z ** 2 / 10); the upper end is 1
    assert picked(four, "low", "high") == pytest.approx(
        [1 / (1 + 1.959963985**2 / 10), 1], abs=1e-9
    )
    assert rows(store, "binding-retrieval", lm=LM["lm"]) == [four, eight]


def cut(n_right: int, **changes: Any) -> dict[str, Any]:
    of = {"n_objects": 4, "edges": "query-context", "layer_from": 1, "layer_to": 2}
    return of | {"n_examples": 10, "n_right_before": 9, "n_right": n_right} | changes


def test_binding_knockout(store: Store) -> None:
    many = {"n_examples": 100, "n_right_before": 90}
    add(store, [(run("a"), []), (run("b", seed_init=1), [])])
    look(
        store,
        [
            (
                probe("p", kind="knockout", run_id="a", step=10),
                [cut(39, **many), cut(9, layer_from=2)],
            ),
            (probe("q", kind="knockout", run_id="b", step=10), [cut(41, **many)]),
            (probe("l", kind="knockout", **LM), [cut(0)]),
        ],
    )
    both, late, lm = rows(store, "binding-knockout")
    names = ("arm", "lm", "step", "edges", "layer_from", "layer_to", "n_runs", "n_examples")
    assert picked(both, *names) == ["text", None, 10, "query-context", 1, 2, 2, 200]
    # 0.51 and 0.49 lost: half = T1 * 0.01
    scores = ("before", "after", "loss", "low", "high")
    assert picked(both, *scores) == close([0.9, 0.4, 0.5, 0.5 - T1 * 0.01, 0.5 + T1 * 0.01])
    assert picked(late, "layer_from", "loss", "low") == [2, 0, None]
    assert picked(lm, "arm", "lm", "loss", "n_runs") == [None, LM["lm"], 0.9, None]
    assert rows(store, "binding-knockout", run="b") == [both, late]
    assert rows(store, "binding-knockout", lm=LM["lm"]) == [lm]


def read(n_right: int, permuted: bool = False, **changes: Any) -> dict[str, Any]:
    of = {"n_objects": 4, "layer": 1, "token": "shape", "attribute": "colour", "n_train": 50}
    return of | {"permuted": permuted, "n_test": 10, "n_right": n_right, "n_classes": 4} | changes


def test_binding_linear(store: Store) -> None:
    many = {"n_test": 100}
    add(store, [(run("a"), []), (run("b", seed_init=1), [])])
    look(
        store,
        [
            (
                probe("p", kind="linear", run_id="a", step=10),
                [read(81, **many), read(30, permuted=True, **many), read(5, layer=2)],
            ),
            (
                probe("q", kind="linear", run_id="b", step=10),
                [
                    read(79, **many),
                    read(30, permuted=True, **many),
                    read(5, layer=2),
                    read(1, True, layer=2),
                ],
            ),
            (probe("l", kind="linear", **LM), [read(8), read(3, permuted=True)]),
        ],
    )
    one, two, lm = rows(store, "binding-linear")
    names = ("arm", "token", "attribute", "layer", "chance", "n_test", "n_runs")
    assert picked(one, *names) == ["text", "shape", "colour", 1, 0.25, 200, 2]
    # gains 0.51 and 0.49: half = T1 * 0.01
    scores = ("accuracy", "permuted", "gain", "low", "high")
    assert picked(one, *scores) == close([0.8, 0.3, 0.5, 0.5 - T1 * 0.01, 0.5 + T1 * 0.01])
    # run a has no permuted probe there
    assert picked(two, *scores) == [0.5, None, None, None, None]
    assert picked(lm, "lm", "gain", "low", "n_runs") == [LM["lm"], close(0.5), None, None]
    assert rows(store, "binding-linear", run="a") == [one, two]
    assert rows(store, "binding-linear", lm=LM["lm"]) == [lm]
