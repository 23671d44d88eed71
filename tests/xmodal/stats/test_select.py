"""Which runs a side has, and what is said where it has none or too many."""

from __future__ import annotations

from typing import Any

import pytest

from taxonomy.errors import ConfigError
from xmodal.stats.select import in_words, side


def unit(run_id: str, **changes: Any) -> dict[str, Any]:
    return {
        "run_id": run_id, "dataset": "d1", "relation": "hypernym", "lm": "bundle",
        "lm_init": "pretrained", "encoder": "classical", "recipe": "demo", "prompt": "default",
        "design": "random", "unit": "pair", "ratio": 1.0, "n_held_out_hypernyms": None,
        "mentions": "drop_all", "negatives": "matched", "shuffle": "none", "manifest_id": "m1",
        "manifest_seed": 1, "seed_init": 1, "seed_order": 1, "hidden_settings": "h",
    } | changes  # fmt: skip


UNITS = [
    unit("a2", seed_init=2),
    unit("a1"),
    unit("b1", lm_init="random"),
    unit("c1", ratio=0.5),
    unit("n1", ratio=0.0, design="none"),
]


def test_runs_come_in_the_order_of_their_seeds() -> None:
    found = side(UNITS, {"lm_init": "pretrained", "ratio": "1"})
    assert found.run_ids == ["a1", "a2"]
    assert found.units([0, 1]).factors() == [((1, 1), (2, 1))]


def test_numbers_are_compared_as_numbers() -> None:
    assert side(UNITS, {"ratio": ".50"}).run_ids == ["c1"]


def test_question_set_follows_the_design_unless_it_is_chosen() -> None:
    assert side(UNITS, {"ratio": "0"}).question_set == "seen"
    assert side(UNITS, {"ratio": "0.5"}).question_set == "held_out"
    assert side(UNITS, {"ratio": "0.5", "question_set": "leaf"}).question_set == "leaf"


def test_runs_by_the_beginning_of_their_ids() -> None:
    assert side(UNITS, {"run": "a1, a2"}).run_ids == ["a1", "a2"]
    assert side(UNITS, {"run": "c"}).run_ids == ["c1"]


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"lm_int": "random"}, "unknown column 'lm_int'; valid: lm_init, seed_init, lm (of 21)"),
        (
            {"lm_init": "scrambled"},
            "no run with lm_init=scrambled: unknown value 'scrambled'; valid: pretrained, random",
        ),
        (
            {"lm_init": "random", "ratio": "0.5"},
            "no run with ratio=0.5 (with lm_init=random): unknown value '0.5'; valid: 1",
        ),
        ({"ratio": "all"}, "no run with ratio=all: unknown value 'all'; valid: 0, 0.5, 1"),
        ({"run": "zz"}, "unknown run 'zz'; valid: a1, a2, b1, c1, n1"),
        ({"run": "a"}, "run 'a' is ambiguous: a1, a2"),
        ({"run": ","}, "unknown run ''; valid: a1, a2, b1, c1, n1"),
        (
            {"ratio": "1"},
            "ratio=1 has runs of several conditions, choose one: lm_init (pretrained, random)",
        ),
        (
            {},
            "every run has runs of several conditions, choose one: lm_init (pretrained, random); "
            "design (none, random); ratio (0, 0.5, 1)",
        ),
        (
            {"ratio": "0.5", "question_set": "heldout"},
            "question_set must be one of held_out, seen, unasked, leaf, got 'heldout'",
        ),
    ],
)
def test_wrong_choices(chosen: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        side(UNITS, chosen)
    assert str(caught.value) == message


def test_no_runs_at_all() -> None:
    with pytest.raises(ConfigError, match="no finished run with answers is in the store"):
        side([], {})


def test_runs_that_differ_in_what_no_column_says_are_not_averaged() -> None:
    with pytest.raises(ConfigError, match=r"a1, a3$"):
        side([unit("a1"), unit("a3", hidden_settings="other", seed_init=3)], {})


def test_one_seed_twice_is_not_two_seeds() -> None:
    with pytest.raises(ConfigError, match="two runs of the same manifest and seeds, a1 and a3"):
        side([unit("a1"), unit("a3")], {"ratio": "1"})


def test_words_say_what_differs() -> None:
    a = side(UNITS, {"ratio": "1", "lm_init": "pretrained"})
    b = side(UNITS, {"ratio": "0.5"})
    words_a, words_b, given = in_words(a, b)
    assert (words_a, words_b) == ("ratio 1", "ratio 0.5")
    assert "LM init pretrained" in given
    assert "ratio" not in given
    assert in_words(a, None)[:2] == ("LM init pretrained, ratio 1", None)
