"""The audit on committed rows of the release, and its arithmetic on made-up ones."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxonomy.errors import ConfigError, DataError
from tests.xmodal.released.release import FIXTURE
from xmodal.released import read_s1
from xmodal.released.audit import Audit, Score, Systematic, audit
from xmodal.released.audit_text import render
from xmodal.released.cells import Cell, always_no
from xmodal.released.interval import half_width, t_quantile
from xmodal.released.page import write_audit


@pytest.fixture(scope="module")
def found() -> Audit:
    return audit(read_s1(FIXTURE).release)


def one_systematic(found: Audit, lm: str, lm_init: str) -> Systematic:
    (row,) = (row for row in found.systematic if (row.lm, row.lm_init) == (lm, lm_init))
    return row


def one_score(found: Audit, lm_init: str, design: str, n: int) -> Score:
    wanted = ("Qwen3-0.6B", lm_init, "none", design, n)
    (row,) = (
        row
        for row in found.scores
        if (row.lm, row.lm_init, row.shuffle, row.design, row.n) == wanted
    )
    return row


def test_realised_ratio(found: Audit) -> None:
    rows = {row.nominal_ratio: row for row in found.realised if row.shuffle == "none"}
    # all_unseen_counts.csv, abl10: 144+38+77+89+40+29+58+57 = 532
    # 100 %: 829+277+519+503+263+207+277+421 = 3296
    assert (rows[0.1].n_held_out, rows[0.1].n_questions) == (532, 3296)
    assert rows[0.1].realised_ratio == pytest.approx(532 / 3296, abs=1e-12)
    # abl50: 606+183+331+361+153+148+212+249 = 2243
    assert rows[0.5].realised_ratio == pytest.approx(2243 / 3296, abs=1e-12)
    assert rows[1.0].realised_ratio == 1.0


def test_systematic_set(found: Audit) -> None:
    row = one_systematic(found, "Qwen3-0.6B", "pretrained")
    # 151+55+406+407+45+117+162+48 = 1391, of which container, clothing, sea animal 406+407+162
    assert (row.n_about_ablated, row.n_questions) == (975, 1391)
    # three categories, three seeds, as in test_read_s1
    assert row.f1_ablated == pytest.approx(4.529749 / 9, abs=1e-6)
    assert row.blind_ablated == pytest.approx((0.471354 + 0.479540 + 0.404412) / 3, abs=1e-6)
    # at 100 %: (.719365+.392337+.828206 + .855284+.677550+.734878 + .870461+.754032+.499808)/9
    assert row.f1_ablated_when_all_are == pytest.approx(6.331921 / 9, abs=1e-6)
    assert row.n_no_only == 113 + 96 + 115  # all_seen_counts.csv
    assert row.contained == ("women's clothing",)
    # trained hypernyms with both answers: animal and women's clothing
    # (.824009+.629076 + .851961+.448341 + .928311+.588028) / 6
    assert row.f1_others == pytest.approx(4.269726 / 6, abs=1e-6)


def test_always_no(found: Audit) -> None:
    row = one_systematic(found, "Qwen3-0.6B", "random")
    # container: 406 questions, blind .471354 -> commoner 406*.471354/.528646 = 362, other 44;
    #   at 100 % 519, .410897 -> 362 and 157. Shared: 362 Yes, so 44 No: 44/(88+362) = .097778
    # clothing: 407, .479540 -> 375, 32; at 100 % 503, .427107 -> 375, 128: 32/(64+375) = .072893
    # sea animal: 162, .404412 -> 110, 52; at 100 % 277, .376126 -> 167, 110: 52/214 = .242991
    assert row.always_no == pytest.approx((44 / 450 + 32 / 439 + 52 / 214) / 3, abs=1e-12)
    # at 100 %: 157/(314+362), 128/(256+375), 167/(334+110)
    assert row.always_no_when_all_are == pytest.approx(
        (157 / 676 + 128 / 631 + 167 / 444) / 3, abs=1e-12
    )
    # seeds 218 and 7 have exactly .072893 and .242991; seed 42 has none of the three
    assert (row.n_cells_always_no, row.n_cells_ablated) == (4, 9)


def test_single_class_cells(found: Audit) -> None:
    rows = {(row.question_set, row.design, row.n): row for row in found.single_class}
    held_out = rows["held_out_s1", "systematic", 10]
    assert (held_out.n_single_class, held_out.n_hypernyms) == (3, 8)  # bird, musical, vehicle
    assert rows["seen_s1", "systematic", 10].n_single_class == 4
    assert rows["held_out_s1", "random", 50].n_single_class == 0
    # (.421456+.471354+.479540+.360656+.404412) / 5, and with three ones (2.137418+3) / 8
    assert held_out.blind_without == pytest.approx(2.137418 / 5, abs=1e-6)
    assert held_out.blind_published == pytest.approx(5.137418 / 8, abs=1e-6)


def test_published_mean_and_seen(found: Audit) -> None:
    row = one_score(found, "pretrained", "systematic", 10)
    both = [r for r in found.systematic if (r.lm, r.lm_init) == (row.lm, row.lm_init)]
    assert row.f1 == both[0].f1_reported
    assert row.realised_ratio == pytest.approx(1391 / 3296, abs=1e-12)
    assert row.n_seeds == 3
    # two-class cells: 3 x 5; ablated 4.529749 and others 4.269726
    assert row.f1_two_class == pytest.approx((4.529749 + 4.269726) / 15, abs=1e-6)
    assert one_score(found, "pretrained", "random", 100).f1_seen is None


def test_adjusted_is_the_mean_over_two_class_cells(found: Audit) -> None:
    release = read_s1(FIXTURE).release
    runs = {
        run.run_id
        for run in release.runs
        if (run.lm, run.lm_init, run.design) == ("Qwen3-0.6B", "random", "systematic")
    }
    values = [
        (row["macro_f1_s1"] - row["blind_f1_s1"]) / (1 - row["blind_f1_s1"])
        for row in release.scores.to_pylist()
        if row["run_id"] in runs
        and row["question_set"] == "held_out_s1"
        and row["blind_f1_s1"] < 1.0
    ]
    assert len(values) == 15
    row = one_score(found, "random", "systematic", 10)
    assert row.adjusted == pytest.approx(mean(values), abs=1e-12)
    assert row.adjusted is not None
    assert row.adjusted < 0  # worse than the better constant answer


def test_intervals_over_cells_and_over_hypernyms(found: Audit) -> None:
    release = read_s1(FIXTURE).release
    runs = {
        run.run_id
        for run in release.runs
        if (run.lm, run.lm_init, run.design) == ("Qwen3-0.6B", "random", "systematic")
    }
    cells: dict[str, list[float]] = {}
    for row in release.scores.to_pylist():
        if row["run_id"] in runs and row["question_set"] == "held_out_s1":
            cells.setdefault(row["concept"], []).append(row["macro_f1_s1"])
    every = [value for values in cells.values() for value in values]
    means = [mean(values) for values in cells.values()]
    assert (len(every), len(means)) == (24, 8)
    row = one_score(found, "random", "systematic", 10)
    # t(0.975, 23) = 2.0687, t(0.975, 7) = 2.3646
    assert row.half_width_cells == pytest.approx(2.0687 * stdev(every) / 24**0.5, rel=1e-4)
    assert row.half_width_hypernyms == pytest.approx(2.3646 * stdev(means) / 8**0.5, rel=1e-4)


def test_leaves(found: Audit) -> None:
    rows = {row.shuffle: row for row in found.leaves}
    assert (rows["none"].n_leaves, rows["none"].without_count) == (5, ("scissors",))
    assert rows["none"].n_single_class == 1  # airplane
    assert rows["across_s1"].n_single_class == 0


@pytest.mark.parametrize(
    ("df", "quantile"),  # printed tables of Student's t, 97.5 %
    [(1, 12.706), (2, 4.303), (5, 2.571), (9, 2.262), (30, 2.042), (52, 2.007), (158, 1.975)],
)
def test_t_quantile(df: int, quantile: float) -> None:
    assert t_quantile(0.975, df) == pytest.approx(quantile, abs=6e-4)


def test_half_width() -> None:
    # 1, 2, 3: s = 1, t(0.975, 2) = 4.3027: 4.3027 / sqrt(3) = 2.4841
    assert half_width([1.0, 2.0, 3.0]) == pytest.approx(2.4841, abs=1e-4)
    assert math.isnan(half_width([1.0]))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_repeating_values_narrows_the_interval(values: Sequence[float]) -> None:
    """Each seed three times over, as if independent: what the published intervals do."""
    n = len(values)
    wide, narrow = half_width(values), half_width([value for value in values for _ in range(3)])
    if stdev(values) > 1e-9:
        ratio = math.sqrt((3 * n - 1) / (n - 1)) * t_quantile(0.975, n - 1)
        assert wide / narrow == pytest.approx(ratio / t_quantile(0.975, 3 * n - 1), rel=1e-6)


@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 400))
def test_always_no_finds_the_number_of_yes(n_yes: int, n_no: int, n_more: int) -> None:
    def cell(no: int) -> Cell:
        n = n_yes + no
        blind = max(n_yes, no) / (n + max(n_yes, no))
        return Cell("run", "bird", 0.5, blind, n, True)

    part, whole = always_no(cell(n_no), cell(n_no + n_more))
    assert part == pytest.approx(n_no / (2 * n_no + n_yes), abs=1e-12)
    all_no = n_no + n_more
    assert whole == pytest.approx(all_no / (2 * all_no + n_yes), abs=1e-12)


def test_json_has_every_row_as_fractions(found: Audit) -> None:
    said = json.loads(render(found, "json"))
    assert said["n_runs"] == 30
    assert said["realised"][-1]["realised_ratio"] == 1.0
    assert len(said["scores"]) == len(found.scores)


def test_markdown_and_table_have_the_numbers(found: Audit) -> None:
    for fmt in ("markdown", "table"):
        text = render(found, fmt)
        assert "1,391" in text
        assert "50.3" in text  # 4.529749 / 9
        assert "4 of 9" in text


def test_the_page_needs_its_folder_and_a_known_suffix(found: Audit, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist; make it first"):
        write_audit(found, None, tmp_path / "none" / "a.md")
    with pytest.raises(ConfigError, match=r"must end in \.md, \.json or \.txt"):
        write_audit(found, None, tmp_path / "a.html")
    with pytest.raises(ConfigError, match="format must be one of table, json, markdown"):
        write_audit(found, "csv")
    assert list(tmp_path.iterdir()) == []


def test_the_page_has_its_figures(found: Audit, tmp_path: Path) -> None:
    said = write_audit(found, None, tmp_path / "a.md")
    assert said == f"wrote {tmp_path / 'a.md'} and 3 figures"
    page = (tmp_path / "a.md").read_text()
    figures = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert len(figures) == 3
    for name in figures:
        assert f"](figures/{name})" in page
        assert (tmp_path / "figures" / name).read_text().startswith("<svg")
    assert all(
        len(line) <= 100 for line in page.splitlines() if not line.startswith(("|", "!", "#"))
    )
