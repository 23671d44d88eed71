"""Lessons with image tokens: what they show, what they ask, and how much of it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from taxonomy.errors import ConfigError
from tests.xmodal.binding import small
from xmodal.binding.batches import batch_of
from xmodal.binding.decoder import Decoder, DecoderConfig
from xmodal.binding.evaluate import Asked, accuracy
from xmodal.binding.pictures import ScenePictures
from xmodal.binding.recipes import Recipe
from xmodal.binding.scene_config import SceneSetConfig
from xmodal.binding.scene_set import make_scene_set
from xmodal.binding.scenes import SceneLayout
from xmodal.binding.shown import load_scene_set
from xmodal.binding.stages import Stage
from xmodal.binding.task import generators
from xmodal.binding.trainer import Trainer, flops_of
from xmodal.binding.vocabulary import COLOUR_0, IMAGE, SHAPE_0

CPU = torch.device("cpu")


def made(folder: Path, size: float) -> ScenePictures:
    config = SceneSetConfig(
        n_from=2, n_to=4, n_scenes=60, n_colours=6, n_shapes=6, seed=5,
        layout=SceneLayout(size=size),
    )  # fmt: skip
    record, _ = make_scene_set(config, folder)
    return ScenePictures(load_scene_set(record.path))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> ScenePictures:
    return made(tmp_path_factory.mktemp("sets"), 0.235)


def recipe_of(pictures: ScenePictures, **lessons: float) -> Recipe:
    stage = Stage(name="only", n_steps=6, lessons=lessons)
    shape = DecoderConfig(n_layers=2, width=16, n_heads=2, image_width=pictures.width)
    return small.recipe(stages=(stage,), decoder=shape)


@pytest.mark.parametrize("size", [0.235, 0.05])
def test_grounding_asks_of_a_token_what_covers_it_most(tmp_path: Path, size: float) -> None:
    """Against squares and tokens taken one by one; the small objects cover half of no token."""
    pictures = made(tmp_path, size)
    count, n, grid = 12, 3, math.isqrt(pictures.n_tokens)
    ground = pictures.ground(generators([1, 2], "g"), count, n)
    shown = pictures.of.draw(generators([1, 2], "g"), count, n)
    targets = ground.sequences.targets
    for run in range(2):
        for row in range(count):
            (at,) = (shown.image[run, row] == ground.tokens[run, row]).all(-1).nonzero()[:1, 0]
            y, x = divmod(int(at), grid)
            covered = []
            for i in range(n):
                cx, cy = shown.places.centres[run, row, i].tolist()
                half = float(shown.places.sizes[run, row, i]) / 2
                across = min(cx + half, (x + 1) / grid) - max(cx - half, x / grid)
                down = min(cy + half, (y + 1) / grid) - max(cy - half, y / grid)
                covered.append(max(0.0, across) * max(0.0, down))
            assert max(covered) > 0
            one = covered.index(max(covered))
            colour = int(shown.colours[run, row, one]) + COLOUR_0
            shape = int(shown.shapes[run, row, one]) + SHAPE_0
            assert targets[run, row, :2].tolist() == [colour, shape]
            word = int(targets[run, row, 2])
            assert word in (colour, shape)
            kind = int(word >= SHAPE_0)
            right = [int(targets[run, other, kind]) == word for other in range(count)]
            assert ground.positive[run, row].tolist() == right
    assert len(set((targets[..., 2] >= SHAPE_0).flatten().tolist())) == 2
    assert torch.equal(ground.image, ground.tokens[..., None, :].expand_as(ground.image))


def test_the_loss_of_grounding_is_that_of_a_sum_by_hand(pictures: ScenePictures) -> None:
    recipe = recipe_of(pictures, grounding=1.0)
    trainer = Trainer(recipe=recipe, seeds=(1, 2), pictures=pictures, dtype=torch.float64)
    state = trainer.start()
    for step in (0, 1):
        batch = batch_of(recipe, step, (1, 2), CPU, pictures)
        assert batch.ground is not None
        assert batch.image is not None
        losses = trainer._losses(state, batch)
        asked = state.decoder.hidden(batch.sequences, batch.image.double()).detach()
        for run in range(2):
            total = 0.0
            count = batch.sequences.ids.shape[1]
            decoder = state.decoder.slice(run).requires_grad_(False)
            for row in range(count):
                held = decoder.normed(asked[run, row, batch.sequences.at][None])[0]
                said = (held[0] @ decoder.embed[0].T).softmax(-1)
                total -= float(said[batch.sequences.targets[run, row, 0]].log())
                among = batch.ground.tokens[run].double() @ decoder.image_in[0]
                chosen = ((among + decoder.image_bias[0]) @ held[1]).softmax(-1)
                total -= float(chosen[batch.ground.positive[run, row]].sum().log())
            assert float(losses[run]) == pytest.approx(total / count / 2, abs=1e-5)  # in float32
        state.decoder.zero_grad()
        losses.sum().backward()  # type: ignore[no-untyped-call]
        assert all(
            value.grad is not None and bool(value.grad.isfinite().all())
            for value in state.decoder.parameters()
        )


def test_lessons_with_images_answer_as_many_questions(pictures: ScenePictures) -> None:
    counts, n_of_images = set(), 0
    for lessons in ({"text": 1.0}, {"image": 1.0}, {"grounding": 1.0}, {"noise": 1.0}):
        recipe = recipe_of(pictures, **lessons)
        if "noise" in lessons:
            recipe = replace(recipe, noise=0, noise_to=pictures.n_tokens)
        trainer = Trainer(recipe=recipe, seeds=(0,), pictures=pictures)
        run = trainer.run(trainer.start()).runs[0]
        counts.add(run.n_questions)
        tokens = {
            step: batch_of(recipe, step, (0,), CPU, pictures).sequences.ids.shape[-1]
            for step in range(6)
        }
        for step, n in tokens.items():
            asked = min(2, recipe.n_objects(step))
            # context, its end, associations, and two tokens a question
            context = {"text": 2 * recipe.n_objects(step), "image": pictures.n_tokens}
            context["noise"] = context["text"]
            if "grounding" in lessons:
                assert n == 4
            else:
                (name,) = lessons
                assert n == context[name] + 1 + 2 * recipe.n_objects(step) + 2 * asked
        if "image" in lessons:
            n_of_images = run.n_tokens
            assert run.n_tokens == run.n_tokens_computed
        if "noise" in lessons:
            assert run.n_tokens == n_of_images
    assert len(counts) == 1
    with pytest.raises(ConfigError, match="batch_size must be even for lesson grounding"):
        replace(recipe_of(pictures, grounding=1.0), batch_size=3)


def test_flops_of_batches_are_those_of_a_count_by_hand(pictures: ScenePictures) -> None:
    decoder = Decoder(recipe_of(pictures, image=1.0).decoder, [0])
    shown = batch_of(recipe_of(pictures, image=1.0), 0, (0,), CPU, pictures)
    n = shown.sequences.ids.shape[-1]
    # 64 image tokens of so many channels are brought to a width of 16, two questions are read
    way_in = 2 * 64 * pictures.width * 16
    assert flops_of(decoder, shown) == decoder.config.flops(n, 2) + way_in
    ground = batch_of(recipe_of(pictures, grounding=1.0), 0, (0,), CPU, pictures)
    count = ground.sequences.ids.shape[1]
    # 4 tokens, one word; the token asked about and the one to choose, which meets all others
    want = decoder.config.flops(4, 1) + 2 * 2 * pictures.width * 16 + 2 * count * 16
    assert flops_of(decoder, ground) == want
    guided = batch_of(recipe_of(pictures, hops=1.0), 0, (0,), CPU, pictures)
    assert guided.guide is not None
    n, n_read = guided.sequences.ids.shape[-1], 2 + len(guided.guide[0])
    assert flops_of(decoder, guided) == decoder.config.flops(n, n_read)


def test_a_guide_asks_for_the_shape_that_the_picture_shows(pictures: ScenePictures) -> None:
    recipe = recipe_of(pictures, image=1.0)
    recipe = replace(recipe, stages=(replace(recipe.stages[0], guided=True),))
    batch = batch_of(recipe, 2, (7,), CPU, pictures)
    assert batch.guide is not None
    which, shapes = batch.guide
    assert len(which) == len(batch.sequences.at)
    again = pictures.draw(
        generators((7,), "step", 2, device=CPU),
        recipe.batch_size,
        recipe.n_objects(2),
        recipe.vocabulary,
        "train",
    )[0]
    for row, sequence in enumerate(batch.sequences.ids[0].tolist()):
        of = dict(zip(again.colours[0, row].tolist(), again.shapes[0, row].tolist(), strict=True))
        asked = [sequence[int(batch.sequences.at[one])] - COLOUR_0 for one in which]
        assert [of[colour] + SHAPE_0 for colour in asked] == shapes[0, row].tolist()


def test_image_tokens_stand_where_they_belong(pictures: ScenePictures) -> None:
    recipe = recipe_of(pictures, image=1.0)
    decoder = Decoder(recipe.decoder, (1, 2)).double()
    batch = batch_of(recipe, 3, (1, 2), CPU, pictures)
    assert batch.image is not None
    first: list[torch.Tensor] = []

    def keep(layer: int, x: torch.Tensor) -> torch.Tensor:
        if layer == 0:
            first.append(x)
        return x

    decoder(batch.sequences, batch.image.double(), edit=keep)
    of, n_image = batch.sequences, pictures.n_tokens
    for run in range(2):
        for row in range(recipe.batch_size):
            for at, token in enumerate(of.ids[run, row].tolist()):
                want = decoder.embed[run, token]
                if token == IMAGE:
                    assert at < n_image
                    channels = batch.image[run, row, at].double()
                    want = channels @ decoder.image_in[run] + decoder.image_bias[run]
                assert torch.allclose(first[0][run, row, at], want)
    n_shared = int((of.segments < 0).sum())
    assert torch.equal(of.positions[0, 0, :n_shared], torch.arange(n_shared))
    assert of.positions[..., n_shared:].unique().tolist() == [n_shared, n_shared + 1]


def test_training_never_shows_what_evaluation_does(
    pictures: ScenePictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: dict[str, set[int]] = {"train": set(), "test": set()}
    draw = type(pictures.of)._taken

    def noted(self: object, rows: torch.Tensor, n_objects: int) -> object:
        taken[part] |= set(rows.flatten().tolist())
        return draw(pictures.of, rows, n_objects)

    monkeypatch.setattr(type(pictures.of), "_taken", noted)
    part = "train"
    for lesson in ("image", "grounding"):
        recipe = recipe_of(pictures, **{lesson: 1.0})
        for step in range(20):
            batch_of(recipe, step % 6, (step,), CPU, pictures)
    part = "test"
    decoder = Decoder(recipe.decoder, (1, 2))
    for n in (2, 3, 4):
        rows = accuracy(decoder, recipe, Asked(context="image"), n, 20, pictures=pictures)
        for run, row in enumerate(rows):
            alone = accuracy(
                decoder.slice(run), recipe, Asked(context="image"), n, 20, pictures=pictures
            )[0]
            assert row["n_right"] == alone["n_right"]
            assert row["loss"] == pytest.approx(alone["loss"], abs=1e-5)
    assert not taken["train"] & taken["test"]
    assert min(len(one) for one in taken.values()) >= 5
