"""What a release's own files say about its numbers: an audit, computed from the Release.

All shares and scores are fractions. A cell is one run's score for one hypernym. What needs a
file that the release lacks is None, never a number without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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
    n_questions,
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
    n_questions: int | None
    n_about_ablated: int | None
    f1_reported: float
    f1_ablated: float
    """Over the ablated categories only."""
    f1_others: float | None
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
    n_cells_always_no: int | None
    """Those of them whose F1 is exactly that of answering No always."""
    n_no_only: int | None
    """Questions about ablated categories in the seen set, every one with the answer No."""
    contained: tuple[str, ...] | None
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
    n_single_class: int | None
    f1_published: float
    """Mean over the conditions of pretrained LMs, all cells."""
    f1_without: float | None
    blind_published: float | None
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
    f1_two_class: float | None
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
    without_count: tuple[str, ...] | None
    """Leaves that the files of counts leave out; None without such a file."""
    n_single_class: int | None


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
        key.shuffle: asked
        for key, cells in sorted(held_out.items())
        if (key.design, key.n) == ("random", 100) and (asked := n_questions(cells))
    }


def _realised_ratio(key: Key, cells: list[Cell], totals: dict[str, int]) -> float | None:
    n, total = n_questions(cells), totals.get(key.shuffle)
    return n / total if n and total else None


def _realised(held_out: Cells, totals: dict[str, int]) -> list[Realised]:
    rows = {}
    for key, cells in sorted(held_out.items()):
        ratio, n = _realised_ratio(key, cells, totals), n_questions(cells)
        if key.design == "random" and ratio is not None and n is not None:
            rows[(key.shuffle, key.n)] = Realised(
                shuffle=key.shuffle,
                nominal_ratio=key.n / 100,
                realised_ratio=ratio,
                n_held_out=n,
                n_questions=totals[key.shuffle],
            )
    return [rows[at] for at in sorted(rows)]


def _systematic(key: Key, held_out: Cells, seen: Cells) -> Systematic:
    cells, seen_cells = held_out[key], seen.get(key, [])
    ablated = {cell.concept for cell in cells if cell.whole}
    everything = held_out.get(key._replace(design="random", n=100), [])
    among = _where(lambda cell: cell.concept in ablated)
    others = _where(lambda cell: cell.concept not in ablated)
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
        n_questions=n_questions(cells),
        n_about_ablated=n_questions(among(cells)),
        f1_reported=fmean(cell.f1 for cell in cells),
        f1_ablated=fmean(cell.f1 for cell in among(cells)),
        f1_others=_two_class_mean(others(cells), _f1),
        blind_ablated=_mean(cell.blind for cell in among(cells)),
        f1_ablated_when_all_are=_mean(cell.f1 for cell in among(everything)),
        always_no=_mean(no for no, _ in constant.values()),
        always_no_when_all_are=_mean(no for _, no in constant.values()),
        n_cells_ablated=len(among(cells)),
        n_cells_always_no=_n_always_no(among(cells), {w: no for w, (no, _) in constant.items()}),
        n_no_only=_n_no_only(seen_cells, ablated),
        contained=_contained(others(seen_cells)),
    )


def _n_always_no(cells: list[Cell], constant: Mapping[str, float | None]) -> int | None:
    """Cells whose F1 is that of answering No always, which must be known for each."""
    known = {word: no for word, no in constant.items() if no is not None}
    if any(cell.concept not in known for cell in cells):
        return None
    return sum(abs(cell.f1 - known[cell.concept]) < _SAME for cell in cells)


def _n_no_only(seen: list[Cell], ablated: set[str]) -> int | None:
    """Seen questions about ablated categories, if it is known that one answer fits them all."""
    about = [cell for cell in seen if cell.concept in ablated]
    if not seen or not all(cell.single_class for cell in about):
        return None
    return n_questions(about) if about else 0


def _contained(cells: list[Cell]) -> tuple[str, ...] | None:
    """Concepts of one answer only; None without cells, or where it is not known."""
    if not cells or any(cell.single_class is None for cell in cells):
        return None
    return tuple(sorted({cell.concept for cell in cells if cell.single_class}))


def _where(test: Callable[[Cell], bool]) -> Callable[[Iterable[Cell]], list[Cell]]:
    return lambda cells: [cell for cell in cells if test(cell)]


def _two_class_mean(cells: Iterable[Cell], value: Callable[[Cell], float | None]) -> float | None:
    """Mean over the cells with both answers; None where it is not known which those are."""
    given = list(cells)
    if any(cell.single_class is None for cell in given):
        return None
    return _mean(value(cell) for cell in given if not cell.single_class)


def _f1(cell: Cell) -> float | None:
    return cell.f1


def _blind(cell: Cell) -> float | None:
    return cell.blind


def _adjusted(cell: Cell) -> float | None:
    return None if cell.blind is None else (cell.f1 - cell.blind) / (1.0 - cell.blind)


def _mean(values: Iterable[float | None]) -> float | None:
    """The mean; None when there is nothing or something is missing."""
    given = list(values)
    known = [value for value in given if value is not None]
    return fmean(known) if known and len(known) == len(given) else None


def _single_class(sets: Cells, question_set: str) -> list[SingleClass]:
    """One row a set of questions, the scores averaged over the pretrained LMs that answered."""
    groups: dict[tuple[str, str, int], list[Cell]] = {}
    for key, cells in sorted(sets.items()):
        if key.lm_init == "pretrained":
            groups.setdefault((key.shuffle, key.design, key.n), []).extend(cells)
    rows = []
    for (shuffle, design, n), cells in sorted(groups.items()):
        blind = {cell.concept: cell.blind for cell in cells}
        rows.append(
            SingleClass(
                shuffle=shuffle,
                design=design,
                n=n,
                question_set=question_set,
                n_hypernyms=len(blind),
                n_single_class=_n_single_class(cells),
                f1_published=fmean(cell.f1 for cell in cells),
                f1_without=_two_class_mean(cells, _f1),
                blind_published=_mean(blind.values()),
                blind_without=_two_class_mean(cells, _blind),
            )
        )
    return rows


def _n_single_class(cells: Iterable[Cell]) -> int | None:
    """Concepts whose questions all have one answer; None where some are not known."""
    single = {cell.concept: cell.single_class for cell in cells}
    return None if None in single.values() else sum(map(bool, single.values()))


def _score(key: Key, held_out: Cells, seen: Cells, totals: dict[str, int]) -> Score:
    cells = held_out[key]
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
        f1_two_class=_two_class_mean(cells, _f1),
        blind_two_class=_two_class_mean(cells, _blind),
        adjusted=_two_class_mean(cells, _adjusted),
        f1_seen=_two_class_mean(seen.get(key, []), _f1),
        half_width_cells=half_width([cell.f1 for cell in cells]),
        half_width_hypernyms=half_width([fmean(values) for values in by_hypernym.values()]),
    )


def _leaves(leaf: Cells) -> list[Leaves]:
    rows: dict[str, Leaves] = {}
    for key, cells in sorted(leaf.items()):
        one = [cell for cell in cells if cell.run_id == cells[0].run_id]
        without = tuple(cell.concept for cell in one if cell.n is None)
        rows.setdefault(
            key.shuffle,
            Leaves(
                shuffle=key.shuffle,
                n_leaves=len(one),
                without_count=None if len(without) == len(one) else without,
                n_single_class=_n_single_class(one),
            ),
        )
    return list(rows.values())
