"""Figures of binding hold what the analyses say."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sql.binding_rows import add, answers, interchange, look, probe, run
from tests.xmodal.report.charts import drawn, panels, scale_of, titles
from tests.xmodal.store.empty import empty_store
from xmodal.binding import arms
from xmodal.report.binding import accuracy_chart
from xmodal.report.binding_mechanism import mechanism_chart
from xmodal.report.binding_style import ARMS, in_order, names_of, span
from xmodal.report.style import series_scales


def test_arms_stand_in_the_order_of_the_recipes() -> None:
    assert tuple(arms.ARMS) == ARMS


SERIES = st.lists(
    st.tuples(st.sampled_from(["scratch", "text-trained"]), st.sampled_from([*ARMS, "own", "b+a"])),
    min_size=1,
    unique=True,
)


@settings(max_examples=30, deadline=None)
@given(SERIES.flatmap(lambda made: st.tuples(st.just(made), st.permutations(made))))
def test_names_and_order_are_the_same_whichever_row_comes_first(
    made: tuple[list[tuple[str, str]], list[tuple[str, str]]],
) -> None:
    one, other = (
        [{"condition": f"{start} {arm}", "start": start, "arm": arm} for start, arm in rows]
        for rows in made
    )
    names = names_of(one)
    assert list(names.items()) == list(names_of(other).items())
    assert len(set(names.values())) == len(one)
    places = [("scratch", "text-trained").index(row["start"]) for row in in_order(other)]
    assert places == sorted(places)
    for start in ("scratch", "text-trained"):
        arms = [row["arm"] for row in in_order(other) if row["start"] == start]
        known = [arm for arm in ARMS if arm in arms]
        assert arms == known + sorted(set(arms) - set(known))


def test_runs_of_one_arm_are_told_apart_by_the_most_telling_difference() -> None:
    of = {"arm": "text", "start": "scratch", "n_steps": 40, "n_layers": 4}
    rows = [of | {"condition": "a"}, of | {"condition": "b"}, of | {"condition": "c", "n_steps": 9}]
    rows.append(of | {"condition": "d", "start": "text-trained"})
    assert names_of(rows) == {
        "a": "text, scratch, 40 steps, a",
        "b": "text, scratch, 40 steps, b",
        "c": "text, scratch, 9 steps",
        "d": "text, text-trained",
    }


def test_a_condition_looks_the_same_beside_others_and_alone() -> None:
    names = {n: f"arm {n}" for n in range(49)}
    colour, shape = (scale.to_dict() for scale in series_scales(names, list(names)))
    looks = list(zip(colour["range"], shape["range"], strict=True))
    assert len(set(looks)) == 49
    alone = [scale.to_dict() for scale in series_scales(names, [17])]
    assert [(one["domain"], one["range"]) for one in alone] == [
        (["arm 17"], [part]) for part in looks[17]
    ]


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1), st.none() | st.floats(0, 2))
def test_no_interval_leaves_what_a_share_can_be(value: float, half: float | None) -> None:
    low, high = (None, None) if half is None else (value - half, value + half)
    of = span({"value": value, "low": low, "high": high}, "value", "low", "high")
    if half is None:
        assert (of["low"], of["high"]) == (value, value)
    else:
        assert (of["low"], of["high"]) == (max(0, low), min(1, high))
    assert of["value"] == value


def test_accuracies_are_drawn_by_arm_and_stage() -> None:
    with empty_store() as store:
        seen = [
            *answers({2: 10, 6: 4}, step=0, stage="start"),
            *answers({2: 10, 6: 9}),
            *answers({2: 7}, context="image"),
        ]
        made = [
            (run("a"), seen),
            (run("b", seed_init=1), seen),
            (run("c", position="none"), answers({2: 10, 6: 10})),
        ]
        made[1] = (made[1][0], [row | {"n_right": row["n_right"] - 1} for row in seen])
        add(store, made)
        rows = store.analysis("binding-accuracy").to_pylist()
    spec = accuracy_chart(rows).to_dict()
    assert titles(spec) == [["text context"], ["image context"]]
    (text,), (image,) = panels(spec)
    lines = drawn(spec, text, "line")
    found = {(p["series"], p["stage"], p["n_objects"]): p for p in lines}
    assert sorted(found) == [
        ("text, none", "text", 2),
        ("text, none", "text", 6),
        *[("text, rope", stage, n) for stage in ("start", "text") for n in (2, 6)],
    ]
    # 0.9 and 0.8: the interval leaves [0, 1], the drawn one does not
    best = found["text, rope", "text", 6]
    assert (round(best["value"], 9), best["low"] > 0, best["high"]) == (0.85, True, 1.0)
    assert {round(p["value"], 9) for p in drawn(spec, image, "line")} == {0.65}
    assert drawn(spec, text, "text") == [{"n_to": 4, "text": "trained up to 4"}]
    assert drawn(spec, text, "rule") == [{"n_to": 4}]


def test_arms_and_stages_look_as_their_order_says() -> None:
    def row(condition: str, arm: str, start: str, stage: tuple[int, str]) -> dict[str, Any]:
        of = {"condition": condition, "arm": arm, "start": start, "chance": 0.5, "n_to": 4}
        of |= {"stage_number": stage[0], "stage": stage[1], "context": "text"}
        return of | {"vocabulary": "base", "n_objects": 2, "accuracy": 1, "low": None, "high": None}

    rows = [
        row("n", "noise-text", "text-trained", (2, "third")),
        row("t", "text", "text-trained", (2, "third")),
        row("s", "text", "scratch", (1, "lessons")),
    ]
    for given_rows in (rows, rows[::-1]):
        spec = accuracy_chart(given_rows).to_dict()
        assert list(scale_of(spec, "color")) == [
            "text, scratch", "text, text-trained", "noise-text",
        ]  # fmt: skip
        # the last one is drawn whole
        assert scale_of(spec, "strokeDash") == {"lessons": [6, 3], "third": [1, 0]}


def test_mechanism_is_drawn_by_arm_at_its_last_step() -> None:
    with empty_store() as store:
        add(store, [(run("a"), []), (run("b", arm="image-text"), [])])
        control = interchange(1, [9, 0, 0, 1, 0], patch="permuted")
        more = interchange(1, [5, 0, 0, 5, 0], n_objects=8)
        look(
            store,
            [
                (probe("p", run_id="a", step=5), [interchange(1, [1, 0, 0, 9, 0])]),
                (probe("q", run_id="a", step=10), [interchange(1, [2, 0, 0, 8, 0]), control, more]),
                (probe("r", run_id="b", step=5), [interchange(1, [0, 0, 0, 9, 1])]),
                (probe("s", lm="x", lm_hash="h"), [interchange(2, [0, 3, 4, 2, 1])]),
            ],
        )
        rows = store.analysis("binding-mechanism").to_pylist()
    spec = mechanism_chart(rows).to_dict()
    told, eight = "text context, 4 objects", "text context, 8 objects"
    # the panels of one condition stand in one row
    assert titles(spec) == [
        [("text", told), ("text", eight)],
        [("image-text", told)],
        [("x", told)],
    ]
    rates = [
        {(p["outcome"], p["layer"]): p["value"] for p in drawn(spec, panel, "line")}
        for row in panels(spec)
        for panel in row
    ]
    assert rates == [
        {("positional", 1): 0.2, ("symbolic", 1): 0, ("reflexive", 1): 0, ("no effect", 1): 0.8},
        {("positional", 1): 0.5, ("symbolic", 1): 0, ("reflexive", 1): 0, ("no effect", 1): 0.5},
        {("positional", 1): 0, ("symbolic", 1): 0, ("reflexive", 1): 0, ("no effect", 1): 0.9},
        {("positional", 2): 0, ("symbolic", 2): 0.3, ("reflexive", 2): 0.4, ("no effect", 2): 0.2},
    ]
