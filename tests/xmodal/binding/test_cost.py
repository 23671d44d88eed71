"""What a run will cost is what it then counts."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.xmodal.binding import small
from xmodal.binding.cost import RunCost, run_cost
from xmodal.binding.decoder import Decoder, DecoderConfig
from xmodal.binding.pictures import ScenePictures
from xmodal.binding.recipes import Recipe
from xmodal.binding.scene_config import SceneSetConfig
from xmodal.binding.scene_set import make_scene_set
from xmodal.binding.shown import load_scene_set
from xmodal.binding.stages import Stage
from xmodal.binding.trainer import Trainer
from xmodal.bindings.plan import plan_binding
from xmodal.bindings.shipped import shipped_runs

GUIDED = (
    Stage(name="all", n_steps=6, lessons={"text": 0.5, "noise": 0.25, "pairs": 0.25}, guided=True),
)
COUNTS = [field.name for field in dataclasses.fields(RunCost)]


def counted(recipe: Recipe, pictures: ScenePictures | None = None, after: int = 0) -> RunCost:
    """Of a run that is trained to its end, but for its first steps."""
    trainer = Trainer(recipe=recipe, seeds=(1,), pictures=pictures)
    state = trainer.run(trainer.start(), until=after)
    run = state.runs[0]
    before = (run.n_questions, run.n_tokens, run.n_tokens_computed, run.flops)
    trainer.run(state)
    ends = (run.n_questions, run.n_tokens, run.n_tokens_computed, run.flops)
    found = [b - a for a, b in zip(before, ends, strict=True)]
    return RunCost(state.step - after, *found)


@pytest.mark.parametrize(
    ("changes", "after"),
    [
        ({}, 0),
        ({"guided": False, "n_questions": 1, "noise": 0, "noise_to": 9}, 0),
        ({"marker": True, "n_questions": 5, "n_from": 3}, 4),
        ({"stages": GUIDED}, 0),
        ({"stages": GUIDED, "guided": False}, 0),
    ],
)
def test_it_is_what_a_run_counts(changes: dict[str, Any], after: int) -> None:
    recipe = small.recipe(**changes)
    assert run_cost(recipe, from_step=after) == counted(recipe, after=after)


def test_with_images_too(tmp_path: Path) -> None:
    config = SceneSetConfig(n_from=2, n_to=4, n_scenes=60, n_colours=6, n_shapes=6)
    pictures = ScenePictures(load_scene_set(make_scene_set(config, tmp_path)[0].path))
    shape = DecoderConfig(n_layers=2, width=16, n_heads=2, image_width=pictures.width)
    lessons = {"image": 0.3, "grounding": 0.3, "noise": 0.2, "hops": 0.2}
    stage = Stage(name="all", n_steps=9, lessons=lessons, guided=True)
    assert {stage.lesson(step) for step in range(9)} == set(lessons)
    recipe = small.recipe(stages=(stage,), decoder=shape, noise=0, noise_to=pictures.n_tokens)
    assert run_cost(recipe, pictures.n_tokens) == counted(recipe, pictures)


def test_it_is_what_the_runs_that_ship_counted() -> None:
    plan = plan_binding(Path("x.duckdb"), changes=("second=0", "third=0"), device="cpu")
    cost = dataclasses.asdict(run_cost(plan.jobs[0].recipe))
    for folder in shipped_runs():
        record = folder.record()
        assert record is not None
        assert {name: record[name] for name in COUNTS} == cost
        assert record["n_params"] == plan.jobs[0].recipe.decoder.n_params()


@pytest.mark.parametrize("position", ["rope", "learned"])
@pytest.mark.parametrize("image_width", [None, 7])
def test_parameters_are_those_of_a_decoder(position: str, image_width: int | None) -> None:
    shape = replace(small.learned(9), position=position, image_width=image_width)
    assert shape.n_params() == Decoder(shape, [0]).n_params()
