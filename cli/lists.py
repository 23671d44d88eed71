"""Options that hold several values, or columns with their values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from taxonomy.errors import ConfigError

T = TypeVar("T")


def listed(name: str, text: str, kind: Callable[[str], T]) -> list[T]:
    """The values of a comma-separated option.

    Args:
        name: The option, for the message.
        text: What was given; empty for no values.
        kind: str, int or float.

    Raises:
        ConfigError: A value cannot be read.
    """
    values = []
    for part in filter(None, map(str.strip, text.split(","))):
        try:
            values.append(kind(part))
        except ValueError:
            what = "whole numbers" if kind is int else "numbers"
            raise ConfigError(f"{name} must be {what} with commas between, got {part!r}") from None
    return values


def columns_given(option: str, given: Sequence[str]) -> dict[str, str]:
    """Column to value, from texts such as "lm_init=pretrained".

    Raises:
        ConfigError: One without "=", or a column given twice.
    """
    out: dict[str, str] = {}
    for item in given:
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"{option} must be COLUMN=VALUE, got {item!r}")
        if key.strip() in out:
            raise ConfigError(f"{option} has {key.strip()} twice: leave one")
        out[key.strip()] = value.strip()
    return out
