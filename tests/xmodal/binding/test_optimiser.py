"""Muon on stacks against torch's on single matrices; clipping run by run."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from xmodal.binding.optimiser import Muon, clip_each, orthogonalised


def test_singular_values_come_near_one() -> None:
    matrices = torch.randn(2, 3, 12, 30, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalised(matrices))
    assert values.min() > 0.5
    assert values.max() < 1.5
    turned = orthogonalised(matrices.mT).mT
    assert torch.allclose(turned, orthogonalised(matrices), atol=1e-5)


def test_stacked_muon_is_torchs_muon_matrix_by_matrix() -> None:
    of = torch.Generator().manual_seed(1)
    start, grads = torch.randn(2, 3, 8, 20, generator=of), torch.randn(3, 2, 3, 8, 20, generator=of)
    stack = nn.Parameter(start.clone())
    singles = [[nn.Parameter(start[r, i].clone()) for i in range(3)] for r in range(2)]
    ours = Muon([stack], lr=0.02, weight_decay=0.1)
    theirs = torch.optim.Muon(
        [one for run in singles for one in run],
        lr=0.02, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw",
    )  # fmt: skip
    for grad in grads:
        stack.grad = grad.clone()
        for r in range(2):
            for i in range(3):
                singles[r][i].grad = grad[r, i].clone()
        ours.step()
        theirs.step()
    want = torch.stack([torch.stack([one.data for one in run]) for run in singles])
    # torch iterates in bfloat16
    assert (stack - want).abs().max() < 0.02 * (want - start).abs().max() + 1e-3
    assert (stack - start).abs().mean() > 0.005


def test_each_run_is_clipped_by_its_own_norm() -> None:
    one, two = nn.Parameter(torch.zeros(2, 3)), nn.Parameter(torch.zeros(2, 2, 2))
    one.grad = torch.tensor([[3.0, 0, 0], [0.3, 0, 0]])
    two.grad = torch.tensor([[[4.0, 0], [0, 0]], [[0.4, 0], [0, 0]]])
    norms = clip_each({"one": one, "two": two}, 1.0)
    # run 0: sqrt(9 + 16) = 5, scaled by 1/5; run 1: 0.5, left as it is
    assert norms.tolist() == pytest.approx([5.0, 0.5])
    assert one.grad[:, 0].tolist() == pytest.approx([0.6, 0.3], abs=1e-5)
    assert two.grad[:, 0, 0].tolist() == pytest.approx([0.8, 0.4], abs=1e-5)
