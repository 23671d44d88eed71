"""Figures of runs: what they draw, choose, name and write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import altair as alt
import pytest

from taxonomy.errors import ConfigError, StoreError
from tests.xmodal.report import plotted
from tests.xmodal.store import world
from tests.xmodal.store.empty import empty_store
from xmodal.report.plots import FIGURES, figure, files
from xmodal.report.plots.files import captioned, draw
from xmodal.report.plots.series import named
from xmodal.report.style import COLUMN, FORMATS, packed, page, printed, spec_of
from xmodal.store import Store
from xmodal.store.analyses import Analysis


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """For tests that only read."""
    with Store.in_memory() as opened:
        plotted.fill(opened)
        yield opened


@pytest.fixture
def changed() -> Iterator[Store]:
    """The same, for tests that change it."""
    with empty_store() as opened:
        plotted.fill(opened)
        yield opened


def spec_of_figure(store: Store, name: str, **chosen: Any) -> dict[str, Any]:
    return spec_of(figure(store, name, **chosen).chart)


def layers(spec: Any, mark: str) -> list[Any]:
    """Of all panels, the layers of a mark."""
    found = [one for key in ("concat", "layer") for part in spec.get(key, ())
             for one in layers({"data": spec.get("data")} | part, mark)]  # fmt: skip
    return found + ([spec] if spec.get("mark", {}).get("type") == mark else [])


def drawn(spec: Any, mark: str) -> list[dict[str, Any]]:
    """The rows of all layers of a mark, each once."""
    names = {layer["data"]["name"] for layer in layers(spec, mark)}
    return [row for name in sorted(names) for row in spec["datasets"][name]]


def test_every_figure_draws_its_rows_and_says_what_they_are(store: Store) -> None:
    n_rows = {}
    for name in FIGURES:
        made = figure(store, name)
        spec = spec_of(printed(captioned(made)))
        assert spec["title"]["text"] == made.title
        assert " ".join(spec["title"]["subtitle"]) == made.caption
        assert len(json.dumps(spec)) > 500
        n_rows[name] = made.n_rows
    assert n_rows == {
        # held-out questions: two own conditions, two released
        "ablation": 4,
        # the released ones alone have a shuffle
        "shuffles": 2,
        # bird and gem; bird twice
        "coherence": 4,
        # two conditions of two hypernyms, two of one
        "categories": 6,
        # own ones by distance, as WordNet's edges have it; by depth bird of a released one
        "depth": 5,
        # one manifest, three hypernyms
        "exposure": 3,
        # released alone have a probe
        "agreement": 1,
        # two steps of three runs
        "learning": 6,
        # two by two
        "confusion": 4,
    }


def test_ablation_draws_points_intervals_runs_and_guessing(store: Store) -> None:
    spec = spec_of_figure(store, "ablation")
    titles = [panel["title"] for panel in spec["concat"]]
    assert titles == ["bundle, random ablation", "Qwen3-0.6B (released), random ablation"]
    points = {(r["lm"], r["series"]): r for r in drawn(spec, "line")}
    own = points["bundle", "pretrained"]
    assert (own["macro_f1"], own["low"], own["high"], own["ratio_test"]) == (0.75, 0.25, 0.9, 4 / 6)
    assert points["bundle", "random weights"]["low"] is None
    assert {r["series"] for lm, r in ((k[0], r) for k, r in points.items()) if lm != "bundle"} == {
        "true labels",
        "shuffled across (S1)",
    }
    # bars where there is an interval, in the same colour as the points
    (rule, _) = layers(spec, "rule")
    assert rule["transform"] == [{"filter": "datum.low !== null"}]
    assert (
        rule["encoding"]["color"]["scale"] == layers(spec, "line")[1]["encoding"]["color"]["scale"]
    )
    scale = rule["encoding"]["color"]["scale"]
    assert len(set(scale["range"])) == len(scale["domain"]) == 4
    assert "Bars: 95 % bootstrap intervals (leaves and seeds drawn again) of 1 of 4 points" in (
        figure(store, "ablation").caption
    )


def test_without_an_interval_the_single_runs_are_drawn(store: Store, changed: Store) -> None:
    made = figure(store, "ablation", where={"source": "own"})
    assert [r for r in drawn(spec_of(made.chart), "point") if "run_id" in r] == []
    with changed.transaction():
        changed.execute("DELETE FROM stat", {})
    made = figure(changed, "ablation", where={"source": "own"})
    single = [r for r in drawn(spec_of(made.chart), "point") if "run_id" in r]
    assert [(r["run_id"], r["macro_f1"]) for r in single] == [("a", 1.0), ("b", 0.5)]
    assert "Small dots: single runs; no interval is stored" in made.caption
    assert made.caption.endswith("3 runs over 2 hypernyms. Chosen: source own.")


def test_points_at_one_place_stand_side_by_side(store: Store) -> None:
    spec = spec_of_figure(store, "ablation", where={"source": "own"})
    at = {r["series"]: (r["x"], r["ratio_test"]) for r in drawn(spec, "line") if "x" in r}
    assert at["pretrained"] == (pytest.approx(4 / 6 - 0.01), 4 / 6)
    assert at["random weights"] == (pytest.approx(4 / 6 + 0.01), 4 / 6)


def test_chosen_runs_and_columns(store: Store) -> None:
    (point,) = drawn(spec_of_figure(store, "ablation", runs=["b"]), "line")
    assert (point["macro_f1"], point["run_ids"], point["low"]) == (0.5, "b", None)
    seen = spec_of_figure(store, "ablation", where={"question_set": "seen", "lm_init": "random"})
    assert [r["macro_f1"] for r in drawn(seen, "line")] == [1.0]
    assert figure(store, "learning", runs=["r"]).n_rows == 2
    assert figure(store, "exposure", runs=["a", "b"]).n_rows == 3


def test_a_number_is_chosen_as_it_is_shown(changed: Store) -> None:
    with changed.transaction():
        changed.execute("UPDATE released_run SET ratio = 10 / 53", {})
    # six digits
    assert figure(changed, "ablation", where={"ratio": "0.188679"}).n_rows == 2


REFUSED: list[tuple[str, Any, type[Exception], str]] = [
    ("ablations", {}, ConfigError, r"^unknown figure 'ablations'; valid: ablation"),
    (
        "ablation",
        {"where": {"ratios": "1"}},
        ConfigError,
        "^unknown column 'ratios'; valid",
    ),
    ("ablation", {"where": {"run_ids": "a"}}, ConfigError, "^unknown column 'run_ids'; valid"),
    (
        *("ablation", {"where": {"source": "own", "ratio": "2"}}, ConfigError),
        r"^no row has ratio=2 \(with source=own\): unknown value '2'; valid: 0\.5$",
    ),
    (
        "agreement",
        {"runs": ["a"]},
        StoreError,
        "or no run.s LM was asked yes-no",
    ),
    ("ablation", {"runs": ["x"]}, StoreError, "^unknown run 'x'; valid: "),
    (
        "learning",
        {"runs": ["s-none"]},
        StoreError,
        "^nothing to draw: nothing of run s-",
    ),
    ("confusion", {"runs": ["s-none"]}, StoreError, "^nothing to draw: nothing of run s-none"),
]


def test_what_cannot_be_drawn_is_said(store: Store) -> None:
    for name, chosen, kind, message in REFUSED:
        with pytest.raises(kind, match=message):
            figure(store, name, **chosen)


def test_a_list_refuses_a_column_that_no_figure_has(store: Store, monkeypatch: Any) -> None:
    some = {name: FIGURES[name] for name in ("exposure", "learning")}
    monkeypatch.setattr(files, "FIGURES", some)
    assert files.counted(store, (), {"name": "train_loss"}) == [0, 6]
    with pytest.raises(ConfigError, match=r"^unknown column 'no'; valid: "):
        files.counted(store, (), {"no": "1"})


def test_an_empty_store_says_what_fills_it() -> None:
    with empty_store() as empty:
        for name in FIGURES:
            with pytest.raises(StoreError, match=r"^nothing to draw: .*`xmodal "):
                figure(empty, name)
        with pytest.raises(StoreError) as caught:
            figure(empty, "ablation", where={"no": "matter"})
        assert str(caught.value) == f"nothing to draw: {Analysis.load('score-points').empty}"


def test_the_confusion_drawn_is_named(store: Store) -> None:
    made = figure(store, "confusion")
    cells = {
        (r["true_hypernym"], r["asked_hypernym"]): r["yes_rate"]
        for r in drawn(spec_of(made.chart), "rect")
    }
    assert cells["bird", "gem"] == 0.5
    assert "lm bundle, lm init pretrained, shuffle none, design random, ratio 0.5" in made.caption
    assert "Of 2 conditions, this is the first" in made.caption


def row(**changes: Any) -> dict[str, Any]:
    usual = {
        "source": "own", "dataset": "d", "relation": "hypernym", "lm": "m", "encoder": "e",
        "lm_init": "pretrained", "shuffle": "none", "recipe": "r", "prompt": "p",
        "design": "random",
        "unit": "pair", "ratio": 1.0, "n_held_out_hypernyms": None, "mentions": "m",
        "negatives": "n", "question_set": "held_out", "run_ids": ["a"], "hidden_settings": "one",
    }  # fmt: skip
    return usual | changes


def test_series_say_what_tells_them_apart() -> None:
    def names(*rows: dict[str, Any], apart_from: tuple[str, ...] = ()) -> list[str]:
        return [one["series"] for one in named(list(rows), apart_from=apart_from)]

    assert names(row()) == ["pretrained"]
    assert names(row(), row(lm_init="random")) == ["pretrained", "random weights"]
    assert names(row(), row(shuffle="within"), row(lm_init="random", shuffle="within")) == [
        *("pretrained", "shuffled within", "shuffled within, random weights")
    ]
    assert names(row(), row(ratio=0.5)) == ["ratio 0.5", "ratio 1"]
    assert names(row(), row(lm="n")) == ["m", "n"]
    assert names(row(), row(lm="n"), apart_from=("source", "lm", "dataset")) == ["pretrained"] * 2
    assert names(row(), row(source="s1")) == ["m", "m (released)"]
    # other weights or another recipe under the same names: never one line
    other = {"hidden_settings": "other", "run_ids": ["b"]}
    assert names(row(), row(**other)) == ["pretrained", "pretrained (2)"]
    # a line goes through the points of one recipe, however their runs' ids are ordered
    points = named(
        [row(), row(**other), row(ratio=0.5, hidden_settings="other", run_ids=["c"])],
        apart_from=("ratio",),
    )
    lines = {(one["series"], one["hidden_settings"]) for one in points}
    assert len(lines) == 2


def test_figures_are_as_wide_as_columns(store: Store) -> None:
    made = figure(store, "ablation", where={"source": "own"})
    svg = FORMATS["svg"](spec_of(printed(captioned(made)))).decode()
    width = int(svg.split('width="', 1)[1].split('"')[0])
    assert 0.9 * COLUMN < width <= 1.05 * COLUMN


def test_names_stay_names() -> None:
    evil = "</script><script>alert(1)</script><img src=x>"
    chart = alt.Chart(packed([{"name": evil, "n": 1}])).mark_point().encode(x="n:Q", y="name:N")
    spec = spec_of(printed(chart))
    assert spec["datasets"].popitem()[1] == [{"name": evil, "n": 1}]
    for made in (page(spec_of(chart), "script"), FORMATS["svg"](spec_of(chart)).decode()):
        assert "alert(1)" in made
        assert "<img" not in made
        assert "<script>alert" not in made


def test_where_files_go(tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    with Store.open(path) as opened:
        opened.add_taxonomy(world.taxonomy())
        opened.add_manifest(world.manifest(plotted.QUESTIONS, ratio=0.5))

    def made(**chosen: Any) -> list[str]:
        paths = draw(path, "exposure", where={}, **chosen)
        assert all(one.stat().st_size > 500 for one in paths)
        return [str(one.relative_to(tmp_path)) for one in paths]

    assert made() == ["exposure.png", "exposure.svg", "exposure.pdf"]
    assert (tmp_path / "exposure.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "exposure.pdf").read_bytes().startswith(b"%PDF")
    assert made(output=tmp_path / "a" / "b", formats=("json", "json")) == ["a/b/exposure.json"]
    assert json.loads((tmp_path / "a/b/exposure.json").read_text())["title"]["text"]
    assert made(output=tmp_path / "my.v2.SVG", caption=False) == ["my.v2.svg"]
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        *("a", "exposure.pdf", "exposure.png", "exposure.svg", "my.v2.svg", "s.duckdb")
    ]
    for output, formats, message in (
        ("x.gif", (), "unknown format 'gif'"),
        ("x.png", ("svg",), "is one file: leave --format out"),
        ("x", ("tiff",), "unknown format 'tiff'"),
    ):
        with pytest.raises(ConfigError, match=message):
            made(output=tmp_path / output, formats=formats)
