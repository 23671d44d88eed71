"""Golden numbers of binding a reader can redo."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from tests.sql import binding_rows as given
from tests.sql.binding_rows import add, answers, interchange, look, probe, recipe, retrieval, run
from tests.xmodal.store.empty import empty_store
from xmodal.store import Store

T1, T2 = 12.7062047362, 4.3026527297
"""97.5 % quantiles of Student's t with one and two degrees of freedom."""


@pytest.fixture
def store() -> Iterator[Store]:
    with empty_store() as opened:
        yield opened


def rows(store: Store, name: str, /, **params: Any) -> list[dict[str, Any]]:
    return store.analysis(name, **params).to_pylist()


def close(want: Any) -> Any:
    return pytest.approx(want, abs=1e-12)


def picked(row: dict[str, Any], *names: str) -> list[Any]:
    return [row[name] for name in names]


def test_binding_accuracy(store: Store) -> None:
    for_all = {"n_in_scene": 9}
    add(
        store,
        [
            (
                run("a"),
                [
                    *answers({2: 5}, step=0, stage="start", ends_stage=False),
                    *answers({2: 7}, step=4, ends_stage=False),
                    *answers({2: 10, 6: 4}, step=10, **for_all),
                    *answers({2: 1}, step=10, question="shape-item"),
                ],
            ),
            (run("b", seed_init=1), answers({2: 10, 6: 7}, step=10, loss=1.5, **for_all)),
        ],
    )
    before, two, six = rows(store, "binding-accuracy")
    names = ("stage_number", "stage", "n_objects", "in_distribution", "accuracy", "low", "high")
    # 5 of 10, of one run
    assert picked(before, *names) == [0, "start", 2, True, 0.5, None, None]
    assert picked(two, *names) == [1, "text", 2, True, 1, 1, 1]
    # 0.4 and 0.7: mean 0.55, sd = 0.3 / sqrt(2), so half = T1 * 0.15
    assert picked(six, *names[:4]) == [1, "text", 6, False]
    assert picked(six, *names[4:]) == close([0.55, 0.55 - T1 * 0.15, 0.55 + T1 * 0.15])
    assert picked(six, "chance", "in_scene", "loss", "step") == close([1 / 6, 0.9, 1, 10])
    assert picked(six, "n_runs", "n_starts") == [2, 2]
    assert rows(store, "binding-accuracy", run="b") == [before, two, six]
    assert rows(store, "binding-accuracy", arm="text", context="text") == [before, two, six]
    assert rows(store, "binding-accuracy", arm="noise-text") == []
    assert rows(store, "binding-accuracy", context="image") == []


def test_a_stage_that_comes_twice_is_two(store: Store) -> None:
    made = [
        *answers({2: 5}, step=4),
        *answers({2: 6}, step=6, stage="image"),
        *answers({2: 7}, step=10),
    ]
    add(store, [(run("a"), made)])
    found = [
        picked(r, "stage_number", "stage", "accuracy") for r in rows(store, "binding-accuracy")
    ]
    assert found == [[1, "text", 0.5], [2, "image", 0.6], [3, "text", 0.7]]


def test_binding_arms(store: Store) -> None:
    image: dict[str, Any] = {
        "arm": "image-text",
        "uses_image": True,
        "start": "text-trained",
        **{"scene_set_id": "s", "scene_layout": "random", "encoder": "e"},
        **{"n_steps": 5, "n_questions": 50, "n_tokens": 9, "n_tokens_computed": 8, "flops": 2e6},
    }
    # in distribution (10 + 8) / 2 of 10, beyond (2 + 4) / 2
    text = answers({2: 10, 4: 8, 6: 2, 8: 4})
    add(
        store,
        [
            (run("a"), [*answers({2: 1, 6: 1}, step=5), *text]),
            (run("b", seed_init=1), text),
            (run("c", start_run_id="a", **image), answers({2: 10, 4: 10, 6: 6, 8: 6}, step=5)),
            (
                run("d", start_run_id="b", seed_init=1, **image),
                answers({2: 10, 4: 10, 6: 8, 8: 6}, step=5),
            ),
        ],
    )
    lifted, fallen = rows(store, "binding-arms")
    names = ("arm", "vocabulary", "paper", "out_objects", "n_runs", "n_starts")
    assert picked(fallen, *names) == ["text", "base", 0.372, [6, 8], 2, 2]
    assert picked(lifted, *names) == ["image-text", "base", 0.695, [6, 8], 2, 2]
    scores = ("in_accuracy", "out_accuracy", "out_low", "out_high", "out_chance")
    assert picked(fallen, *scores) == close([0.9, 0.3, 0.3, 0.3, (1 / 6 + 1 / 8) / 2])
    # 0.6 and 0.7: sd = 0.1 / sqrt(2), half = T1 * 0.05
    want = [1, 0.65, 0.65 - T1 * 0.05, 0.65 + T1 * 0.05, (1 / 6 + 1 / 8) / 2]
    assert picked(lifted, *scores) == close(want)
    costs = ("n_steps", "n_questions", "n_tokens", "n_tokens_computed", "flops")
    assert picked(lifted, *costs) == [5, 50, 9, 8, 2e6]
    totals = [f"{name}_total" for name in costs]
    assert picked(lifted, *totals) == [15, 150, 1009, 908, 3e6]
    assert picked(fallen, *totals) == picked(fallen, *costs) == [10, 100, 1000, 900, 1e6]
    assert rows(store, "binding-arms", run="d") == [lifted]


def test_runs_of_one_start_are_averaged_first(store: Store) -> None:
    of = {"start": "text-trained", "arm": "own"}
    made = [
        (run("a"), []),
        (run("b", seed_init=1), []),
        (run("a1", start_run_id="a", **of), answers({6: 2})),
        (run("a2", start_run_id="a", seed_order=1, **of), answers({6: 4})),
        (run("b1", start_run_id="b", **of), answers({6: 9})),
    ]
    add(store, made)
    (row,) = rows(store, "binding-arms")
    # (0.2 + 0.4) / 2 and 0.9: mean 0.6, sd = 0.6 / sqrt(2)
    assert picked(row, "out_accuracy", "out_low") == close([0.6, 0.6 - T1 * 0.3])
    assert picked(row, "paper", "n_runs", "n_starts") == [None, 3, 2]
    store.execute("DELETE FROM binding_run WHERE run_id = 'b1'", {})
    (row,) = rows(store, "binding-arms")
    # one start: the runs are all there is; 0.2 and 0.4, sd = 0.2 / sqrt(2)
    assert picked(row, "out_accuracy", "out_low") == close([0.3, 0.3 - T1 * 0.1])
    assert picked(row, "n_runs", "n_starts") == [2, 1]


SCENES = {"scene_set_id": "s", "scene_layout": "random", "encoder": "e"}
OTHER: list[dict[str, Any]] = [
    {"arm": "own"},
    {"position": "none"},
    {"uses_noise": True},
    {"uses_expansion": True},
    {"scene_set_id": "s2", "scene_layout": "random", "encoder": "e"},
    SCENES,
    {"recipe": "other"},
    {"recipe_json": recipe(learning_rate=0.1)},
    {"recipe_json": recipe("other")},
    {"n_layers": 3},
    {"n_heads": 2},
    {"n_params": 9},
    {"n_to": 3},
    {"precision": "bfloat16"},
    {"start": "text-trained", "start_run_id": "r0"},
    {"start": "text-trained", "start_run_id": "r1"},
]
SAME: list[dict[str, Any]] = [
    {"seed_init": 3, "seed_order": 4},
    {"device": "cuda", "versions_json": '{"torch": "2"}', "command": "x", "git_commit": "g"},
    {"recipe_json": recipe(threads=2, device="cuda", seeds=[1])},
    {"n_together": 4, "seconds": 9.0, "started_at": "2027", "weights_sha256": "v"},
]


def test_what_makes_a_condition(store: Store) -> None:
    changes = [{}, *OTHER]
    add(store, [(run(f"r{n}", **change), answers({6: n % 10})) for n, change in enumerate(changes)])
    found = rows(store, "binding-arms")
    assert sorted(row["out_accuracy"] for row in found) == close(
        sorted(n % 10 / 10 for n in range(len(changes)))
    )
    assert {row["n_runs"] for row in found} == {1}
    assert len({row["condition"] for row in rows(store, "binding-runs")}) == len(changes)
    add(store, [(run(f"s{n}", **change), answers({6: 0})) for n, change in enumerate(SAME)])
    found = rows(store, "binding-arms", run="r0")
    assert [row["n_runs"] for row in found] == [1 + len(SAME)]


def test_binding_runs(store: Store) -> None:
    add(
        store,
        [
            (run("a"), [*answers({2: 10, 6: 4}), *answers({6: 9}, vocabulary="expanded")]),
            (run("b", started_at="2025", seed_init=7), answers({2: 1}, context="image")),
        ],
    )
    look(store, [(probe("p", run_id="a", step=10), [])])
    b, a = rows(store, "binding-runs")
    names = ("run_id", "arm", "in_accuracy", "out_accuracy", "n_probes", "seed_init")
    assert picked(a, *names) == ["a", "text", 1, 0.4, 1, 0]
    assert picked(b, *names) == ["b", "text", None, None, 0, 7]
    assert a["condition"] == b["condition"]
    assert rows(store, "binding-runs", run="b") == [b]


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
                    interchange(0, [5, 5, 0, 0, 0]),
                    interchange(1, [2, 1, 0, 7, 0]),
                    interchange(2, [4, 2, 1, 2, 1]),
                    interchange(2, [0, 9, 0, 1, 0], patch="permuted"),
                ],
            ),
            (
                probe("q", run_id="b", step=10),
                [interchange(1, [4, 3, 0, 3, 0]), interchange(2, [2, 4, 1, 3, 0])],
            ),
        ],
    )
    zero, one, two, control = rows(store, "binding-mechanism")
    rates = [f"{name}_rate" for name in ("positional", "symbolic", "reflexive", "no_effect")]
    names = ("arm", "step", "stage", "ends_stage", "n_objects", "patch", "layer")
    assert picked(zero, *names) == ["text", 10, "text", True, 4, "counterfactual", 0]
    assert picked(zero, *rates, "ratio", "n_runs", "n_examples") == [0.5, 0.5, 0, 0, 1, 1, 10]
    # layer 1: (0.2 + 0.4) / 2 and (0.1 + 0.3) / 2; layer 2: 0.3 both
    assert picked(one, *rates, "ratio") == close([0.3, 0.2, 0, 0.5, 2 / 3])
    assert picked(two, *rates, "ratio") == close([0.3, 0.3, 0.1, 0.25, 1])
    assert picked(two, "other_rate", "ambiguous_rate") == close([0.05, 0])
    # 0.4 and 0.2: half = T1 * 0.1
    assert picked(two, "positional_low", "symbolic_high") == close([0.3 - T1 * 0.1, 0.3 + T1 * 0.1])
    # the embeddings have the highest sum and are left out; controls have no peak
    assert [r["is_peak"] for r in (zero, one, two, control)] == [False, False, True, False]
    assert picked(two, "n_runs", "n_examples", "lm") == [2, 20, None]
    assert rows(store, "binding-mechanism", patch="permuted") == [control]
    assert rows(store, "binding-mechanism", run="a") == [zero, one, two, control]
    assert rows(store, "binding-mechanism", lm="x") == []


def test_equal_layers_peak_at_the_first_and_nothing_has_no_peak(store: Store) -> None:
    add(store, [(run("a"), []), (run("b", arm="own"), [])])
    look(
        store,
        [
            (
                probe("p", run_id="a", step=10),
                [interchange(1, [1, 2, 0, 7, 0]), interchange(2, [2, 1, 7, 0, 0])],
            ),
            (probe("q", run_id="b", step=10), [interchange(1, [0, 0, 0, 10, 0])]),
        ],
    )
    peaks = [picked(r, "arm", "layer", "is_peak") for r in rows(store, "binding-mechanism")]
    assert peaks == [["own", 1, False], ["text", 1, True], ["text", 2, False]]
    assert [picked(r, "run_id", "layer") for r in rows(store, "binding-ratio")] == [["a", 1]]
    left = [picked(r, "run_id", "symbolic_share") for r in rows(store, "binding-points")]
    assert left == [["b", None], ["a", close(2 / 3)]]


LM = {"lm": "Qwen/Qwen2-7B", "lm_hash": "h"}
VLM = {"lm": "Qwen/Qwen2-VL-7B-Instruct", "lm_hash": "v", "is_vlm": True}


def test_binding_ratio(store: Store) -> None:
    add(store, [(run("a"), [])])
    look(
        store,
        [
            (
                probe("l", **LM),
                [
                    interchange(0, [9, 1, 0, 0, 0]),
                    interchange(1, [1, 0, 0, 9, 0]),
                    interchange(2, [2, 4, 1, 3, 0]),
                ],
            ),
            (probe("m", seed=1, **LM), [interchange(2, [2, 4, 1, 3, 0])]),
            (probe("v", **VLM), [interchange(1, [0, 4, 0, 6, 0])]),
            (probe("r", run_id="a", step=10), [interchange(1, [4, 1, 0, 5, 0])]),
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
    assert picked(vlm, "ratio", "low") == [None, None]
    assert rows(store, "binding-ratio", run="a") == [own]
    assert rows(store, "binding-ratio", lm=VLM["lm"]) == [vlm]


@pytest.mark.parametrize(
    ("lm", "is_vlm", "paper"),
    [
        ("/models/Qwen2.5-7B-Instruct", False, 1.218),
        ("Qwen/Qwen2.5-VL-7B-Instruct", True, 1.282),
        ("Qwen/Qwen3-8B", False, 1.819),
        ("Qwen/Qwen3-VL-8B-Instruct", True, 2.463),
        ("Qwen/Qwen3-8B", True, None),
        ("Qwen/Qwen2.5-Coder-7B", False, None),
        ("Qwen/Qwen1.5-7B", False, None),
        ("gpt2", False, None),
    ],
)
def test_ratios_of_the_paper(store: Store, lm: str, is_vlm: bool, paper: float | None) -> None:
    made = probe("l", lm=lm, lm_hash="h", is_vlm=is_vlm)
    look(store, [(made, [interchange(1, [1, 1, 0, 8, 0])])])
    assert [row["paper"] for row in rows(store, "binding-ratio")] == [paper]


def test_binding_pairs(store: Store) -> None:
    look(
        store,
        [
            (
                probe("l", pair_id="pair", **LM),
                [interchange(1, [4, 2, 0, 4, 0]), interchange(2, [1, 2, 0, 7, 0])],
            ),
            (
                probe("v", pair_id="pair", **VLM),
                [interchange(1, [1, 2, 0, 7, 0]), interchange(2, [0, 5, 0, 5, 0])],
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


def test_binding_factors(store: Store) -> None:
    noise = {"uses_noise": True, "arm": "noise-text", "recipe_json": recipe("noise-text")}
    image: dict[str, Any] = {
        **{"uses_image": True, "arm": "image-text", "recipe_json": recipe("image-text")},
        **{"n_params": 1100, **SCENES},
    }
    made = [
        (run("a0"), answers({6: 2})),
        (run("a1", seed_init=1), answers({6: 4})),
        (run("n0", **noise), answers({6: 5})),
        (run("n1", seed_init=1, **noise), answers({6: 6})),
        (run("i0", **image), answers({6: 9})),
        (run("x0", position="none"), answers({6: 1})),
        # nothing is held against these: other steps, other objects asked, no seed in common
        (run("m0", n_steps=20, **noise), answers({6: 0}, step=20)),
        (run("m1", seed_order=9, **noise), answers({6: 0})),
        (run("m2", **(noise | {"n_to": 5})), answers({6: 0}, n_to=5)),
        (run("m3", position="none", seed_init=2), answers({6: 0})),
        (run("m4", recipe_json=recipe(learning_rate=9), uses_noise=True), answers({6: 0})),
    ]
    add(store, made)
    position, picture, noised = rows(store, "binding-factors")
    names = ("factor", "level_a", "level_b", "n_seeds", "n_pairs", "out_objects", "n_steps")
    assert picked(position, *names) == ["position", "rope", "none", 1, 1, [6], 10]
    assert picked(picture, *names) == ["uses_image", "false", "true", 1, 1, [6], 10]
    assert picked(noised, *names) == ["uses_noise", "false", "true", 2, 2, [6], 10]
    scores = ("out_accuracy_a", "out_accuracy_b", "difference", "low", "high")
    assert picked(position, *scores) == [0.2, 0.1, close(-0.1), None, None]
    assert picked(picture, *scores) == [0.2, 0.9, close(0.7), None, None]
    # 0.5 - 0.2 and 0.6 - 0.4: mean 0.25, half = T1 * 0.05
    want = [0.3, 0.55, 0.25, 0.25 - T1 * 0.05, 0.25 + T1 * 0.05]
    assert picked(noised, *scores) == close(want)
    assert rows(store, "binding-factors", factor="position") == [position]


def test_factors_of_pictures_and_starts(store: Store) -> None:
    for name, layout in (("s", "random"), ("f", "fixed")):
        given.scenes(store, name, scene_layout=layout)
    given.scenes(store, "g", scene_layout="fixed", side=128)
    of: dict[str, Any] = {"uses_image": True, "encoder": "e", "start": "text-trained"}
    made = [
        (run("t"), []),
        (run("u", position="none"), []),
        (run("v", seed_init=5, position="none"), []),
        (run("s0", scene_set_id="s", scene_layout="random", start_run_id="t", **of), {6: 8}),
        (run("f0", scene_set_id="f", scene_layout="fixed", start_run_id="t", **of), {6: 3}),
        # larger pictures are another thing than another layout
        (run("g0", scene_set_id="g", scene_layout="fixed", start_run_id="t", **of), {6: 0}),
        # the start differs in position alone; then in its seed too
        (
            run("u0", position="none", scene_set_id="s", scene_layout="random", start_run_id="u",
                **of),
            {6: 6},
        ),
        (
            run("v0", position="none", scene_set_id="s", scene_layout="random", start_run_id="v",
                **of),
            {6: 0},
        ),
    ]  # fmt: skip
    add(store, [(one, answers(right) if right else []) for one, right in made])
    position, layout = rows(store, "binding-factors")
    names = ("factor", "level_a", "level_b", "n_pairs", "difference")
    assert picked(position, *names) == ["position", "rope", "none", 1, close(-0.2)]
    assert picked(layout, *names) == ["scene_layout", "fixed", "random", 1, close(0.5)]


def mechanism(store: Store, made: dict[str, tuple[int, int, int]], **of: Any) -> None:
    """By run: positional and symbolic answers at the peak, right answers of 10 beyond training."""
    add(store, [(run(name, **of), answers({6: right})) for name, (_, _, right) in made.items()])
    look(
        store,
        [
            (
                probe(f"p{name}", run_id=name, step=10),
                [interchange(1, [positional, symbolic, 0, 10 - positional - symbolic, 0])],
            )
            for name, (positional, symbolic, _) in made.items()
        ],
    )


def test_binding_points_and_predicts(store: Store) -> None:
    mechanism(store, {"a": (3, 1, 2), "b": (1, 1, 4), "c": (1, 3, 3)})
    mechanism(store, {"d": (0, 4, 9), "e": (0, 0, 5)}, arm="own")
    # an earlier look is a point, but takes no part in the correlation
    look(store, [(probe("early", run_id="a", step=0), [interchange(1, [0, 5, 0, 5, 0])])])
    points = rows(store, "binding-points")
    names = ("run_id", "step", "is_last", "symbolic_share", "out_accuracy")
    assert [picked(row, *names) for row in points] == [
        ["d", 10, True, 1, 0.9],
        ["e", 10, True, None, 0.5],
        ["a", 0, False, 1, None],
        ["a", 10, True, 0.25, 0.2],
        ["b", 10, True, 0.5, 0.4],
        ["c", 10, True, 0.75, 0.3],
    ]
    assert rows(store, "binding-points", run="b") == [points[4]]
    (row,) = rows(store, "binding-predicts")
    # x 1, 1/4, 1/2, 3/4 about 5/8: 3/8, -3/8, -1/8, 1/8; y .9, .2, .4, .3 about .45
    xy = (3 * 0.45 + 3 * 0.25 + 0.05 - 0.15) / 8
    r = xy / math.sqrt(20 / 64 * (0.45**2 + 0.25**2 + 0.05**2 + 0.15**2))
    z = 1.959963985
    want = [r, math.tanh(math.atanh(r) - z), math.tanh(math.atanh(r) + z)]
    assert picked(row, "r", "low", "high") == close(want)
    # within text: x -1/4, 0, 1/4; y -.1, .1, 0: 0.025 / sqrt(1/8 * 0.02); own has one run
    assert row["within_r"] == close(0.5)
    assert picked(row, "n_runs", "n_conditions", "n_left_out") == [4, 2, 1]
    assert picked(row, "within_low", "out_objects") == [None, [6]]


def cut(n_right: int, **changes: Any) -> dict[str, Any]:
    of = {"n_objects": 4, "edges": "query-context", "layer_from": 1, "layer_to": 2}
    return of | {"n_examples": 10, "n_right_before": 9, "n_right": n_right} | changes


def test_binding_knockout(store: Store) -> None:
    add(store, [(run("a"), []), (run("b", seed_init=1), [])])
    look(
        store,
        [
            (probe("p", kind="knockout", run_id="a", step=10), [cut(3), cut(9, layer_from=2)]),
            (probe("q", kind="knockout", run_id="b", step=10), [cut(5)]),
            (probe("l", kind="knockout", **LM), [cut(0)]),
        ],
    )
    both, late, lm = rows(store, "binding-knockout")
    names = ("arm", "lm", "step", "edges", "layer_from", "layer_to", "n_runs", "n_examples")
    assert picked(both, *names) == ["text", None, 10, "query-context", 1, 2, 2, 20]
    # 0.6 and 0.4 lost: half = T1 * 0.1
    scores = ("before", "after", "loss", "low", "high")
    assert picked(both, *scores) == close([0.9, 0.4, 0.5, 0.5 - T1 * 0.1, 0.5 + T1 * 0.1])
    assert picked(late, "layer_from", "loss", "low") == [2, 0, None]
    assert picked(lm, "arm", "lm", "loss", "n_runs") == [None, LM["lm"], 0.9, None]
    assert rows(store, "binding-knockout", run="b") == [both, late]
    assert rows(store, "binding-knockout", lm=LM["lm"]) == [lm]


def read(n_right: int, permuted: bool = False, **changes: Any) -> dict[str, Any]:
    of = {"n_objects": 4, "layer": 1, "token": "shape", "attribute": "colour", "n_train": 50}
    return of | {"permuted": permuted, "n_test": 10, "n_right": n_right, "n_classes": 4} | changes


def test_binding_linear(store: Store) -> None:
    add(store, [(run("a"), []), (run("b", seed_init=1), [])])
    look(
        store,
        [
            (
                probe("p", kind="linear", run_id="a", step=10),
                [read(9), read(2, permuted=True), read(5, layer=2)],
            ),
            (
                probe("q", kind="linear", run_id="b", step=10),
                [read(7), read(4, permuted=True), read(5, layer=2), read(1, True, layer=2)],
            ),
            (probe("l", kind="linear", **LM), [read(8), read(3, permuted=True)]),
        ],
    )
    one, two, lm = rows(store, "binding-linear")
    names = ("arm", "token", "attribute", "layer", "chance", "n_test", "n_runs")
    assert picked(one, *names) == ["text", "shape", "colour", 1, 0.25, 20, 2]
    # gains 0.7 and 0.3: half = T1 * 0.2
    scores = ("accuracy", "permuted", "gain", "low", "high")
    assert picked(one, *scores) == close([0.8, 0.3, 0.5, 0.5 - T1 * 0.2, 0.5 + T1 * 0.2])
    # run a has no permuted probe there
    assert picked(two, *scores) == [0.5, None, None, None, None]
    assert picked(lm, "lm", "gain", "low", "n_runs") == [LM["lm"], close(0.5), None, None]
    assert rows(store, "binding-linear", run="a") == [one, two]
    assert rows(store, "binding-linear", lm=LM["lm"]) == [lm]


def test_scene_sets(store: Store) -> None:
    given.scenes(store, "s")
    given.scenes(store, "f", scene_layout="fixed", n_to=4)
    add(store, [(run("a", uses_image=True, **SCENES), [])])
    fixed, scattered = rows(store, "scene-sets")
    names = ("scene_set_id", "scene_layout", "n_to", "n_image_tokens", "n_runs")
    assert picked(fixed, *names) == ["f", "fixed", 4, 16, 0]
    assert picked(scattered, *names) == ["s", "random", 8, 16, 1]


def test_curves_of_binding_runs(store: Store) -> None:
    add(store, [(run("a"), [])])
    store.execute(
        "INSERT INTO metric (run_id, step, name, value) VALUES ('a', 5, 'loss', 2), "
        "('a', 0, 'loss', 3)",
        {},
    )
    found = [picked(row, "design", "step", "value") for row in rows(store, "loss-curve", run="a")]
    assert found == [[None, 0, 3], [None, 5, 2]]
