"""What a release's own files say about its numbers: an audit, computed from the Release.

All shares and scores are fractions. A cell is one run's score for one hypernym.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, NamedTuple

from taxonomy.errors import DataError
from xmodal.released.interval import half_width
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
    def single_class(self) -> bool:
        """Whether one answer only is right for all of its questions."""
        return self.blind == 1.0


Cells = dict[Key, list[Cell]]


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
    sets = _cells(release)
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


def _cells(release: Release) -> dict[str, Cells]:
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


def _asked(cells: Iterable[Cell]) -> dict[str, int]:
    """Questions by concept, from one run of the condition: all are asked the same ones."""
    first = None
    asked: dict[str, int] = {}
    for cell in cells:
        first = first or cell.run_id
        if cell.run_id == first and cell.n is not None:
            asked[cell.concept] = cell.n
    return asked


def _totals(held_out: Cells) -> dict[str, int]:
    """Hypernym questions by shuffle: the held-out set of 100 % has them all."""
    return {
        key.shuffle: sum(asked.values())
        for key, cells in sorted(held_out.items())
        if (key.design, key.n) == ("random", 100) and (asked := _asked(cells))
    }


def _realised_ratio(key: Key, cells: list[Cell], totals: dict[str, int]) -> float | None:
    n, total = sum(_asked(cells).values()), totals.get(key.shuffle)
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
                n_held_out=sum(_asked(cells).values()),
                n_questions=totals[key.shuffle],
            )
    return [rows[at] for at in sorted(rows)]


def _systematic(key: Key, held_out: Cells, seen: Cells) -> Systematic:
    cells, seen_cells = held_out[key], seen.get(key, [])
    ablated = {cell.concept for cell in cells if cell.whole}
    asked, asked_seen = _asked(cells), _asked(seen_cells)
    everything = held_out.get(key._replace(design="random", n=100), [])
    among = _where(lambda cell: cell.concept in ablated)
    others = _where(lambda cell: cell.concept not in ablated and not cell.single_class)
    left = {cell.concept for cell in seen_cells if cell.single_class} - ablated
    constant = [
        _always_no(_first(cells, word), _first(everything, word)) for word in sorted(ablated)
    ]
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
        always_no=_mean(no for no, _ in constant),
        always_no_when_all_are=_mean(no for _, no in constant),
        n_no_only=sum(n for word, n in asked_seen.items() if word in ablated),
        contained=tuple(sorted(left)),
    )


def _first(cells: Iterable[Cell], concept: str) -> Cell | None:
    return next((cell for cell in cells if cell.concept == concept), None)


def _always_no(part: Cell | None, whole: Cell | None) -> tuple[float | None, float | None]:
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
