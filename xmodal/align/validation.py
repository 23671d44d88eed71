"""What validation pairs say about projections, and when a run ends by it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from xmodal.align.loss import info_nce, same_pairs
from xmodal.align.pairs import Pairs
from xmodal.align.projection import Aligner

_AT_A_TIME = 2048
"""Texts whose cosines with all pictures of a batch are held at once."""


@dataclass(frozen=True)
class Found:
    """What a look at the validation pairs finds."""

    loss: float
    """InfoNCE, nats, by the negatives of a batch."""
    text_to_image: float
    """Share of texts whose picture has the highest cosine of a batch, or one that is the same."""
    image_to_text: float
    """Share of pictures whose text has the highest cosine of a batch, or one that is the same."""

    def value(self, stop_by: str) -> float:
        """What looks are compared by; lower is better."""
        if stop_by == "loss":
            return self.loss
        return -0.5 * (self.text_to_image + self.image_to_text)


@dataclass
class Looks:
    """What a run's looks at its validation pairs have found. Lower values are better."""

    best: float
    best_step: int
    weights: dict[str, Tensor]
    """Of the aligner at the best look."""
    bar: float
    """What the next value must be below, by min_gain, to count for patience."""
    n_since: int = 0
    """Looks since that was so."""


@torch.no_grad()
def look_at(aligner: Aligner, pairs: Pairs, batch_size: int, *, mask: bool) -> Found:
    """Loss and retrieval of pairs, in order, in batches of about equal size.

    Args:
        aligner: Put into evaluation mode for this.
        pairs: N of them; every text and picture as it is.
        batch_size: About so many pairs are compared with one another, as in training.
        mask: Leave pairs that are the same out of the negatives. In retrieval a picture of the
            same pair is always right.
    """
    was_training = aligner.training
    aligner.eval()
    dtype, device = aligner.like.dtype, aligner.like.device
    n = len(pairs)
    loss, hits = 0.0, [0, 0]
    for chosen in torch.arange(n).tensor_split(max(1, round(n / batch_size))):
        batch = pairs.take(chosen, device=device, dtype=dtype, mask=True)
        text, image = (
            torch.cat([aligner.embed(side, part) for part in torch.split(features, _AT_A_TIME)])
            for side, features in (("text", batch.text), ("image", batch.image))
        )
        negatives = batch.same if mask else ()
        each = info_nce(text, image, aligner.scale(), same=negatives, rows=_AT_A_TIME)
        loss += float(each) * len(chosen)
        for i, (query, among) in enumerate(((text, image), (image, text))):
            for start in range(0, len(query), _AT_A_TIME):
                first = (query[start : start + _AT_A_TIME] @ among.T).argmax(1)
                right = same_pairs(batch.same, start, start + len(first))
                hits[i] += int(right.gather(1, first[:, None]).sum())
    aligner.train(was_training)
    return Found(loss / n, hits[0] / n, hits[1] / n)


def keep_best(
    looks: Looks | None, value: float, step: int, aligner: Aligner, min_gain: float
) -> Looks:
    """What is known after one more look; a value that is no number is above every other."""
    value = math.inf if math.isnan(value) else value
    if looks is None or value < looks.best:
        weights = {name: tensor.detach().clone() for name, tensor in aligner.state_dict().items()}
        if looks is None:
            return Looks(value, step, weights, bar=value)
        looks.best, looks.best_step, looks.weights = value, step, weights
    if value < looks.bar - min_gain:
        looks.bar, looks.n_since = value, 0
    else:
        looks.n_since += 1
    return looks
