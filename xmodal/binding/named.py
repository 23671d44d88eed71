"""Recipes by name and size, and every combination of factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from taxonomy.errors import ConfigError, unknown
from xmodal.binding.arms import ARMS, FACTORS, arm_name, arm_stages, factors_in
from xmodal.binding.decoder import DecoderConfig
from xmodal.binding.recipes import Recipe
from xmodal.binding.stages import Stage
from xmodal.binding.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class Size:
    """A decoder, what it is shown, and how many steps the stages of an arm have."""

    decoder: DecoderConfig
    steps: Mapping[str, int]
    """lessons, text, second, third."""
    settings: Mapping[str, Any]
    """Of the recipe."""


SIZES = {
    # The paper gives layers, width, heads, bf16 and "up to 8 objects". Everything else here is
    # this package's choice: optimiser, batch, steps, vocabulary. Noise fills a context up to the
    # image tokens of the usual encoders: 14 x 14 there, 8 x 8 of the package's own.
    "paper": Size(
        decoder=DecoderConfig(n_layers=12, width=128, n_heads=4, position="learned"),
        steps={"lessons": 3000, "text": 6000, "second": 6000, "third": 3000},
        settings={
            "n_from": 2, "n_to": 8, "n_most": 16, "batch_size": 256, "n_questions": 8,
            "vocabulary": Vocabulary(n_colours=32, n_shapes=32, n_items=32),
            "learning_rate": 2e-3, "noise_to": 196, "precision": "bfloat16", "evaluate_every": 500,
        },
    ),
    "small": Size(
        decoder=DecoderConfig(
            n_layers=4, width=64, n_heads=4, position="learned", n_positions=128
        ),
        steps={"lessons": 1800, "text": 400, "second": 600, "third": 400},
        settings={
            "n_from": 2, "n_to": 4, "n_most": 8, "batch_size": 64, "n_questions": 4,
            "vocabulary": Vocabulary(n_colours=16, n_shapes=16, n_items=16),
            "learning_rate": 3e-3, "noise_to": 64,
        },
    ),
}  # fmt: skip
"""Sizes by name: paper for a GPU, small for a CPU."""


def arm_recipe(
    arm: str,
    size: str = "small",
    *,
    from_start: bool = False,
    stages: Sequence[Stage] | None = None,
    steps: Mapping[str, int] | None = None,
    decoder: Mapping[str, Any] | None = None,
    **settings: Any,
) -> tuple[Recipe, dict[str, bool]]:
    """The recipe of an arm, and the factors that it uses.

    Args:
        arm: A name of ARMS, or factors joined by +.
        size: A name of SIZES.
        from_start: Without the lessons and the first stage: it starts from a decoder that has them.
        stages: In place of the arm's; the arm is then called own.
        steps: In place of the size's: lessons, text, second, third, expansion.
        decoder: Settings of the decoder in place of the size's.
        **settings: Of the recipe, in place of the size's. Where n_to is among them and n_most is
            not, n_most follows; see most_asked.

    Raises:
        ConfigError: No such arm, size or setting.
    """
    if size not in SIZES:
        raise ConfigError(unknown("size", size, SIZES))
    of = SIZES[size]
    factors = factors_of(arm) if stages is None else factors_in(stages)
    counts = {**of.steps, **(steps or {})}
    if from_start:
        counts |= {"lessons": 0, "text": 0}
    given = {**of.settings, **settings}
    if settings.get("noise"):
        given["noise_to"] = settings.get("noise_to")
    shape = replace(of.decoder, **(decoder or {}))
    if "n_to" in settings and "n_most" not in settings:
        given["n_most"] = most_asked(
            given["n_to"], given["n_most"], given["vocabulary"], shape, given.get("marker", False)
        )
    recipe = Recipe(
        name=size,
        stages=arm_stages(factors, **counts) if stages is None else stages,
        decoder=shape,
        **given,
    )
    return recipe, factors_in(recipe.stages)


def most_asked(
    n_to: int, usual: int, vocabulary: Vocabulary, decoder: DecoderConfig, marker: bool = False
) -> int:
    """Most objects to ask about where only the most that training shows is given.

    Twice as many, or the size's where that is more, as far as there are words and learned
    positions: so that something is asked beyond training.

    Args:
        n_to: Most objects that training shows.
        usual: n_most of the size.
        vocabulary: Whose words.
        decoder: Whose positions.
        marker: Whether questions end with an answer token.
    """
    room = vocabulary.most_objects
    if decoder.position == "learned":
        # context and associations of two tokens an object each, the end, a question
        room = min(room, (decoder.n_positions - 1 - 2 - int(marker)) // 4)
    return max(n_to, min(max(usual, 2 * n_to), room))


def factors_of(arm: str) -> dict[str, bool]:
    """By factor whether an arm uses it.

    Raises:
        ConfigError: No such arm or factor.
    """
    if arm in ARMS:
        said = set(ARMS[arm])
    else:
        said = set(arm.split("+"))
        if said - set(FACTORS):
            raise ConfigError(
                f"{unknown('arm', arm, ARMS)}; or factors joined by +, of {', '.join(FACTORS)}"
            )
    return {name: name in said for name in FACTORS}


def factorial(names: Sequence[str] = FACTORS) -> list[str]:
    """Every combination of factors, by the names of the arms.

    Raises:
        ConfigError: No such factor.
    """
    for one in names:
        if one not in FACTORS:
            raise ConfigError(unknown("factor", one, FACTORS))
    return [
        arm_name(dict(zip(names, used, strict=True)))
        for used in product((False, True), repeat=len(names))
    ]
