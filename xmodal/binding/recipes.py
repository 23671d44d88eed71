"""Recipes: what a decoder is shown, in which order, and how it is trained, as data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from taxonomy.errors import ConfigError
from taxonomy.hashing import hash63
from taxonomy.model import one_of
from xmodal.binding.decoder import DecoderConfig
from xmodal.binding.stages import GUIDED, OF_IMAGES, Stage
from xmodal.binding.task import NOISE_BETWEEN, ORDERS, Layout
from xmodal.binding.vocabulary import EXPANDED, Vocabulary

OPTIMISERS = ("muon", "adamw")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a decoder is trained."""

    name: str
    stages: Sequence[Stage]
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    vocabulary: Vocabulary = field(default_factory=Vocabulary)
    """The base vocabulary."""
    n_from: int = 2
    """Fewest objects that training shows."""
    n_to: int = 8
    """Most objects that training shows: what is above is out of distribution."""
    n_most: int = 16
    """Most objects that are asked about."""
    batch_size: int = 64
    """Sequences a step."""
    n_questions: int = 4
    """Questions of a sequence while training, at most; each sees the context and itself."""
    noise: int = 0
    """Noise tokens of lesson noise."""
    noise_to: int | None = None
    """Noise up to this length of the context in place of `noise`."""
    noise_between: str = "objects"
    order: str = "shuffled"
    """Of the associations."""
    marker: bool = False
    """Questions end with an answer token."""
    guided: bool = True
    """In lessons pairs and hops and in guided stages, half of the blocks shall have found the
    shape, by the same unembedding: without it a decoder that knows both hops goes on guessing for
    thousands of steps. It says where the shape is to be, not how it is found. False: nowhere."""
    optimiser: str = "muon"
    """Of the matrices; every other parameter has AdamW."""
    learning_rate: float = 3e-3
    weight_decay: float = 0.0
    warmup_steps: int = 50
    cooldown: float = 0.3
    """Share of the steps, the last, over which the learning rate falls to a twentieth."""
    clip: float = 1.0
    """Largest gradient norm of a run."""
    evaluate_every: int = 250
    """Steps between two looks at accuracy; ends of stages have one too."""
    n_evaluated: int = 256
    """Sequences of a look, for each number of objects; four times as many at ends of stages."""
    keep_every: int | None = None
    """Steps between two kept copies of the weights, to probe; those at ends of stages are always
    kept."""
    precision: str = "float32"
    """float32, or bfloat16 for what autocast computes in it."""

    def __post_init__(self) -> None:
        one_of("optimiser", self.optimiser, OPTIMISERS)
        one_of("precision", self.precision, PRECISIONS)
        one_of("noise_between", self.noise_between, NOISE_BETWEEN)
        one_of("order", self.order, ORDERS)
        if not self.stages:
            raise ConfigError("a recipe needs at least one stage")
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise ConfigError(f"stages must have different names, got {', '.join(names)}")
        if not 2 <= self.n_from <= self.n_to <= self.n_most <= self.vocabulary.most_objects:
            raise ConfigError(
                "must be 2 <= n_from <= n_to <= n_most <= the smallest vocabulary, got "
                f"{self.n_from}, {self.n_to}, {self.n_most}, {self.vocabulary.most_objects}"
            )
        for name in ("batch_size", "n_questions", "evaluate_every", "n_evaluated"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.keep_every is not None and self.keep_every < 1:
            raise ConfigError(f"keep_every must be at least 1, got {self.keep_every}")
        if not 0 < self.learning_rate < math.inf:
            raise ConfigError(f"learning_rate must be above 0 and finite, got {self.learning_rate}")
        if not 0 <= self.weight_decay < math.inf:
            raise ConfigError(
                f"weight_decay must be at least 0 and finite, got {self.weight_decay}"
            )
        if self.warmup_steps < 0:
            raise ConfigError(f"warmup_steps must be at least 0, got {self.warmup_steps}")
        if not 0 <= self.cooldown <= 1:
            raise ConfigError(f"cooldown must be in [0, 1], got {self.cooldown}")
        if not self.clip > 0:
            raise ConfigError(f"clip must be above 0, got {self.clip}")
        if self.uses("grounding") and self.batch_size % 2:
            raise ConfigError(
                "batch_size must be even for lesson grounding, which asks two questions of each "
                f"image token and as many in all as any other lesson, got {self.batch_size}"
            )
        self.layout("noise")  # checks the noise settings
        if self.uses("noise") and not self.noise and self.noise_to is None:
            raise ConfigError("lesson noise needs noise or noise_to above 0")
        self.check_positions()

    def check_positions(self, n_image_tokens: int = 0) -> None:
        """Refuse learned positions that end before the longest sequence does.

        Args:
            n_image_tokens: Of a picture, for a recipe with images.

        Raises:
            ConfigError: They do.
        """
        if self.decoder.position != "learned":
            return
        n, question = self.n_to, 2 + int(self.marker)
        context = max(2 * self.n_most, n_image_tokens)
        most = context + 1 + 2 * self.n_most + question
        if self.uses("noise"):
            noise = self.layout("noise").n_noise(n)
            most = max(most, noise + 2 * n + 1 + 2 * n + question)
        if most > self.decoder.n_positions:
            raise ConfigError(
                f"n_positions must be at least {most} for these contexts, "
                f"got {self.decoder.n_positions}"
            )

    @property
    def n_steps(self) -> int:
        """Of all stages."""
        return sum(stage.n_steps for stage in self.stages)

    def uses(self, lesson: str) -> bool:
        """Whether any stage has such batches."""
        return any(lesson in stage.lessons for stage in self.stages)

    @property
    def uses_images(self) -> bool:
        """Whether any stage shows image tokens."""
        return any(self.uses(lesson) for lesson in OF_IMAGES)

    def at(self, step: int) -> tuple[Stage, int]:
        """The stage of a step, from 0, and the step within it."""
        for stage in self.stages:
            if step < stage.n_steps:
                return stage, step
            step -= stage.n_steps
        raise ValueError(f"step must be below {self.n_steps}")

    def ends_stage(self, step: int) -> bool:
        """Whether a stage is over after so many steps."""
        total = 0
        for stage in self.stages:
            total += stage.n_steps
            if step == total:
                return True
        return False

    def words(self, stage: Stage) -> Vocabulary:
        """The vocabulary of a stage."""
        return EXPANDED if stage.expanded else self.vocabulary

    def guides(self, stage: Stage, lesson: str) -> bool:
        """Whether half of the blocks are asked for the shape in a lesson of a stage."""
        return self.guided and lesson != "grounding" and (stage.guided or lesson in GUIDED)

    def layout(self, lesson: str, step: int = 0) -> Layout:
        """How the sequences of a lesson look.

        Args:
            lesson: One of LESSONS, but for grounding.
            step: Of the run; pairs take their two kinds in turn.
        """
        given: dict[str, Any] = {"order": self.order, "marker": self.marker}
        if self.decoder.position == "random-offset":
            given["offset"] = self.decoder.most_offset
        if lesson == "pairs":
            hops = "shape-item" if hash63("binding pairs", step) % 2 else "colour-shape"
            return Layout(context="none", hops=hops, **given)
        if lesson == "hops":
            return Layout(hops="all", **given)
        if lesson == "noise":
            return Layout(
                noise=self.noise,
                noise_to=self.noise_to,
                noise_between=self.noise_between,
                **given,
            )
        return Layout(context="image" if lesson == "image" else "text", **given)

    def n_objects(self, step: int) -> int:
        """Objects of the scenes of a step: the same for every run and arm."""
        return self.n_from + hash63("binding objects", step) % (self.n_to - self.n_from + 1)

    def learning_rate_at(self, step: int) -> float:
        """Linear warm-up, constant, linear fall to a twentieth."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / (self.warmup_steps + 1)
        left = self.n_steps - step
        falling = self.cooldown * self.n_steps
        share = 1.0 if left >= falling else left / falling
        return self.learning_rate * (0.05 + 0.95 * share)

    def as_dict(self) -> dict[str, Any]:
        """Every setting by name, nested."""
        said = asdict(self)
        said["stages"] = [stage.as_dict() for stage in self.stages]
        return said
