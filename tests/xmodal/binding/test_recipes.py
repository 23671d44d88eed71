"""Recipes: stages as data, arms of equal length, settings that are refused."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from taxonomy.errors import ConfigError
from tests.xmodal.binding import small
from tests.xmodal.binding.small import STAGES
from xmodal.binding.arms import ARMS, FACTORS, arm_name
from xmodal.binding.batches import batch_of
from xmodal.binding.named import SIZES, arm_recipe, factorial, factors_of, most_asked
from xmodal.binding.stages import Stage
from xmodal.binding.vocabulary import COLOUR_0, EXPANDED, ITEM_0, SHAPE_0, Vocabulary

CPU = torch.device("cpu")


@given(st.integers(1, 99), st.integers(1, 2000))
def test_shares_are_kept_wherever_a_stage_is_stopped(percent: int, n_steps: int) -> None:
    share = percent / 100
    stage = Stage(name="mixed", n_steps=n_steps, lessons={"text": 1 - share, "image": share})
    n_image = [stage.lesson(i) for i in range(n_steps)].count("image")
    # the golden ratio's multiples leave a count of n off by little more than log n
    assert abs(n_image - share * n_steps) <= 4


def test_the_order_in_which_shares_are_written_decides_nothing() -> None:
    def as_written(stage: Stage, step: int) -> str:
        at = (step + 1) * ((math.sqrt(5) - 1) / 2) % 1.0
        for name, share in stage.lessons.items():
            if at < share:
                return name
            at -= share
        return name

    for arm in factorial():
        for stage in arm_recipe(arm)[0].stages:
            shown = [stage.lesson(step) for step in range(50)]
            # arms write them in the order that counts
            assert shown == [as_written(stage, step) for step in range(50)]
            turned = replace(stage, lessons=dict(reversed(stage.lessons.items())))
            assert shown == [turned.lesson(step) for step in range(50)]


@pytest.mark.parametrize("size", SIZES)
def test_arms_have_the_steps_and_questions_of_one_another(size: str) -> None:
    found = set()
    for arm in factorial():
        recipe, factors = arm_recipe(arm, size)
        asked = tuple(recipe.n_objects(step) for step in range(recipe.n_steps))
        found.add((asked, recipe.batch_size, recipe.n_questions))
        assert {name for name in FACTORS if factors[name]} == {
            name for name, used in factors_of(arm).items() if used
        }
        assert recipe.uses("image") == (factors["image"] or factors["mixing"])
        assert recipe.uses("grounding") == factors["grounding"]
        assert recipe.uses("noise") == factors["noise"]
    assert len(found) == 1
    assert len(factorial()) == 16


@given(
    n_to=st.integers(2, 40),
    n_words=st.integers(2, 32),
    n_positions=st.integers(4, 200),
    marker=st.booleans(),
    position=st.sampled_from(["learned", "rope"]),
    usual=st.integers(2, 16),
)
def test_most_asked_is_twice_what_training_shows_where_there_is_room(
    n_to: int, n_words: int, n_positions: int, marker: bool, position: str, usual: int
) -> None:
    words = Vocabulary(n_colours=n_words, n_shapes=n_words, n_items=n_words)
    shape = replace(small.learned(n_positions), position=position)
    found = most_asked(n_to, usual, words, shape, marker)

    def fits(n_most: int) -> bool:
        """Asked of a recipe itself, that trains on two objects."""
        try:
            small.recipe(
                n_to=2, n_most=n_most, vocabulary=words, decoder=shape, marker=marker,
                stages=STAGES[1:2],
            )  # fmt: skip
        except ConfigError:
            return False
        return True

    wanted = max(usual, 2 * n_to)
    room = [n for n in range(2, wanted + 1) if fits(n)]
    assert found == max([n_to, *room])


@pytest.mark.parametrize(
    ("settings", "n_most"),
    [
        ({}, 8),
        ({"n_to": 4}, 8),
        ({"n_to": 3}, 8),
        ({"n_to": 6}, 12),
        ({"n_to": 8}, 16),
        ({"n_to": 12}, 16),
        ({"n_to": 6, "n_most": 7}, 7),
    ],
)
def test_most_objects_follow(settings: dict[str, int], n_most: int) -> None:
    assert arm_recipe("text", **settings)[0].n_most == n_most


def test_names_of_arms_and_factors_are_one_to_one() -> None:
    names = factorial()
    assert len(set(names)) == len(names)
    assert set(ARMS) <= set(names)
    assert all(arm_name(factors_of(name)) == name for name in names)
    assert arm_name({"noise": True, "image": True}) == "noise+image"
    with pytest.raises(ConfigError, match="or factors joined by"):
        factors_of("noise+sound")


def test_a_start_and_what_follows_make_the_whole_arm() -> None:
    whole, _ = arm_recipe("image-text")
    start, _ = arm_recipe("text", steps={"second": 0, "third": 0})
    after, _ = arm_recipe("image-text", from_start=True)
    assert [*start.stages, *after.stages] == list(whole.stages)


def test_an_expansion_takes_the_papers_vocabulary() -> None:
    stages = (
        Stage(name="base", n_steps=2, lessons={"text": 1.0}),
        Stage(name="expansion", n_steps=20, lessons={"text": 1.0}, expanded=True),
    )
    recipe = small.recipe(stages=stages, batch_size=16)
    seen = torch.cat(
        [batch_of(recipe, step, [0], CPU).sequences.ids.flatten() for step in range(2, 22)]
    )
    assert (EXPANDED.n_colours, EXPANDED.n_shapes, EXPANDED.n_items) == (216, 216, 32)
    for start, base, most in ((COLOUR_0, 6, 216), (SHAPE_0, 6, 216), (ITEM_0, 6, 32)):
        of = seen[(seen >= start) & (seen < start + most)] - start
        assert of.max() >= base
    base = batch_of(recipe, 0, [0], CPU).sequences.ids
    assert base[(base >= SHAPE_0) & (base < ITEM_0)].max() < SHAPE_0 + 6


def test_a_batch_is_of_the_runs_seed_and_the_step() -> None:
    recipe = small.recipe()
    one, other = batch_of(recipe, 7, [1, 2], CPU), batch_of(recipe, 7, [2], CPU)
    assert torch.equal(one.sequences.ids[1], other.sequences.ids[0])
    assert not torch.equal(one.sequences.ids[0], one.sequences.ids[1])
    assert len(one.sequences.kinds) == min(recipe.n_questions, recipe.n_objects(7))


def test_guided_questions_name_the_shape_on_the_way() -> None:
    recipe = small.recipe(batch_size=8)
    guided = 0
    for step in range(6):
        batch = batch_of(recipe, step, [5], CPU)
        if batch.guide is None:
            assert all(kind == "shape-item" for kind in batch.sequences.kinds)
            continue
        which, shapes = batch.guide
        ids = batch.sequences.ids[0]
        for row in range(8):
            words = ids[row].tolist()
            for place, question in enumerate(which.tolist()):
                colour = words[int(batch.sequences.at[question])]
                # the first time that a colour is said its shape is next to it
                assert words[words.index(colour) + 1] == int(shapes[0, row, place])
                guided += 1
    assert guided > 20
    assert batch_of(small.recipe(guided=False), 3, [5], CPU).guide is None


def test_stages_after_the_first_are_guided_in_every_arm_alike() -> None:
    for arm in ARMS:
        after = arm_recipe(arm, "small", decoder={"image_width": 8})[0].stages
        assert {stage.name: stage.guided for stage in after} == {
            "pairs": False, "hops": False, "first": False, "second": True, "third": True,
        }  # fmt: skip
    stage = Stage(name="x", n_steps=3, lessons={"text": 1.0}, guided=True)
    recipe = small.recipe(stages=(stage,))
    assert all(recipe.guides(stage, lesson) for lesson in ("text", "noise", "image", "hops"))
    assert not recipe.guides(stage, "grounding")
    assert not small.recipe(stages=(stage,), guided=False).guides(stage, "text")
    assert batch_of(recipe, 0, [5], CPU).guide is not None
    # runs of stages without a guide have the ids that they had before there were any
    assert "guided" in stage.as_dict()
    assert "guided" not in replace(stage, guided=False).as_dict()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_from": 1}, "must be 2 <= n_from <= n_to <= n_most"),
        ({"n_most": 7}, "got 2, 3, 7, 6"),
        ({"noise": 0}, "lesson noise needs noise or noise_to above 0"),
        ({"noise_to": 9}, "noise and noise_to exclude one another"),
        ({"optimiser": "sgd"}, "optimiser must be one of muon, adamw, got 'sgd'"),
        ({"cooldown": 1.5}, r"cooldown must be in \[0, 1\], got 1.5"),
        ({"keep_every": 0}, "keep_every must be at least 1, got 0"),
        ({"stages": ()}, "a recipe needs at least one stage"),
        ({"learning_rate": float("nan")}, "learning_rate must be above 0 and finite, got nan"),
        # text of 4 objects: 8 + 1 + 8 + 2 tokens; noise of 3: 5 + 6 + 1 + 6 + 2
        ({"decoder": small.learned(19)}, "n_positions must be at least 20 for these contexts"),
        ({"decoder": small.learned(18), "stages": small.STAGES[:2]}, "must be at least 19 for"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        small.recipe(**changes)


def test_learned_positions_may_end_where_the_longest_sequence_does() -> None:
    stage = Stage(name="noise", n_steps=20, lessons={"noise": 1.0})
    recipe = small.recipe(decoder=small.learned(20), stages=(stage,))
    longest = max(
        int(batch_of(recipe, step, [0], CPU).sequences.positions.max()) for step in range(20)
    )
    assert longest == 19
    with pytest.raises(ConfigError, match="n_positions must be at least 27 for these"):
        recipe.check_positions(n_image_tokens=16)


def test_stages_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"the shares must add up to 1, got 0\.7"):
        Stage(name="x", n_steps=1, lessons={"text": 0.5, "image": 0.2})
    with pytest.raises(ConfigError, match=r"lesson must be one of pairs, hops"):
        Stage(name="x", n_steps=1, lessons={"speech": 1.0})
    with pytest.raises(ConfigError, match="stage x: n_steps must be at least 1, got 0"):
        Stage(name="x", n_steps=0, lessons={"text": 1.0})
    given: Any
    for given, message in (
        ({"n_steps": 2.5}, "stage x: n_steps must be a whole number, got 2.5"),
        ({"n_steps": True}, "stage x: n_steps must be a whole number, got True"),
        ({"name": 5}, "the name of a stage must be a text, got 5"),
        ({"expanded": "no"}, "stage x: expanded must be true or false, got 'no'"),
    ):
        with pytest.raises(ConfigError, match=message):
            Stage(**({"name": "x", "n_steps": 1, "lessons": {"text": 1.0}} | given))
    twice = Stage(name="x", n_steps=1, lessons={"text": 1.0})
    with pytest.raises(ConfigError, match="stages must have different names, got x, x"):
        small.recipe(stages=(twice, twice))


def test_the_learning_rate_rises_stays_and_falls() -> None:
    recipe = small.recipe(warmup_steps=2, cooldown=0.5, learning_rate=1.0)
    rates = [recipe.learning_rate_at(step) for step in range(10)]
    # 1/3, 2/3; then 1 until 5 steps are left; then 0.05 + 0.95 * left / 5
    want = [1 / 3, 2 / 3, 1, 1, 1, 1, 0.81, 0.62, 0.43, 0.24]
    assert rates == pytest.approx(want)
