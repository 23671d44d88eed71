"""Recipes: what a decoder is shown, in which order, and how it is trained, as data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from taxonomy.errors import ConfigError, DataError, unknown
from taxonomy.hashing import hash63
from taxonomy.model import one_of
from xmodal.binding.decoder import DecoderConfig
from xmodal.binding.task import NOISE_BETWEEN, ORDERS, Layout
from xmodal.binding.vocabulary import EXPANDED, Vocabulary

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
OPTIMISERS = ("muon", "adamw")
PRECISIONS = ("float32", "bfloat16")
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


ARMS: Mapping[str, Mapping[str, bool]] = {
    "text": {},
    "noise-text": {"noise": True},
    "image-text": {"image": True, "mixing": True},
    "noise-image-text": {"noise": True, "image": True, "mixing": True},
    "grounding-text": {"grounding": True},
    "grounding-image-text": {"grounding": True, "image": True, "mixing": True},
}
"""Arms by name; the first four are the paper's."""
FACTORS = ("noise", "grounding", "image", "mixing")


def arm_name(factors: Mapping[str, bool]) -> str:
    """The name of a combination of factors; of one without a name of its own, the factors."""
    said = {name: True for name in FACTORS if factors.get(name)}
    for name, of in ARMS.items():
        if dict(of) == said:
            return name
    return "+".join(said)


def arm_stages(
    factors: Mapping[str, bool],
    *,
    lessons: int,
    text: int,
    second: int,
    third: int,
    expansion: int = 0,
    image_share: float = 0.2,
    grounding_share: float = 0.25,
) -> tuple[Stage, ...]:
    """The stages of an arm; as many steps, and as many questions, whatever the factors.

    All but the first are guided, in every arm alike: a decoder that knows the task in text goes
    on guessing about images without it.

    Args:
        factors: By name whether it is used. noise: text batches have noise tokens, but for
            those that the third stage mixes in; image: the second stage shows images only;
            mixing: the third mixes images in, in place of text as it is; grounding: a share of the
            second stage's steps is grounding.
        lessons: Steps of one-hop and two-hop lessons at the beginning, a third of them pairs; 0
            for a decoder that knows the task.
        text: Steps of the first stage.
        second: Of the second stage.
        third: Of the third.
        expansion: Steps with the expanded vocabulary at the end.
        image_share: Of the third stage's steps.
        grounding_share: Of the second stage's steps.
    """
    for name in factors:
        if name not in FACTORS:
            raise ConfigError(unknown("factor", name, FACTORS))
    word = "noise" if factors.get("noise") else "text"
    shown = "image" if factors.get("image") else word
    seen = {shown: 1.0}
    if factors.get("grounding"):
        seen = {shown: 1 - grounding_share, "grounding": grounding_share}
    mixed = {word: 1.0}
    if factors.get("mixing"):
        mixed = {word: 1 - image_share, "image": image_share}
    elif factors.get("noise"):
        mixed = {word: 1 - image_share, "text": image_share}
    pairs = lessons // 3
    made = [
        ("pairs", pairs, {"pairs": 1.0}, False),
        ("hops", lessons - pairs, {"hops": 1.0}, False),
        ("first", text, {word: 1.0}, False),
        ("second", second, seen, False),
        ("third", third, mixed, False),
        ("expansion", expansion, mixed, True),
    ]
    return tuple(
        Stage(
            name=name,
            n_steps=n,
            lessons=shares,
            expanded=expanded,
            guided=name in ("second", "third", "expansion"),
        )
        for name, n, shares, expanded in made
        if n
    )


def factors_in(stages: Sequence[Stage]) -> dict[str, bool]:
    """Which factors stages use, whatever they are called."""
    shown = [set(stage.lessons) for stage in stages]
    return {
        "noise": any("noise" in one for one in shown),
        "grounding": any("grounding" in one for one in shown),
        "image": any("image" in one and not one & {"text", "noise"} for one in shown),
        "mixing": any("image" in one and bool(one & {"text", "noise"}) for one in shown),
        "expansion": any(stage.expanded for stage in stages),
    }


def read_stages(path: Path) -> tuple[Stage, ...]:
    """Stages of a user's JSON file: a list of objects with name, n_steps, lessons.

    Each may also say expanded and guided; see Stage.

    Raises:
        DataError: The file cannot be read, or holds something else.
        ConfigError: A stage that does not fit.
    """
    try:
        said = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error})") from error
    if not isinstance(said, list) or not all(isinstance(one, dict) for one in said):
        raise DataError(f"{path} must hold a list of stages, objects with name, n_steps, lessons")
    made = []
    for one in said:
        try:
            stage = Stage(**one)
        except (TypeError, AttributeError) as error:
            raise DataError(
                f"{path}: a stage has name, n_steps, lessons (shares by kind of batch) and maybe "
                f"expanded and guided, got {one}"
            ) from error
        made.append(stage)
    return tuple(made)
