"""Settings of recipes as a user types them: NAME=VALUE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from taxonomy.errors import ConfigError, unknown


def read_settings(given: Sequence[str], known: Mapping[str, str]) -> dict[str, tuple[Any, ...]]:
    """NAME=VALUE[,VALUE...] as values by name; of a name given twice the values of both.

    Args:
        given: As typed.
        known: Every setting by name, with the type of its values: int, float, str, bool, or such
            a one | None.

    Raises:
        ConfigError: No such setting, or a value of another type.
    """
    found = dict[str, tuple[Any, ...]]()
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


def one_each(said: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
    """The value of each setting.

    Raises:
        ConfigError: One has several values.
    """
    if several := [name for name, values in said.items() if len(values) > 1]:
        raise ConfigError(f"{several[0]} has several values: --grid takes such, --set takes one")
    return {name: value for name, (value,) in said.items()}


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
