"""Recipes: every setting of a projector's training, as data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from taxonomy.errors import ConfigError, unknown
from taxonomy.model import one_of
from xmodal.vlm.projector import KINDS, ProjectorConfig


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a projector is trained."""

    name: str
    projector: ProjectorConfig = field(default_factory=ProjectorConfig)
    batch_unit: str = "images"
    """images: all training questions of batch_size images a step; questions: batch_size
    questions a step."""
    batch_size: int = 64
    epochs: float = 12.0
    """Passes over the training set of the unablated manifest (match steps) or over the
    manifest's own (match epochs)."""
    match: str = "steps"
    """steps: every condition takes the steps of the full set; epochs: of its own set."""
    learning_rate: float = 1e-2
    weight_decay: float = 0.0
    warmup_ratio: float = 0.03
    """Share of the steps with linearly rising learning rate; cosine to zero after."""
    clip: float = 1.0
    """Largest gradient norm."""
    feature_noise: float = 0.0
    """Standard deviation of Gaussian noise on the features, in units of their spread."""
    balance: bool = False
    """Weigh Yes and No of a kind of question so that both count the same in the loss."""
    leaf_no_per_visit: int | None = None
    """For batches of images: leaf No questions of an image in one step, drawn anew each time;
    None for all. Every other question of the image is always there."""
    patience: int | None = None
    """Early stop: passes over the training set without a lower loss on validation pictures, asked
    what training asks, that end a run; the projector of the best pass is kept. None trains to
    the end."""

    def __post_init__(self) -> None:
        one_of("batch_unit", self.batch_unit, ("images", "questions"))
        one_of("match", self.match, ("steps", "epochs"))
        if self.batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, got {self.batch_size}")
        if self.leaf_no_per_visit is not None and self.leaf_no_per_visit < 1:
            raise ConfigError(f"leaf_no_per_visit must be at least 1, got {self.leaf_no_per_visit}")
        if self.leaf_no_per_visit is not None and self.batch_unit == "questions":
            raise ConfigError(
                "leaf_no_per_visit is for batches of images, got batch_unit questions: leave it out"
            )
        if self.patience is not None and self.patience < 1:
            raise ConfigError(f"patience must be at least 1, got {self.patience}")
        if not self.clip > 0:
            raise ConfigError(f"clip must be above 0, got {self.clip}")
        for name in ("epochs", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"{name} must be above 0 and finite, got {getattr(self, name)}")
        for name in ("weight_decay", "feature_noise"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ConfigError(
                    f"{name} must be at least 0 and finite, got {getattr(self, name)}"
                )
        if not 0 <= self.warmup_ratio <= 1:
            raise ConfigError(f"warmup_ratio must be in [0, 1], got {self.warmup_ratio}")

    def as_dict(self) -> dict[str, Any]:
        """Every setting by name, nested; patience, which came later, only where it is set.

        Ids of runs hash it: an old recipe keeps its id.
        """
        said = asdict(self) | {"projector": self.projector.as_dict()}
        if self.patience is None:
            del said["patience"]
        return said


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="embedded",
            projector=ProjectorConfig(hidden=512, n_tokens=8, dropout=0.1, scaled=True),
            batch_size=32,
            epochs=13.0,
            learning_rate=4e-3,
            feature_noise=0.3,
            balance=True,
            leaf_no_per_visit=4,
        ),
        # as in S1's released code (sally-xu-42/cross-modal-taxonomic-gen)
        Recipe(
            name="s1",
            batch_unit="questions",
            batch_size=16,
            epochs=5.0,
            match="epochs",
            learning_rate=1e-3,
        ),
    )
}


def named_recipe(name: str, **changes: Any) -> Recipe:
    """A recipe by name, with some settings changed.

    A changed recipe is called after its changes, so that the analyses keep it apart.

    Args:
        name: Of the recipe.
        **changes: Settings of Recipe; projector is a kind of projector and prefix_tokens the
            number of its tokens. None leaves a setting as it is. With batch_unit questions, every
            leaf question is asked: leaf_no_per_visit is for visits to images.

    Raises:
        ConfigError: No such recipe, or a value out of range or at odds with another.
    """
    if name not in RECIPES:
        raise ConfigError(unknown("recipe", name, RECIPES))
    given = {key: value for key, value in sorted(changes.items()) if value is not None}
    if not given:
        return RECIPES[name]
    label = ", ".join(f"{key}={value}" for key, value in given.items())
    recipe = RECIPES[name]
    kind, n_prefix = given.pop("projector", None), given.pop("prefix_tokens", None)
    if kind is not None or n_prefix is not None:
        given["projector"] = _changed(recipe.projector, kind, n_prefix)
    if given.get("batch_unit") == "questions":
        given["leaf_no_per_visit"] = None
    return replace(recipe, name=f"{name} ({label})", **given)


def _changed(projector: ProjectorConfig, kind: str | None, n_prefix: int | None) -> ProjectorConfig:
    """A projector of another kind, or with so many prefix tokens whatever the patches."""
    kind = kind or projector.kind
    one_of("projector", kind, KINDS)
    if n_prefix is None and kind != "resampler":
        return replace(projector, kind=kind)
    return replace(projector, kind=kind, n_tokens=1, prefix_tokens=n_prefix)
