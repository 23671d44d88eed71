"""Two conditions held against each other: levels, difference, tests, equivalence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from taxonomy.errors import ConfigError
from taxonomy.model import one_of
from xmodal.stats.bootstrap import Resampled, resample_leaves
from xmodal.stats.cells import METRICS, Cells, group_scores
from xmodal.stats.intervals import Part, Spread, spread
from xmodal.stats.load import load_cells
from xmodal.stats.paired import McNemar, mcnemar, permutation, standardised
from xmodal.stats.select import Side
from xmodal.store import Store
from xmodal.store.stats import discordant


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a comparison is computed; every field bears on the result."""

    metric: str = "macro_f1"
    n_resamples: int = 10_000
    """Of the bootstrap and of the permutation test."""
    seed: int = 0
    """Of resamples and swaps."""
    confidence: float = 0.95
    """Of the intervals, between 0 and 1."""
    margin: float | None = None
    """Differences smaller than this are none; on the metric's scale. No test of it if None."""
    hypernyms: str = "fixed"
    """fixed, or random: the hypernyms are a sample too."""
    questions: str = "auto"
    """common: cells that both sides were asked, seed by seed; own: each side's own; auto: own
    where the sides differ in shuffle or negatives, whose questions are drawn anew, else common."""

    def __post_init__(self) -> None:
        one_of("metric", self.metric, METRICS)
        one_of("hypernyms", self.hypernyms, ("fixed", "random"))
        one_of("questions", self.questions, ("auto", "common", "own"))
        if not 100 <= self.n_resamples <= 1_000_000:
            raise ConfigError(f"resamples must be from 100 to 1000000, got {self.n_resamples}")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed must be 0 or more, got {self.seed}")
        check_confidence(self.confidence)
        if self.margin is not None and not 0 < self.margin < 1:
            raise ConfigError(f"margin must be above 0 and below 1, got {self.margin:g}")


def check_confidence(confidence: float) -> None:
    """Refuse what is no share of an interval.

    Raises:
        ConfigError: It is not in [0.5, 1).
    """
    if not 0.5 <= confidence < 1:
        raise ConfigError(f"confidence must be in [0.5, 1), got {confidence:g}")


@dataclass(frozen=True)
class Level:
    """One side's score."""

    spread: Spread
    n_leaves: int
    n_hypernyms: int
    n_questions: int
    n_designs: int
    n_inits: int


@dataclass(frozen=True)
class Comparison:
    """What was found about two sides; levels are over the questions that were compared."""

    a: Level
    b: Level
    difference: Spread
    paired: bool
    common: bool
    """Only questions that both sides were asked."""
    left_out: int
    """Answers to questions that only one side was asked."""
    effect: float
    """Mean difference in accuracy of a leaf by its SD over leaves; NaN where there is none."""
    n_leaves: int
    n_hypernyms: int
    permutation_p: float | None
    mcnemar: McNemar | None
    why_not: str | None
    """Why the paired tests were not made."""


def level(store: Store, chosen: Side, settings: Settings) -> Level:
    """Score of one side with its uncertainty.

    Raises:
        ConfigError: No answers, or no hypernym with both answers.
    """
    (cells,) = load_cells(store, [chosen])
    return _level(cells, chosen, _resampled(cells, [chosen], settings), 0, settings)


def compare(store: Store, a: Side, b: Side, settings: Settings) -> Comparison:
    """Hold two sides against each other.

    Runs are paired where both sides have the same seeds, each once. Leaves are resampled
    together, so that what makes a leaf hard for both does not count as a difference.

    Raises:
        ConfigError: Two datasets, no answers, no common questions, or no hypernym with both
            answers.
    """
    if a.runs[0]["dataset"] != b.runs[0]["dataset"]:
        raise ConfigError(
            f"a is of dataset {a.runs[0]['dataset']} and b of {b.runs[0]['dataset']}: leaves of "
            "two datasets cannot be held against each other"
        )
    first, second = load_cells(store, [a, b])
    pairs = _pairs(a, b)
    before = first.n_questions() + second.n_questions()
    common = _is_common(a, b, settings)
    if common:
        first, second = _common(first, second, pairs)
    both = _beside(first, second)
    found = _resampled(both, [a, b], settings)
    shared = [
        g.leaves[x.n.any(axis=1) & g.n.any(axis=1)]
        for g, x in zip(first.groups, second.groups, strict=True)
    ]
    p, split, why_not = _paired_tests(store, (a, b), (first, second), pairs, settings)
    return Comparison(
        a=_level(first, a, found, 0, settings),
        b=_level(second, b, found, len(a.runs), settings),
        difference=spread(_parts(found, a, b, pairs), settings.seed),
        paired=bool(pairs),
        left_out=before - first.n_questions() - second.n_questions(),
        effect=standardised(first, second),
        n_leaves=len(np.unique(np.concatenate(shared))),
        n_hypernyms=sum(bool(len(leaves)) for leaves in shared),
        common=common,
        permutation_p=p,
        mcnemar=split,
        why_not=why_not,
    )


def _is_common(a: Side, b: Side, settings: Settings) -> bool:
    if settings.questions == "auto":
        drawn = ("dataset", "relation", "shuffle", "negatives")
        return all(a.runs[0][name] == b.runs[0][name] for name in drawn)
    return settings.questions == "common"


def _pairs(a: Side, b: Side) -> list[tuple[int, int]]:
    """Places of runs with the same seeds; none unless every run has exactly one partner."""
    first, second = a.seeds(), b.seeds()
    if len(set(first)) < len(first) or sorted(first) != sorted(second):
        return []
    return [(i, second.index(seeds)) for i, seeds in enumerate(first)]


def _common(a: Cells, b: Cells, pairs: Sequence[tuple[int, int]]) -> tuple[Cells, Cells]:
    """Only the cells that both sides were asked: seed by seed in pairs, else by every run."""
    kept_a, kept_b = [], []
    for x, y in zip(a.groups, b.groups, strict=True):
        keep_a, keep_b = np.zeros(x.n.shape, bool), np.zeros(y.n.shape, bool)
        if pairs:
            for i, j in pairs:
                keep_a[:, i] = keep_b[:, j] = (x.n[:, i] > 0) & (y.n[:, j] > 0)
        else:
            rows = (np.hstack([x.n, y.n]) > 0).all(axis=1)
            keep_a[rows], keep_b[rows] = True, True
        kept_a.append(replace(x, n=x.n * keep_a, hits=x.hits * keep_a))
        kept_b.append(replace(y, n=y.n * keep_b, hits=y.hits * keep_b))
    first, second = replace(a, groups=tuple(kept_a)), replace(b, groups=tuple(kept_b))
    if not first.n_questions():
        raise ConfigError(
            "a and b were asked no questions in common: `--questions own` compares each on its own"
        )
    return first, second


def _beside(a: Cells, b: Cells) -> Cells:
    """Both sides' runs as the columns of one."""
    groups = tuple(
        replace(x, n=np.hstack([x.n, y.n]), hits=np.hstack([x.hits, y.hits]))
        for x, y in zip(a.groups, b.groups, strict=True)
    )
    return Cells(a.runs + b.runs, a.n_leaves, groups)


def _resampled(cells: Cells, sides: Sequence[Side], settings: Settings) -> Resampled:
    found = resample_leaves(
        cells, n_resamples=settings.n_resamples, seed=settings.seed, metric=settings.metric,
        random_groups=settings.hypernyms == "random",
    )  # fmt: skip
    if np.isnan(found.estimate).any():
        runs = [run for run, x in zip(cells.runs, found.estimate, strict=True) if np.isnan(x)]
        raise ConfigError(
            f"{settings.metric} wants a hypernym with questions of both answers; {runs[0]} has "
            f"none among {' and '.join(sorted({s.question_set for s in sides}))} questions"
        )
    return found


def _level(cells: Cells, chosen: Side, found: Resampled, start: int, settings: Settings) -> Level:
    """Of the side whose runs are the columns from `start` on."""
    columns = slice(start, start + len(chosen.runs))
    units = chosen.units(range(len(chosen.runs)))
    part = Part(found.estimate[columns], found.resamples[:, columns], units)
    scored = ~np.isnan(group_scores(cells, settings.metric)).all(axis=1)
    return Level(
        spread([part], settings.seed),
        n_leaves=cells.asked_leaves(),
        n_hypernyms=int(scored.sum()),
        n_questions=cells.n_questions(),
        n_designs=units.n_designs,
        n_inits=units.n_inits,
    )


def _parts(found: Resampled, a: Side, b: Side, pairs: Sequence[tuple[int, int]]) -> list[Part]:
    """The difference as one part of pairs, or as a part a side."""
    n = len(a.runs)
    if pairs:
        left, right = [i for i, _ in pairs], [n + j for _, j in pairs]
        return [
            Part(
                found.estimate[left] - found.estimate[right],
                found.resamples[:, left] - found.resamples[:, right],
                a.units(left),
            )
        ]
    return [
        Part(found.estimate[:n], found.resamples[:, :n], a.units(range(n))),
        Part(-found.estimate[n:], -found.resamples[:, n:], b.units(range(len(b.runs)))),
    ]


def _same_yes(a: Cells, b: Cells) -> bool:
    """Whether both were asked the same true cells, run by run; false ones are drawn for them."""
    return all(
        bool(((x.n > 0) == (y.n > 0))[x.answers].all())
        for x, y in zip(a.groups, b.groups, strict=True)
    )


def _paired_tests(
    store: Store,
    sides: tuple[Side, Side],
    cells: tuple[Cells, Cells],
    pairs: Sequence[tuple[int, int]],
    settings: Settings,
) -> tuple[float | None, McNemar | None, str | None]:
    """p of the permutation of leaves, McNemar's test, and why one of them was not made."""
    a, b = sides
    if not pairs:
        return None, None, "no paired tests: the two sides' runs have other seeds"
    first, second = cells[0].of([i for i, _ in pairs]), cells[1].of([j for _, j in pairs])
    if not _same_yes(first, second):
        return None, None, "no paired tests: the two sides were asked other (leaf, hypernym) pairs"
    p = permutation(
        first, second,
        n_permutations=settings.n_resamples, seed=settings.seed, metric=settings.metric,
    )  # fmt: skip
    table = discordant(
        store, [(a.run_ids[i], b.run_ids[j]) for i, j in pairs],
        modes=(a.image_mode, b.image_mode), sets=(a.question_set, b.question_set),
    )  # fmt: skip
    if not table.num_rows:
        return p, None, "no McNemar's test: the two sides ask about other pictures"
    n, only_a, only_b = (table[name].to_numpy() for name in ("n", "only_a", "only_b"))
    return p, mcnemar(int(n.sum()), only_a, only_b), None
