"""Ranks against a plain loop, with ties; which pictures and classes each task asks about."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from taxonomy.errors import DataError
from xmodal.align import ranking
from xmodal.align.projection import unit_rows
from xmodal.align.ranking import ANSWER, Items, answers, by_class, caption_tasks, rank
from xmodal.align.ranking import zero_shot_tasks as tasks
from xmodal.store import Store

SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)
GRID = [(0, 0), (1, 0), (0, 1), (1, 1), (-1, 1), (1, -1)]
vectors = st.lists(st.sampled_from(GRID), min_size=1, max_size=9)


def items(rows: Any, classes: list[int] | None = None, first: int = 100) -> Items:
    made = unit_rows(torch.as_tensor(rows, dtype=torch.float32))
    return Items(
        ids=torch.arange(first, first + len(made)),
        vectors=made,
        classes=None if classes is None else torch.tensor(classes),
    )


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Items, Items, tuple[Tensor, Tensor]]:
    """Queries, candidates and pairs: from a grid so small that there are ties."""
    queries, candidates = items(draw(vectors)), items(draw(vectors), first=500)
    candidate = st.integers(0, len(candidates) - 1)
    pairs = [
        (q, c)
        for q in range(len(queries))
        for c in draw(st.lists(candidate, min_size=1, max_size=3))
    ]
    pairs = draw(st.permutations(pairs))
    return (
        queries,
        candidates,
        (torch.tensor([p[0] for p in pairs]), torch.tensor([p[1] for p in pairs])),
    )


def cosine(a: Tensor, b: Tensor) -> float:
    """The exact sum, rounded once."""
    return float(np.float32(math.fsum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))))


def plain(
    queries: Items, candidates: Items, right: tuple[Tensor, Tensor]
) -> list[tuple[int, int, int, float, float]]:
    """Rank, number of right ones, row of the first, both cosines; one query at a time."""
    goes = {(int(q), int(c)) for q, c in zip(*right, strict=True)}
    found = []
    for q, query in enumerate(queries.vectors):
        near = [cosine(query, one) for one in candidates.vectors]
        good = [c for c in range(len(near)) if (q, c) in goes]
        bad = [c for c in range(len(near)) if (q, c) not in goes]
        best = max(near[c] for c in good)
        place = 1
        for c in bad:
            place += near[c] >= best
        # right ones only where no wrong one is as near
        standing = [c for c in (good if place == 1 else bad) if near[c] >= best]
        top = max(near[c] for c in standing)
        first = next(c for c in standing if near[c] == top)
        found.append((place, len(good), first, best, top))
    return found


def columns(found: ranking.Ranked) -> list[tuple[int, int, int, float, float]]:
    each = (found.rank, found.n_right, found.first, found.cosine_right, found.cosine_first)
    return list(zip(*(one.tolist() for one in each), strict=True))


@SETTINGS
@given(worlds(), st.integers(1, 10))
def test_ranks_are_those_of_a_plain_loop(
    world: tuple[Items, Items, tuple[Tensor, Tensor]], rows: int
) -> None:
    found = columns(rank(*world, rows=rows))
    assert found == plain(*world)
    assert found == columns(rank(*world))


@SETTINGS
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_candidates_changes_no_rank(
    world: tuple[Items, Items, tuple[Tensor, Tensor]], random: Any
) -> None:
    queries, candidates, (query, candidate) = world
    order = list(range(len(candidates)))
    random.shuffle(order)
    moved = torch.tensor([order.index(c) for c in candidate.tolist()])
    found = rank(queries, candidates.take(torch.tensor(order)), (query, moved))
    want = rank(*world)
    for name in ("rank", "n_right", "cosine_right", "cosine_first"):
        assert getattr(found, name).tolist() == getattr(want, name).tolist()


def test_how_many_are_taken_at_a_time_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = torch.Generator().manual_seed(0)
    queries = items(torch.randn(41, 33, generator=drawn), [i % 7 for i in range(41)])
    candidates = items(torch.randn(57, 33, generator=drawn), [i % 7 for i in range(57)])
    right = by_class(queries, candidates)
    want = columns(rank(queries, candidates, right))
    assert columns(rank(queries, candidates, right, rows=3)) == want
    monkeypatch.setattr(ranking, "_COLUMNS", 5)
    monkeypatch.setattr(ranking, "_AT_ONCE", 2 * 57)
    assert columns(rank(queries, candidates, right)) == want
    assert [one[:3] for one in want] == [one[:3] for one in plain(queries, candidates, right)]


@SETTINGS
@given(*[st.lists(st.integers(0, 3), min_size=1, max_size=8)] * 2)
def test_all_of_the_query_s_class_is_right(queries: list[int], candidates: list[int]) -> None:
    found = by_class(*(items(np.eye(8)[: len(each)], each) for each in (queries, candidates)))
    want = {(q, c) for q, a in enumerate(queries) for c, b in enumerate(candidates) if a == b}
    assert sorted(zip(*(rows.tolist() for rows in found), strict=True)) == sorted(want)


def test_one_vector_for_everything_ranks_last() -> None:
    for vector in (np.ones((6, 3)), np.zeros((6, 3))):
        classes = items(vector, list(range(6)))
        found = rank(items(vector[:4], [0, 1, 2, 3]), classes, (torch.arange(4), torch.arange(4)))
        assert found.rank.tolist() == [6, 6, 6, 6]
        assert found.first.tolist() == [1, 0, 0, 0]


class TestAnswers:
    def test_a_worked_example(self) -> None:
        # classes 7, 8 and 9 at 0, 45 and 90 degrees; pictures of 7 at 0 and of 9 at 45,
        # which 8 is nearer to, and 7 as near
        classes = items([[1, 0], [1, 1], [0, 1]], [7, 8, 9])
        pictures = items([[1, 0], [1, 1]], [7, 9], first=30)
        found = answers("t", pictures, classes, unseen={9}, edges=lambda a, b: 10 * a + b)
        half = float(np.float32(math.sqrt(0.5)))
        assert found.schema == ANSWER
        assert [tuple(row.values()) for row in found.to_pylist()] == [
            ("t", 30, 7, False, 1, 1, 3, 100, 0, 1.0, 1.0),
            ("t", 31, 9, True, 3, 1, 3, 101, 98, pytest.approx(half, abs=1e-7),
             pytest.approx(1.0, abs=1e-7)),
        ]  # fmt: skip

    def test_the_schema_is_the_table_s(self) -> None:
        types = {"BIGINT": pa.int64(), "INTEGER": pa.int32(), "VARCHAR": pa.string(),
                 "BOOLEAN": pa.bool_(), "FLOAT": pa.float32()}  # fmt: skip
        with Store.in_memory() as store:
            rows = store.query("DESCRIBE align_answer").to_pylist()
        want = [(r["column_name"], types[r["column_type"]], r["null"] == "YES") for r in rows]
        assert [(f.name, f.type, f.nullable) for f in ANSWER] == want[1:]

    def test_captions_have_no_class(self) -> None:
        texts, pictures = items(np.eye(3)), items(np.eye(3)[[0, 1]], first=50)
        # texts 0 and 2 go with picture 50, text 1 with 51
        found = caption_tasks(texts, pictures, (torch.tensor([2, 0, 1]), torch.tensor([0, 0, 1])))
        rows = found.to_pylist()
        assert [(r["task"], r["query_id"], r["rank"], r["n_right"]) for r in rows] == [
            ("text-to-image", 100, 1, 1),
            ("text-to-image", 101, 1, 1),
            # as far from its picture as from the other
            ("text-to-image", 102, 2, 1),
            ("image-to-text", 50, 1, 2),
            ("image-to-text", 51, 1, 1),
        ]
        for name in ("class_id", "unseen", "edges"):
            assert found[name].null_count == 5

    def test_edges_are_asked_once_a_pair_and_may_be_missing(self) -> None:
        asked = []

        def edges(a: int, b: int) -> None:
            asked.append((a, b))

        classes = items([[1, 0], [0, 1]], [7, 8])
        pictures = items([[1, 0]] * 3, [8, 8, 7])
        found = answers("t", pictures, classes, unseen=None, edges=edges)
        assert (asked, found["edges"].to_pylist()) == ([(8, 7)], [None, None, 0])
        assert found["unseen"].null_count == 3


class TestTasks:
    CLASSES = items(np.eye(6), [100, 101, 102, 103, 104, 105])
    # two pictures each of 100, 101, 102 and 104, one of 999; none of 103 and 105
    SHOWN = (100, 100, 101, 101, 102, 102, 104, 104, 999)
    PICTURES = items(np.eye(6)[[0, 1, 1, 1, 2, 2, 4, 4, 5]], list(SHOWN), first=0)

    def asked(self, unseen: set[int], trained: set[int]) -> dict[str, tuple[list[int], int]]:
        found = tasks(self.PICTURES, self.CLASSES, unseen, trained, None).to_pandas()
        assert (found["unseen"] == found["class_id"].isin(unseen)).all()
        return {
            str(task): (rows["query_id"].tolist(), int(rows["n_candidates"].unique().item()))
            for task, rows in found.groupby("task")
        }

    def test_a_separation_has_four(self) -> None:
        # 101 was trained at level none, and is unseen all the same; 104 was removed
        assert self.asked({100, 101, 105}, {101, 102, 103}) == {
            "zero-shot": ([0, 1, 2, 3], 3),
            "seen": ([4, 5], 2),
            "generalised": ([0, 1, 2, 3, 4, 5], 5),
            "text-to-image": ([100, 101], 4),
        }
        found = tasks(self.PICTURES, self.CLASSES, {100, 101}, {102}, lambda a, b: a + b)
        first = found.to_pylist()[1]
        assert (first["query_id"], first["first_id"], first["edges"], first["rank"]) == (
            1,
            101,
            201,
            2,
        )

    def test_without_a_separation(self) -> None:
        assert self.asked(set(), {100, 102, 103}) == {
            "seen": ([0, 1, 4, 5], 3),
            "text-to-image": ([100, 102], 4),
        }

    def test_what_has_no_query_is_left_out(self) -> None:
        assert self.asked({100}, set()) == {
            "zero-shot": ([0, 1], 1),
            "text-to-image": ([100], 2),
        }
        # an unseen class without pictures is still a candidate
        assert self.asked({103}, {100}) == {"seen": ([0, 1], 1), "generalised": ([0, 1], 2)}

    def test_a_class_that_is_not_among_those_told_apart_is_in_no_task(self) -> None:
        few = self.CLASSES.take(torch.tensor([0, 2]))
        found = tasks(self.PICTURES, few, {100, 101}, {102, 104}, None)
        assert set(found["class_id"].to_pylist()) == {100, 102}

    def test_none_at_all(self) -> None:
        with pytest.raises(DataError, match=r"^none of 9 pictures is of an unseen or a trained"):
            tasks(self.PICTURES, self.CLASSES, {105}, {7}, None)


class TestBad:
    def test_a_query_without_a_right_candidate(self) -> None:
        three = items(np.eye(3), [1, 2, 3])
        with pytest.raises(DataError, match=r"^2 of 3 queries have no right candidate, .* row 1:"):
            rank(three, three, (torch.tensor([0]), torch.tensor([2])))
        with pytest.raises(DataError, match=r"^1 of 3 queries have no right candidate"):
            answers("t", three, items(np.eye(3), [1, 2, 2]), unseen=None, edges=None)
        with pytest.raises(DataError, match=r"^candidate rows must be in \[0, 3\), got 0 to 3"):
            rank(three, three, (torch.arange(3), torch.tensor([0, 3, 1])))
        with pytest.raises(DataError, match="must have classes, or give the right pairs"):
            by_class(three, items(np.eye(3)))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"vectors": torch.tensor([[1.0, 0.0], [math.nan, 1.0]])}, "got nan in row 1"),
            ({"vectors": torch.tensor([[1.0, 0.0], [1.0, 1.0]])}, "length 1, got 1.41421 in row 1"),
            (
                {"vectors": torch.ones(2)},
                r"vectors must be float \[N, D\], got torch.float32 \[2\]",
            ),
            ({"ids": torch.tensor([4, 4])}, "ids must be unique"),
            ({"ids": torch.tensor([4])}, r"ids must be int64 \[2\]"),
            ({"classes": torch.tensor([1.0, 2.0])}, r"classes must be int64 \[2\]"),
        ],
    )
    def test_items(self, change: dict[str, Tensor], message: str) -> None:
        good = {"ids": torch.tensor([4, 5]), "vectors": torch.eye(2), "classes": None}
        with pytest.raises(DataError, match=message):
            Items(**(good | change))  # type: ignore[arg-type]

    def test_other_widths(self) -> None:
        with pytest.raises(DataError, match="must be of one width, got 3 and 2"):
            rank(items(np.eye(3)), items(np.eye(2)), (torch.arange(3), torch.zeros(3).long()))
