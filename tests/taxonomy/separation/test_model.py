"""Settings out of range, each with its message."""

from __future__ import annotations

from typing import Any

import pytest

from taxonomy.errors import ConfigError
from taxonomy.separation import LEVELS, SeparationConfig


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_unseen": 0}, "n_unseen must be at least 1, got 0"),
        ({"max_branch": 0}, "max_branch must be at least 1, got 0"),
        ({"distance": 0}, "distance must be at least 1, got 0"),
        ({"min_training": 0}, "min_training must be at least 1, got 0"),
        ({"max_cosine": 1.0}, "max_cosine must be at least -1 and less than 1, got 1.0"),
        ({"max_cosine": float("nan")}, "max_cosine must be at least -1 and less than 1, got nan"),
        (
            {"levels": ("branch", "none")},
            "levels must be some of none, lemma, synset, subtree, branch, each once and in this "
            "order, got branch, none",
        ),
        (
            {"levels": ()},
            "levels must be some of none, lemma, synset, subtree, branch, each once and in this "
            "order, got none at all",
        ),
    ],
)
def test_a_setting_out_of_range_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SeparationConfig(**changes)
    assert str(caught.value) == message


def test_the_defaults_ask_for_every_level() -> None:
    assert SeparationConfig().levels == LEVELS == ("none", "lemma", "synset", "subtree", "branch")
    assert SeparationConfig().as_dict()["distance"] == 3
