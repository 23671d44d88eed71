"""Golden numbers a reader can redo: the effect of a factor, and of a whole arm."""

from __future__ import annotations

from typing import Any

from tests.sql import binding_rows as given
from tests.sql.binding_rows import add, answers, recipe, run
from tests.sql.golden import T1, close, picked, rows
from xmodal.store import Store

SCENES = {"scene_set_id": "s", "scene_layout": "random", "encoder": "e"}


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
        (run("m5", **noise), answers({6: 0, 8: 0})),
        # two factors at once, over the same pictures; then one, over others
        (run("m6", seed_init=7, uses_grounding=True, **SCENES), answers({6: 0})),
        (
            run("m7", seed_init=7, uses_grounding=True, uses_noise=True, **image),
            answers({6: 0}),
        ),
        (run("m8", seed_init=8, **image), answers({6: 0})),
        (
            run("m9", seed_init=8, uses_grounding=True, **(image | {"scene_set_id": "s2"})),
            answers({6: 0}),
        ),
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


def test_binding_lift(store: Store) -> None:
    noise = {"uses_noise": True, "n_tokens": 4000}
    image = {"uses_image": True, "n_params": 1100, "flops": 3e6, **SCENES}
    both = {"uses_image": True, "uses_mixing": True, **image}
    of_arm: dict[str, dict[str, Any]] = {
        "text": {},
        "noise-text": noise,
        "image-text": both,
        "noise-image-text": both | noise,
    }

    def arm(name: str, n: int, start: str, **more: Any) -> Any:
        settings = of_arm[name] | {"recipe": name, "recipe_json": recipe(name)}
        own = {"arm": name, "start": "text-trained", "start_run_id": start, "seed_init": n}
        return run(f"{name}-{len(made)}", **(settings | own | more))

    made: list[Any] = [(run("s0"), answers({6: 1})), (run("s1", seed_init=1), answers({6: 1}))]
    for name, right in (
        ("text", (20, 22)),
        ("noise-text", (50, 50)),
        ("image-text", (60, 64)),
        ("noise-image-text", (90, 88)),
    ):
        for n in (0, 1):
            given = [*answers({4: 100, 6: right[n]}, 100), *answers({6: 3}, context="image")]
            made.append((arm(name, n, f"s{n}"), given))
    # nothing is held against these: seed, start, steps, questions, position, other counts
    for more in (
        {"seed_order": 9},
        {"start_run_id": "s1"},
        {"n_steps": 20},
        {"n_questions": 200},
        {"position": "none"},
    ):
        step = more.get("n_steps", 10)
        made.append((arm("image-text", 0, "s0", **more), answers({4: 10, 6: 0}, step=step)))
    made.append((arm("image-text", 0, "s0"), answers({4: 10, 6: 0, 8: 0})))
    add(store, made)
    found = rows(store, "binding-lift")
    names = ("arm_a", "arm_b", "n_seeds", "n_pairs", "n_steps", "n_questions", "out_objects")
    assert [picked(row, *names) for row in found] == [
        ["text", "image-text", 2, 2, 10, 100, [6]],
        ["text", "noise-image-text", 2, 2, 10, 100, [6]],
        ["text", "noise-text", 2, 2, 10, 100, [6]],
        ["noise-text", "noise-image-text", 2, 2, 10, 100, [6]],
    ]
    pictured, _, noised, matched = found
    scores = ("out_accuracy_a", "out_accuracy_b", "difference", "low", "high")
    # lifted by 0.4 and 0.42: half = T1 * 0.01
    want = [0.21, 0.62, 0.41, 0.41 - T1 * 0.01, 0.41 + T1 * 0.01]
    assert picked(pictured, *scores) == close(want)
    assert picked(pictured, "in_accuracy_a", "in_accuracy_b") == [1, 1]
    ratios = ("tokens_ratio", "tokens_computed_ratio", "flops_ratio")
    assert picked(pictured, *ratios, "scene_layout", "encoder") == [1, 1, 3, "random", "e"]
    assert picked(noised, *ratios, "scene_layout", "encoder") == [4, 1, 1, None, None]
    # 0.4 and 0.38, at as many tokens
    assert picked(matched, "difference", *ratios) == close([0.39, 1, 1, 3])
    assert rows(store, "binding-lift", arm="noise-text") == [noised]
    assert rows(store, "binding-lift", run="image-text-7") == [pictured]
    assert rows(store, "binding-lift", run="noise-text-5") == [noised, matched]


def test_pairs_of_one_start_are_averaged_first(store: Store) -> None:
    of = {"start": "text-trained"}
    noise = {"uses_noise": True, "arm": "noise-text", "recipe_json": recipe("noise")}
    made = [(run("s"), []), (run("t", seed_init=1), [])]
    for name, start, order, a, b in (
        ("1", "s", 0, 10, 20), ("2", "s", 1, 10, 40), ("3", "t", 0, 10, 60),
    ):  # fmt: skip
        more = {"start_run_id": start, "seed_order": order, **of}
        made.append((run(f"a{name}", **more), answers({6: a}, 100)))
        made.append((run(f"b{name}", **more, **noise), answers({6: b}, 100)))
    add(store, made)
    (row,) = rows(store, "binding-lift")
    # (0.1 + 0.3) / 2 and 0.5
    assert picked(row, "difference", "n_seeds", "n_pairs") == [close(0.35), 2, 3]
