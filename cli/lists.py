"""Options that hold several values with commas between."""

from __future__ import annotations

from collections.abc import Callable
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
