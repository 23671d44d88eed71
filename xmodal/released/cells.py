"""Scores of a release as cells, by question set and condition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from xmodal.store.findings import Release


class Key(NamedTuple):
    """A condition: runs that differ by their seed only."""

    encoder: str
    lm: str
    lm_init: str
    shuffle: str
    design: str
    n: int
    """Percent of the leaves (random) or number of categories (systematic)."""


class Cell(NamedTuple):
    """One run's score for one concept."""

    run_id: str
    concept: str
    f1: float
    blind: float | None
    n: int | None
    whole: bool

    @property
    def single_class(self) -> bool | None:
        """Whether one answer only is right for all of its questions; None without a guess."""
        return None if self.blind is None else self.blind == 1.0


Cells = dict[Key, list[Cell]]


def by_condition(release: Release) -> dict[str, Cells]:
    """Question set -> condition -> cells."""
    keys = {
        run.run_id: Key(
            run.encoder,
            run.lm,
            run.lm_init,
            run.shuffle,
            run.design,
            run.n_held_out_hypernyms or round(100 * run.ratio),
        )
        for run in release.runs
    }
    sets: dict[str, Cells] = {"held_out_s1": {}, "seen_s1": {}, "leaf": {}}
    names = (
        "run_id",
        "question_set",
        "concept",
        "macro_f1_s1",
        "blind_f1_s1",
        "n_questions",
        "whole",
    )
    columns = [release.scores[name].to_pylist() for name in names]
    for run_id, question_set, *rest in zip(*columns, strict=True):
        sets[question_set].setdefault(keys[run_id], []).append(Cell(run_id, *rest))
    return sets


def n_questions(cells: Iterable[Cell]) -> int | None:
    """Questions of one run of the condition: all are asked the same ones.

    None when there is no cell, or one whose number of questions is not known.
    """
    first = None
    n = 0
    for cell in cells:
        first = first or cell.run_id
        if cell.run_id == first:
            if cell.n is None:
                return None
            n += cell.n
    return None if first is None else n


def first_cell(cells: Iterable[Cell], concept: str) -> Cell | None:
    """The first cell of a concept; None when there is none."""
    return next((cell for cell in cells if cell.concept == concept), None)


def always_no(part: Cell | None, whole: Cell | None) -> tuple[float | None, float | None]:
    """F1 of answering No always to a part of a category's questions, and to all of them.

    The files do not say how many answers are Yes. The blind guess g of n questions does up to
    exchange: the majority has n g / (1 - g). A part that has every Yes shares its number of Yes
    with the whole, and two sets of different sizes cannot share both numbers.
    """
    if part is None or whole is None or part.n is None or whole.n is None or part.n == whole.n:
        return None, None
    shared = _answers(part) & _answers(whole)
    if len(shared) != 1:
        return None, None
    (n_yes,) = shared
    no, no_whole = part.n - n_yes, whole.n - n_yes
    return no / (2 * no + n_yes), no_whole / (2 * no_whole + n_yes)


def _answers(cell: Cell) -> set[int]:
    """Number of questions with the commoner answer and with the other; empty if unknown."""
    if cell.blind is None or cell.n is None or cell.single_class:
        return set()
    common = round(cell.n * cell.blind / (1.0 - cell.blind))
    return {common, cell.n - common}
