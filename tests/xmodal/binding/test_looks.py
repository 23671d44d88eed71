"""Looks into runs: image tokens of any scenes, and who is looked into."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from xmodal.binding.scene_config import SceneSetConfig
from xmodal.binding.scene_set import make_scene_set
from xmodal.binding.scenes import Places
from xmodal.binding.shown import load_scene_set, with_items
from xmodal.binding.task import generators
from xmodal.bindings import looks


def test_a_scene_drawn_again_has_the_tokens_of_the_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, _ = make_scene_set(SceneSetConfig(n_from=2, n_to=3, n_scenes=40), tmp_path)
    there = load_scene_set(record.path)
    shown = there.take(torch.arange(5)[None], 2)
    scenes = with_items(shown, generators([1], "looks"), 16)
    each = iter(range(5))

    def stored(*_: object) -> Places:
        row = next(each)
        return shown.places[0][row : row + 1]

    monkeypatch.setattr(looks, "draw_places", stored)
    made = looks.pictures_of(there)(scenes)
    # but for the order of sums, which may move a half-precision number to its neighbour
    assert (made - shown.image[0]).abs().max() < 0.02
    assert torch.equal(made.argmax(-1), shown.image[0].argmax(-1))
    assert shown.image[0].std() > 0.5


def test_places_follow_from_the_scene_whoever_stands_there(tmp_path: Path) -> None:
    record, _ = make_scene_set(SceneSetConfig(n_from=2, n_to=3, n_scenes=40), tmp_path)
    there = load_scene_set(record.path)
    scenes = with_items(there.take(torch.arange(3)[None], 2), generators([1], "looks"), 16)
    make = looks.pictures_of(there)
    assert torch.equal(make(scenes), make(scenes))
    swapped = type(scenes)(
        scenes.colours.flip(-1), scenes.shapes, scenes.items, scenes.order, scenes.gaps
    )
    both = make(scenes), make(swapped)
    changed = (both[0] != both[1]).any(-1)
    # of 64 tokens those of background stay
    assert bool(changed.any(-1).all())
    assert not bool(changed.all(-1).any())
