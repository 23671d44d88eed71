"""Golden numbers of what the served pages ask: two sides beside one another, one picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sql.golden import rows
from tests.xmodal.report import pages
from tests.xmodal.report.pages import EVIL
from tests.xmodal.store import world
from tests.xmodal.store.empty import empty_store
from xmodal.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """aaa1 and aaa2 of one condition, bbb1 of another; one hypernym, a Yes and a No."""
    with empty_store() as opened:
        pages.fill(opened, tmp_path)
        of = pages.manifest(design="random", ratio=1.0, seed=9)
        opened.add_manifest(of)
        yes = [(n, True) for n in range(1, 5)]
        world.run_folder(tmp_path / "runs", "aaa2", of, yes)
        nothing = world.manifest([(1, world.PARROT, world.BIRD, True, "seen")], design="none")
        opened.add_manifest(nothing)
        world.run_folder(tmp_path / "runs", "ccc1", nothing, [(1, True)])
        assert opened.sync(tmp_path / "runs").rejected == ()
        yield opened


def test_side_by_side(store: Store) -> None:
    # aaa1 right: F1 1 and 1; bbb1 always No: F1 of Yes 0, of No 2/(2+1), mean 1/3
    (row,) = rows(store, "side-by-side", a="aaa1", b="bbb1", single=True)
    assert (row["hypernym"], row["a_set"], row["b_set"]) == (EVIL, "held_out", "held_out")
    assert row["a_f1"] == pytest.approx(1, abs=1e-12)
    assert row["b_f1"] == pytest.approx(1 / 3, abs=1e-12)
    assert row["difference"] == pytest.approx(2 / 3, abs=1e-12)
    assert row["a_blind"] == row["b_blind"] == pytest.approx(1 / 3, abs=1e-12)
    assert (row["a_runs"], row["b_runs"]) == (1, 1)
    # with aaa2, always Yes and so 1/3, its condition has (1 + 1/3)/2
    for given in ("aaa1", "aaa2"):
        (row,) = rows(store, "side-by-side", a=given, b="bbb1")
        assert row["a_f1"] == pytest.approx(2 / 3, abs=1e-12)
        assert row["difference"] == pytest.approx(1 / 3, abs=1e-12)
        assert (row["a_runs"], row["b_runs"]) == (2, 1)
    (row,) = rows(store, "side-by-side", a="aaa1", b="aaa2", single=True)
    assert row["difference"] == pytest.approx(2 / 3, abs=1e-12)
    # one class only: no F1, no difference; the side stands with what it was asked
    (row,) = rows(store, "side-by-side", a="ccc1", b="bbb1")
    assert (row["a_set"], row["a_f1"], row["a_runs"], row["difference"]) == ("seen", None, 0, None)
    # a beginning is no id
    assert [r["a_f1"] for r in rows(store, "side-by-side", a="aaa", b="bbb1")] == [None]


def test_picture_answers(store: Store) -> None:
    found = rows(store, "picture-answers", dataset="d1", image=0)
    # example 1 asks about the hypernym, 3 and 4 about leaves; 2 is about another picture
    assert [(r["run_id"], r["example_id"]) for r in found if r["kind"] == "hypernym"] == [
        ("aaa1", 1), ("aaa2", 1), ("bbb1", 1), ("ccc1", 1)
    ]  # fmt: skip
    assert [r["concept"] for r in found if r["run_id"] == "aaa1"] == [EVIL, "ruby", "saw"]
    assert [r["is_right"] for r in found if r["run_id"] == "bbb1"] == [False, True, False]
    assert {r["leaf"] for r in found} == {"parrot"}
    assert all((r["margin"] > 0) == r["predicted"] for r in found)
    assert all(r["margin"] == r["logit_yes"] - r["logit_no"] for r in found)
    assert [r["example_id"] for r in rows(store, "picture-answers", dataset="d1", image=1)] == [
        2, 2, 2
    ]  # fmt: skip
    assert rows(store, "picture-answers", dataset="d2", image=0) == []
