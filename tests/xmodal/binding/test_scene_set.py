"""Scene sets on disk and what is drawn from them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taxonomy.errors import ConfigError, DataError
from tests.xmodal.features import tiny_encoders
from xmodal.binding import scene_set as making
from xmodal.binding.render import render
from xmodal.binding.scene_config import SceneSetConfig, draw_objects, places_of
from xmodal.binding.scene_set import SCENES, TOKENS, make_scene_set, read_record, rows_of
from xmodal.binding.scenes import KINDS, SceneLayout
from xmodal.binding.shown import SceneSet, load_scene_set, scenes_of_set, with_items
from xmodal.binding.task import Layout, generators, lay_out, n_gaps
from xmodal.binding.vocabulary import IMAGE
from xmodal.features.classical import encode
from xmodal.features.encoders.load import config_for, load_encoder

SMALL = SceneSetConfig(n_from=2, n_to=4, n_scenes=70, seed=3)
COUNTS = {2: 24, 3: 23, 4: 23}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SceneSet:
    record, new = make_scene_set(SMALL, tmp_path_factory.mktemp("sets"))
    assert new
    return load_scene_set(record.path)


# -- the scenes ---------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    n_from=st.integers(1, 6),
    more=st.integers(0, 3),
    each=st.integers(10, 17),
    seed=st.integers(0, 99),
    n_words=st.integers(10, 216),
)
def test_scenes_are_distinct_and_padded(
    kind: str, n_from: int, more: int, each: int, seed: int, n_words: int
) -> None:
    n_to = n_from + more
    config = SceneSetConfig(
        layout=SceneLayout(kind=kind), n_from=n_from, n_to=n_to, seed=seed,
        n_scenes=each * (more + 1), n_colours=n_words, n_shapes=n_words,
    )  # fmt: skip
    drawn = draw_objects(config)
    assert len(drawn) == config.n_scenes
    seen = set()
    for row in range(len(drawn)):
        n = int(drawn.n_objects[row])
        assert drawn.n_objects[row] == n_from + row // each
        for words in (drawn.colours[row], drawn.shapes[row]):
            assert len(set(words[:n].tolist())) == n
            assert words[:n].min() >= 0
            assert words[:n].max() < n_words
            assert (words[n:] == -1).all()
        assert (drawn.sizes[row, :n] > 0).all()
        assert not drawn.sizes[row, n:].any()
        seen.add(tuple(one[row].tobytes() for one in drawn.arrays().values()))
    assert len(seen) == config.n_scenes


def test_where_few_scenes_can_be_told_apart_none_comes_twice() -> None:
    few = {"n_colours": 3, "n_shapes": 3, "n_from": 2, "n_to": 2}
    config = SceneSetConfig(layout=SceneLayout(kind="fixed"), n_scenes=18, **few)  # type: ignore[arg-type]
    drawn = draw_objects(config)
    pairs = {tuple(map(tuple, one)) for one in np.stack([drawn.colours, drawn.shapes], 1).tolist()}
    assert len(pairs) == 18
    # 3 x 2 ways to colour two objects, and as many to shape them
    with pytest.raises(ConfigError) as caught:
        replace(config, n_scenes=19)
    assert str(caught.value) == (
        "19 scenes of 2 objects are too many: layout fixed has 36 distinct ones with 3 colours and "
        "3 shapes, and at most half of them are drawn; take fewer scenes or another layout"
    )


def test_scenes_are_what_they_were() -> None:
    # where this fails scenes have changed: raise render.VERSION, so that sets get other ids
    drawn = draw_objects(SMALL)
    got = [one[[0, 69]].tolist() for one in (drawn.n_objects, drawn.colours, drawn.shapes)]
    assert got == [[2, 4], [[3, 6, -1, -1], [2, 9, 4, 3]], [[11, 13, -1, -1], [0, 15, 8, 4]]]
    # weights, so that two objects cannot change places
    numbers = np.arange(1, drawn.centres.size + 1).reshape(drawn.centres.shape)
    assert float((drawn.centres * numbers).sum()) == pytest.approx(66113.4899, rel=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_to": 17}, "objects must be from 1 to 16, the fewest of colours, shapes, items and "
         "cells of the grid, got 2-17"),
        ({"n_from": 5}, "objects must be from 1 to 16, the fewest of colours, shapes, items and "
         "cells of the grid, got 5-4"),
        ({"n_colours": 217}, "n_colours must be from 2 to 216, got 217"),
        ({"n_scenes": 29}, "n_scenes must be at least 30, 10 for each number of objects, got 29"),
        ({"features": config_for("classical", pooling="mean")}, "pooling must be patches for "
         "scenes, got 'mean': one vector would not say what is where"),
    ],
)  # fmt: skip
def test_sets_that_cannot_be(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(SMALL, **given)
    assert str(caught.value) == message


def test_the_id_is_of_scenes_and_encoder_alone() -> None:
    encoder = load_encoder(SMALL.features)
    first = SMALL.id_with(encoder)
    assert first == "853773f82cccb46c"
    other: list[dict[str, Any]] = [
        {"seed": 4}, {"n_scenes": 71}, {"n_to": 5}, {"n_from": 3}, {"n_colours": 17},
        {"n_shapes": 17}, {"layout": SceneLayout(kind="jittered")},
        {"layout": SceneLayout(size=0.2)},
    ]  # fmt: skip
    ids = {replace(SMALL, **given).id_with(encoder) for given in other}
    assert len(ids | {first}) == len(other) + 1
    # of settings that patches do not use, none counts
    features = config_for("classical", pooling="patches", n_views=3, seed=9)
    assert replace(SMALL, features=features).id_with(encoder) == first
    fixed = [SceneLayout(kind="fixed", size_jitter=jitter) for jitter in (0.1, 0.2)]
    assert len({replace(SMALL, layout=one).id_with(encoder) for one in fixed}) == 1


# -- the files ----------------------------------------------------------------------------------


def test_tokens_are_those_of_the_pictures(made: SceneSet) -> None:
    drawn = draw_objects(SMALL)
    stored = np.load(made.record.path / TOKENS)
    assert stored.dtype == np.float16
    assert stored.shape == (70, 64, 58)
    for n in COUNTS:
        rows = slice(*np.flatnonzero(drawn.n_objects == n)[[0, -1]] + [0, 1])
        pictures = render(
            torch.from_numpy(drawn.colours[rows, :n]),
            torch.from_numpy(drawn.shapes[rows, :n]),
            places_of(drawn, rows, n),
            64,
        )
        assert np.abs(stored[rows] - encode(pictures).numpy()).max() < 1e-3
    assert (made.record.side, made.n_image_tokens, made.width) == (64, 64, 58)


def test_training_tokens_are_standardised(made: SceneSet) -> None:
    parts = [made.take(torch.tensor([list(made.rows(n))]), n).image[0] for n in COUNTS]
    channels = torch.cat(parts).flatten(0, 1).double()
    assert channels.mean(0).abs().max() < 1e-4
    assert (channels.std(0) - 1).abs().max() < 1e-3


def test_the_last_tenth_is_held_out(made: SceneSet) -> None:
    start = 0
    for n, count in COUNTS.items():
        train, test = made.rows(n, "train"), made.rows(n, "test")
        assert (train.start, train.stop, test.stop) == (start, test.start, start + count)
        assert len(test) == count // 10
        for part in ("train", "test"):
            drawn = made.draw(generators([0, 1], part, n), 40, n, part).rows
            assert set(drawn.flatten().tolist()) <= set(made.rows(n, part))
        start += count
    # a part's rows are all drawn in the end
    assert set(made.draw(generators([0], 1), 400, 3).rows[0].tolist()) == set(made.rows(3))
    with pytest.raises(ConfigError, match=r" has scenes of 2 to 4 objects, got 5$"):
        made.rows(5)
    with pytest.raises(ConfigError, match=r"^part must be one of train, test, got 'all'$"):
        made.rows(2, "all")
    with pytest.raises(ValueError, match="rows must be of one part, all with 2 objects"):
        made.take(torch.tensor([[30]]), 2)


def test_a_set_is_made_once_and_again_the_same(made: SceneSet, tmp_path: Path) -> None:
    again, new = make_scene_set(SMALL, made.record.path.parent)
    assert not new
    assert again == made.record
    elsewhere, new = make_scene_set(SMALL, tmp_path)
    assert new
    assert replace(elsewhere, path=made.record.path) == made.record
    assert {path.name for path in tmp_path.iterdir()} == {made.record.scene_set_id}


def test_what_was_stopped_goes_on(
    made: SceneSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "CHUNK", 10)
    n_drawn: list[int] = []

    def counted(*given: Any) -> torch.Tensor:
        n_drawn.append(len(given[0]))
        return render(*given)

    monkeypatch.setattr(making, "render", counted)

    def stop(done: int, total: int) -> None:
        if done > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_scene_set(SMALL, tmp_path, progress=stop)
    assert n_drawn == [10, 10, 4]
    (part,) = tmp_path.iterdir()
    damaged = part / "whole" / TOKENS
    with damaged.open("r+b") as file:
        # a number of the second piece, of scenes 10 to 19
        file.seek(damaged.stat().st_size - (70 - 15) * 64 * 58 * 2)
        file.write(b"\x11")
    told: list[tuple[int, int]] = []
    n_drawn.clear()
    record, new = make_scene_set(SMALL, tmp_path, progress=lambda *one: told.append(one))
    assert new
    assert n_drawn == [10, 10, 10, 3, 10, 10, 3]
    assert told == [(n, 70) for n in (10, 20, 24, 34, 44, 47, 57, 67, 70)]
    # another batch may change the last bits
    got, want = (np.load(one / TOKENS) for one in (record.path, made.record.path))
    assert np.abs(got - want).max() < 1e-3
    assert np.array_equal(np.load(record.path / SCENES)["centres"], made.objects.centres)


def test_a_set_that_fails_at_once_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "render", lambda *given: render(*given) * torch.inf)
    with pytest.raises(DataError, match=r"^encoder 'classical' gives numbers that are not finite"):
        make_scene_set(SMALL, tmp_path / "sets")
    assert not list(tmp_path.iterdir())


def test_what_is_no_whole_set_is_said(made: SceneSet, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no whole scene set .*; delete it to make it anew"):
        read_record(tmp_path)
    for name in made.record.path.iterdir():
        (tmp_path / name.name).write_bytes(name.read_bytes())
    np.save(tmp_path / TOKENS, np.zeros((70, 64, 57), np.float16))
    with pytest.raises(DataError, match=r"must hold \(70, 64, 58\), got \(70, 64, 57\)"):
        load_scene_set(tmp_path)
    said = json.loads((tmp_path / "scene_set.json").read_text())
    said["config"]["n_to"] = 40
    (tmp_path / "scene_set.json").write_text(json.dumps(said))
    with pytest.raises(DataError, match="config: objects must be from 1 to 16"):
        load_scene_set(tmp_path)


def test_a_convolutional_model_sees_scenes_at_its_own_side(tmp_path: Path) -> None:
    folder = tiny_encoders.save(tmp_path / "resnet", "resnet")
    features = config_for(str(folder), pooling="patches", layer="last", n_views=1)
    config = replace(SMALL, features=features, n_scenes=30)
    record, _ = make_scene_set(config, tmp_path / "sets")
    assert (record.side, record.n_image_tokens, record.width) == (tiny_encoders.SIDE, 16, 16)
    opened = load_scene_set(record.path)
    row = rows_of(config, 3, "test").start
    shown = opened.take(torch.tensor([[row]]), 3)
    pixels = render(shown.colours[0], shown.shapes[0], shown.places[0], tiny_encoders.SIDE)
    want = load_encoder(features).encode(pixels)
    got = shown.image[0] * torch.tensor(record.std) + torch.tensor(record.mean)
    assert torch.allclose(got, want, atol=2e-3 * float(want.abs().max()))
    assert shown.patch_objects() is not None
    # the hash of weights stands for the name
    moved = folder.rename(tmp_path / "moved")
    there = replace(config, features=replace(features, encoder=str(moved)))
    assert make_scene_set(there, tmp_path / "sets") == (record, False)


# -- what training takes ------------------------------------------------------------------------


def test_scenes_of_a_set_are_scenes_of_the_task(made: SceneSet) -> None:
    scenes, image = scenes_of_set(made, generators([0, 1], "a"), 30, 4, n_items=9)
    assert scenes.colours.shape == (2, 30, 4)
    assert scenes.gaps.shape == (2, 30, n_gaps(4))
    assert image.shape == (2, 30, 64, 58)
    assert image.dtype == torch.float32
    assert (scenes.order.sort(-1).values == torch.arange(4)).all()
    items = scenes.items.sort(-1).values
    assert (items.diff(dim=-1) > 0).all()
    assert items.min() == 0
    assert items.max() == 8
    assert scenes.gaps.min() >= 0
    assert scenes.gaps.max() < 1
    # a run is a function of its own generator, and goes on from where it is
    of = generators([1], "a")
    alone, its_image = scenes_of_set(made, of, 30, 4, n_items=9)
    for name in ("colours", "shapes", "items", "order", "gaps"):
        assert torch.equal(getattr(alone, name)[0], getattr(scenes, name)[1])
    assert torch.equal(its_image[0], image[1])
    assert not torch.equal(scenes_of_set(made, of, 30, 4)[0].order, alone.order)
    sequences = lay_out(scenes, Layout(context="image"), made.n_image_tokens)
    assert ((sequences.ids == IMAGE).sum(-1) == 64).all()


def test_order_and_items_have_nothing_to_do_with_the_scene(made: SceneSet) -> None:
    shown = made.draw(generators([0], "b"), 3000, 4)
    scenes = with_items(shown, generators([0], "c"), 4)
    for name in ("items", "order"):
        counts = torch.stack([(getattr(scenes, name)[0] == i).sum(0) for i in range(4)])
        # 3000 / 4 each, with a deviation of 24
        assert (counts - 750).abs().max() < 120
    with pytest.raises(ConfigError, match=r"^n_items must be from 4, one for each object, to 32, "):
        with_items(shown, generators([0], "c"), 3)


def test_image_tokens_show_the_objects(made: SceneSet) -> None:
    shown = made.draw(generators([0], "d"), 20, 3)
    truth = shown.patch_objects()
    assert truth is not None
    assert truth.shape == (1, 20, 64)
    record = made.record
    raw = shown.image * torch.tensor(record.std) + torch.tensor(record.mean)
    # the last channel is 0.4 times the share of pixels that are not white
    covered = raw[..., -1] / 0.4
    for i in range(3):
        # each outline of the first 16 covers more than an eighth of its square
        mine = (covered * (truth == i)).sum(-1) / (truth == i).sum(-1)
        assert mine.min() > 0.125
    far = torch.nn.functional.max_pool2d((truth >= 0).float().view(20, 1, 8, 8), 3, 1, 1) == 0
    assert covered.view(20, 1, 8, 8)[far].max() < 0.01
    odd = replace(shown, image=shown.image[:, :, :60])
    assert odd.patch_objects() is None
