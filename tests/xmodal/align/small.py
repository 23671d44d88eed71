"""Small pairs and recipes for the tests of the alignment."""

from __future__ import annotations

from typing import Any

import torch

from xmodal.align.pairs import Pairs
from xmodal.align.projection import AlignerConfig, ProjectionConfig
from xmodal.align.recipes import Recipe
from xmodal.align.trainer import Trainer, TrainState

DT, DV = 6, 5
MLP = ProjectionConfig(depth=3, width=8)
LINEAR = ProjectionConfig(kind="linear")
IDENTITY = ProjectionConfig(kind="identity")


def pairs(n: int = 45, dtype: torch.dtype = torch.float32, seed: int = 0, **more: Any) -> Pairs:
    """n pairs whose pictures are a noisy linear function of their texts."""
    drawn = torch.Generator().manual_seed(seed)
    text = torch.randn(n, DT, generator=drawn, dtype=torch.float64)
    mix = torch.randn(DT, DV, generator=torch.Generator().manual_seed(99), dtype=torch.float64)
    image = text @ mix + 0.1 * torch.randn(n, DV, generator=drawn, dtype=torch.float64)
    return Pairs(text=text.to(dtype), image=image.to(dtype), **more)


def recipe(aligner: AlignerConfig | None = None, **changes: Any) -> Recipe:
    """A short run of small projections."""
    settings = {"batch_size": 16, "n_steps": 12, "warmup_steps": 2, "look_every": 3, "patience": 9}
    return Recipe(name="small", aligner=aligner or AlignerConfig(text=MLP), **(settings | changes))


def trainer(**changes: Any) -> Trainer:
    """A run with validation pairs."""
    settings = {"pairs": pairs(), "validation": pairs(20, seed=1), "recipe": recipe()}
    return Trainer(**(settings | {"log_every": 4} | changes))


def same_state(one: TrainState, other: TrainState) -> bool:
    """Whether two states agree in every bit."""
    a, b = one.aligner.state_dict(), other.aligner.state_dict()
    moments = [
        {
            (index, name): value
            for index, named in state.optimiser.state_dict()["state"].items()
            for name, value in named.items()
        }
        for state in (one, other)
    ]
    looks = [state.looks.weights if state.looks else {} for state in (one, other)]
    return (
        (one.step, one.metrics) == (other.step, other.metrics)
        and all(
            x.keys() == y.keys() and all(torch.equal(x[k], y[k]) for k in x)
            for x, y in ((a, b), tuple(moments), tuple(looks))
        )
        and [(s.looks.best, s.looks.bar, s.looks.n_since) for s in (one,) if s.looks]
        == [(s.looks.best, s.looks.bar, s.looks.n_since) for s in (other,) if s.looks]
    )
