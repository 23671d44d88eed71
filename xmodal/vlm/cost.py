"""What a run's training costs: tokens, floating-point operations, memory and time.

Useful operations are counted: those of one pass forward and of the gradients with respect to
activations. The LM and encoder are frozen, so that no gradient of their weights is taken, and
nothing is recomputed. A product of an [a, b] by a [b, c] matrix counts 2abc; norms, rotations and
softmax are left out.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from xmodal.lms.causal import LanguageModel
from xmodal.vlm.co_train import TrainGroup
from xmodal.vlm.trainer import Trainer

_LOOKED_AT = 16
"""Steps whose batches are counted; the run's mean is taken to be theirs."""
CALIBRATION_STEPS = 3


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """One optimiser step of a run, mean over some steps."""

    n_images: float
    n_questions: float
    n_tokens: float
    """Prefix tokens once an image, and the questions' own; no padding."""
    flops: float
    """Useful floating-point operations, forward and backward."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What a few steps of a group took."""

    step_seconds: float
    """One step of every run of the group."""
    memory_bytes: int
    """Largest memory of the process (CPU) or allocated on the device (GPU) while training."""


def step_cost(trainer: Trainer) -> StepCost:
    """Count the first steps of a run, pictures and questions as the run draws them."""
    n_steps = min(_LOOKED_AT, trainer.n_steps)
    n_patches = trainer.features.open().shape[1]
    projector = sum(p.numel() for p in trainer.start().projector.parameters() if p.ndim > 1)
    n_prefix = trainer.recipe.projector.n_prefix(n_patches)
    images, questions, tokens, flops = [], [], [], []
    for step in range(n_steps):
        rows = trainer.rows(step)
        chosen = trainer.groups.examples
        lengths = trainer.questions.lengths.numpy()[chosen.asked[rows]]
        n_images = len(np.unique(chosen.image[rows]))
        images.append(n_images)
        questions.append(len(rows))
        tokens.append(n_images * n_prefix + int(lengths.sum()))
        # forward, and gradients of weights and, but for the first layer, of inputs
        flops.append(
            lm_flops(trainer.lm, n_images, n_prefix, lengths) + 6 * projector * n_images * n_patches
        )
    return StepCost(
        n_images=float(np.mean(images)),
        n_questions=float(np.mean(questions)),
        n_tokens=float(np.mean(tokens)),
        flops=float(np.mean(flops)),
    )


def lm_flops(
    lm: LanguageModel, n_images: int, n_prefix: int, lengths: np.ndarray[Any, Any]
) -> float:
    """Useful operations of a frozen LM for packed questions, forward and backward.

    Args:
        lm: The LM.
        n_images: Pictures, each with one prefix.
        n_prefix: Tokens of a prefix.
        lengths: int [Q], tokens of each question.
    """
    config = lm.model.config.get_text_config()
    n_heads = config.num_attention_heads
    head = getattr(config, "head_dim", None) or config.hidden_size // n_heads
    n_text = int(lengths.sum())
    weights = 2 * layer_parameters(lm.model) * (n_images * n_prefix + n_text)
    seen = n_images * n_prefix * (n_prefix + 1) / 2
    seen += float((lengths * n_prefix + lengths * (lengths + 1) / 2).sum())
    # scores and their weighted sum
    attention = 4 * config.num_hidden_layers * n_heads * head * seen
    answers = 2 * len(lengths) * lm.model.get_output_embeddings().weight.numel()
    # backward: one more product a weight, two more a score
    return float(2.0 * (weights + answers) + 3.0 * attention)


def layer_parameters(model: Any) -> int:
    """Weights of a decoder's matrices, embeddings and head left out."""
    outside = {
        id(layer.weight) for layer in (model.get_input_embeddings(), model.get_output_embeddings())
    }
    return sum(p.numel() for p in model.parameters() if p.ndim > 1 and id(p) not in outside)


def calibrate(trainers: Sequence[Trainer]) -> Calibration:
    """Train a group for a few steps from a fresh start and throw the result away."""
    group = TrainGroup(tuple(trainers))
    device = trainers[0].lm.device
    states = [trainer.start() for trainer in trainers]
    on_gpu = device.type == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    group.run(states, until=1)
    n_steps = min(CALIBRATION_STEPS, *(max(1, trainer.n_steps - 1) for trainer in trainers))
    started = time.perf_counter()
    group.run(states, until=1 + n_steps)
    seconds = (time.perf_counter() - started) / n_steps
    used = torch.cuda.max_memory_allocated(device) if on_gpu else _resident_bytes()
    return Calibration(step_seconds=seconds, memory_bytes=used)


def _resident_bytes() -> int:
    """Largest resident size of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
