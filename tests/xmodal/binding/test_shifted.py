"""Shifted positions: counts against a direct computation, and what is not asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from taxonomy.errors import ConfigError
from tests.xmodal.binding import small
from xmodal.binding.decoder import Decoder
from xmodal.binding.examples import as_ordered
from xmodal.binding.own_subject import OwnSubject
from xmodal.binding.run_folder import load_decoder
from xmodal.binding.shifted import SHIFTS, shifted, shifts_that_fit
from xmodal.binding.task import Layout, Scenes, draw_scenes, generators, lay_out
from xmodal.binding.vocabulary import Vocabulary
from xmodal.binding_tables import RUN_WEIGHTS
from xmodal.bindings.shipped import shipped_runs

WORDS = Vocabulary(n_colours=8, n_shapes=8, n_items=8)


def scenes_of(n: int, count: int = 22, words: Vocabulary = WORDS) -> Scenes:
    return draw_scenes(generators([3], "shifted"), count, n, words)


@torch.no_grad()
def directly(decoder: Decoder, scenes: Scenes, layout: Layout, shift: int) -> int:
    """Right answers by way of the trainer's sequences."""
    asked = lay_out(scenes, layout).each(torch.arange(scenes.colours.shape[1]) % scenes.n_objects)
    found = decoder(replace(asked, positions=asked.positions + shift)).argmax(-1)
    return int((found == asked.targets).sum())


def right(subject: OwnSubject, scenes: Sequence[Scenes], batch: int = 256) -> dict[int, list[int]]:
    made: dict[int, list[int]] = {}
    for row in shifted(subject, scenes, batch=batch).to_pylist():
        assert row["n_questions"] == scenes[0].colours.shape[1]
        made.setdefault(row["n_objects"], []).append(row["n_right"])
    return made


@pytest.mark.parametrize("order", ["shuffled", "same"])
def test_counts_are_those_of_a_direct_computation(order: str) -> None:
    decoder, said = load_decoder(shipped_runs()[0].path / RUN_WEIGHTS)
    words, layout = Vocabulary(**said["vocabulary"]), Layout(order=order, marker=said["marker"])
    scenes = [scenes_of(n, words=words) for n in (3, 4)]
    subject = OwnSubject(decoder, layout)
    found = right(subject, [as_ordered(one, layout) for one in scenes])
    assert found == {
        one.n_objects: [directly(decoder, one, layout, shift) for shift in SHIFTS] for one in scenes
    }
    # as this decoder was trained it is always right, and it is tied to positions
    if order == said["order"]:
        assert found[4][0] == 22
        assert found[4][1] < 15
    assert right(subject, [as_ordered(one, layout) for one in scenes], batch=5) == found


def test_where_positions_are_one_and_the_same_shifts_change_nothing() -> None:
    decoder, said = load_decoder(shipped_runs()[0].path / RUN_WEIGHTS)
    with torch.no_grad():
        decoder.place.copy_(decoder.place[:, :1].expand_as(decoder.place))
    subject = OwnSubject(decoder, Layout(marker=said["marker"]))
    ((first, *others),) = right(subject, [scenes_of(2, 60)]).values()
    assert first > 0
    assert others == [first] * 5


def test_shifts_that_leave_learned_positions_are_not_asked() -> None:
    # 8 words, an end, 8 words and 2 of the question stand at positions 0 to 18
    subject = OwnSubject(Decoder(small.learned(21), [0]))
    assert shifts_that_fit(subject, scenes_of(4)) == (0, 1, 2)
    table = shifted(subject, [scenes_of(4), scenes_of(3)])
    asked = [(row["n_objects"], row["shift"]) for row in table.to_pylist()]
    assert asked == [(4, 0), (4, 1), (4, 2), (3, 0), (3, 1), (3, 2), (3, 4)]
    turned = OwnSubject(Decoder(small.recipe().decoder, [0]))
    assert shifts_that_fit(turned, scenes_of(8), (0, 5000)) == (0, 5000)
    with pytest.raises(ConfigError, match="a sequence reaches position 18, learned positions end"):
        shifted(OwnSubject(Decoder(small.learned(18), [0])), [scenes_of(4)])


def test_what_cannot_be_shifted() -> None:
    decoder = Decoder(small.learned(30), [0])
    shown = OwnSubject(decoder, Layout(context="image"), lambda scenes: torch.zeros(1, 1, 1))
    with pytest.raises(ConfigError, match=r"^shifted positions are of a text context, got "):
        shifted(shown, [scenes_of(2)])
    with pytest.raises(ConfigError, match=r"^a shift must be at least 0, got -1$"):
        shifted(OwnSubject(decoder), [scenes_of(2)], (0, -1))
