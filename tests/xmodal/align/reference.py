"""The paper's definition written from its formulas, in float64, without torch's layers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from xmodal.align.projection import Masks, Projection

EPS_NORM, MOMENTUM = 1e-5, 0.1


def activated(x: Tensor, name: str) -> Tensor:
    """relu, gelu (x times the normal distribution function) or swish (x times its sigmoid)."""
    if name == "relu":
        return x * (x > 0)
    if name == "gelu":
        return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))
    return x / (1 + torch.exp(-x))


@dataclass
class Reference:
    """One side: weights W [out, in] and b, then gamma, beta and running statistics by layer."""

    activation: str
    parameters: dict[str, Tensor]
    running: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, projection: Projection) -> Reference:
        """A copy of a projection's weights in float64."""
        state = {k: v.detach().double().clone() for k, v in projection.state_dict().items()}
        running = {k: v for k, v in state.items() if "running" in k}
        parameters = {k: v.requires_grad_() for k, v in state.items() if k.endswith(("ght", "ias"))}
        return cls(projection.config.activation, parameters, running)

    def embed(self, x: Tensor, keep: list[Tensor] | None, ratio: float) -> Tensor:
        """Unit rows [B, D]; keep, bool [B, width] by hidden layer, in training only."""
        x = x.double()
        n_layers = sum(name.startswith("linears") for name in self.parameters) // 2
        for layer in range(n_layers):
            p = self.parameters
            x = x @ p[f"linears.{layer}.weight"].T + p[f"linears.{layer}.bias"]
            if layer == n_layers - 1:
                break
            name = f"norms.{layer}"
            if keep is None:
                mean, var = (self.running[f"{name}.running_{k}"] for k in ("mean", "var"))
            else:
                mean = x.sum(0) / len(x)
                var = ((x - mean) ** 2).sum(0) / len(x)
                for k, new in (("mean", mean), ("var", var * len(x) / (len(x) - 1))):
                    old = self.running[f"{name}.running_{k}"]
                    self.running[f"{name}.running_{k}"] = (
                        old * (1 - MOMENTUM) + new.detach() * MOMENTUM
                    )
            x = (x - mean) / (var + EPS_NORM) ** 0.5 * p[f"{name}.weight"] + p[f"{name}.bias"]
            x = activated(x, self.activation)
            if keep is not None:
                x = x * keep[layer] / (1 - ratio)
        return x / (x**2).sum(1, keepdim=True) ** 0.5


def kept(projection: Projection, masks: Masks, n: int) -> list[Tensor]:
    """bool [B, width] by hidden layer: what dropout keeps."""
    width, ratio = projection.config.width, projection.config.dropout
    ones = torch.ones(n, width, dtype=torch.float64)
    return [masks.dropped(ones, layer, 0, ratio) > 0 for layer in range(len(projection.norms))]


def loss(text: np.ndarray, image: np.ndarray, scale: float, hidden: np.ndarray) -> float:
    """Symmetric InfoNCE, term by term; hidden says which pairs are no negatives."""
    n, total = len(text), 0.0
    for i in range(n):
        to_image = sum(
            math.exp(scale * float(text[i] @ image[j])) for j in range(n) if not hidden[i, j]
        )
        to_text = sum(
            math.exp(scale * float(text[j] @ image[i])) for j in range(n) if not hidden[j, i]
        )
        right = math.exp(scale * float(text[i] @ image[i]))
        total -= 0.5 * (math.log(right / to_image) + math.log(right / to_text))
    return total / n


def torch_loss(text: Tensor, image: Tensor, scale: float) -> Tensor:
    """The same without hidden pairs, for gradients."""
    e = torch.exp(scale * text @ image.T)
    right = e.diagonal()
    return -0.5 * (torch.log(right / e.sum(1)) + torch.log(right / e.sum(0))).mean()


@dataclass
class Adam:
    """Kingma and Ba's, with the weight decay of an L2 term, after clipping by the norm."""

    decay: float
    clip: float
    steps: int = 0
    moments: dict[str, list[Tensor]] = field(default_factory=dict)

    def step(self, parameters: dict[str, Tensor], lr: float) -> None:
        """Move the parameters in place and take their gradients away."""
        self.steps += 1
        grads = {k: p.grad for k, p in parameters.items()}
        norm = math.sqrt(sum(float((g**2).sum()) for g in grads.values()))
        for name, p in parameters.items():
            g = grads[name] * min(1.0, self.clip / (norm + 1e-6)) + self.decay * p.detach()
            m, v = self.moments.setdefault(name, [torch.zeros_like(g), torch.zeros_like(g)])
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            self.moments[name] = [m, v]
            m_hat, v_hat = m / (1 - 0.9**self.steps), v / (1 - 0.999**self.steps)
            with torch.no_grad():
                p -= lr * m_hat / (v_hat**0.5 + 1e-8)
            p.grad = None
