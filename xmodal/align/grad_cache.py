"""Loss and gradients of a batch that does not fit at once, equal to those of the batch at once.

BatchNorm ties all rows of a batch together at every hidden layer, so that a batch cannot be cut
into parts that go through the whole projection one after the other. Here it goes through layer by
layer: the parts of a batch through one linear layer, the mean and variance over all of them, then
the parts through the next. Backwards the same in reverse, where the gradient by the statistics
needs two sums over the batch.

Held, for a batch of B rows: the input of each BatchNorm, [B, width] a hidden layer; one gradient
of that size; and a few [B, D] embeddings. All else is as large as a part. At once, autograd holds
about five times as many [B, width] and several [B, B]. No matrix product is made twice but those
of the logits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from xmodal.align.loss import info_nce
from xmodal.align.pairs import Batch
from xmodal.align.projection import Aligner, Masks, unit_rows

SIDES = ("text", "image")


def gradients(
    aligner: Aligner,
    batch: Batch,
    masks: Masks,
    *,
    rows: int | None = None,
    offload: bool = False,
) -> Tensor:
    """Loss of a batch in training; its gradients are added to those of the parameters.

    Args:
        aligner: In training mode; running statistics are moved on once.
        batch: B pairs on the aligner's device.
        masks: Dropout of this step.
        rows: Rows of a part; None or at least B for the batch at once.
        offload: Hold the inputs of BatchNorm in the host's memory.

    Returns:
        A scalar, detached, nats.
    """
    if rows is None or rows >= len(batch.text):
        text, image = (aligner.embed(side, getattr(batch, side), masks) for side in SIDES)
        loss = info_nce(text, image, aligner.scale(), same=batch.same)
        torch.autograd.backward(loss)
        return loss.detach()
    of_text = _Side(aligner, "text", batch.text, masks, rows, offload)
    of_image = _Side(aligner, "image", batch.image, masks, rows, offload)
    text, image = of_text.forward(), of_image.forward()
    loss = info_nce(unit_rows(text), unit_rows(image), aligner.scale(), same=batch.same, rows=rows)
    torch.autograd.backward(loss)
    of_text.backward(text.grad)
    of_image.backward(image.grad)
    return loss.detach()


@dataclass
class _Norm:
    """Statistics of one BatchNorm over the whole batch, each float [width]."""

    mean: Tensor
    rstd: Tensor
    """One over the standard deviation."""


@dataclass
class _Side:
    """One projection on its way through a batch."""

    aligner: Aligner
    name: str
    features: Tensor
    """float [B, Din]."""
    masks: Masks
    rows: int
    offload: bool
    held: list[Tensor] = field(default_factory=list)
    """By hidden layer, the input of its BatchNorm, [B, width]."""
    norms: list[_Norm] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.aligner.check(self.name, self.features)
        self.projection = self.aligner.side(self.name)
        self.masks = self.masks.of_side(self.name)

    @torch.no_grad()
    def forward(self) -> Tensor:
        """Outputs of the projection, a leaf [B, D], before they get unit length."""
        if not self.projection.linears:
            return self.features
        out = self.features.new_empty(len(self.features), self.projection.width_out)
        last = len(self.projection.norms)
        for layer in range(last):
            self._hidden(layer)
        for part in self._parts():
            with self.aligner.precision(out.device):
                out[part] = self.projection.linear(last)(self._input(last, part))
        return out.requires_grad_()

    def backward(self, grad: Tensor | None) -> None:
        """Add the gradients of the parameters.

        Args:
            grad: float [B, D], of the loss by the outputs of forward; None for kind identity.
        """
        if grad is None:
            return
        for layer in reversed(range(len(self.projection.linears))):
            grad = self._backward_linear(layer, grad)
            if layer:
                self._backward_norm(layer - 1, grad)

    def _hidden(self, layer: int) -> None:
        """One linear layer and the statistics of what it gives."""
        n, n_seen = len(self.features), 0
        width = self.projection.config.width
        device = self.features.device
        mean, spread = self.features.new_zeros(width), self.features.new_zeros(width)
        held: Tensor | None = None
        for part in self._parts():
            with self.aligner.precision(device):
                given = self.projection.linear(layer)(self._input(layer, part))
            held = self._store(given.dtype) if held is None else held
            held[part] = given
            # Chan's sum of squares: no difference of large numbers
            given = given.to(mean.dtype)
            own = given.mean(0)
            n_own = len(given)
            step = own - mean
            spread += (given - own).square().sum(0) + step.square() * (
                n_seen * n_own / (n_seen + n_own)
            )
            n_seen += n_own
            mean += step * (n_own / n_seen)
        assert held is not None
        norm = self.projection.norm(layer)
        self.held.append(held)
        self.norms.append(_Norm(mean, (spread / n + norm.eps).rsqrt()))
        assert norm.momentum is not None
        for running, own in ((norm.running_mean, mean), (norm.running_var, spread / (n - 1))):
            assert running is not None
            running.lerp_(own, norm.momentum)
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked += 1

    def _backward_linear(self, layer: int, grad: Tensor) -> Tensor:
        """From the gradient by a layer's output to that by the output of the BatchNorm before.

        Args:
            layer: Which linear layer; before the first there is none.
            grad: [B, width of the output]; overwritten where the result fits into it.
        """
        linear = self.projection.linear(layer)
        into = grad
        if layer and not self._is_storage(grad):
            into = self._store(self.features.dtype)
        weight_grad, bias_grad = torch.zeros_like(linear.weight), torch.zeros_like(linear.bias)
        for part in self._parts():
            given = grad[part].to(weight_grad.device)
            bias_grad += given.sum(0)
            if not layer:
                hidden = self.features[part]
            else:
                normed = self._normed(layer - 1, part).requires_grad_()
                hidden = self._after(layer - 1, normed, part)
            with torch.no_grad(), self.aligner.precision(given.device):
                weight_grad += given.T @ hidden
                back = given @ linear.weight if layer else None
            if back is not None:
                (by_normed,) = torch.autograd.grad(hidden, normed, back.to(hidden.dtype))
                into[part] = by_normed
        _add_grad(linear.weight, weight_grad)
        _add_grad(linear.bias, bias_grad)
        return into

    @torch.no_grad()
    def _backward_norm(self, layer: int, grad: Tensor) -> None:
        """From the gradient by the output of a BatchNorm to that by its input, in place."""
        norm, seen = self.projection.norm(layer), self.norms[layer]
        n = len(grad)
        total, along = torch.zeros_like(seen.mean), torch.zeros_like(seen.mean)
        for part in self._parts():
            given = grad[part].to(total.device)
            total += given.sum(0)
            along += (given * self._standard(layer, part)).sum(0)
        for part in self._parts():
            given = grad[part].to(total.device)
            given = given - total / n - self._standard(layer, part) * (along / n)
            grad[part] = given * (norm.weight * seen.rstd)
        _add_grad(norm.weight, along)
        _add_grad(norm.bias, total)
        self.held.pop()

    def _input(self, layer: int, part: slice) -> Tensor:
        """What a linear layer gets, [R, width]."""
        if not layer:
            return self.features[part]
        return self._after(layer - 1, self._normed(layer - 1, part), part)

    def _after(self, layer: int, normed: Tensor, part: slice) -> Tensor:
        normed = normed.to(self.held[layer].dtype)
        return self.projection.after_norm(normed, layer, part.start, self.masks)

    @torch.no_grad()
    def _normed(self, layer: int, part: slice) -> Tensor:
        norm = self.projection.norm(layer)
        return self._standard(layer, part) * norm.weight + norm.bias

    def _standard(self, layer: int, part: slice) -> Tensor:
        """Input of a BatchNorm with mean 0 and variance 1 over the batch, [R, width]."""
        seen = self.norms[layer]
        return (self.held[layer][part].to(seen.mean) - seen.mean) * seen.rstd

    def _store(self, dtype: torch.dtype) -> Tensor:
        device = torch.device("cpu") if self.offload else self.features.device
        shape = (len(self.features), self.projection.config.width)
        return torch.empty(shape, dtype=dtype, device=device)

    def _is_storage(self, grad: Tensor) -> bool:
        """Whether what _store gives would be just such a tensor."""
        wanted = "cpu" if self.offload else self.features.device.type
        return grad.shape[1] == self.projection.config.width and grad.device.type == wanted

    def _parts(self) -> Iterator[slice]:
        n = len(self.features)
        return (slice(start, min(start + self.rows, n)) for start in range(0, n, self.rows))


def _add_grad(parameter: Tensor, grad: Tensor) -> None:
    parameter.grad = grad if parameter.grad is None else parameter.grad + grad
