"""What training a recipe costs, known before anything is drawn or trained."""

from __future__ import annotations

from dataclasses import dataclass

from xmodal.binding.recipes import Recipe

KINDS = ("two", "colour-shape", "shape-item")
"""Of the questions of a layout that asks all, in its order."""


@dataclass(frozen=True)
class RunCost:
    """Counts of one run, as its record will say them."""

    n_steps: int = 0
    n_questions: int = 0
    n_tokens: int = 0
    """With noise and image tokens."""
    n_tokens_computed: int = 0
    flops: float = 0.0
    """Of decoder and gradient, forward and backward."""

    def __add__(self, other: RunCost) -> RunCost:
        """Of both."""
        return RunCost(
            self.n_steps + other.n_steps,
            self.n_questions + other.n_questions,
            self.n_tokens + other.n_tokens,
            self.n_tokens_computed + other.n_tokens_computed,
            self.flops + other.flops,
        )


def run_cost(recipe: Recipe, n_image_tokens: int = 0, from_step: int = 0) -> RunCost:
    """What one run of a recipe costs, by its lessons and how their sequences are laid out.

    Args:
        recipe: What is trained.
        n_image_tokens: Of a picture, for lessons with images.
        from_step: Only what is left after so many steps.
    """
    total = RunCost()
    for step in range(from_step, recipe.n_steps):
        total += step_cost(recipe, step, n_image_tokens)
    return total


def step_cost(recipe: Recipe, step: int, n_image_tokens: int = 0) -> RunCost:
    """What one step costs.

    Args:
        recipe: What is trained.
        step: From 0.
        n_image_tokens: Of a picture, for lessons with images.
    """
    stage, within = recipe.at(step)
    lesson, n = stage.lesson(within), recipe.n_objects(step)
    asked = min(recipe.n_questions, n)
    if lesson == "grounding":
        return _grounding(recipe, recipe.batch_size * asked // 2)
    layout = recipe.layout(lesson, step)
    shown = {"none": 0, "text": 2 * n + 1, "image": n_image_tokens + 1}[layout.context]
    # context, its end, associations; a question is a word before and behind it
    computed = shown + 2 * n + asked * (2 + int(recipe.marker))
    kinds = KINDS if layout.hops == "all" else (layout.hops,)
    # of several kinds every kind has its turn
    taken = [kinds[(step + i) % len(kinds)] for i in range(asked)]
    read = asked
    if recipe.guides(stage, lesson):  # what half of the blocks found is read too
        read += sum(kind != "shape-item" for kind in taken)
    images = n_image_tokens if layout.context == "image" else 0
    count = recipe.batch_size
    return RunCost(
        n_steps=1,
        n_questions=count * asked,
        n_tokens=count * (computed + layout.n_noise(n)),
        n_tokens_computed=count * computed,
        flops=3 * count * recipe.decoder.flops(computed, read, images),
    )


def _grounding(recipe: Recipe, count: int) -> RunCost:
    """So many image tokens: a word for each, and a token of the batch for a word."""
    flops = recipe.decoder.flops(4, 1, 2) + 2 * count * recipe.decoder.width
    return RunCost(1, 2 * count, 4 * count, 4 * count, 3 * count * flops)
