"""Many recipes from one: settings with several values each, every combination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from itertools import product
from typing import Any

from taxonomy.errors import ConfigError, unknown
from xmodal.align.projection import AlignerConfig, ProjectionConfig
from xmodal.align.recipes import Recipe, named_recipe
from xmodal.settings import one_each, read_settings

GRIDS: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    # what S2's authors name as their next checks of the projection
    "s2": {
        "activation": ("relu", "gelu", "swish"),
        "depth": (2, 4, 6, 8),
        "width": (2048, 4096, 8192),
    },
}
"""Grids by name."""

_NOT_SETTINGS = ("name", "aligner", "text", "image")
_SHAPE = {one.name for one in fields(ProjectionConfig)}


def settings() -> dict[str, str]:
    """Every setting that can be changed by name, with the type of its values."""
    found = {"side": "str"}
    for config in (Recipe, AlignerConfig, ProjectionConfig):
        found |= {one.name: str(one.type) for one in fields(config)}
    return {name: kind for name, kind in found.items() if name not in _NOT_SETTINGS}


def recipes(
    name: str, fixed: Sequence[str] = (), grid: Sequence[str] = (), side: str | None = None
) -> list[Recipe]:
    """A recipe with settings changed, in every combination of the grid's values.

    Args:
        name: Of the recipe.
        fixed: NAME=VALUE each.
        grid: NAME=VALUE,VALUE each, or the name of a grid.
        side: What is projected: text, image or both.

    Raises:
        ConfigError: No such recipe, setting or grid, a value out of range, or one setting both
            fixed and varied.
    """
    said = one_each(read_settings(fixed, settings()))
    if side is not None:
        said = {"side": side} | said
    varied = dict[str, tuple[Any, ...]]()
    for one in grid:
        if "=" in one:
            varied |= read_settings([one], settings())
        elif one in GRIDS:
            varied |= GRIDS[one]
        else:
            raise ConfigError(f"{unknown('grid', one, GRIDS)}; or give NAME=VALUE,VALUE")
    if twice := sorted(said.keys() & varied.keys()):
        raise ConfigError(f"{twice[0]} is set and varied: leave it out of one of the two")
    found = []
    for values in product(*varied.values()):
        changes = said | dict(zip(varied, values, strict=True))
        shape = {one: changes.pop(one) for one in _SHAPE & changes.keys()}
        where = changes.pop("side", None)
        found.append(named_recipe(name, side=where, projection=shape, **changes))
    return found
