"""Golden numbers of binding a reader can redo."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sql import binding_rows as given
from tests.sql.binding_rows import add, answers, look, probe, recipe, run
from tests.sql.golden import T1, close, picked, rows
from xmodal.store import Store


def test_binding_accuracy(store: Store) -> None:
    for_all = {"n_in_scene": 9}
    many = {"n_in_scene": 90, "n_questions": 100, "step": 10}
    add(
        store,
        [
            (
                run("a"),
                [
                    *answers({2: 5}, step=0, stage="start", ends_stage=False),
                    *answers({2: 7}, step=4, ends_stage=False),
                    *answers({2: 10}, step=10, **for_all),
                    *answers({6: 54}, **many),
                    *answers({2: 1}, step=10, question="shape-item"),
                    *answers({2: 3}, step=10, question="colour-shape"),
                ],
            ),
            (
                run("b", seed_init=1),
                [
                    *answers({2: 10}, step=10, loss=1.5, **for_all),
                    *answers({6: 56}, loss=1.5, **many),
                ],
            ),
        ],
    )
    before, two, six = rows(store, "binding-accuracy")
    names = ("stage_number", "stage", "n_objects", "in_distribution", "accuracy", "low", "high")
    # 5 of 10, of one run
    assert picked(before, *names) == [0, "start", 2, True, 0.5, None, None]
    assert picked(two, *names) == [1, "text", 2, True, 1, 1, 1]
    # 0.54 and 0.56: mean 0.55, sd = 0.02 / sqrt(2), so half = T1 * 0.01
    assert picked(six, *names[:4]) == [1, "text", 6, False]
    assert picked(six, *names[4:]) == close([0.55, 0.55 - T1 * 0.01, 0.55 + T1 * 0.01])
    assert picked(six, "chance", "in_scene", "loss", "step") == close([1 / 6, 0.9, 1, 10])
    assert picked(six, "n_runs", "n_starts", "n_questions") == [2, 2, 200]
    assert {row["question"] for row in (before, two, six)} == {"two"}
    (hop,) = rows(store, "binding-accuracy", question="colour-shape")
    names = ("question", "n_objects", "accuracy", "chance", "n_questions", "n_runs")
    assert picked(hop, *names) == ["colour-shape", 2, 0.3, 0.5, 10, 1]
    asked = [picked(r, *names[:3]) for r in rows(store, "binding-accuracy", question="all")[1:]]
    assert asked == [
        ["two", 2, 1], ["two", 6, close(0.55)], ["shape-item", 2, 0.1], ["colour-shape", 2, 0.3],
    ]  # fmt: skip
    assert rows(store, "binding-accuracy", run="b") == [before, two, six]
    assert rows(store, "binding-accuracy", arm="text", context="text") == [before, two, six]
    assert rows(store, "binding-accuracy", arm="noise-text") == []
    assert rows(store, "binding-accuracy", context="image") == []


def test_intervals_are_cut_where_no_value_can_lie(store: Store) -> None:
    # 0.1 and 1, 0 and 0.9: half = T1 * 0.45, many times the range
    made = [
        (run("a"), answers({2: 1, 6: 0})),
        (run("b", seed_init=1), answers({2: 10, 6: 9})),
        (run("n", uses_noise=True), answers({2: 1, 6: 9})),
        (run("o", uses_noise=True, seed_init=1), answers({2: 1, 6: 0})),
    ]
    add(store, made)
    found = rows(store, "binding-accuracy", run="a")
    assert [picked(row, "low", "high") for row in found] == [[0, 1], [0, 1]]
    (row,) = rows(store, "binding-arms", run="a")
    assert picked(row, "in_low", "in_high", "out_low", "out_high") == [0, 1, 0, 1]
    (row,) = rows(store, "binding-factors")
    assert picked(row, "difference", "low", "high") == close([0, -1, 1])


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
    most = {"step": 5, "n_questions": 100, "n_in_scene": 100}
    text = answers({2: 10, 4: 8, 6: 2, 8: 4})
    add(
        store,
        [
            (
                run("a"),
                [
                    *answers({2: 1, 6: 1}, step=5),
                    *text,
                    *answers({2: 0, 6: 0}, question="colour-shape"),
                ],
            ),
            (run("b", seed_init=1), text),
            (run("c", start_run_id="a", **image), answers({2: 100, 4: 100, 6: 63, 8: 65}, **most)),
            (
                run("d", start_run_id="b", seed_init=1, **image),
                answers({2: 100, 4: 100, 6: 65, 8: 67}, **most),
            ),
        ],
    )
    lifted, fallen = rows(store, "binding-arms")
    names = ("arm", "vocabulary", "paper", "out_objects", "n_runs", "n_starts")
    assert picked(fallen, *names) == ["text", "base", None, [6, 8], 2, 2]
    assert picked(lifted, *names) == ["image-text", "base", None, [6, 8], 2, 2]
    scores = ("in_accuracy", "out_accuracy", "out_low", "out_high", "out_chance")
    assert picked(fallen, *scores) == close([0.9, 0.3, 0.3, 0.3, (1 / 6 + 1 / 8) / 2])
    # 0.64 and 0.66: sd = 0.02 / sqrt(2), half = T1 * 0.01
    want = [1, 0.65, 0.65 - T1 * 0.01, 0.65 + T1 * 0.01, (1 / 6 + 1 / 8) / 2]
    assert picked(lifted, *scores) == close(want)
    costs = ("n_steps", "n_questions", "n_tokens", "n_tokens_computed", "flops")
    assert picked(lifted, *costs) == [5, 50, 9, 8, 2e6]
    totals = [f"{name}_total" for name in costs]
    assert picked(lifted, *totals) == [15, 150, 1009, 908, 3e6]
    assert picked(fallen, *totals) == picked(fallen, *costs) == [10, 100, 1000, 900, 1e6]
    assert rows(store, "binding-arms", run="d") == [lifted]


PAPERS = {"n_layers": 12, "width": 128, "n_heads": 4, "n_to": 8}


@pytest.mark.parametrize(
    ("arm", "shape", "paper"),
    [
        ("text", PAPERS, 0.372),
        ("noise-image-text", PAPERS, 0.836),
        ("own", PAPERS, None),
        ("text", PAPERS | {"n_layers": 6}, None),
        ("text", PAPERS | {"width": 64}, None),
        ("text", PAPERS | {"n_heads": 8}, None),
        ("text", PAPERS | {"n_to": 6}, None),
    ],
)
def test_the_papers_number_stands_beside_decoders_of_its_shape_alone(
    store: Store, arm: str, shape: dict[str, int], paper: float | None
) -> None:
    add(store, [(run("a", arm=arm, **shape), answers({4: 10, 12: 5}, n_to=shape["n_to"]))])
    (row,) = rows(store, "binding-arms")
    assert picked(row, "paper", "out_accuracy") == [paper, 0.5]


def test_binding_steps(store: Store) -> None:
    # in distribution (10 + 8) / 2 of 10, beyond (2 + 4) / 2; before training nothing but 6 of 8
    late = answers({2: 10, 4: 8, 6: 2, 8: 4})
    early = answers({2: 1, 4: 3, 6: 0, 8: 6}, step=0, stage="start", ends_stage=False)
    images = answers({2: 5, 6: 5}, context="image")
    add(
        store,
        [
            (run("a"), [*early, *late, *images]),
            (run("b", seed_init=1), answers({2: 10, 4: 10, 6: 4, 8: 4})),
            (run("c", position="none"), answers({2: 10})),
        ],
    )
    alone, first, last = rows(store, "binding-steps")
    names = ("position", "step", "stage", "ends_stage", "out_objects", "n_runs", "n_starts")
    assert picked(alone, *names) == ["none", 10, "text", True, None, 1, 1]
    assert picked(first, *names) == ["rope", 0, "start", False, [6, 8], 1, 1]
    assert picked(last, *names) == ["rope", 10, "text", True, [6, 8], 2, 2]
    scores = ("in_accuracy", "out_accuracy", "out_low", "out_high", "out_chance")
    assert picked(alone, *scores) == [1, None, None, None, None]
    assert picked(first, *scores) == close([0.2, 0.3, None, None, (1 / 6 + 1 / 8) / 2])
    # 0.3 and 0.4: 0.35 - T1 * 0.05 is below 0, what is above 0.98 is not above 1
    want = [0.95, 0.35, 0, 0.35 + T1 * 0.05, (1 / 6 + 1 / 8) / 2]
    assert picked(last, *scores) == close(want)
    assert rows(store, "binding-steps", run="c") == [alone]


def test_runs_of_one_start_are_averaged_first(store: Store) -> None:
    of = {"start": "text-trained", "arm": "own"}
    made = [
        (run("a"), []),
        (run("b", seed_init=1), []),
        (run("a1", start_run_id="a", **of), answers({6: 49}, 100)),
        (run("a2", start_run_id="a", seed_order=1, **of), answers({6: 51}, 100)),
        (run("b1", start_run_id="b", **of), answers({6: 54}, 100)),
    ]
    add(store, made)
    (row,) = rows(store, "binding-arms")
    # (0.49 + 0.51) / 2 and 0.54: mean 0.52, sd = 0.04 / sqrt(2)
    assert picked(row, "out_accuracy", "out_low") == close([0.52, 0.52 - T1 * 0.02])
    assert picked(row, "paper", "n_runs", "n_starts") == [None, 3, 2]
    store.execute("DELETE FROM binding_run WHERE run_id = 'b1'", {})
    (row,) = rows(store, "binding-arms")
    # one start: the runs are all there is; 0.49 and 0.51, sd = 0.02 / sqrt(2)
    assert picked(row, "out_accuracy", "out_low") == close([0.5, 0.5 - T1 * 0.01])
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
