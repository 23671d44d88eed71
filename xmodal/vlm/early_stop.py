"""Ending a run when its validation questions are answered no better any more.

Validation pictures are asked only what training may ask: leaf questions and kept cells. A question
about a held-out cell would let what was taken away choose the projector.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from taxonomy.errors import ConfigError
from xmodal.features.extract import FeatureSet
from xmodal.lms.causal import LanguageModel
from xmodal.vlm.forward import Questions, answer_logits
from xmodal.vlm.projector import Projector
from xmodal.vlm.trainset import Examples, Floats, balanced_weights

_AT_A_TIME = 256
"""Questions a forward pass."""


@dataclass
class Looks:
    """What a run's looks at its validation questions have found."""

    best_loss: float
    best_step: int
    weights: dict[str, Tensor]
    """Of the projector at the best look."""
    n_since: int = 0
    """Looks since then."""


@dataclass(frozen=True)
class EarlyStop:
    """When to look, at what, and how often in vain."""

    examples: Examples
    """Validation questions, in ascending order of image."""
    weights: Floats
    """Of each in the loss."""
    every: int
    """Steps between two looks: a pass over the training set."""
    patience: int
    """Looks without a lower loss that end the run."""

    def is_due(self, step: int, n_steps: int) -> bool:
        """Whether to look after this many steps."""
        return step % self.every == 0 or step == n_steps

    def is_over(self, looks: Looks | None) -> bool:
        """Whether the run ends here."""
        return looks is not None and looks.n_since >= self.patience

    @torch.no_grad()
    def loss(
        self, lm: LanguageModel, projector: Projector, features: FeatureSet, questions: Questions
    ) -> float:
        """Weighted mean cross-entropy of the validation questions, nats; pictures as they are."""
        was_training = projector.training
        projector.eval()
        device, dtype = lm.device, next(projector.parameters()).dtype
        lost = 0.0
        for start in range(0, len(self.examples), _AT_A_TIME):
            rows = slice(start, start + _AT_A_TIME)
            images, image = np.unique(self.examples.image[rows], return_inverse=True)
            asked = torch.from_numpy(self.examples.asked[rows])
            prefix = projector(features.take(images).to(device, dtype))
            logits = answer_logits(lm, prefix, questions, torch.from_numpy(image), asked)
            answers = torch.from_numpy(self.examples.answer[rows])
            target = torch.where(answers, questions.yes_id, questions.no_id).to(logits.device)
            each = nn.functional.cross_entropy(logits, target, reduction="none")
            lost += float((each.double().cpu() * torch.from_numpy(self.weights[rows])).sum())
        projector.train(was_training)
        return lost / float(self.weights.sum(dtype=np.float64))


def keep_best(looks: Looks | None, loss: float, step: int, projector: Projector) -> Looks:
    """What is known after one more look; a loss that is no number is above every other."""
    loss = math.inf if math.isnan(loss) else loss
    if looks is not None and not loss < looks.best_loss:
        looks.n_since += 1
        return looks
    weights = {name: value.detach().clone() for name, value in projector.state_dict().items()}
    return Looks(best_loss=loss, best_step=step, weights=weights)


def early_stop(
    examples: Examples, trained: Examples, *, patience: int, every: int, balance: bool
) -> EarlyStop:
    """What a run looks at.

    Args:
        examples: All questions of a manifest.
        trained: Those in training.
        patience: Looks without a lower loss that end the run.
        every: Steps between two looks.
        balance: Weigh Yes and No as training does.

    Raises:
        ConfigError: No validation picture is asked anything that training asks.
    """
    allowed = np.isin(examples.question_set, ("leaf", "seen"))
    allowed &= np.isin(examples.asked, trained.asked) & (examples.split == "validation")
    chosen = examples.take(np.flatnonzero(allowed))
    if not len(chosen):
        raise ConfigError(
            "patience needs validation pictures that are asked what training asks, and the "
            "manifest has none: leave patience out"
        )
    return EarlyStop(chosen, balanced_weights(chosen, balance), every, patience)
