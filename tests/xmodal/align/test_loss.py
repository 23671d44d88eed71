"""InfoNCE against its formula, at once and by rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from taxonomy.errors import DataError
from tests.xmodal.align import reference
from xmodal.align.loss import info_nce
from xmodal.align.projection import PAPER_SCALE, unit_rows

TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12}


def rows(n: int, seed: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(seed)
    text, image = (torch.randn(n, 4, generator=drawn, dtype=torch.float64) for _ in range(2))
    return unit_rows(text).to(dtype), unit_rows(image).to(dtype)


def hidden(same: list[Tensor], n: int) -> np.ndarray:
    """Pairs that are no negatives, by a loop."""
    found = np.zeros((n, n), dtype=bool)
    for i in range(n):
        for j in range(n):
            found[i, j] = i != j and any(int(ids[i]) == int(ids[j]) for ids in same)
    return found


ids = st.lists(st.integers(0, 3), min_size=9, max_size=9).map(torch.tensor)
samenesses = st.lists(ids, max_size=2)


def test_the_paper_s_scale() -> None:
    assert pytest.approx(14.28, abs=5e-3) == PAPER_SCALE


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 9), st.integers(0, 99), samenesses, st.sampled_from([*TOLERANCE]))
def test_it_is_the_formula(n: int, seed: int, same: list[Tensor], dtype: torch.dtype) -> None:
    same = [one[:n] for one in same]
    text, image = rows(n, seed, dtype)
    want = reference.loss(
        text.double().numpy(), image.double().numpy(), PAPER_SCALE, hidden(same, n)
    )
    for at_once in (None, 1, 2, 5, n):
        got = info_nce(text, image, PAPER_SCALE, same=same, rows=at_once)
        assert got.dtype == dtype
        # in float32 a logit of 14 is known to 1e-6 or so
        assert float(got) == pytest.approx(want, abs=TOLERANCE[dtype], rel=TOLERANCE[dtype])


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 99), samenesses, st.integers(1, 9))
def test_by_rows_the_gradients_are_those_at_once(
    seed: int, same: list[Tensor], at_once: int
) -> None:
    found = []
    for held in (None, at_once):
        leaves = [*rows(9, seed), torch.tensor(7.0, dtype=torch.float64)]
        for leaf in leaves:
            leaf.requires_grad_()
        # a factor of the loss reaches the gradients too
        (3 * info_nce(*leaves, same=same, rows=held)).backward()
        found.append([leaf.grad for leaf in leaves])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 99), samenesses, st.sampled_from([None, 4]))
def test_it_is_symmetric_and_keeps_its_value_under_permutation(
    seed: int, same: list[Tensor], at_once: int | None
) -> None:
    text, image = rows(9, seed)
    want = float(info_nce(text, image, 10.0, same=same, rows=at_once))
    swapped = info_nce(image, text, 10.0, same=same, rows=at_once)
    assert float(swapped) == pytest.approx(want, abs=1e-12)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(seed))
    shuffled = info_nce(
        text[order], image[order], 10.0, same=[one[order] for one in same], rows=at_once
    )
    assert float(shuffled) == pytest.approx(want, abs=1e-12)


def test_equal_rows_have_a_floor_unless_they_are_masked() -> None:
    text = unit_rows(torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]]))
    kept = float(info_nce(text, text, 100.0))
    assert kept == pytest.approx(math.log(2), abs=1e-6)
    masked = info_nce(text, text, 100.0, same=[torch.tensor([0, 0, 1, 1])])
    assert float(masked) == pytest.approx(0.0, abs=1e-6)


def test_one_pair_has_no_negative() -> None:
    with pytest.raises(DataError) as error:
        info_nce(torch.ones(1, 3), torch.ones(1, 3), 1.0)
    assert str(error.value) == (
        "InfoNCE needs at least 2 pairs of equal width, got text [1, 3] and image [1, 3]"
    )
