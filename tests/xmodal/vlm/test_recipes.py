"""Recipes refuse settings that cannot train."""

from __future__ import annotations

import math
from typing import Any

import pytest

from taxonomy.errors import ConfigError
from xmodal.vlm.recipes import Recipe, named_recipe


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", math.inf),
        ("learning_rate", math.nan),
        ("clip", 0.0),
        ("weight_decay", -0.1),
        ("feature_noise", math.nan),
        ("warmup_ratio", 1.5),
        ("batch_size", 0),
        ("leaf_no_per_visit", 0),
    ],
)
def test_a_setting_out_of_range_is_named(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be .* got {value}"):
        Recipe(name="x", **{name: value})


def test_a_changed_recipe_is_called_after_its_changes() -> None:
    assert named_recipe("s1", epochs=2.0, batch_size=None).name == "s1 (epochs=2.0)"
