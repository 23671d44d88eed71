"""Tiny recipes: a few steps on tiny decoders."""

from __future__ import annotations

from typing import Any

import torch

from xmodal.binding.decoder import DecoderConfig
from xmodal.binding.recipes import Recipe
from xmodal.binding.stages import Stage
from xmodal.binding.trainer import GroupState, Trainer
from xmodal.binding.vocabulary import Vocabulary

STAGES = (
    Stage(name="pairs", n_steps=3, lessons={"pairs": 1.0}),
    Stage(name="hops", n_steps=3, lessons={"hops": 1.0}),
    Stage(name="mixed", n_steps=4, lessons={"noise": 0.5, "text": 0.5}),
)


def recipe(**changes: Any) -> Recipe:
    given: dict[str, Any] = {
        "name": "tiny",
        "stages": STAGES,
        "decoder": DecoderConfig(n_layers=2, width=16, n_heads=2),
        "vocabulary": Vocabulary(n_colours=6, n_shapes=6, n_items=6),
        "n_from": 2,
        "n_to": 3,
        "n_most": 4,
        "batch_size": 4,
        "n_questions": 2,
        "noise": 5,
        "evaluate_every": 1000,
        "n_evaluated": 3,
    }
    return Recipe(**(given | changes))


def learned(n_positions: int) -> DecoderConfig:
    return DecoderConfig(
        n_layers=2, width=16, n_heads=2, position="learned", n_positions=n_positions
    )


def trainer(*seeds: int, dtype: torch.dtype = torch.float64, **changes: Any) -> Trainer:
    return Trainer(recipe=recipe(**changes), seeds=seeds, dtype=dtype, log_every=2)


def weights(state: GroupState, run: int = 0) -> dict[str, torch.Tensor]:
    return {name: value[run].detach() for name, value in state.decoder.named_parameters()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], atol: float = 0.0) -> bool:
    return one.keys() == other.keys() and all(
        torch.allclose(one[name], other[name], rtol=0, atol=atol) for name in one
    )
