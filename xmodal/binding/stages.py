"""Stages: what a decoder is shown for some steps, as data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from taxonomy.errors import ConfigError, DataError
from taxonomy.model import one_of
from taxonomy.reading import read_json, record_of

LESSONS = ("pairs", "hops", "text", "noise", "image", "grounding")
"""Kinds of batches. pairs: one-hop questions about associations alone; hops: a text context with
one-hop and two-hop questions; text, image: two-hop questions about a context of that kind; noise:
of a text context with noise tokens; grounding: which colour and shape an image token shows, and
back."""
_IN_TURN = ("pairs", "hops", "noise", "text", "image", "grounding")
"""The order in which a stage's shares are laid out, whatever the order they are written in: a run's
id is the same for all of them, and what is stored of a recipe has them by name."""
GUIDED = ("pairs", "hops")
"""Lessons in which the residual stream after half of the blocks is asked for the shape too,
whatever the stage."""
OF_IMAGES = ("image", "grounding")
_GOLDEN = (math.sqrt(5) - 1) / 2
"""Multiples of it, without their whole part, are spread evenly however many there are."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Steps with one mixture of lessons."""

    name: str
    n_steps: int
    lessons: Mapping[str, float]
    """Kinds of batches, and the share of steps of each."""
    expanded: bool = False
    """Take the words of the expanded vocabulary."""
    guided: bool = False
    """Ask half of the blocks for the shape in every lesson about scenes, not in GUIDED alone."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ConfigError(f"the name of a stage must be a text, got {self.name!r}")
        if type(self.n_steps) is not int:
            raise ConfigError(
                f"stage {self.name}: n_steps must be a whole number, got {self.n_steps!r}"
            )
        for name in ("expanded", "guided"):
            if type(value := getattr(self, name)) is not bool:
                raise ConfigError(f"stage {self.name}: {name} must be true or false, got {value!r}")
        if self.n_steps < 1:
            raise ConfigError(f"stage {self.name}: n_steps must be at least 1, got {self.n_steps}")
        if not self.lessons:
            raise ConfigError(f"stage {self.name} has no lesson")
        for lesson, share in self.lessons.items():
            one_of("lesson", lesson, LESSONS)
            if not 0 < share <= 1:
                raise ConfigError(
                    f"stage {self.name}: the share of {lesson} must be in (0, 1], got {share}"
                )
        if not math.isclose(total := sum(self.lessons.values()), 1.0, abs_tol=1e-9):
            raise ConfigError(f"stage {self.name}: the shares must add up to 1, got {total:g}")

    def as_dict(self) -> dict[str, Any]:
        """Every setting by name; guided where it is so: ids of runs from before it stay."""
        said = asdict(self) | {"lessons": dict(self.lessons)}
        if not self.guided:
            del said["guided"]
        return said

    def lesson(self, step: int) -> str:
        """What a step of the stage shows: every share as evenly spread as it can be.

        Args:
            step: Of this stage, from 0.
        """
        at = (step + 1) * _GOLDEN % 1.0
        shown = [name for name in _IN_TURN if name in self.lessons]
        for name in shown:
            if at < self.lessons[name]:
                return name
            at -= self.lessons[name]
        return shown[-1]


def read_stages(path: Path) -> tuple[Stage, ...]:
    """Stages of a user's JSON file: a list of objects with name, n_steps, lessons.

    Each may also say expanded and guided; see Stage.

    Raises:
        DataError: The file cannot be read, or holds something else.
        ConfigError: A stage that does not fit.
    """
    said = read_json(path)
    if not isinstance(said, list) or not all(isinstance(one, dict) for one in said):
        raise DataError(f"{path} must hold a list of stages, objects with name, n_steps, lessons")
    return tuple(
        record_of(Stage, one, f"{path}: stage {number}") for number, one in enumerate(said, 1)
    )
