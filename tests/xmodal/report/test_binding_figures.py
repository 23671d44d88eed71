"""Figures of steps, arms, factors and points, and which of them a store is drawn."""

from __future__ import annotations

from typing import Any

import pytest

from taxonomy.errors import ConfigError, StoreError
from tests.sql.binding_rows import add, answers, controlled, interchange, look, probe, run
from tests.xmodal.report.charts import drawn, panels, scale_of, titles
from tests.xmodal.store.empty import empty_store
from xmodal.report.binding_arms import arms_chart
from xmodal.report.binding_factors import factors_chart
from xmodal.report.binding_figures import charts
from xmodal.report.binding_predicts import correlation, predicts_chart
from xmodal.report.binding_steps import stepped, steps_chart
from xmodal.store import Store

STEP = {
    "condition": "c", "arm": "text", "start": "scratch", "lm": None, "context": "text",
    "vocabulary": "base", "n_objects": 4, "as_published": False, "n_layers": 2, "n_runs": 2,
    "patch": "counterfactual", "ends_stage": False, "reflexive_rate": 0.0,
}  # fmt: skip


def at(step: int, layer: int, positional: float, symbolic: float, **more: Any) -> dict[str, Any]:
    rates = {"positional_rate": positional, "symbolic_rate": symbolic, "is_peak": layer == 1}
    half = {"positional_low": positional - 0.3, "positional_high": positional + 0.3}
    half |= {"symbolic_low": None, "symbolic_high": None}
    return STEP | {"step": step, "layer": layer} | rates | half | more


def right(step: int, accuracy: float | None, **more: Any) -> dict[str, Any]:
    of = {"condition": "c", "vocabulary": "base", "step": step, "ends_stage": step > 0, "n_runs": 3}
    ends = {"out_low": None, "out_high": None, "out_objects": [6, 8]}
    return of | ends | {"out_accuracy": accuracy} | more


def test_a_block_has_a_panel_where_there_are_few() -> None:
    rows = [at(step, layer, 0.2 * layer, 0.1 * step) for step in (0, 5, 9) for layer in (0, 1, 2)]
    rows += [at(5, 1, 0.9, 0.9, patch="permuted"), at(5, 1, 0.9, 0.9, condition="once")]
    accuracy = [right(0, 0.1), right(5, 0.6, out_low=0.5, out_high=1.4), right(9, None)]
    accuracy.append(right(5, 0.3, condition="other"))
    spec = steps_chart(rows, accuracy).to_dict()
    ((first, second),) = panels(spec)
    told = (["text", "text context, 4 objects"], "2 runs looked at, black: 3 runs")
    assert titles(spec)[0][0] == told
    for panel, layer in ((first, 1), (second, 2)):
        lines = {(p["what"], p["step"]): p["value"] for p in drawn(spec, panel, "line")}
        assert lines == {
            **{("positional", step): 0.2 * layer for step in (0, 5, 9)},
            **{("symbolic", step): 0.1 * step for step in (0, 5, 9)},
            **{("reflexive", step): 0 for step in (0, 5, 9)},
            ("right beyond training", 0): 0.1,
            ("right beyond training", 5): 0.6,
        }
        rules = drawn(spec, panel, "rule")
        # where a stage ends, and the intervals
        assert rules[0] == {"step": 5}
        spans = [rule for rule in rules if "what" in rule]
        assert all(0 <= rule["low"] <= rule["value"] <= rule["high"] <= 1 for rule in spans)
        (black,) = [r for r in spans if (r["what"], r["step"]) == ("right beyond training", 5)]
        assert (black["low"], black["high"]) == (0.5, 1.0)
    rung = [
        [p["step"] for p in drawn(spec, panel, "point") if p["peak"]] for panel in (first, second)
    ]
    # dots and rings, of two answers each
    assert (len(rung[0]), rung[1]) == (12, [])


def test_of_many_blocks_the_peak_alone_is_shown_and_a_step_without_one_is_a_gap() -> None:
    rows = [
        at(step, layer, 0.0, 0.1 * layer, n_layers=6, n_objects=n, is_peak=layer == 6 and step != 5)
        for n in (4, 8)
        for step in (0, 5, 9)
        for layer in range(1, 7)
    ]
    spec = steps_chart(rows).to_dict()
    (row,) = panels(spec)
    assert [title for title, _ in titles(spec)[0]] == [
        ["text", "text context, 4 objects"],
        ["text", "text context, 8 objects"],
    ]
    for panel in row:
        lines = drawn(spec, panel, "line")
        symbolic = [(p["step"], p["value"]) for p in lines if p["what"] == "symbolic"]
        assert symbolic == [(0, 0.1 * 6), (5, None), (9, 0.1 * 6)]
        assert {p["step"] for p in drawn(spec, panel, "point")} == {0, 9}


def test_of_many_steps_marks_do_not_hide_the_lines() -> None:
    rows = [at(step, 1, 0.2, 0.1) for step in range(30)]
    spec = steps_chart(rows, [right(9, 0.4)]).to_dict()
    ((panel,),) = panels(spec)
    assert len(drawn(spec, panel, "line")) == 3 * 30 + 1
    assert [p["what"] for p in drawn(spec, panel, "point")] == ["right beyond training"]


def test_one_step_is_no_course() -> None:
    twice = [at(step, 1, 0.1, 0.1) for step in (5, 10)]
    once = [at(5, 1, 0.1, 0.1, n_objects=8), at(10, 1, 0.1, 0.1, context="image")]
    lm = at(5, 1, 0, 0) | {"step": None, "condition": None, "lm": "x"}
    assert stepped([*twice, *once, lm]) == twice


def arm(name: str, out: float | None, **more: Any) -> dict[str, Any]:
    row = {"condition": name, "arm": name, "start": "scratch", "vocabulary": "base", "n_to": 4}
    row |= {"in_accuracy": 1.0, "in_low": 0.9, "in_high": 1.1, "out_accuracy": out, "paper": None}
    row |= {"out_low": None, "out_high": None, "out_objects": [6, 8], "out_chance": 0.15}
    return row | {"n_runs": 1} | more


def test_arms_stand_beside_the_papers_numbers_and_guessing() -> None:
    rows = [
        arm("own", 0.5, in_accuracy=None),
        arm("noise-text", 0.4, paper=0.575, out_low=-0.2, out_high=0.8, n_runs=3),
        arm("text", 0.2, paper=0.372),
        arm("image-text", None, paper=0.695, out_objects=None, out_chance=None),
        arm("expanded", 0.3, vocabulary="expanded", out_objects=[9]),
    ]
    spec = arms_chart(rows).to_dict()
    assert titles(spec) == [
        ["trained with up to 4 objects, asked about 6 to 8"],
        ["trained with up to 4 objects, asked about 9, expanded vocabulary"],
    ]
    assert any("no target" in line for line in spec["title"]["subtitle"])
    (base,), _ = panels(spec)
    dots = {(p["arm"], p["what"]): p["value"] for p in drawn(spec, base, "point")}
    assert dots == {
        ("text (1 run)", "beyond training"): 0.2,
        ("text (1 run)", "within training"): 1.0,
        ("text (1 run)", "the paper, beyond training"): 0.372,
        ("noise-text (3 runs)", "beyond training"): 0.4,
        ("noise-text (3 runs)", "within training"): 1.0,
        ("noise-text (3 runs)", "the paper, beyond training"): 0.575,
        ("own (1 run)", "beyond training"): 0.5,
    }
    guess, *spans = drawn(spec, base, "rule")
    assert guess == {"chance": 0.15}
    ends = {(p["arm"], p["what"]): (p["low"], p["high"]) for p in spans}
    assert ends["noise-text (3 runs)", "beyond training"] == (0.0, 0.8)
    assert ends["text (1 run)", "within training"] == (0.9, 1.0)
    assert ends["text (1 run)", "beyond training"] == (0.2, 0.2)
    # marks of their own, in shape too
    assert len(set(scale_of(spec, "shape").values())) == 3
    order = base["layer"][1]["encoding"]["y"]["sort"]
    assert order == ["text (1 run)", "noise-text (3 runs)", "own (1 run)"]


def test_factors_are_drawn_about_zero() -> None:
    of = {"vocabulary": "base", "n_layers": 4, "width": 64, "n_from": 2, "n_to": 4, "n_steps": 9}
    of |= {"start": "scratch", "n_questions": 9, "out_objects": [6], "n_seeds": 2, "n_pairs": 4}
    noise = {"factor": "uses_noise", "level_a": "false", "level_b": "true"}
    place = {"factor": "position", "level_a": "rope", "level_b": "learned"}
    spans = {"difference": 0.25, "low": -0.5, "high": 1.75}
    alone = {"difference": -0.1, "low": None, "high": None, "n_seeds": 1, "n_pairs": 1}
    longer = of | noise | spans | {"n_steps": 20}
    spec = factors_chart([of | place | alone, of | noise | spans, of | noise | alone, longer])
    spec = spec.to_dict()
    told = "trained with 2 to 4 objects, asked about 6"
    assert titles(spec) == [[[told, "scratch, 9 steps"]], [[told, "scratch, 20 steps"]]]
    (panel,), _ = panels(spec)
    found = {p["effect"]: p for p in drawn(spec, panel, "point")}
    # two of one name and one panel differ in what has no column
    assert list(found) == ["with noise", "with noise [2]", "position: rope to learned"]
    first = found["with noise"]
    assert (first["low"], first["value"], first["high"]) == (-0.5, 0.25, 1.0)
    assert [p["n"] for p in found.values()] == ["4 pairs, 2 seeds", *2 * ["1 pair, 1 seed"]]
    last = found["position: rope to learned"]
    assert (last["low"], last["value"], last["high"]) == (-0.1, -0.1, -0.1)
    assert {"zero": 0} in drawn(spec, panel, "rule")


POINT = {
    "n_layers": 4, "n_to": 4, "context": "text", "vocabulary": "base", "as_published": False,
    "n_objects": 4, "out_objects": [6, 8],
}  # fmt: skip


def point(run_id: str, share: float | None, right: float | None, **more: Any) -> dict[str, Any]:
    of = {"run_id": run_id, "condition": run_id[0], "arm": run_id[0], "start": "scratch"}
    return POINT | of | {"symbolic_share": share, "out_accuracy": right, "is_last": True} | more


def predicted(**more: Any) -> dict[str, Any]:
    none = dict.fromkeys(("r", "low", "high", "within_r", "within_low", "within_high"))
    return POINT | none | {"n_runs": 3, "n_left_out": 0} | more


def test_points_are_runs_at_their_last_look() -> None:
    rows = [
        point("b1", 0.5, 0.4), point("a1", 1.0, 0.9), point("a2", 0.9, 0.8),
        point("a1", 0.1, 0.1, is_last=False), point("a3", None, 0.5), point("a4", 0.5, None),
        point("a1", 0.7, 0.9, n_objects=8),
    ]  # fmt: skip
    spec = predicts_chart(rows, [predicted(r=0.875, low=-0.25, high=0.99)]).to_dict()
    (four,), (eight,) = panels(spec)
    dots = [(p["run"], p["series"], p["share"], p["accuracy"]) for p in drawn(spec, four, "point")]
    assert dots == [("a1", "a", 1.0, 0.9), ("a2", "a", 0.9, 0.8), ("b1", "b", 0.5, 0.4)]
    assert [p["run"] for p in drawn(spec, eight, "point")] == ["a1"]
    (((_, said),), ((_, unsaid),)) = titles(spec)
    assert said == ["r = 0.88 (-0.25 to 0.99); 3 runs", ""]
    assert unsaid == ["no correlation of these runs", ""]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([predicted()], ["no r: one side is constant; 3 runs"]),
        ([predicted(n_runs=1)], ["no r: too few runs; 1 run"]),
        ([predicted(r=1.0)], ["r = 1.00; 3 runs"]),
        (
            [predicted(r=0.5, n_failed=2, within_r=0.25, within_low=0.0, within_high=0.5)],
            ["r = 0.50; 3 runs, 2 that fail there left out", "within arms r = 0.25 (0.00 to 0.50)"],
        ),
        ([predicted(r=0.5), predicted(r=0.1)], ["runs of several kinds: no one r"]),
    ],
)
def test_what_is_said_of_a_correlation(rows: list[dict[str, Any]], said: list[str]) -> None:
    assert correlation(rows) == said


PAPERS = {"n_layers": 12, "width": 128, "n_heads": 4, "n_to": 8}


def filled(store: Store) -> None:
    """Two seeds of two arms, one of them looked at at two steps."""
    made = []
    for seed in (0, 1):
        of = {"seed_init": seed, "seed_order": seed, **PAPERS}
        text = answers({4: 10, 12: 2 + seed}, n_to=8)
        made.append((run(f"t{seed}", **of), text))
        noise = run(f"n{seed}", arm="noise-text", uses_noise=True, **of)
        late = answers({4: 10, 12: 5 + seed}, n_to=8)
        made.append((noise, [*answers({4: 9, 12: 0}, step=5, n_to=8), *late]))
    add(store, made)
    looks = [[50, 30, 0, 20, 0], [20, 60, 0, 20, 0]]
    for n, counts in enumerate(looks, start=1):
        of_step = probe(f"p{n}", run_id="n0", step=5 * n)
        look(store, [(of_step, controlled(interchange(1, counts)))])


def test_every_figure_that_has_rows_is_drawn_by_its_name() -> None:
    with empty_store() as store:
        with pytest.raises(ConfigError, match=r"^unknown figure 'arm'; valid: arms"):
            charts(store, names=["arm"])
        with pytest.raises(ConfigError, match=r"^figure factors holds all runs against each other"):
            charts(store, runs=["t0"], names=["factors"])
        with pytest.raises(StoreError, match=r"^nothing of binding is in "):
            charts(store)
        filled(store)
        made = charts(store)
        assert list(made) == ["accuracy", "mechanism", "steps", "arms", "factors", "predicts"]
        # what holds all runs against each other is left out beside --run
        assert list(charts(store, runs=["t0"])) == ["accuracy", "arms"]
        message = "^nothing for figure steps is in .*: `xmodal binding train --set keep_every=100`"
        with pytest.raises(StoreError, match=message):
            charts(store, runs=["t0"], names=["steps"])
    spec = made["steps"].to_dict()
    ((panel,),) = panels(spec)
    lines = {(p["what"], p["step"]): p["value"] for p in drawn(spec, panel, "line")}
    # accuracy of both seeds, (0.5 + 0.6) / 2, beside the one that was looked at
    assert lines["right beyond training", 10] == pytest.approx(0.55)
    assert (lines["symbolic", 5], lines["symbolic", 10]) == (0.3, 0.6)
    assert titles(spec)[0][0][1] == "1 run looked at, black: 2 runs"
    arms = made["arms"].to_dict()
    ((panel,),) = panels(arms)
    papers = {p["arm"]: p["value"] for p in drawn(arms, panel, "point") if "paper" in p["what"]}
    assert papers == {"text (2 runs)": 0.372, "noise-text (2 runs)": 0.575}
