"""A sweep as it is declared: products of manifests, LMs, features, recipes and seeds."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from taxonomy.errors import ConfigError, DataError
from taxonomy.reading import read_text, record_of

CHANGES = {
    "epochs": float,
    "batch_size": int,
    "batch_unit": str,
    "learning_rate": float,
    "projector": str,
    "prefix_tokens": int,
    "patience": int,
}
"""Settings of a recipe that a sweep may change, as `xmodal train` does."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """One product: every manifest with every LM, initialisation, features, recipe and seed."""

    manifests: tuple[str, ...] = ()
    """Ids of manifests, or their beginnings."""
    where: Mapping[str, str] = field(default_factory=dict)
    """Also every manifest of the store with these values in its columns; none without any."""
    lms: tuple[str, ...] = ("embedded",)
    lm_inits: tuple[str, ...] = ("pretrained",)
    revision: str | None = None
    """Of hub models."""
    features: tuple[str, ...] = ()
    """Ids of feature sets, their beginnings, or names of encoders; none for the dataset's usual."""
    recipes: tuple[str, ...] = ()
    """None for what `xmodal train` takes for the LM."""
    seeds: tuple[int, ...] = (42,)
    seed_of_manifest: bool = False
    """Each run takes the seed of its manifest, and seeds are left out."""
    prompt: str = "default"
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the recipes to change; see CHANGES."""
    device: str = "auto"
    """Where tasks compute, found out where they run."""
    allow_seen: bool = False

    def __post_init__(self) -> None:
        if not self.manifests and not self.where:
            raise ConfigError("name manifests, or columns of them under where, got neither")
        for name in ("lms", "lm_inits", *(() if self.seed_of_manifest else ("seeds",))):
            if not getattr(self, name):
                raise ConfigError(f"{name} must list at least one value, got none")
        for name, value in self.changes.items():
            kind = CHANGES.get(name)
            if kind is None:
                raise ConfigError(f"changes must be of {', '.join(CHANGES)}, got {name!r}")
            fits = isinstance(value, (int, float) if kind is float else kind)
            if isinstance(value, bool) or not fits:
                words = {float: "a number", int: "a whole number", str: "a text"}
                raise ConfigError(f"changes: {name} must be {words[kind]}, got {value!r}")

    def settings(self) -> Iterator[dict[str, Any]]:
        """What `xmodal train` would be told, for each LM, initialisation, features and recipe."""
        for lm, init, features, recipe in itertools.product(
            self.lms, self.lm_inits, self.features or (None,), self.recipes or (None,)
        ):
            yield {
                "lm": lm, "lm_init": init, "revision": self.revision,
                "recipe": recipe, "prompt": self.prompt, "features": features,
                "allow_seen": self.allow_seen, "device": self.device,
                # a whole number in a file is the fraction that a command line makes of it
                "changes": {name: CHANGES[name](value) for name, value in self.changes.items()},
            }  # fmt: skip


@dataclass(frozen=True)
class Declared:
    """A sweep's name and its products; a run that two of them ask for is one run."""

    name: str
    runs: tuple[Block, ...]

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ConfigError('give the sweep a name, name = "..."')
        if not self.runs:
            raise ConfigError("add a table [[runs]] for each product of settings")


def read_sweep(file: Path) -> Declared:
    """Read a sweep's TOML: `name` and tables [[runs]] with the fields of Block.

    Raises:
        ConfigError: It is no TOML, or something in it is unknown, missing or out of range.
        DataError: The file cannot be read.
    """
    try:
        said = tomllib.loads(read_text(file, "sweep "))
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, deep nesting
        raise ConfigError(f"{file} is not TOML: {str(error).splitlines()[0]}") from None
    if isinstance(said.get("runs"), list):
        said["runs"] = [_with_texts(one) for one in said["runs"]]
    try:
        return record_of(Declared, said, str(file))
    except DataError as error:
        raise ConfigError(str(error)) from error


def _with_texts(block: Any) -> Any:
    """Columns of manifests are compared as text, so that 0.5 and "0.5" are one."""
    if not isinstance(block, dict) or not isinstance(block.get("where"), dict):
        return block
    plain = {
        key: str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        for key, value in block["where"].items()
    }
    return {**block, "where": plain}


def with_manifests(block: Block, manifests: tuple[str, ...]) -> Block:
    """A block of exactly these manifests."""
    return replace(block, manifests=manifests, where={})
