"""Many recipes from one: settings with several values each, every combination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from itertools import product
from typing import Any

from taxonomy.errors import ConfigError, unknown
from xmodal.align.projection import AlignerConfig, ProjectionConfig
from xmodal.align.recipes import Recipe, named_recipe

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


def read_settings(given: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """NAME=VALUE[,VALUE...] as values by name; of a name given twice the values of both.

    Raises:
        ConfigError: No such setting, or a value of another type.
    """
    known, found = settings(), dict[str, tuple[Any, ...]]()
    for one in given:
        name, is_there, text = one.partition("=")
        name = name.strip().replace("-", "_")
        if not is_there:
            raise ConfigError(f"settings are given as NAME=VALUE, got {one!r}")
        if name not in known:
            raise ConfigError(unknown("setting", name, known))
        values = tuple(_value(name, known[name], part) for part in text.split(","))
        found[name] = tuple(dict.fromkeys((*found.get(name, ()), *values)))
    return found


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
    said = read_settings(fixed)
    if several := [name for name, values in said.items() if len(values) > 1]:
        raise ConfigError(f"{several[0]} has several values: --grid takes such, --set takes one")
    if side is not None:
        said = {"side": (side,)} | said
    varied = dict[str, tuple[Any, ...]]()
    for one in grid:
        if "=" in one:
            varied |= read_settings([one])
        elif one in GRIDS:
            varied |= GRIDS[one]
        else:
            raise ConfigError(f"{unknown('grid', one, GRIDS)}; or give NAME=VALUE,VALUE")
    if twice := sorted(said.keys() & varied.keys()):
        raise ConfigError(f"{twice[0]} is set and varied: leave it out of one of the two")
    found = []
    for values in product(*varied.values()):
        changes = {one: value for one, (value,) in said.items()} | dict(
            zip(varied, values, strict=True)
        )
        shape = {one: changes.pop(one) for one in _SHAPE & changes.keys()}
        where = changes.pop("side", None)
        found.append(named_recipe(name, side=where, projection=shape, **changes))
    return found


def _value(name: str, kind: str, text: str) -> Any:
    text = text.strip()
    if "None" in kind and text.lower() == "none":
        return None
    plain = kind.replace("| None", "").strip()
    try:
        if plain == "bool":
            return {"true": True, "false": False}[text.lower()]
        return {"int": int, "float": float, "str": str}[plain](text)
    except (KeyError, ValueError):
        what = {"int": "a whole number", "float": "a number", "bool": "true or false"}[plain]
        raise ConfigError(f"{name} must be {what}, got {text!r}") from None
