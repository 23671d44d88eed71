"""What is asked, and of whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from taxonomy.errors import ConfigError
from taxonomy.model import RELATION, one_of
from xmodal.lms.causal import LanguageModel, load_lm
from xmodal.lms.names import EMBEDDED
from xmodal.probe.phrasings import N_PHRASINGS, TASKS, Task

ASKED: dict[str, tuple[Task, ...]] = {
    "all": TASKS,
    "yes-no": ("yes_no",),
    "sentence": ("sentence",),
    "choice": ("choice",),
}
"""The tasks that each value of --task stands for."""
CHOICE_SCORES = ("total", "mean")


@dataclass(frozen=True, kw_only=True)
class ProbeConfig:
    """What is asked."""

    task: str = "all"
    """yes-no, sentence, choice or all."""
    phrasings: tuple[int, ...] = (1, 2, 3, 4)
    """Numbers of the wordings, from 1."""
    chat: bool = False
    """Ask yes-no questions in the LM's chat template; the other tasks are not questions."""
    choice_score: str = "total"
    """Log probability of a completion: its total, or its mean a token."""
    relation: str = RELATION
    """Whose pairs are asked about."""
    seed: int = 42
    """Of the foils, and of random weights."""
    batch_size: int = 64
    """Texts a forward pass."""

    def __post_init__(self) -> None:
        one_of("task", self.task, tuple(ASKED))
        one_of("choice_score", self.choice_score, CHOICE_SCORES)
        wrong = [one for one in self.phrasings if not 1 <= one <= N_PHRASINGS]
        if wrong or not self.phrasings:
            got = wrong[0] if wrong else "none"
            raise ConfigError(f"phrasing must be from 1 to {N_PHRASINGS}, got {got}")
        if self.batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, got {self.batch_size}")
        if self.seed < 0:
            raise ConfigError(f"seed must be at least 0, got {self.seed}")
        if self.chat and self.task not in ("all", "yes-no"):
            raise ConfigError(
                f"a chat template goes with task yes-no, got task {self.task!r}; leave one out"
            )


@dataclass(frozen=True, kw_only=True)
class AlignmentConfig:
    """How the two sides are compared, and under which labels."""

    k: int = 10
    """Nearest leaves."""
    layer: int = -1
    """Of the LM's hidden states: 0 the token embeddings, -1 the last."""
    features: str | None = None
    """Id of a feature set or its beginning; the dataset's own if None."""
    manifests: tuple[str, ...] = ()
    """Manifests whose shuffles are measured; all of the dataset if none."""
    shuffles: tuple[str, ...] = ()
    """Kinds of shuffle to measure instead."""

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ConfigError(f"k must be at least 1, got {self.k}")

    def check(self, asked: bool, others: Mapping[str, object]) -> None:
        """Raise ConfigError where options that do not go together were given.

        Args:
            asked: Whether alignment is what is wanted.
            others: Options that only the text-only tasks take, by name; None if not given.
        """
        if not asked and self != AlignmentConfig():
            raise ConfigError(
                "--features, --k, --layer, --manifest and --shuffle go with --alignment: add it"
            )
        if asked and (given := [name for name, value in others.items() if value is not None]):
            raise ConfigError(f"{given[0]} does not go with --alignment: leave one of them out")


@dataclass(frozen=True)
class LmChoice:
    """The LM that is asked."""

    name: str | None = None
    """None: the embedded one, or that of the run."""
    init: str = "pretrained"
    revision: str | None = None
    device: str = "cpu"

    def load(self, seed: int) -> LanguageModel:
        """Load it.

        Raises:
            ConfigError: The device is not there, or the init not for this LM.
            DataError: The LM cannot be found or read.
        """
        import torch

        one_of("device", self.device, ("cpu", "cuda"))
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ConfigError("device must be cpu where torch finds no GPU, got 'cuda'")
        return load_lm(
            self.name or EMBEDDED,
            init=self.init,
            revision=self.revision,
            seed=seed if self.init == "random" else 0,
            device=self.device,
        )
