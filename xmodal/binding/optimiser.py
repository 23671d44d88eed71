"""Optimisers of decoders whose runs compute as one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration that Muon's author gives (Jordan et al., 2024)."""
_N_ITERATIONS = 5


def orthogonalised(matrices: Tensor) -> Tensor:
    """Each matrix with its singular values brought near one.

    Args:
        matrices: [..., n, m].
    """
    a, b, c = _COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / x.square().sum((-2, -1), keepdim=True).sqrt().clamp_min(1e-7)
    for _ in range(_N_ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised matrix by matrix, as torch.optim.Muon with match_rms_adamw.

    That one takes single matrices and launches an iteration for each; here a parameter is a stack
    [R, L, n, m] of them, of all runs and layers at once.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step by the gradients there are."""
        for group in self.param_groups:
            for value in group["params"]:
                if value.grad is None:
                    continue
                state = self.state[value]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(value)
                held = state["momentum"].lerp_(value.grad, 1 - group["momentum"])
                ahead = value.grad.lerp(held, group["momentum"])
                size = 0.2 * math.sqrt(max(value.shape[-2:]))
                value.mul_(1 - group["lr"] * group["weight_decay"])
                value.add_(orthogonalised(ahead), alpha=-group["lr"] * size)


def clip_each(parameters: Mapping[str, nn.Parameter], most: float) -> Tensor:
    """Scale the gradients of each run to a norm of at most `most`.

    Returns:
        float [R], the norms before.
    """
    grads = [value.grad for value in parameters.values() if value.grad is not None]
    squares = torch.stack([grad.flatten(1).square().sum(1) for grad in grads])
    norms = squares.sum(0).sqrt()
    scale = (most / (norms + 1e-6)).clamp_max(1.0)
    for grad in grads:
        grad.mul_(scale.view(-1, *[1] * (grad.dim() - 1)))
    return norms
