"""Train decoders of several seeds, or start points, in one batched model."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from taxonomy.errors import ConfigError
from xmodal.binding.batches import Batch, batch_of
from xmodal.binding.decoder import Decoder
from xmodal.binding.evaluate import Row, look
from xmodal.binding.optimiser import Muon, clip_each
from xmodal.binding.pictures import Grounding, ScenePictures
from xmodal.binding.recipes import Recipe
from xmodal.machine import is_out_of_memory

MATRICES = ("qkv", "out", "up", "down")
"""Parameters that Muon takes, where it is asked for."""
Metric = tuple[int, str, float]
"""(step, name, value)."""


@dataclass
class RunState:
    """What is told of one run of a group."""

    metrics: list[Metric] = field(default_factory=list)
    accuracy: list[Row] = field(default_factory=list)
    n_questions: int = 0
    n_tokens: int = 0
    """With noise and image tokens."""
    n_tokens_computed: int = 0
    flops: float = 0.0
    """Of decoder and gradient, forward and backward; the encoder's are not in it."""


@dataclass
class GroupState:
    """What a group of runs needs to go on where it stopped."""

    decoder: Decoder
    optimisers: list[torch.optim.Optimizer]
    runs: list[RunState]
    step: int = 0
    seconds: float = 0.0
    """Of training steps, of the whole group."""
    drawing_seconds: float = 0.0
    """Of these, spent in drawing batches; on a GPU only in launching it."""


OnStep = Callable[[GroupState, Tensor], None]
"""Called after each step with the state and the step's loss of each run."""


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """What runs of one group share. Batches are functions of (recipe, seed, step)."""

    recipe: Recipe
    seeds: Sequence[int]
    """Of initialisation and of what is drawn; one a run."""
    starts: Sequence[Decoder] | None = None
    """One decoder a run to start from, in place of fresh weights."""
    pictures: ScenePictures | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32
    log_every: int = 25

    def __post_init__(self) -> None:
        if not self.seeds:
            raise ConfigError("a group needs at least one seed")
        if self.recipe.uses_images and self.pictures is None:
            raise ConfigError("a recipe with images needs a scene set")
        shown = self.recipe.decoder.image_width
        if self.pictures is not None and shown != self.pictures.width:
            raise ConfigError(
                f"image_width must be that of the scene set, {self.pictures.width}, got {shown}"
            )
        if self.pictures is not None:
            self.recipe.check_positions(self.pictures.n_tokens)

    def start(self) -> GroupState:
        """Decoders as they begin, and fresh optimisers.

        Raises:
            ConfigError: They do not fit into memory.
        """
        try:
            decoder = Decoder(self.recipe.decoder, self.seeds).to(self.device, self.dtype)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise ConfigError(self._too_large()) from error
        if self.starts is not None:
            decoder.take(self.starts)
        return GroupState(decoder, self._optimisers(decoder), [RunState() for _ in self.seeds])

    def _too_large(self) -> str:
        shape, n_runs = self.recipe.decoder, len(self.seeds)
        return (
            f"{n_runs} decoders of {shape.n_layers} blocks of width {shape.width} with batches of "
            f"{self.recipe.batch_size} do not fit in memory: take a smaller width or batch_size, "
            "or fewer seeds together"
        )

    def _optimisers(self, decoder: Decoder) -> list[torch.optim.Optimizer]:
        recipe, of = self.recipe, dict(decoder.named_parameters())
        by_muon = MATRICES if recipe.optimiser == "muon" else ()
        rest = [value for name, value in of.items() if name not in by_muon]
        made: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(
                rest, lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=recipe.weight_decay
            )
        ]
        if by_muon:
            matrices = [of[name] for name in by_muon]
            made.append(Muon(matrices, lr=recipe.learning_rate, weight_decay=recipe.weight_decay))
        return made

    def run(
        self, state: GroupState, until: int | None = None, on_step: OnStep | None = None
    ) -> GroupState:
        """Train from the state's step to the end.

        Args:
            state: From start(), or read back; changed in place.
            until: Stop after this many steps in all; None trains to the end.
            on_step: Called after each step: a moment to save.

        Raises:
            ConfigError: A loss is no number any more, or a step does not fit in memory.
        """
        if state.step == 0 and not state.runs[0].accuracy:
            self._look(state)
        last = self.recipe.n_steps if until is None else min(until, self.recipe.n_steps)
        while state.step < last:
            started = time.monotonic()
            try:
                losses = self.step(state)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                raise ConfigError(self._too_large()) from error
            state.seconds += time.monotonic() - started
            self._note(state, losses)
            if on_step is not None:
                on_step(state, losses)
        return state

    def step(self, state: GroupState) -> Tensor:
        """One step of the optimisers; the loss of each run before it, nats, float [R]."""
        recipe, began = self.recipe, time.monotonic()
        batch = batch_of(recipe, state.step, self.seeds, self.device, self.pictures)
        state.drawing_seconds += time.monotonic() - began
        for optimiser in state.optimisers:
            optimiser.zero_grad(set_to_none=True)
        losses = self._losses(state, batch)
        losses.sum().backward()  # type: ignore[no-untyped-call]
        clip_each(dict(state.decoder.named_parameters()), recipe.clip)
        for optimiser in state.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate_at(state.step)
            optimiser.step()
        state.step += 1
        self._count(state, batch)
        return losses.detach()

    def _losses(self, state: GroupState, batch: Batch) -> Tensor:
        """Mean cross-entropy of the answers, of each run."""
        decoder, n_runs = state.decoder, len(self.seeds)
        image = None if batch.image is None else batch.image.to(self.dtype)
        half, held = self.recipe.decoder.n_layers // 2, dict[int, Tensor]()

        def keep(layer: int, x: Tensor) -> Tensor:
            if layer == half:
                held[layer] = x
            return x

        with torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bfloat16"
        ):
            edit = keep if batch.guide is not None else None
            hidden = decoder.hidden(batch.sequences, image, edit=edit)
            asked = hidden[..., batch.sequences.at, :]
            if batch.ground is not None:
                return self._grounded(decoder, asked, batch, batch.ground)
            losses = _each(decoder.read(asked), batch.sequences.targets, n_runs)
            if batch.guide is not None:
                which, targets = batch.guide
                middle = decoder.read(held[half][..., batch.sequences.at[which], :])
                losses = losses + _each(middle, targets, n_runs)
        return losses

    def _grounded(self, decoder: Decoder, asked: Tensor, batch: Batch, ground: Grounding) -> Tensor:
        """Of feature grounding: a word for a token, and a token of the batch for a word."""
        n_runs = len(asked)
        words = _each(decoder.read(asked[..., :1, :]), batch.sequences.targets[..., :1], n_runs)
        among = decoder.shown(ground.tokens.to(asked.dtype))
        scores = torch.bmm(decoder.normed(asked[..., 1, :]), among.mT).float()
        # several tokens of the batch may show the word: all of them are right
        right = scores.masked_fill(~ground.positive, -math.inf).logsumexp(-1)
        tokens = (scores.logsumexp(-1) - right).mean(-1)
        return (words + tokens) / 2

    def _count(self, state: GroupState, batch: Batch) -> None:
        sequences = batch.sequences
        count, n_tokens = sequences.ids.shape[1:]
        flops = flops_of(state.decoder, batch)
        for run in state.runs:
            run.n_questions += count * len(sequences.at)
            run.n_tokens += count * (n_tokens + sequences.n_noise)
            run.n_tokens_computed += count * n_tokens
            run.flops += 3 * count * flops

    def _note(self, state: GroupState, losses: Tensor) -> None:
        recipe, step = self.recipe, state.step
        ends = recipe.ends_stage(step)
        if step % self.log_every == 0 or step == recipe.n_steps:
            for seed, run, loss in zip(self.seeds, state.runs, losses.tolist(), strict=True):
                if not math.isfinite(loss):
                    raise ConfigError(
                        f"the loss of seed {seed} at step {step} is {loss}: take a learning_rate "
                        f"below {recipe.learning_rate:g}"
                    )
                run.metrics.append((step, "train_loss", loss))
        if ends or step % recipe.evaluate_every == 0:
            self._look(state, ends=ends)

    def _look(self, state: GroupState, *, ends: bool = False) -> None:
        name = "start" if state.step == 0 else self.recipe.at(state.step - 1)[0].name
        rows = look(
            state.decoder, self.recipe, state.step, name, ends_stage=ends, pictures=self.pictures
        )
        for run, of_run in zip(state.runs, rows, strict=True):
            run.accuracy += of_run


def _each(logits: Tensor, targets: Tensor, n_runs: int) -> Tensor:
    """Mean cross-entropy of each run; logits [R, B, Q, V], targets [R, B, Q]."""
    found = F.cross_entropy(logits.flatten(0, 2).float(), targets.flatten(), reduction="none")
    return found.view(n_runs, -1).mean(1)


def flops_of(decoder: Decoder, batch: Batch) -> float:
    """Of one sequence of a batch, forward, with guide and grounding."""
    count, n_tokens = batch.sequences.ids.shape[1:]
    n_answers = len(batch.sequences.at)
    if batch.ground is not None:
        # one answer is a word; the other, one of the tokens of all sequences
        return decoder.config.flops(n_tokens, n_answers - 1, 2) + 2 * count * decoder.config.width
    n_guided = 0 if batch.guide is None else len(batch.guide[0])
    n_image = 0 if batch.image is None else batch.image.shape[-2]
    return decoder.config.flops(n_tokens, n_answers + n_guided, n_image)


def group_metrics(state: GroupState) -> dict[str, Any]:
    """Seconds a step and the share of them that drawing took."""
    return {
        "seconds_per_step": state.seconds / max(1, state.step),
        "drawing_share": state.drawing_seconds / max(1e-9, state.seconds),
    }
