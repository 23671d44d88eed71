"""Which designs `xmodal manifest grid` was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cli.lists import listed
from taxonomy.errors import ConfigError

if TYPE_CHECKING:
    from taxonomy.model import ManifestConfig

LISTED = {
    "designs": "random",
    "ratios": "0,0.5,1",
    "n_held_out_hypernyms": "",
    "shuffles": "none",
    "closure": "none",
}
"""What a grid is made of where the user does not say."""


def chosen_ratio(design: str, ratio: float | None) -> float:
    """The ratio of one design: what the user said where the design uses it.

    Args:
        design: none, random or systematic.
        ratio: As given; None where it was not.

    Raises:
        ConfigError: A ratio for a design that another setting or nothing decides.
    """
    from taxonomy.model import ManifestConfig

    if ratio is None:
        return ManifestConfig.ratio
    if design == "systematic":
        raise ConfigError(
            "ratio goes with design random, got design 'systematic' and ratio "
            f"{ratio:g}: n_held_out_hypernyms alone says how much is held out"
        )
    if design == "none" and ratio != 0.0:
        raise ConfigError(f"ratio must be 0 or left out for design none, got {ratio:g}")
    return ratio


def chosen_grid(
    paper: str | None,
    full: bool,
    swap: bool,
    said: Mapping[str, str | None],
    seeds: str,
    **knobs: Any,
) -> list[ManifestConfig]:
    """A paper's designs, or every combination of the listed values.

    Args:
        paper: A paper's name, or None.
        full: --with-full.
        swap: --with-swap.
        said: The settings of LISTED as the user gave them; None where not given.
        seeds: Seeds with commas between.
        **knobs: Other settings of ManifestConfig.

    Raises:
        ConfigError: A value cannot be read or contradicts another.
    """
    from taxonomy.manifest import grid, paper_grid

    numbers = listed("seeds", seeds, int)
    if paper is not None:
        return paper_grid(paper, numbers, full=full, swap=swap, fixed=said, **knobs)
    for name, on in (("--with-full", full), ("--with-swap", swap)):
        if on:
            raise ConfigError(f"{name} goes with --paper s1, got no --paper: add it")
    given = {name: value for name, value in said.items() if value is not None}
    text = {**LISTED, **given}
    designs = listed("designs", text["designs"], str)
    for name, design in (("ratios", "random"), ("n_held_out_hypernyms", "systematic")):
        if given.get(name) and design not in designs:
            raise ConfigError(
                f"{name} goes with design {design}, got {name} {given[name]} and designs "
                f"{', '.join(designs)}: leave it out, or add {design} to --designs"
            )
    return grid(
        designs,
        listed("ratios", text["ratios"], float),
        listed("n_held_out_hypernyms", text["n_held_out_hypernyms"], int),
        listed("shuffles", text["shuffles"], str),
        numbers,
        closure=text["closure"],
        **knobs,
    )
