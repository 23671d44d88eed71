"""The whole release, where it is at hand: every number that the audit's page rests on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shared_data import needs_shared, shared
from xmodal.released import Imported, read_s1
from xmodal.released.audit import Audit, audit
from xmodal.released.page import page_text
from xmodal.store import Store
from xmodal.store.findings import replace_release

pytestmark = needs_shared
PAGE = Path(__file__).parents[3] / "docs" / "s1-audit.md"

# Held-out macro-F1 in percent, as recomputed from the release: random 10, 30, 50, 70, 90, 100,
# then systematic 10, 20, 30, 40
TABLE = {
    ("Qwen3-0.6B", "pretrained", "none"): ("90.0 87.5 84.7 80.7 76.9 74.1 73.2 65.3 70.1 69.0",),
    ("Qwen3-0.6B", "random", "none"): ("84.9 76.3 68.0 57.9 49.4 45.2 54.5 49.6 48.8 45.0",),
    ("Qwen3-1.7B", "pretrained", "none"): ("89.7 89.2 87.1 79.3 81.4 74.6 73.7 67.7 68.2 65.9",),
    ("Qwen3-1.7B", "random", "none"): ("85.6 78.5 68.2 57.5 49.5 45.3 58.4 50.0 50.1 44.7",),
    ("Qwen3-0.6B", "pretrained", "within"): ("89.8 86.8 83.7 83.6 79.5 73.7 73.7 65.5 64.5 63.2",),
    ("Qwen3-0.6B", "pretrained", "across_s1"): (
        "46.6 48.1 48.3 46.9 48.3 46.4 42.9 40.5 41.5 39.7",
    ),
}
CONDITIONS = [("random", n) for n in (10, 30, 50, 70, 90, 100)]
CONDITIONS += [("systematic", n) for n in (10, 20, 30, 40)]


@pytest.fixture(scope="module")
def imported() -> Imported:
    return read_s1(shared("s1"))


@pytest.fixture(scope="module")
def found(imported: Imported) -> Audit:
    return audit(imported.release)


@pytest.fixture(scope="module")
def store(imported: Imported) -> Store:
    store = Store.in_memory()
    replace_release(store, imported.release)
    return store


@pytest.mark.parametrize("model", TABLE)
def test_published_means(store: Store, model: tuple[str, str, str]) -> None:
    rows = store.query(
        "SELECT design, coalesce(n_held_out_hypernyms, round(100 * ratio)) AS n, "
        "100 * avg(macro_f1_s1) AS f1, count(*) AS n_cells FROM released_score "
        "JOIN released_run USING (run_id) WHERE question_set = 'held_out_s1' AND lm = $lm "
        "AND lm_init = $lm_init AND shuffle = $shuffle GROUP BY ALL",
        dict(zip(("lm", "lm_init", "shuffle"), model, strict=True)),
    ).to_pylist()
    assert {row["n_cells"] for row in rows} == {159}
    got = {(row["design"], int(row["n"])): row["f1"] for row in rows}
    want = [float(text) for text in TABLE[model][0].split()]
    assert [got[key] for key in CONDITIONS] == pytest.approx(want, abs=0.0501)


def test_coherence_means(store: Store) -> None:
    rows = store.query(
        "SELECT shuffle, avg(coherence) AS mean, count(*) AS n FROM coherence GROUP BY ALL"
    ).to_pylist()
    got = {row["shuffle"]: row["mean"] for row in rows}
    assert {row["n"] for row in rows} == {53}
    assert got == pytest.approx({"none": 0.274, "within": 0.269, "across_s1": 0.119}, abs=5.1e-4)


def test_probe_means(store: Store) -> None:
    rows = store.query(
        "SELECT lm, 100 * avg(macro_f1) AS f1 FROM released_probe GROUP BY ALL"
    ).to_pylist()
    got = {row["lm"]: row["f1"] for row in rows}
    assert got == pytest.approx({"Qwen3-0.6B": 77.7, "Qwen3-1.7B": 85.9}, abs=0.0501)


def test_blind_guess_means(store: Store) -> None:
    rows = store.query(
        "SELECT question_set, 100 * avg(blind_f1_s1) AS f1 FROM released_score "
        "JOIN released_run USING (run_id) "
        "WHERE shuffle = 'none' AND ratio = 1 GROUP BY ALL"
    ).to_pylist()
    got = {row["question_set"]: row["f1"] for row in rows}
    assert got == pytest.approx({"held_out_s1": 39.2, "leaf": 38.9}, abs=0.0501)


def test_realised_ratios(found: Audit) -> None:
    rows = {row.nominal_ratio: row for row in found.realised if row.shuffle == "none"}
    got = [100 * rows[ratio].realised_ratio for ratio in (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)]
    assert got == pytest.approx([17.5, 48.2, 70.0, 85.4, 95.9, 100.0], abs=0.0501)
    assert rows[1.0].n_questions == 15702


def test_systematic_numbers(found: Audit) -> None:
    rows = {
        (row.lm, row.n_categories): row
        for row in found.systematic
        if (row.lm_init, row.shuffle) == ("pretrained", "none")
    }
    small, large = rows["Qwen3-0.6B", 10], rows["Qwen3-1.7B", 10]
    assert (small.n_about_ablated, small.n_questions) == (2076, 5608)
    assert 100 * small.f1_ablated == pytest.approx(47.2, abs=0.0501)
    assert 100 * large.f1_ablated == pytest.approx(43.6, abs=0.0501)
    assert 100 * small.f1_reported == pytest.approx(73.2, abs=0.0501)
    assert 100 * large.f1_reported == pytest.approx(73.7, abs=0.0501)
    assert small.blind_ablated is not None
    assert 100 * small.blind_ablated == pytest.approx(41.2, abs=0.0501)
    both = (small.f1_ablated_when_all_are, large.f1_ablated_when_all_are)
    assert [100 * value for value in both if value] == pytest.approx([70.4, 67.0], abs=0.0501)


def test_ablated_categories_explain_every_one_class_cell(imported: Imported) -> None:
    """Seen questions have one answer for 12, 20, 32, 41 hypernyms: the ablated ones among them."""
    seen: dict[float, set[str]] = {}
    whole: dict[float, set[str]] = {}
    ratios = {run.run_id: run.ratio for run in imported.release.runs if run.design == "systematic"}
    for row in imported.release.scores.to_pylist():
        ratio = ratios.get(row["run_id"])
        if ratio is None:
            continue
        if row["question_set"] == "seen_s1" and row["blind_f1_s1"] == 1.0:
            seen.setdefault(ratio, set()).add(row["concept"])
        if row["whole"]:
            whole.setdefault(ratio, set()).add(row["concept"])
    ratios_ = sorted(seen)
    assert [len(whole[r]) for r in ratios_] == [10, 20, 30, 40]
    assert [len(seen[r]) for r in ratios_] == [12, 20, 32, 41]
    assert all(whole[r] <= seen[r] for r in ratios_)


def test_every_hypernym_has_its_name(imported: Imported) -> None:
    rows = imported.release.hypernyms.to_pylist()
    assert len(rows) == 53
    renamed = [row for row in rows if row["released_as"] != row["hypernym"]]
    assert len(renamed) == 12
    assert len(imported.release.runs) == 240
    assert imported.n_duplicates == 0
    assert imported.missing == imported.skipped == imported.extra == []


def test_the_committed_page_is_what_the_data_say(found: Audit) -> None:
    assert PAGE.read_text(encoding="utf-8") == page_text(found)
