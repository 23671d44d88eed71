"""What recipe_json tells of is the recipe that a run had."""

from __future__ import annotations

import json
from typing import Any

import pytest

from xmodal.align import recipes as align
from xmodal.binding.named import SIZES, arm_recipe, factorial
from xmodal.binding.run import run_id_of
from xmodal.reproduce import alignments, decoders, projectors
from xmodal.vlm import recipes as vlm


def stored(said: dict[str, Any], **beside: Any) -> dict[str, Any]:
    """As it comes back from a run's column."""
    found: dict[str, Any] = json.loads(json.dumps(said | beside, sort_keys=True))
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"patience": 3},
        {"projector": "resampler", "prefix_tokens": 4},
        {"batch_unit": "questions", "epochs": 2.5},
    ],
)
def test_projectors(changes: dict[str, Any]) -> None:
    for name in vlm.RECIPES:
        recipe = vlm.named_recipe(name, **changes)
        said = stored(recipe.as_dict(), threads=2, splits=["test"], features={"side": 3})
        assert projectors.recipe_again(said) == recipe


@pytest.mark.parametrize("changes", [{}, {"side": "both", "patience": 3, "learned_scale": True}])
def test_alignments(changes: dict[str, Any]) -> None:
    for name in align.RECIPES:
        recipe = align.named_recipe(name, **changes)
        said = stored(recipe.as_dict(), n_views=2, n_pairs=9)
        assert alignments.recipe_again(said) == recipe


def test_decoders() -> None:
    for size in SIZES:
        for arm in factorial():
            recipe, _ = arm_recipe(arm, size, decoder={"image_width": 8})
            again = decoders.recipe_again(stored(recipe.as_dict()))
            assert again == recipe
            assert run_id_of(again, 1, None, "x") == run_id_of(recipe, 1, None, "x")
            for step in range(0, recipe.n_steps, 97):
                (stage, at), (other, _) = recipe.at(step), again.at(step)
                assert stage.lesson(at) == other.lesson(at)
