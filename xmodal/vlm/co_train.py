"""Train projectors of several runs at once, in one forward and backward pass of their LM.

The LM is frozen, so the gradient of a run's loss reaches its own projector and no other: the
runs of a group differ from runs alone only in how sums are rounded. Order, views, noise and
dropout of a run are functions of its own seed and step; optimiser, clipping, schedule and
length are its own.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from xmodal.machine import is_out_of_memory
from xmodal.vlm.forward import Questions, answer_logits
from xmodal.vlm.trainer import Batch, Trainer, TrainState, weighted_loss

OnGroupStep = Callable[[int, TrainState, float], None]
"""Called after a run's step with (its place in the group, its state, the step's loss)."""


CPU_TOKENS = 2048
"""Tokens of a pass on a CPU, about: more of them do not make a token cheaper there."""


@dataclass(frozen=True)
class _Drawn:
    """A run's part of a pass."""

    place: int
    batch: Batch
    prefix: Tensor
    """[B, K, Dl], with the graph to its projector."""
    n_tokens: int
    """Of this part."""


@dataclass
class TrainGroup:
    """Runs that share LM and features."""

    trainers: tuple[Trainer, ...]
    most_tokens: float = 0
    """A pass holds runs of so many tokens together, one run at least; it is halved when memory
    ends. 0 for the default: CPU_TOKENS on a CPU, all runs elsewhere."""

    def __post_init__(self) -> None:
        first = self.trainers[0]
        if any(one.lm is not first.lm for one in self.trainers):
            raise ValueError("runs of a group must share one LM")
        if not self.most_tokens:
            self.most_tokens = CPU_TOKENS if first.lm.device.type == "cpu" else math.inf

    def run(
        self,
        states: Sequence[TrainState],
        until: int | None = None,
        on_step: OnGroupStep | None = None,
        after_all: Callable[[], None] | None = None,
    ) -> dict[int, ConfigError]:
        """Train every run from its state's step to its own end.

        Args:
            states: One a run, from start() or read back; changed in place.
            until: Stop each run after this many steps in all; None trains to the end.
            on_step: Called after each step of each run.
            after_all: Called when all runs have taken a step: a moment to save.

        Returns:
            By place in the group, the runs that ended before their time, as their loss is no
            number any more; the others go on.

        Raises:
            ConfigError: A step of one run alone does not fit in memory.
        """
        failed: dict[int, ConfigError] = {}
        questions, offsets = merge_questions([one.questions for one in self.trainers])
        for state in states:
            state.projector.train()
        with torch.random.fork_rng(devices=[]):
            while active := [
                i
                for i in range(len(states))
                if i not in failed and self._goes_on(i, states[i], until)
            ]:
                started = time.monotonic()
                losses = self._gradients([(i, states[i]) for i in active], questions, offsets)
                for i, loss in zip(active, losses, strict=True):
                    if math.isfinite(loss):
                        self.trainers[i].update(states[i])
                    else:
                        failed[i] = _diverged(self.trainers[i], states[i], loss)
                seconds = (time.monotonic() - started) / len(active)
                for i, loss in zip(active, losses, strict=True):
                    if i not in failed:
                        self._note(i, states[i], loss, seconds, on_step)
                if after_all is not None:
                    after_all()
        for state in states:
            state.projector.eval()
        return failed

    def _goes_on(self, place: int, state: TrainState, until: int | None) -> bool:
        return not self.trainers[place].is_done(state) and (until is None or state.step < until)

    def _gradients(
        self, active: list[tuple[int, TrainState]], questions: Questions, offsets: Sequence[int]
    ) -> list[float]:
        """Losses of one step of the active runs; their gradients lie in their projectors."""
        found: list[float] = []
        ready: list[_Drawn] = []
        while len(found) < len(active):
            drawn = self._draw(active[len(found) :], ready)
            try:
                found += self._backward(drawn, questions, offsets)
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                self._take_less(drawn, error)
                # their graphs are gone with the failed pass
                ready.clear()
        return found

    def _draw(self, waiting: Sequence[tuple[int, TrainState]], ready: list[_Drawn]) -> list[_Drawn]:
        """The next runs that make a pass, each with its batch and prefix tokens.

        Args:
            waiting: Runs that have no gradient of this step yet.
            ready: What was drawn and did not fit into the pass before; changed in place.
        """
        drawn: list[_Drawn] = []
        n_tokens = 0
        for i, state in waiting:
            one = ready.pop() if ready else self._draw_one(i, state)
            n_tokens += one.n_tokens
            if drawn and n_tokens > self.most_tokens:
                ready.append(one)
                break
            drawn.append(one)
        return drawn

    def _draw_one(self, place: int, state: TrainState) -> _Drawn:
        trainer = self.trainers[place]
        state.optimiser.zero_grad(set_to_none=True)
        batch = trainer.draw(state.step)
        weight = next(state.projector.parameters())
        prefix = state.projector(batch.features.to(weight.device, weight.dtype))
        n_text = int(trainer.questions.lengths[batch.asked].sum())
        return _Drawn(place, batch, prefix, prefix.shape[0] * prefix.shape[1] + n_text)

    def _backward(
        self, drawn: Sequence[_Drawn], questions: Questions, offsets: Sequence[int]
    ) -> list[float]:
        """One pass of the LM there and back."""
        image, asked = _side_by_side(drawn, offsets)
        prefix = torch.cat([one.prefix for one in drawn])
        logits = answer_logits(self.trainers[0].lm, prefix, questions, image, asked)
        parts = torch.split(logits, [len(one.batch.asked) for one in drawn])
        losses = [
            weighted_loss(said, one.batch.target.to(said.device), one.batch.weight.to(said.device))
            for said, one in zip(parts, drawn, strict=True)
        ]
        torch.autograd.backward(losses)
        values: list[float] = torch.stack([loss.detach() for loss in losses]).tolist()
        return values

    def _take_less(self, drawn: Sequence[_Drawn], error: Exception) -> None:
        """Halve what a pass holds."""
        if len(drawn) == 1:
            raise ConfigError(
                f"one run does not fit in memory ({str(error).splitlines()[0]}): take a smaller "
                "batch size"
            ) from error
        self.most_tokens = sum(one.n_tokens for one in drawn) / 2
        sys.stderr.write(
            f"{len(drawn)} runs in one pass do not fit in memory; going on with half as many\n"
        )
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _note(
        self,
        place: int,
        state: TrainState,
        loss: float,
        seconds: float,
        on_step: OnGroupStep | None,
    ) -> None:
        trainer = self.trainers[place]
        state.seconds += seconds
        if state.step % trainer.log_every == 0 or state.step == trainer.n_steps:
            state.metrics.append((state.step, "train_loss", loss))
        trainer.look(state)
        if on_step is not None:
            on_step(place, state, loss)


def merge_questions(parts: Sequence[Questions]) -> tuple[Questions, list[int]]:
    """Tokenised questions of several runs one below the other, and where each run's begin.

    The answers' token ids are the first run's; runs take theirs from their own batches.
    """
    longest = max(part.tokens.shape[1] for part in parts)
    tokens = [
        torch.nn.functional.pad(part.tokens, (0, longest - part.tokens.shape[1])) for part in parts
    ]
    offsets = [0]
    for part in parts:
        offsets.append(offsets[-1] + len(part.tokens))
    merged = Questions(
        torch.cat(tokens),
        torch.cat([part.lengths for part in parts]),
        parts[0].yes_id,
        parts[0].no_id,
    )
    return merged, offsets[:-1]


def _side_by_side(drawn: Sequence[_Drawn], offsets: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The images and questions of several batches, numbered through; int64 [Q] each."""
    image, asked, n_images = [], [], 0
    for one in drawn:
        image.append(one.batch.image + n_images)
        asked.append(one.batch.asked + offsets[one.place])
        n_images += len(one.prefix)
    return torch.cat(image), torch.cat(asked)


def _diverged(trainer: Trainer, state: TrainState, loss: float) -> ConfigError:
    return ConfigError(
        f"the loss is {loss} at step {state.step}; lower the learning rate, "
        f"got {trainer.recipe.learning_rate}"
    )
