"""Shifted positions: is a decoder tied to the positions that it was trained at?

Every position of a text, context and question, is shifted by the same number. Nothing else
changes, so that a decoder whose accuracy falls reads something by absolute position: a shortcut
that interchange interventions do not see, as their counterfactual keeps every position.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import torch

from taxonomy.errors import ConfigError
from xmodal.binding.examples import batches, count, some
from xmodal.binding.own_subject import OwnSubject
from xmodal.binding.task import Scenes
from xmodal.binding_tables import SHIFTED

SHIFTS = (0, 1, 2, 4, 8, 16)
"""Positions."""


def shifted(
    subject: OwnSubject,
    scenes: Sequence[Scenes],
    shifts: Sequence[int] = SHIFTS,
    *,
    batch: int = 256,
) -> pa.Table:
    """Ask a two-hop question of each scene, at each shift; every place as often, to one.

    Args:
        subject: A decoder that is asked in text.
        scenes: Of one run; one for each number of objects.
        shifts: Positions, from 0 on. Where positions are learned, those that leave them are left
            out, see shifts_that_fit.
        batch: Scenes at a time; the counts do not hang on it.

    Returns:
        Columns of SHIFTED: an answer is right where the item has the highest logit of all words.

    Raises:
        ConfigError: An image context, a negative shift, or a text longer than the positions.
    """
    if subject.layout.context != "text":
        raise ConfigError(
            f"shifted positions are of a text context, got {subject.layout.context!r}"
        )
    if min(shifts, default=0) < 0:
        raise ConfigError(f"a shift must be at least 0, got {min(shifts)}")
    rows = []
    for one in scenes:
        n, total = one.n_objects, count(one)
        fit = shifts_that_fit(subject, one, shifts)
        right = dict.fromkeys(fit, 0)
        for which in batches(total, batch):
            part = some(one, which)
            asked = torch.arange(total)[which] % n
            prompts = subject.prompts(part, asked)
            items = subject.token_of(part.items[0]).to(subject.device)
            targets = items.gather(1, asked.to(subject.device)[:, None])[:, 0]
            for shift in fit:
                moved = replace(prompts, positions=_positions(prompts.positions) + shift)
                found = subject.logits(moved).argmax(-1) == targets
                right[shift] += int(found.sum())
        rows += [
            {"n_objects": n, "shift": shift, "n_questions": total, "n_right": right[shift]}
            for shift in fit
        ]
    return pa.Table.from_pylist(rows, schema=SHIFTED)


def shifts_that_fit(
    subject: OwnSubject, scenes: Scenes, shifts: Sequence[int] = SHIFTS
) -> tuple[int, ...]:
    """The shifts at which a text of so many objects ends within learned positions; else all.

    0 is never left out: a text that is too long as it is, is the decoder's to refuse.

    Args:
        subject: Whose positions.
        scenes: Texts of one length.
        shifts: Wanted.
    """
    config = subject.decoder.config
    if config.position != "learned":
        return tuple(shifts)
    first = subject.prompts(some(scenes, slice(0, 1)), torch.zeros(1, dtype=torch.int64))
    last = int(_positions(first.positions).max())
    return tuple(one for one in shifts if one == 0 or last + one < config.n_positions)


def _positions(positions: torch.Tensor | None) -> torch.Tensor:
    if positions is None:
        raise ValueError("a decoder of this package is told its positions")
    return positions
