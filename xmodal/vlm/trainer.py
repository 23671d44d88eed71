"""Train a projector between frozen image features and a frozen LM."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from taxonomy.hashing import hash63
from xmodal.features.extract import FeatureSet
from xmodal.lms.causal import LanguageModel
from xmodal.vlm.early_stop import EarlyStop, Looks, keep_best
from xmodal.vlm.forward import Questions
from xmodal.vlm.projector import Projector
from xmodal.vlm.recipes import Recipe
from xmodal.vlm.trainset import Groups, Ints

Metrics = list[tuple[int, str, float]]
"""(step, name, value)."""


@dataclass
class TrainState:
    """What a run needs to go on where it stopped."""

    projector: Projector
    optimiser: torch.optim.AdamW
    step: int = 0
    seconds: float = 0.0
    """Time spent in training steps."""
    metrics: Metrics = field(default_factory=list)
    looks: Looks | None = None
    """Of a run that may stop early."""


@dataclass(frozen=True)
class Batch:
    """The pictures and questions of one step: B pictures, Q questions."""

    features: Tensor
    """float32 [B, P, Dv]."""
    image: Tensor
    """int64 [Q], ascending, the row of features each question is about."""
    asked: Tensor
    """int64 [Q], the row of the tokenised questions it asks."""
    target: Tensor
    """int64 [Q], the true answer's token id."""
    weight: Tensor
    """float32 [Q], of its loss."""


@dataclass(frozen=True)
class Trainer:
    """One run's fixed parts. Order, dropout and noise are functions of (seed, step)."""

    lm: LanguageModel
    features: FeatureSet
    questions: Questions
    groups: Groups
    recipe: Recipe
    n_steps: int
    seed_init: int
    seed_order: int
    log_every: int = 25
    early_stop: EarlyStop | None = None

    def start(self) -> TrainState:
        """A fresh projector, drawn from seed_init, and its optimiser."""
        _, n_patches, width = self.features.open().shape
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed_init)
            projector = Projector(
                self.recipe.projector.for_patches(n_patches),
                width,
                self.lm.width,
                self.lm.embedding_rms,
            ).to(self.lm.device)
        optimiser = torch.optim.AdamW(
            projector.parameters(),
            lr=self.recipe.learning_rate,
            weight_decay=self.recipe.weight_decay,
        )
        return TrainState(projector, optimiser)

    def learning_rate(self, step: int) -> float:
        """Linear warm-up, then cosine to zero."""
        warmup = max(1, math.ceil(self.recipe.warmup_ratio * self.n_steps))
        if step < warmup:
            return self.recipe.learning_rate * (step + 1) / warmup
        done = (step - warmup) / max(1, self.n_steps - warmup)
        return self.recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * done))

    def run(
        self,
        state: TrainState,
        until: int | None = None,
        on_step: Callable[[TrainState, float], None] | None = None,
    ) -> TrainState:
        """Train from the state's step to the end, alone: a group of one.

        Args:
            state: From start(), or read back from a run folder; changed in place.
            until: Stop after this many steps in all; None trains to the end.
            on_step: Called after each step with the state and the step's loss.

        Raises:
            ConfigError: The loss is no number any more.
        """
        from xmodal.vlm.co_train import TrainGroup

        def after(_: int, state: TrainState, loss: float) -> None:
            if on_step is not None:
                on_step(state, loss)

        for failure in TrainGroup((self,)).run([state], until, after).values():
            raise failure
        return state

    def draw(self, step: int) -> Batch:
        """What a step shows and asks. Seeds torch's generators, for dropout after it."""
        rows = self.rows(step)
        torch.manual_seed(hash63(self.seed_order, "step", step))
        chosen = self.groups.examples
        images, image = np.unique(chosen.image[rows], return_inverse=True)
        views = torch.randint(self.features.config.n_views, (len(images),)).numpy()
        features = self.features.take(self.features.rows(images, views))
        if self.recipe.feature_noise:
            features = features + self.recipe.feature_noise * torch.randn_like(features)
        answers = torch.from_numpy(chosen.answer[rows])
        return Batch(
            features=features,
            image=torch.from_numpy(image),
            asked=torch.from_numpy(chosen.asked[rows]),
            target=torch.where(answers, self.questions.yes_id, self.questions.no_id),
            weight=torch.from_numpy(self.groups.weights[rows]),
        )

    def update(self, state: TrainState) -> None:
        """Clip the gradients that are there and take the optimiser's step."""
        for group in state.optimiser.param_groups:
            group["lr"] = self.learning_rate(state.step)
        nn.utils.clip_grad_norm_(state.projector.parameters(), self.recipe.clip)
        state.optimiser.step()
        state.step += 1

    def look(self, state: TrainState) -> None:
        """After a step: ask the validation questions where a look is due."""
        stop = self.early_stop
        if stop is None or not stop.is_due(state.step, self.n_steps):
            return
        loss = stop.loss(self.lm, state.projector, self.features, self.questions)
        state.looks = keep_best(state.looks, loss, state.step, state.projector)
        state.metrics.append((state.step, "validation_loss", loss))

    def is_done(self, state: TrainState) -> bool:
        """Whether no step is left to take."""
        over = self.early_stop is not None and self.early_stop.is_over(state.looks)
        return over or state.step >= self.n_steps

    def rows(self, step: int) -> Ints:
        """Rows of the step's questions, grouped by image."""
        by_image = self.recipe.batch_unit == "images"
        n = len(self.groups.images) if by_image else len(self.groups.examples)
        size = min(self.recipe.batch_size, n)
        a_pass = steps_of_pass(self.recipe, n)
        epoch, at = divmod(step, a_pass)
        order = np.random.default_rng([self.seed_order, 0, epoch]).permutation(n)
        units = np.sort(order[at * size : (at + 1) * size])
        if not by_image:
            return units
        offsets = self.groups.offsets
        rows = np.concatenate([np.arange(offsets[i], offsets[i + 1]) for i in units])
        if self.recipe.leaf_no_per_visit is not None:
            rows = self._without_some_no(rows, step, self.recipe.leaf_no_per_visit)
        return rows

    def _without_some_no(self, rows: Ints, step: int, most: int) -> Ints:
        """The rows with at most so many leaf No an image, drawn anew at each step."""
        chosen = self.groups.examples
        spare = (chosen.kind[rows] == "leaf") & ~chosen.answer[rows]
        drawn = np.where(
            spare, np.random.default_rng([self.seed_order, 1, step]).random(len(rows)), -1
        )
        order = np.lexsort((drawn, chosen.image[rows]))
        counted = np.where(spare[order], 1, 0)
        images = chosen.image[rows][order]
        starts = np.flatnonzero(np.append(True, images[1:] != images[:-1]))
        before = np.cumsum(counted) - counted
        rank = before - np.repeat(before[starts], np.diff(np.append(starts, len(rows))))
        kept = order[~((counted == 1) & (rank >= most))]
        left: Ints = rows[np.sort(kept)]
        return left


def weighted_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean cross-entropy at the answer position.

    Args:
        logits: float32 [Q, vocabulary].
        target: int64 [Q], the answer's token id.
        weight: float32 [Q].

    Returns:
        A scalar.
    """
    each = nn.functional.cross_entropy(logits, target, reduction="none")
    return (each * weight).sum() / weight.sum()


def steps_of_pass(recipe: Recipe, size: int) -> int:
    """Steps of one pass over so many units (images or questions)."""
    return math.ceil(size / min(recipe.batch_size, size))


def steps_of(recipe: Recipe, own_size: int, unablated_size: int) -> int:
    """Optimiser steps of a run.

    Args:
        recipe: Batch size, epochs and what they are counted over.
        own_size: Units (images or questions) in the manifest's training set.
        unablated_size: Units in the training set without ablation.
    """
    size = unablated_size if recipe.match == "steps" else own_size
    return max(1, round(recipe.epochs * steps_of_pass(recipe, size)))
