"""Train projections between frozen text features and frozen image features."""

from __future__ import annotations

import copy
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from taxonomy.errors import ConfigError, DataError
from taxonomy.hashing import content_id, hash63
from xmodal.align.grad_cache import gradients
from xmodal.align.pairs import Pairs
from xmodal.align.projection import Aligner, Masks
from xmodal.align.recipes import Recipe
from xmodal.align.validation import Looks, keep_best, look_at
from xmodal.machine import is_out_of_memory

Metrics = list[tuple[int, str, float]]
"""(step, name, value)."""
_FEWEST_ROWS = 16
"""Rows below which a part is not halved any more."""


@dataclass
class TrainState:
    """What a run needs to go on where it stopped."""

    aligner: Aligner
    optimiser: torch.optim.Adam
    step: int = 0
    rows: int | None = None
    """Rows that go through the projections at once; None for the whole batch. It changes no more
    than how sums are rounded, which is why it is part of the state."""
    seconds: float = 0.0
    """Time spent in training steps."""
    metrics: Metrics = field(default_factory=list)
    looks: Looks | None = None
    """Of a run with validation pairs."""


OnStep = Callable[[TrainState, float], None]
"""Called after each step with the state and the step's loss."""


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """One run's fixed parts. Order and dropout are functions of (seed, step)."""

    pairs: Pairs
    recipe: Recipe
    validation: Pairs | None = None
    """What is looked at; without it a run goes to its end."""
    seed_init: int = 0
    seed_order: int = 0
    """Of the order of the pairs and of dropout."""
    data_id: str = ""
    """Says which features the pairs are; a saved state of others is refused."""
    rows: int | None = None
    """Rows that go through the projections at once, to begin with; None for the whole batch.
    Halved when memory ends."""
    offload: bool = False
    """Where the batch is split, hold what is held of it in the host's memory."""
    device: torch.device | None = None
    """Where to train; None for where the text features are."""
    log_every: int = 25

    def __post_init__(self) -> None:
        if self.rows is not None and self.rows < 1:
            raise ConfigError(f"rows must be at least 1, got {self.rows}")
        if self.log_every < 1:
            raise ConfigError(f"log_every must be at least 1, got {self.log_every}")
        if self.validation is not None and self.validation.widths != self.pairs.widths:
            raise DataError(
                f"validation features must have the widths of training, {self.pairs.widths}, got "
                f"{self.validation.widths}"
            )

    @property
    def run_id(self) -> str:
        """Hash of everything that the trained projections depend on but for the machine."""
        seeds = [self.seed_init, self.seed_order]
        sizes = [len(self.pairs), *self.pairs.widths, len(self.validation or ())]
        return content_id([self.recipe.as_dict(), seeds, sizes, self.data_id])

    def start(self) -> TrainState:
        """Fresh projections, drawn from seed_init, and their optimiser.

        Raises:
            ConfigError: They do not fit in memory.
        """
        dtype = self.pairs.text.dtype
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed_init)
            try:
                aligner = Aligner(self.recipe.aligner, *self.pairs.widths)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                raise ConfigError(
                    "the projections do not fit in memory: take a smaller width or depth"
                ) from error
        aligner.to(
            self.device or self.pairs.text.device,
            dtype if dtype == torch.float64 else torch.float32,
        ).eval()
        decayed = [*aligner.text.parameters(), *aligner.image.parameters()]
        groups: list[dict[str, Any]] = [{"params": decayed}]
        if aligner.log_scale is not None:
            groups.append({"params": [aligner.log_scale], "weight_decay": 0.0})
        optimiser = torch.optim.Adam(
            groups, lr=self.recipe.learning_rate, weight_decay=self.recipe.weight_decay
        )
        return TrainState(aligner, optimiser, rows=self.rows)

    def learning_rate(self, step: int) -> float:
        """Linear warm-up from zero, then cosine to zero, as transformers' schedule has it."""
        recipe = self.recipe
        if step < recipe.warmup_steps:
            return recipe.learning_rate * step / recipe.warmup_steps
        done = (step - recipe.warmup_steps) / max(1, recipe.n_steps - recipe.warmup_steps)
        return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * done))

    def chosen(self, step: int) -> Tensor:
        """The pairs of a step, int64 [B]: passes in ever new order, without the rest of a pass.

        Every batch has the same size, as the loss depends on the number of negatives.
        """
        n = len(self.pairs)
        size = min(self.recipe.batch_size, n)
        epoch, at = divmod(step, n // size)
        return _order(self.seed_order, epoch, n)[at * size : (at + 1) * size]

    def run(
        self, state: TrainState, until: int | None = None, on_step: OnStep | None = None
    ) -> TrainState:
        """Train from the state's step to the end.

        Args:
            state: From start(), or read back; changed in place.
            until: Stop after this many steps in all; None trains to the end.
            on_step: Called after each step: a moment to save.

        Raises:
            ConfigError: The loss is no number any more, or a step does not fit in memory.
        """
        while not self.is_done(state) and (until is None or state.step < until):
            started = time.monotonic()
            loss = self.step(state)
            state.seconds += time.monotonic() - started
            self._note(state, loss)
            if on_step is not None:
                on_step(state, loss)
        return state

    def step(self, state: TrainState) -> float:
        """One step of the optimiser; the loss before it, nats."""
        aligner = state.aligner.train()
        loss = float(self._gradients(state))
        if not math.isfinite(loss):
            raise ConfigError(
                f"the loss of step {state.step + 1} is {loss}: take a learning_rate below "
                f"{self.recipe.learning_rate:g}"
            )
        for group in state.optimiser.param_groups:
            group["lr"] = self.learning_rate(state.step)
        nn.utils.clip_grad_norm_(aligner.parameters(), self.recipe.clip)
        state.optimiser.step()
        aligner.clamp_scale()
        state.step += 1
        aligner.eval()
        return loss

    def is_done(self, state: TrainState) -> bool:
        """Whether no step is left to take."""
        patience, looks = self.recipe.patience, state.looks
        over = patience is not None and looks is not None and looks.n_since >= patience
        return over or state.step >= self.recipe.n_steps

    def best(self, state: TrainState) -> Aligner:
        """A copy of the projections to keep: of the best look, or the last without looks."""
        kept = copy.deepcopy(state.aligner)
        if state.looks is not None:
            kept.load_state_dict(state.looks.weights)
        return kept.eval()

    def _gradients(self, state: TrainState) -> Tensor:
        """Loss of the state's step; its gradients lie in the aligner."""
        weight = state.aligner.like
        batch = self.pairs.take(
            self.chosen(state.step),
            device=weight.device,
            dtype=weight.dtype,
            mask=self.recipe.duplicates == "mask",
        )
        masks = Masks(hash63(self.seed_order, "dropout", state.step))
        while True:
            state.optimiser.zero_grad(set_to_none=True)
            before = {name: value.clone() for name, value in state.aligner.named_buffers()}
            try:
                return gradients(state.aligner, batch, masks, rows=state.rows, offload=self.offload)
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                reason = str(error).splitlines()[0]
            # out of the handler, what the failed step held is free
            _take_less(state, len(batch.text), reason)
            for name, value in state.aligner.named_buffers():
                value.copy_(before[name])

    def _note(self, state: TrainState, loss: float) -> None:
        recipe = self.recipe
        last = state.step == recipe.n_steps
        if state.step % self.log_every == 0 or last:
            state.metrics.append((state.step, "train_loss", loss))
            if recipe.aligner.learned_scale:
                state.metrics.append((state.step, "scale", state.aligner.scale().item()))
        if self.validation is None or not (state.step % recipe.look_every == 0 or last):
            return
        found = look_at(
            state.aligner, self.validation, recipe.batch_size, mask=recipe.duplicates == "mask"
        )
        for name in ("loss", "text_to_image", "image_to_text"):
            state.metrics.append((state.step, f"validation_{name}", getattr(found, name)))
        state.looks = keep_best(
            state.looks, found.value(recipe.stop_by), state.step, state.aligner, recipe.min_gain
        )


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, n: int) -> Tensor:
    """int64 [N], the order of the pairs in a pass."""
    return torch.from_numpy(np.random.default_rng([seed, 0, epoch]).permutation(n))


def _take_less(state: TrainState, n: int, reason: str) -> None:
    """Split the batch, or halve its parts."""
    rows = min(state.rows or n, n) // 2
    if rows < _FEWEST_ROWS:
        raise ConfigError(
            f"a step of {n} pairs does not fit in memory ({reason}): take a smaller batch_size, or "
            "offload"
        )
    sys.stderr.write(
        f"{min(state.rows or n, n)} rows at once do not fit in memory; going on with {rows}, with "
        "all negatives\n"
    )
    state.rows = rows
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
