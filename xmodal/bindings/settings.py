"""The settings of a recipe that `--set` and `--grid` change, as a user reads them."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from taxonomy.model import one_of
from xmodal.binding.decoder import POSITIONS
from xmodal.binding.named import SIZES, arm_recipe
from xmodal.binding.recipes import OPTIMISERS, PRECISIONS
from xmodal.binding.task import NOISE_BETWEEN, ORDERS
from xmodal.bindings.plan import known_settings
from xmodal.report.printed import printed

MEANINGS = {
    "lessons": "Steps of one-hop and two-hop lessons at the beginning, a third of them pairs.",
    "text": "Steps of the first stage, text with noise where the arm has it.",
    "second": "Steps of the second stage: images, or text again.",
    "third": "Steps of the third stage: images and text mixed, or text again.",
    "expansion": "Steps with the expanded vocabulary at the end.",
    "n_from": "Fewest objects that training shows.",
    "n_to": "Most objects that training shows; more are out of distribution.",
    "n_most": "Most objects that are asked about; twice n_to where only that is set and more.",
    "batch_size": "Sequences of a step.",
    "n_questions": "Questions of a sequence while training, at most.",
    "noise": "Noise tokens of a text with noise, in place of noise_to.",
    "noise_to": "Noise up to this length of the context; with a scene set its image tokens.",
    "noise_between": "Where noise stands: between objects, or before every token too.",
    "order": "Of the associations: shuffled, or as in the context.",
    "marker": "Questions end with an answer token, so that it is not the query that is read off.",
    "guided": "Half of the blocks shall have found the shape, in lessons and guided stages.",
    "optimiser": "Of the matrices; everything else has adamw.",
    "learning_rate": "Highest learning rate.",
    "weight_decay": "Of both optimisers.",
    "warmup_steps": "Steps over which the learning rate rises.",
    "cooldown": "Share of the steps, the last, over which it falls to a twentieth; 0 to 1.",
    "clip": "Largest norm of a run's gradient.",
    "evaluate_every": "Steps between two looks at accuracy; ends of stages have one too.",
    "n_evaluated": "Sequences of a look for each number of objects, four times as many at ends.",
    "keep_every": "Steps between two kept copies of the weights, beside those at ends of stages.",
    "precision": "bfloat16 is for GPUs.",
    "n_layers": "Blocks of the decoder.",
    "width": "Of its residual stream; a multiple of twice the heads.",
    "n_heads": "Heads of a block.",
    "position": "Position encoding; random-offset: rotary, shifted at random while training.",
    "rope_base": "Of the rotary wavelengths; above 1.",
    "n_positions": "Vectors of learned positions.",
    "most_offset": "Positions that random-offset stretches a sequence by at most.",
    "n_colours": "Words for colours, 2 to 216; a scene set must have as many.",
    "n_shapes": "Words for shapes, 2 to 216; a scene set must have as many.",
    "n_items": "Words for items, 2 to 32.",
}
"""By setting what it is; of all of known_settings."""
_CHOICES = {
    "noise_between": NOISE_BETWEEN,
    "order": ORDERS,
    "optimiser": OPTIMISERS,
    "precision": PRECISIONS,
    "position": POSITIONS,
}
_KINDS = {"int": "whole number", "float": "number", "bool": "true, false"}


def settings_of_size(size: str) -> dict[str, Any]:
    """The value of each setting that a size has unless it is set.

    Args:
        size: A name of SIZES.

    Raises:
        ConfigError: No such size.
    """
    one_of("size", size, tuple(SIZES))
    recipe, steps = arm_recipe("text", size)[0], SIZES[size].steps
    found: dict[str, Any] = {}
    for name in known_settings():
        for of in (recipe, recipe.decoder, recipe.vocabulary):
            if hasattr(of, name):
                found[name] = getattr(of, name)
                break
        else:
            found[name] = steps.get(name, 0)
    return found


def values_of(name: str) -> str:
    """What a setting may be."""
    if name in _CHOICES:
        return ", ".join(_CHOICES[name])
    kind = known_settings()[name]
    plain = _KINDS[kind.replace("| None", "").strip()]
    return f"{plain}, none" if "None" in kind else plain


def settings_table(size: str) -> str:
    """Every setting with the size's value, what it may be and what it is.

    Args:
        size: A name of SIZES.

    Raises:
        ConfigError: No such size.
    """
    table = Table("setting", f"size {size}", "values", "what it is", box=None, pad_edge=False)
    for name, value in settings_of_size(size).items():
        said = str(value).lower() if isinstance(value, bool) or value is None else f"{value}"
        table.add_row(name, said, values_of(name), MEANINGS[name])
    return printed(table)
