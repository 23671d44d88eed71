"""What a release's own files say about its numbers: an audit, computed from the Release.

All shares and scores are fractions. A cell is one run's score for one hypernym.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from taxonomy.errors import DataError
from xmodal.released.cells import (
    Cell,
    Cells,
    Key,
    always_no,
    by_condition,
    first_cell,
    questions,
)
from xmodal.released.interval import half_width
from xmodal.store.findings import Release

_SAME = 1e-9


@dataclass(frozen=True, kw_only=True)
class Realised:
    """How much a random ablation held out."""

    shuffle: str
    nominal_ratio: float
    realised_ratio: float
    n_held_out: int
    """Test questions in the held-out set."""
    n_questions: int
    """All test questions about hypernyms."""


@dataclass(frozen=True, kw_only=True)
class Systematic:
    """What is in the held-out set of a systematic ablation, and the scores of its parts."""

    lm: str
    encoder: str
    lm_init: str
    shuffle: str
    n_categories: int
    n_questions: int
    n_about_ablated: int
    f1_reported: float
    f1_ablated: float
    """Over the ablated categories only."""
    f1_others: float
    """Over the trained hypernyms in the set, one-class cells left out."""
    blind_ablated: float | None
    f1_ablated_when_all_are: float | None
    """The same categories with every hypernym held out (100 %), on all of their questions."""
    always_no: float | None
    """Of answering No to every question about the ablated categories."""
    always_no_when_all_are: float | None
    """The same on all of their questions."""
    n_cells_ablated: int
    """Runs times ablated categories."""
    n_cells_always_no: int
    """Those of them whose F1 is exactly that of answering No always."""
    n_no_only: int
    """Questions about ablated categories in the seen set, every one with the answer No."""
    contained: tuple[str, ...]
    """Hypernyms not ablated by name that have no Yes left either: all of their leaves are
    under ablated ones."""


@dataclass(frozen=True, kw_only=True)
class SingleClass:
    """Cells whose questions all have one answer: a constant answer scores 1 there."""

    shuffle: str
    design: str
    n: int
    question_set: str
    n_hypernyms: int
    n_single_class: int
    f1_published: float
    """Mean over the conditions of pretrained LMs, all cells."""
    f1_without: float | None
    blind_published: float
    blind_without: float | None


@dataclass(frozen=True, kw_only=True)
class Score:
    """A condition's held-out score with chance taken out, and two intervals around it."""

    lm: str
    encoder: str
    lm_init: str
    shuffle: str
    design: str
    n: int
    realised_ratio: float | None
    """Share of the hypernym questions in the held-out set."""
    n_seeds: int
    f1: float
    """As published: unweighted mean over hypernyms and seeds."""
    f1_two_class: float
    """The same without one-class cells."""
    blind_two_class: float | None
    """Majority answer, on the same cells."""
    adjusted: float | None
    """Mean over those cells of (f1 - blind) / (1 - blind): 0 is guessing, 1 is perfect."""
    f1_seen: float | None
    """The seen set, one-class cells left out."""
    half_width_cells: float
    """Of a 95 % interval that takes hypernyms times seeds for independent values."""
    half_width_hypernyms: float
    """Of a 95 % interval over hypernyms, seeds averaged within each first."""


@dataclass(frozen=True, kw_only=True)
class Leaves:
    """Leaf questions of one shuffle."""

    shuffle: str
    n_leaves: int
    without_count: tuple[str, ...]
    """Leaves that the files of counts leave out."""
    n_single_class: int


@dataclass(frozen=True, kw_only=True)
class Audit:
    """All findings about one release."""

    source: str
    n_runs: int
    realised: list[Realised]
    systematic: list[Systematic]
    single_class: list[SingleClass]
    scores: list[Score]
    leaves: list[Leaves]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def audit(release: Release) -> Audit:
    """Audit a release.

    Args:
        release: As read by read_s1.

    Raises:
        DataError: Nothing of a release to audit: no run holds anything out.
    """
    sets = by_condition(release)
    held_out, seen = sets["held_out_s1"], sets["seen_s1"]
    if not held_out:
        raise DataError(f"the release {release.source!r} has no held-out scores to audit")
    totals = _totals(held_out)
    return Audit(
        source=release.source,
        n_runs=len(release.runs),
        realised=_realised(held_out, totals),
        systematic=[
            _systematic(key, held_out, seen)
            for key in sorted(held_out)
            if key.design == "systematic"
        ],
        single_class=_single_class(held_out, "held_out_s1") + _single_class(seen, "seen_s1"),
        scores=[_score(key, held_out, seen, totals) for key in sorted(held_out)],
        leaves=_leaves(sets["leaf"]),
    )


def _totals(held_out: Cells) -> dict[str, int]:
    """Hypernym questions by shuffle: the held-out set of 100 % has them all."""
    return {
        key.shuffle: sum(asked.values())
        for key, cells in sorted(held_out.items())
        if (key.design, key.n) == ("random", 100) and (asked := questions(cells))
    }


def _realised_ratio(key: Key, cells: list[Cell], totals: dict[str, int]) -> float | None:
    n, total = sum(questions(cells).values()), totals.get(key.shuffle)
    return n / total if n and total else None


def _realised(held_out: Cells, totals: dict[str, int]) -> list[Realised]:
    rows = {}
    for key, cells in sorted(held_out.items()):
        ratio = _realised_ratio(key, cells, totals)
        if key.design == "random" and ratio is not None:
            rows[(key.shuffle, key.n)] = Realised(
                shuffle=key.shuffle,
                nominal_ratio=key.n / 100,
                realised_ratio=ratio,
                n_held_out=sum(questions(cells).values()),
                n_questions=totals[key.shuffle],
            )
    return [rows[at] for at in sorted(rows)]


def _systematic(key: Key, held_out: Cells, seen: Cells) -> Systematic:
    cells, seen_cells = held_out[key], seen.get(key, [])
    ablated = {cell.concept for cell in cells if cell.whole}
    asked, asked_seen = questions(cells), questions(seen_cells)
    everything = held_out.get(key._replace(design="random", n=100), [])
    among = _where(lambda cell: cell.concept in ablated)
    others = _where(lambda cell: cell.concept not in ablated and not cell.single_class)
    left = {cell.concept for cell in seen_cells if cell.single_class} - ablated
    constant = {
        word: always_no(first_cell(cells, word), first_cell(everything, word))
        for word in sorted(ablated)
    }
    return Systematic(
        lm=key.lm,
        encoder=key.encoder,
        lm_init=key.lm_init,
        shuffle=key.shuffle,
        n_categories=key.n,
        n_questions=sum(asked.values()),
        n_about_ablated=sum(n for word, n in asked.items() if word in ablated),
        f1_reported=fmean(cell.f1 for cell in cells),
        f1_ablated=fmean(cell.f1 for cell in among(cells)),
        f1_others=fmean(cell.f1 for cell in others(cells)),
        blind_ablated=_mean(cell.blind for cell in among(cells)),
        f1_ablated_when_all_are=_mean(cell.f1 for cell in among(everything)),
        always_no=_mean(no for no, _ in constant.values()),
        always_no_when_all_are=_mean(no for _, no in constant.values()),
        n_cells_ablated=len(among(cells)),
        n_cells_always_no=sum(
            (no := constant[cell.concept][0]) is not None and abs(cell.f1 - no) < _SAME
            for cell in among(cells)
        ),
        n_no_only=sum(n for word, n in asked_seen.items() if word in ablated),
        contained=tuple(sorted(left)),
    )


def _where(test: Callable[[Cell], bool]) -> Callable[[Iterable[Cell]], list[Cell]]:
    return lambda cells: [cell for cell in cells if test(cell)]


_two_class = _where(lambda cell: not cell.single_class)


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean; None when there is nothing or something is missing."""
    given = list(values)
    known = [value for value in given if value is not None]
    return fmean(known) if known and len(known) == len(given) else None


def _single_class(sets: Cells, question_set: str) -> list[SingleClass]:
    """One row a set of questions, the scores averaged over the pretrained LMs that answered."""
    groups: dict[tuple[str, str, int], list[Cell]] = {}
    for key, cells in sorted(sets.items()):
        if key.lm_init == "pretrained" and all(cell.blind is not None for cell in cells):
            groups.setdefault((key.shuffle, key.design, key.n), []).extend(cells)
    rows = []
    for (shuffle, design, n), cells in sorted(groups.items()):
        blind = {cell.concept: cell.blind for cell in cells}
        kept = _two_class(cells)
        rows.append(
            SingleClass(
                shuffle=shuffle,
                design=design,
                n=n,
                question_set=question_set,
                n_hypernyms=len(blind),
                n_single_class=sum(value == 1.0 for value in blind.values()),
                f1_published=fmean(cell.f1 for cell in cells),
                f1_without=_mean(cell.f1 for cell in kept),
                blind_published=fmean(value for value in blind.values() if value is not None),
                blind_without=_mean(cell.blind for cell in kept),
            )
        )
    return rows


def _score(key: Key, held_out: Cells, seen: Cells, totals: dict[str, int]) -> Score:
    cells = held_out[key]
    kept = _two_class(cells)
    by_hypernym: dict[str, list[float]] = {}
    for cell in cells:
        by_hypernym.setdefault(cell.concept, []).append(cell.f1)
    return Score(
        lm=key.lm,
        encoder=key.encoder,
        lm_init=key.lm_init,
        shuffle=key.shuffle,
        design=key.design,
        n=key.n,
        realised_ratio=_realised_ratio(key, cells, totals),
        n_seeds=len({cell.run_id for cell in cells}),
        f1=fmean(cell.f1 for cell in cells),
        f1_two_class=fmean(cell.f1 for cell in kept),
        blind_two_class=_mean(cell.blind for cell in kept),
        adjusted=_mean(
            None if cell.blind is None else (cell.f1 - cell.blind) / (1.0 - cell.blind)
            for cell in kept
        ),
        f1_seen=_mean(cell.f1 for cell in _two_class(seen.get(key, []))),
        half_width_cells=half_width([cell.f1 for cell in cells]),
        half_width_hypernyms=half_width([fmean(values) for values in by_hypernym.values()]),
    )


def _leaves(leaf: Cells) -> list[Leaves]:
    rows: dict[str, Leaves] = {}
    for key, cells in sorted(leaf.items()):
        one = [cell for cell in cells if cell.run_id == cells[0].run_id]
        rows.setdefault(
            key.shuffle,
            Leaves(
                shuffle=key.shuffle,
                n_leaves=len(one),
                without_count=tuple(cell.concept for cell in one if cell.n is None),
                n_single_class=sum(cell.single_class for cell in one),
            ),
        )
    return list(rows.values())
