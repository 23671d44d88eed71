"""Sets of designs in one call."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from taxonomy.errors import ConfigError
from taxonomy.model import ManifestConfig


def in_words(config: ManifestConfig) -> str:
    """A resolved design in a few words, such as "systematic 10, shuffle within, seed 42"."""
    level = {"random": f" {config.ratio:g}", "systematic": f" {config.n_held_out_hypernyms}"}
    return (
        f"{config.design}{level.get(config.design, '')}, shuffle {config.shuffle}, "
        f"seed {config.seed}"
    )


def grid(
    designs: Iterable[str],
    ratios: Iterable[float],
    n_hypernyms: Iterable[int],
    shuffles: Iterable[str],
    seeds: Iterable[int],
    **knobs: Any,
) -> list[ManifestConfig]:
    """Every combination that means something, in the order given.

    Args:
        designs: none, random, systematic.
        ratios: Shares of the cells that random holds out.
        n_hypernyms: Numbers of hypernyms that systematic holds out.
        shuffles: Kinds of shuffle.
        seeds: Seeds of the designs.
        **knobs: Other settings of ManifestConfig, the same for all.

    Raises:
        ConfigError: A value is not allowed, or a design is left without its numbers.
    """
    combinations = list(itertools.product(shuffles, seeds))
    random_levels = [{"ratio": ratio} for ratio in ratios]
    systematic_levels = [{"n_held_out_hypernyms": n} for n in n_hypernyms]
    configs = []
    for design in designs:
        levels: list[dict[str, Any]] = [{}]
        if design == "random":
            levels = list(random_levels)
        elif design == "systematic":
            levels = list(systematic_levels)
        if not levels:
            needed = "ratios" if design == "random" else "n_held_out_hypernyms"
            raise ConfigError(f"design {design} in a grid needs {needed}, got none")
        configs += [
            ManifestConfig(design=design, shuffle=shuffle, seed=seed, **level, **knobs)
            for level in levels
            for shuffle, seed in combinations
        ]
    return list(dict.fromkeys(configs))
