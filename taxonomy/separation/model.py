"""What a concept separation is: its settings, and who is unseen, seen and removed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from taxonomy.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

LEVELS = ("none", "lemma", "synset", "subtree", "branch")
"""Each removes what the one before it removes, and more."""
SIMILAR = "similar"
"""The level after branch, where features and max_cosine are given."""
ARMS = ("separated", "control")
BY_WORD = ("name", "lemma", "hyponym_lemma")
"""Whose word is found: the unseen class's name, its synset's, or that of one below it."""
RELATIONS = ("identity", *BY_WORD, "hypernym", "hyponym", "distance", "cosine")
"""How a class or text is tied to an unseen class, the nearest tie first."""
RANDOM = "random"
"""The reason in a control."""


@dataclass(frozen=True, kw_only=True)
class SeparationConfig:
    """Identity of one separation, before its dataset is read."""

    n_unseen: int = 100
    """Classes that no level after none trains on."""
    max_branch: int = 20
    """Largest number of classes of one unseen branch."""
    distance: int = 3
    """For level branch: edges of WordNet's hypernym graph, up or down:
    2 reaches siblings, 4 cousins."""
    levels: tuple[str, ...] = LEVELS
    """The levels asked for, in the order of LEVELS."""
    max_cosine: float | None = None
    """For level similar: no seen class has a larger cosine with an unseen one, -1 to 1."""
    min_training: int = 100
    """Fewest classes that must remain in training at each level."""
    seed: int = 0
    """Seed of the unseen branches and of the controls."""

    def __post_init__(self) -> None:
        for name, least in (("n_unseen", 1), ("max_branch", 1), ("distance", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.min_training < 1:
            raise ConfigError(f"min_training must be at least 1, got {self.min_training}")
        for name in ("n_unseen", "max_branch", "distance", "min_training", "seed"):
            if abs(getattr(self, name)) >= 2**63:
                raise ConfigError(
                    f"{name} must be below 2 to the power of 63, got {getattr(self, name)}"
                )
        wanted = tuple(level for level in LEVELS if level in self.levels)
        if not self.levels or self.levels != wanted:
            raise ConfigError(
                f"levels must be some of {', '.join(LEVELS)}, each once and in this order, got "
                f"{', '.join(self.levels) or 'none at all'}"
            )
        if self.max_cosine is not None and not -1.0 <= self.max_cosine < 1.0:
            raise ConfigError(
                f"max_cosine must be at least -1 and less than 1, got {self.max_cosine}"
            )

    def as_dict(self) -> dict[str, Any]:
        """Every setting by name, for the store."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Removed:
    """Concept ids that a level does not train on, in each of its arms, ascending."""

    separated: tuple[int, ...]
    """The unseen classes and their relatives; empty at level none."""
    control: tuple[int, ...]
    """The unseen classes and as many others at random."""

    def of(self, arm: str) -> tuple[int, ...]:
        """Those of an arm."""
        return self.separated if arm == "separated" else self.control


@dataclass(frozen=True, kw_only=True)
class Separation:
    """Unseen classes of one dataset, fixed, and what each level removes around them."""

    separation_id: str
    """First 16 hex digits of the sha256 of dataset, config and rows."""
    dataset_id: str
    config: SeparationConfig
    unseen: tuple[int, ...]
    """Concept ids, ascending; the same at every level."""
    roots: tuple[str, ...]
    """The nodes whose classes are the unseen ones, in the order they were taken."""
    removed: Mapping[str, Removed]
    """By level, in their order."""
    classes: pa.Table
    """taxonomy.tables.SEPARATION: a row a level, arm and class."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    """Counts for the reader: classes without a place in the graph; by level what is seen."""

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels it has."""
        return tuple(self.removed)
