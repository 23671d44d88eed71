"""Figures of binding hold what the analyses say."""

from __future__ import annotations

from typing import Any

from tests.sql.binding_rows import add, answers, interchange, look, probe, run
from tests.xmodal.store.empty import empty_store
from xmodal.report.binding import accuracy_chart, mechanism_chart


def values_of(spec: Any, mark: str) -> list[list[dict[str, Any]]]:
    """By panel the data of its layers of one mark."""
    found = []
    for panel in spec["concat"]:
        layers = [layer for layer in panel["layer"] if layer["mark"]["type"] == mark]
        # what layers share stands above them
        data = [layer.get("data") or panel.get("data") or spec["data"] for layer in layers]
        found.append([row for one in data for row in spec["datasets"][one["name"]]])
    return found


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
    assert [panel["title"] for panel in spec["concat"]] == ["text context", "image context"]
    text, image = values_of(spec, "line")
    drawn = {(p["series"], p["stage"], p["n_objects"]): p for p in text}
    assert sorted(drawn) == [
        ("text, none", "text", 2),
        ("text, none", "text", 6),
        *[("text, rope", stage, n) for stage in ("start", "text") for n in (2, 6)],
    ]
    # 0.9 and 0.8: the interval leaves [0, 1], the drawn one does not
    best = drawn["text, rope", "text", 6]
    assert (round(best["accuracy"], 9), best["low"] > 0, best["high"]) == (0.85, True, 1.0)
    assert {round(p["accuracy"], 9) for p in image} == {0.65}
    (rule, _) = values_of(spec, "text")
    assert rule == [{"n_to": 4, "text": "trained up to 4"}]


def test_mechanism_is_drawn_by_arm_at_its_last_step() -> None:
    with empty_store() as store:
        add(store, [(run("a"), []), (run("b", arm="image-text"), [])])
        control = interchange(1, [9, 0, 0, 1, 0], patch="permuted")
        look(
            store,
            [
                (probe("p", run_id="a", step=5), [interchange(1, [1, 0, 0, 9, 0])]),
                (probe("q", run_id="a", step=10), [interchange(1, [2, 0, 0, 8, 0]), control]),
                (probe("r", run_id="b", step=5), [interchange(1, [0, 0, 0, 9, 1])]),
                (probe("s", lm="x", lm_hash="h"), [interchange(2, [0, 3, 4, 2, 1])]),
            ],
        )
        rows = store.analysis("binding-mechanism").to_pylist()
    spec = mechanism_chart(rows).to_dict()
    titles = [(panel["title"]["text"], panel["title"]["subtitle"]) for panel in spec["concat"]]
    told = "text context, 4 objects"
    assert titles == [("image-text", told), ("text", told), ("x", told)]
    rates = [
        {(p["outcome"], p["layer"]): p["rate"] for p in panel} for panel in values_of(spec, "line")
    ]
    assert rates == [
        {("positional", 1): 0, ("symbolic", 1): 0, ("reflexive", 1): 0, ("no effect", 1): 0.9},
        {("positional", 1): 0.2, ("symbolic", 1): 0, ("reflexive", 1): 0, ("no effect", 1): 0.8},
        {("positional", 2): 0, ("symbolic", 2): 0.3, ("reflexive", 2): 0.4, ("no effect", 2): 0.2},
    ]
