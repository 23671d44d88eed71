"""How far two results are apart, against plain Python."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from xmodal.reproduce.compare import (
    Compared,
    compare_tables,
    compare_weights,
    largest_difference,
)
from xmodal.reproduce.verdict import DIFFERENT, IDENTICAL, WITHIN, Reproduction

VALUES = st.sampled_from([0.0, 1.0, 1.5, -2.0, math.inf, -math.inf, math.nan])
ROWS = st.dictionaries(st.integers(0, 6), st.tuples(VALUES, st.booleans()), max_size=6)


def apart(a: float, b: float) -> float:
    if a == b or (math.isnan(a) and math.isnan(b)):
        return 0.0
    return math.inf if math.isnan(a - b) else abs(a - b)


def table(rows: dict[int, tuple[float, bool]]) -> pa.Table:
    return pa.table(
        {
            "key": pa.array(list(rows), pa.int64()),
            "value": pa.array([value for value, _ in rows.values()], pa.float64()),
            "said": pa.array([said for _, said in rows.values()], pa.bool_()),
        }
    )


def compared(a: dict[int, tuple[float, bool]], b: dict[int, tuple[float, bool]]) -> Compared:
    return compare_tables(
        "x", table(a), table(b), keys=("key",), numbers=("value",), exact=("said",), by_row=True
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(VALUES, VALUES), max_size=5))
def test_the_largest_difference(pairs: list[tuple[float, float]]) -> None:
    a, b = (np.array([pair[i] for pair in pairs]) for i in (0, 1))
    assert largest_difference(a, b) == max((apart(*pair) for pair in pairs), default=0.0)


@settings(max_examples=40, deadline=None)
@given(ROWS, ROWS, st.randoms())
def test_tables_by_key(
    a: dict[int, tuple[float, bool]], b: dict[int, tuple[float, bool]], random: object
) -> None:
    shuffled = dict(sorted(b.items(), key=lambda _: random.random()))  # type: ignore[attr-defined]
    found = compared(a, shuffled)
    equal = [
        key
        for key in a.keys() & b.keys()
        if apart(a[key][0], b[key][0]) == 0 and a[key][1] == b[key][1]
    ]
    odd = [
        key
        for key in a.keys() & b.keys()
        if apart(a[key][0], b[key][0]) == 0 and a[key][1] != b[key][1]
    ]
    assert (found.n, found.n_equal) == (len(a.keys() | b.keys()), len(equal))
    assert found.identical == (found.n == found.n_equal)
    largest = max((apart(a[key][0], b[key][0]) for key in a.keys() & b.keys()), default=0.0)
    if a.keys() != b.keys() or odd:
        largest = math.inf
    assert found.largest == largest


def test_what_follows_from_all_rows_may_move_where_any_number_does() -> None:
    a, b = {1: (1.0, True), 2: (1.0, True)}, {1: (1.0, False), 2: (1.5, True)}
    assert compared(a, b).largest == math.inf
    given = {"keys": ("key",), "numbers": ("value",), "exact": ("said",)}
    assert compare_tables("x", table(a), table(b), **given).largest == 0.5
    b[2] = a[2]
    found = compare_tables("x", table(a), table(b), **given)
    assert (found.largest, found.n_equal, found.identical) == (math.inf, 1, False)
    assert found.note == "1 rows differ in said though their numbers are equal"


def test_a_key_twice_is_a_bug() -> None:
    twice = pa.concat_tables([table({1: (1.0, True)})] * 2)
    with pytest.raises(ValueError, match="key must be unique, got 1 more"):
        compare_tables("x", twice, twice, keys=("key",), numbers=("value",))


def test_no_value_is_a_key_and_an_answer_like_any_other() -> None:
    a = pa.table({"key": [1, None], "value": [0.5, 1.0], "said": [None, "x"]})
    b = pa.table(
        {"key": pa.array([None, 1], pa.int32()), "value": [1.0, 0.25], "said": ["x", None]}
    )
    given: dict[str, Any] = {"keys": ("key",), "numbers": ("value",), "exact": ("said",)}
    found = compare_tables("x", a, b, by_row=True, **given)
    assert (found.n, found.n_equal, found.largest, found.n_otherwise) == (2, 1, 0.25, 0)
    c = b.set_column(2, "said", pa.array([None, "y"], pa.string()))
    assert compare_tables("x", a, c, by_row=True, **given).n_otherwise == 2


def weights(folder: Path, name: str, said: str = "a", **tensors: torch.Tensor) -> Path:
    save_file(tensors, folder / name, metadata={"xmodal": json.dumps(said)})
    return folder / name


def test_weights_by_bytes_then_by_tensor(tmp_path: Path) -> None:
    w = torch.tensor([1.0, 2.0, 4.0])
    a = weights(tmp_path, "a", w=w, v=w.half())
    same = compare_weights(a, weights(tmp_path, "b", w=w, v=w.half()))
    assert (same.identical, same.n, same.n_equal, same.largest) == (True, 6, 6, 0.0)
    other = compare_weights(
        a, weights(tmp_path, "c", w=w + torch.tensor([0, 0.25, -0.5]), v=w.half())
    )
    assert (other.identical, other.n, other.n_equal, other.largest) == (False, 6, 4, 0.5)
    told = compare_weights(a, weights(tmp_path, "d", "other", w=w, v=w.half()))
    assert (told.identical, told.n_equal, told.largest) == (False, 6, 0.0)
    assert told.note == "equal weights in files that differ in what they say beside them"
    odd = compare_weights(a, weights(tmp_path, "e", w=w[:2].clone(), u=w))
    assert (odd.largest, odd.n, odd.note) == (math.inf, 9, "shape or name differs: u, v, w")


def part(largest: float, *, identical: bool = False) -> Compared:
    return Compared(part="x", n=1, n_equal=int(identical), largest=largest, identical=identical)


def of(*parts: Compared, tolerance: float = 0.1, changed: bool = False) -> Reproduction:
    return Reproduction(
        run_id="r", kind="projector", tolerance=tolerance, steps=None, parts=parts,
        environment=[("torch", "1", "2")], notes=["n"], changed=changed,
    )  # fmt: skip


def test_the_verdict_is_that_of_the_worst_part() -> None:
    whole, near, far = part(0.0, identical=True), part(0.1), part(math.inf)
    assert of(whole, whole).verdict == IDENTICAL
    assert of(whole, near).verdict == WITHIN
    assert of(near, far, whole).verdict == DIFFERENT
    assert of(whole, near, tolerance=0.0).verdict == DIFFERENT
    assert of(whole, changed=True).verdict == DIFFERENT
    assert of().verdict == DIFFERENT
    assert [of(whole).is_same, of(near).is_same, of(far).is_same] == [True, True, False]
    assert of(near).lines() == [
        "run r: equal within tolerance of 0.1",
        "torch: 1 then, 2 now",
        "n",
    ]
