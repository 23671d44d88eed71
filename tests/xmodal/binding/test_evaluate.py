"""Accuracy: what is asked, and of which objects."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.xmodal.binding import small
from xmodal.binding.evaluate import Asked, accuracy
from xmodal.binding.task import Layout, Sequences, draw_scenes, generators, lay_out
from xmodal.binding.vocabulary import CTX_END, N_TOKENS, Vocabulary


class Sitting:
    """Answers by the object at one place of the context, whatever is asked."""

    n_runs = 1
    embed = torch.zeros(1, 1, 1)

    def __init__(self, place: int) -> None:
        self.place = place

    def __call__(self, sequences: Sequences, image: Tensor | None) -> Tensor:
        logits = torch.zeros(*sequences.ids.shape[:2], len(sequences.at), N_TOKENS)
        for row, ids in enumerate(sequences.ids[0].tolist()):
            shape = ids[2 * self.place + 1]
            item = ids[ids.index(shape, ids.index(CTX_END)) + 1]
            logits[0, row, :, item] = 1.0
        return logits


@pytest.mark.parametrize("place", [0, 1, 3])
def test_every_place_of_the_context_is_asked_about(place: int) -> None:
    solver: Any = Sitting(place)
    (row,) = accuracy(solver, small.recipe(), Asked(), 4, 264)
    # a quarter of 264 questions are about each place, also of those of the second pass
    assert (row["n_questions"], row["n_right"], row["n_in_scene"]) == (264, 66, 264)


@pytest.mark.parametrize("layout", [Layout(hops="all", marker=True), Layout(noise=3, offset=5)])
def test_a_question_each_is_that_question(layout: Layout) -> None:
    scenes = draw_scenes(generators([1, 2], "test"), 5, 3, Vocabulary())
    whole = lay_out(scenes, layout)
    which = torch.tensor([2, 0, 1, 2, len(whole.at) - 1])
    each = whole.each(which)
    for row, number in enumerate(which.tolist()):
        alone = whole.only([number])
        for name in ("ids", "positions", "targets"):
            assert torch.equal(getattr(each, name)[:, row], getattr(alone, name)[:, row])
        assert torch.equal(each.at, alone.at)
        assert torch.equal(each.segments, alone.segments)
