"""Settings of S1's runs, read from their names: here, once, and nowhere else."""

from __future__ import annotations

import re
from dataclasses import dataclass

from taxonomy.errors import DataError, unknown

N_HYPERNYMS = 53
"""Hypernyms of the released data."""

LMS = {
    "500m": "Qwen3-0.6B",
    "1b": "Qwen3-1.7B",
    "8b": "Qwen3-8B",
    "1b-llama": "Llama-3.2-1B",
    "1b-llama-chat": "Llama-3.2-1B-Instruct",
}
ENCODERS = {"dinov2": "DINOv2", "siglip": "SigLIP", "dinosiglip": "DINOv2+SigLIP"}
SHUFFLES = {"": "none", "shuffled": "across_s1", "local_shuffled": "within"}
"""By the word that names end in. The across one has fixed points: across_s1."""
SWAPS = {"cat_sampled": "swap_control", "cat_shuffled": "swap"}
"""Whole categories exchanged, and the same leaves unexchanged."""

_RUN = re.compile(
    r"align-(?P<encoder>[a-z0-9]+)\+(?P<lm>[a-z0-9-]+?)-things"
    r"(?P<hyp>\+hyp(-abl(?P<n>\d\d)(?P<cat>cat)?)?)?"
    r"(-(?P<shuffle>(local-)?shuffled|cat-sampled|cat-shuffled))?"
    r"-(?P<seed>\d+)(?P<random>-random)?"
)
_GUESS = re.compile(
    r"test(?P<hyp>_hyp)?(_(?P<part>ablated|trained)_(?P<n>\d\d)(?P<unit>pct|cat))?"
    r"(_(?P<shuffle>(local_)?shuffled|cat_sampled|cat_shuffled))?"
)


@dataclass(frozen=True)
class Condition:
    """What decides the questions of a run: all runs of a condition are asked the same ones."""

    design: str
    """random, systematic, or none for nothing ablated."""
    n: int
    """Percent of the leaves (random) or number of categories (systematic); 0 for none."""
    shuffle: str
    """none, within, across_s1, swap or swap_control."""

    @property
    def ratio(self) -> float:
        """Nominal share held out, 0 to 1."""
        return self.n / (N_HYPERNYMS if self.design == "systematic" else 100)

    @property
    def n_held_out_hypernyms(self) -> int | None:
        """Categories ablated; None for random."""
        return self.n if self.design == "systematic" else None


@dataclass(frozen=True)
class Settings:
    """Everything that a run's name says."""

    encoder: str
    lm: str
    lm_init: str
    condition: Condition
    seed: int


def parse_run(name: str) -> Settings:
    """Settings of a run.

    Args:
        name: Such as "align-dinov2+500m-things+hyp-abl10cat-local-shuffled-42-random".

    Raises:
        DataError: Some part of the name says nothing that is known.
    """
    found = _RUN.fullmatch(name)
    if found is None:
        raise DataError(
            f"run name {name!r} does not parse: it must be align-ENCODER+LM-things, then perhaps "
            "+hyp (nothing ablated), +hyp-ablNN or +hyp-ablNNcat, a shuffle, then -SEED and maybe "
            "-random"
        )
    for kind, got, valid in (
        ("encoder", found["encoder"], ENCODERS),
        ("LM", found["lm"], LMS),
    ):
        if got not in valid:
            raise DataError(f"run name {name!r}: {unknown(kind, got, valid)}")
    shuffle = (found["shuffle"] or "").replace("-", "_")
    return Settings(
        encoder=ENCODERS[found["encoder"]],
        lm=LMS[found["lm"]],
        lm_init="random" if found["random"] else "pretrained",
        condition=(
            Condition("none", 0, SHUFFLES[shuffle])
            if found["hyp"] and not found["n"] and shuffle in SHUFFLES
            else _condition(name, found["n"], bool(found["cat"]), shuffle)
        ),
        seed=int(found["seed"]),
    )


def parse_guess(name: str) -> tuple[str, Condition]:
    """Question set and condition of a row of blind guesses.

    Args:
        name: Such as "test_hyp_ablated_10cat_shuffled", or "test_shuffled" for leaves.

    Returns:
        leaf, seen_s1 or held_out_s1, and the condition; leaves are asked the same whatever is
        ablated, so that theirs has ratio 1.

    Raises:
        DataError: The name does not parse.
    """
    found = _GUESS.fullmatch(name)
    if found is None or (found["part"] and not found["hyp"]):
        raise DataError(
            f"name of a guess {name!r} does not parse: it must be test or test_hyp, then perhaps "
            "_ablated_ or _trained_ with NNpct or NNcat, and a shuffle"
        )
    which = "seen_s1" if found["part"] == "trained" else "held_out_s1"
    condition = _condition(name, found["n"], found["unit"] == "cat", found["shuffle"] or "")
    return which if found["hyp"] else "leaf", condition


def _condition(name: str, n: str | None, categories: bool, shuffle: str) -> Condition:
    ablated = 100 if n is None else int(n)
    if ablated == 0 or (categories and ablated > N_HYPERNYMS):
        raise DataError(
            f"name {name!r} ablates {ablated} where there are {N_HYPERNYMS} hypernyms: it must be "
            f"1 to {N_HYPERNYMS}"
        )
    if shuffle in SWAPS and n is not None:
        raise DataError(f"name {name!r} has a category swap and an ablation: it must have one")
    return Condition(
        design="systematic" if categories else "random",
        n=ablated,
        shuffle=SWAPS.get(shuffle) or SHUFFLES[shuffle],
    )
