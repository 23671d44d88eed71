"""Softmax regressions with a ridge, many at once, without a step size or a random start."""

from __future__ import annotations

import torch
from torch import Tensor


class Design:
    """Standardised features of several regressions with the same labels, and their curvature.

    The curvature of a softmax's cross-entropy is nowhere above half of the features' second
    moments (Boehning 1992), so that one factorisation serves every step and every set of labels.
    """

    def __init__(self, features: Tensor, ridge: float) -> None:
        """Fit mean and spread, and factorise.

        Args:
            features: float [K, n, D]: K regressions, n examples.
            ridge: Half of it times the squared weights is added to the mean cross-entropy; the
                intercept goes free.
        """
        self.ridge = ridge
        features = features.float()
        self.mean = features.mean(1, keepdim=True)
        spread = (features - self.mean).square().mean(1, keepdim=True).sqrt()
        # a channel that is constant but for rounding says nothing, and is not to be blown up
        floor = 1e-6 * self.mean.abs() + 1e-12
        self.scale = torch.where(spread > floor, 1 / spread.clamp_min(1e-30), 0.0)
        self.x = self.standardised(features)
        n, width = self.x.shape[1:]
        x = self.x.double()
        curvature = x.transpose(1, 2) @ x / (2 * n)
        self.penalty = torch.full((width, 1), ridge, device=x.device)
        self.penalty[-1] = 0
        curvature = curvature + torch.diag_embed(self.penalty[:, 0].double())
        self.inverse = torch.linalg.inv(curvature).float()

    def standardised(self, features: Tensor) -> Tensor:
        """float32 [K, n, D + 1], the last is 1 for the intercept; by the fitted mean and spread."""
        out = (features.float() - self.mean) * self.scale
        return torch.cat([out, torch.ones_like(out[..., :1])], dim=-1)

    def fit(self, labels: Tensor, n_classes: int, n_steps: int = 200) -> Tensor:
        """Weights [K, D + 1, C] near the minimum.

        Nesterov's method in the metric of the curvature, started anew where it would climb.

        Args:
            labels: int64 [n], from 0.
            n_classes: C.
            n_steps: At most.
        """
        k, _, width = self.x.shape
        wanted = torch.nn.functional.one_hot(labels, n_classes).float()
        now = torch.zeros(k, width, n_classes, device=self.x.device)
        ahead, speed = now, torch.ones(k, 1, 1, device=now.device)
        for _ in range(n_steps):
            slope = self.slope(ahead, wanted)
            step = -(self.inverse @ slope)
            new = ahead + step
            moved = new - now
            climbs = (slope * moved).sum((1, 2), keepdim=True) > 0
            faster = torch.where(climbs, 1.0, (1 + (1 + 4 * speed.square()).sqrt()) / 2)
            ahead = new + torch.where(climbs, 0.0, (speed - 1) / faster) * moved
            now, speed = new, faster
            if float(step.abs().max()) < 1e-4:
                break
        return now

    def slope(self, weights: Tensor, wanted: Tensor) -> Tensor:
        """Gradient of the mean cross-entropy with the ridge, [K, D + 1, C].

        Args:
            weights: [K, D + 1, C].
            wanted: float32 [n, C], one-hot.
        """
        off = (self.x @ weights).softmax(-1) - wanted
        return self.x.transpose(1, 2) @ off / len(wanted) + self.penalty * weights
