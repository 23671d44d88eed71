"""Which layer of a model: by name, or by number."""

from __future__ import annotations

from taxonomy.errors import ConfigError

LAYERS = ("penultimate", "last")


def layer_index(layer: str) -> int | None:
    """Place in a model's hidden states, embeddings first; None for what it returns itself.

    Raises:
        ConfigError: Neither penultimate nor last nor a whole number.
    """
    if layer in LAYERS:
        return {"last": None, "penultimate": -2}[layer]
    try:
        return int(layer)
    except ValueError:
        raise ConfigError(
            f"layer must be penultimate, last or a whole number, got {layer!r}"
        ) from None
