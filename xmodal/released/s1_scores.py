"""Scores of S1's runs: F1, number of questions, accuracy and blind guess brought together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from taxonomy.errors import DataError
from xmodal.released.grids import Grid, as_written, read_grid
from xmodal.released.s1_files import Files
from xmodal.released.s1_names import SWAPS, Condition, Settings, parse_guess, parse_run
from xmodal.released.wordings import Wordings, ablated_categories

_TOTALS = ("overall", "total_illegal_ratio")
_MOST_QUESTIONS = 1e9

Cells = Mapping[str, float | None]
"""Concept to a number."""


@dataclass
class Table:
    """Rows of one kind of file and one question set, by run."""

    grids: dict[str, Grid] = field(default_factory=dict)
    """Run to the grid that has it."""

    def row(self, run: str) -> Cells:
        """A run's cells by column; empty when no file has the run."""
        grid = self.grids.get(run)
        return {} if grid is None else dict(zip(grid.columns, grid.rows[run], strict=True))


@dataclass
class Scores:
    """All score files of a release."""

    settings: dict[str, Settings] = field(default_factory=dict)
    """Run name to what it says."""
    f1: dict[str, Table] = field(default_factory=dict)
    """Question set to macro-F1, fractions."""
    counts: dict[str, Table] = field(default_factory=dict)
    accuracy: dict[str, Table] = field(default_factory=dict)
    blind: dict[tuple[str, Condition], Cells] = field(default_factory=dict)
    """Macro-F1 of the majority answer."""
    n_duplicates: int = 0


def read_scores(files: Files, wordings: Wordings) -> Scores:
    """Read and check every score file.

    Raises:
        DataError: A file is damaged, a name says nothing known, two rows contradict, or files
            of one kind lack a run that the others have.
    """
    scores = Scores()
    for question_set, paths in files.f1.items():
        scores.f1[question_set] = _table(scores, question_set, paths, wordings, high=1.0)
    for question_set, paths in files.counts.items():
        scores.counts[question_set] = _table(
            scores, question_set, paths, wordings, high=_MOST_QUESTIONS, whole=True
        )
        if question_set in scores.f1:
            _same_runs(scores, question_set)
    for question_set, paths in files.accuracy.items():
        scores.accuracy[question_set] = _table(scores, question_set, paths, wordings, high=1.0)
    _read_guesses(scores, files.guesses, wordings)
    _check_columns(scores)
    _check_ablated(scores)
    return scores


def _table(
    scores: Scores,
    question_set: str,
    paths: Iterable[Path],
    wordings: Wordings,
    **limits: Any,
) -> Table:
    table = Table()
    for path in paths:
        grid = read_grid(path, **limits)
        scores.n_duplicates += grid.n_duplicates
        if question_set != "leaf":
            grid = _canonical(grid, wordings)
        for run in grid.rows:
            scores.settings.setdefault(run, parse_run(run))
            earlier = table.row(run)
            if run in table.grids:
                if earlier != dict(zip(grid.columns, grid.rows[run], strict=True)):
                    raise DataError(
                        f"{path} and {table.grids[run].path} contradict each other on {run!r}: "
                        "remove the older one"
                    )
                scores.n_duplicates += 1
            table.grids[run] = grid
    return table


def _canonical(grid: Grid, wordings: Wordings) -> Grid:
    names = [name for name in grid.columns if name not in _TOTALS]
    words = dict(zip(names, wordings.hypernyms(names, str(grid.path)), strict=True))
    return replace(grid, columns=tuple(words.get(name, name) for name in grid.columns))


def _same_runs(scores: Scores, question_set: str) -> None:
    """Two files that know a model must have the same runs of it.

    A model: an encoder with an LM; runs of the category swap have files of their own.
    """
    f1, counts = scores.f1[question_set].grids, scores.counts[question_set].grids
    for has, lacks in ((f1, counts), (counts, f1)):
        models = {_model(scores.settings[run]) for run in lacks}
        for run in has:
            if run not in lacks and _model(scores.settings[run]) in models:
                path = next(iter(lacks.values())).path
                raise DataError(
                    f"{path} lacks the run {run!r}, which {has[run].path.name} has: it was cut "
                    "short; fetch it again"
                )


def _model(said: Settings) -> tuple[str, str, bool]:
    return said.encoder, said.lm, said.condition.shuffle in SWAPS.values()


def _read_guesses(scores: Scores, paths: Iterable[Path], wordings: Wordings) -> None:
    for path in paths:
        grid = read_grid(path, high=1.0)
        scores.n_duplicates += grid.n_duplicates
        kinds = {parse_guess(name)[0] == "leaf" for name in grid.rows}
        if len(kinds) > 1:
            raise DataError(f"{path} mixes guesses of leaves and of hypernyms: it must have one")
        if kinds == {False}:
            grid = _canonical(grid, wordings)
        for name, cells in grid.rows.items():
            key, row = parse_guess(name), dict(zip(grid.columns, cells, strict=True))
            if scores.blind.setdefault(key, row) != row:
                raise DataError(f"{path} contradicts another file of guesses on {name!r}")


def _check_columns(scores: Scores) -> None:
    """Files about the same questions must name the same hypernyms, or leaves.

    A file that lost whole columns would give means over fewer of them without a sign. Counts of
    leaves are left out: the release has none of 28 plurals.
    """
    for question_set, table in scores.f1.items():
        counts = scores.counts.get(question_set, Table())
        for run, grid in table.grids.items():
            condition = _asked_as(question_set, scores.settings[run].condition)
            guesses = scores.blind.get(_guess_of(question_set, condition))
            asked = counts.grids.get(run) if question_set != "leaf" else None
            others = [(guesses, "the blind guesses"), (asked and asked.columns, "the counts")]
            names = set(grid.columns).difference(_TOTALS)
            for columns, which in others:
                apart = set(columns).difference(_TOTALS) ^ names if columns else set()
                if apart:
                    raise DataError(
                        f"{grid.path} and {which} do not have the same columns: {len(apart)} are "
                        f"in one of them only, such as {min(apart)!r}; fetch both again"
                    )


def _check_ablated(scores: Scores) -> None:
    """The categories that the code names must be those that the files ablate.

    An ablated category has no Yes among the seen questions and some among the held-out ones;
    a blind guess of exactly 1 says that only one answer occurs.
    """
    for (question_set, condition), blind in scores.blind.items():
        if condition.design != "systematic":
            continue
        for word in sorted(ablated(condition)):
            single = blind.get(word) == 1.0
            if word in blind and single != (question_set == "seen_s1"):
                raise DataError(
                    f"{word!r} is one of the {condition.n} ablated categories, which have no Yes "
                    f"among the seen questions and some among the held-out ones, but the blind "
                    f"guess for {question_set} ({condition.shuffle}) is "
                    + ("not a number" if blind[word] is None else str(blind[word]))
                )


def ablated(condition: Condition) -> frozenset[str]:
    """The categories that a systematic condition ablates.

    Raises:
        DataError: The release is not known to ablate that many.
    """
    sets = ablated_categories()
    if condition.n not in sets:
        raise DataError(
            f"no list of the {condition.n} ablated categories is known: the release has lists "
            f"for {', '.join(map(str, sets))}"
        )
    return sets[condition.n]


def _guess_of(question_set: str, condition: Condition) -> tuple[str, Condition]:
    """Where the blind guess on these questions stands.

    With nothing ablated all hypernym questions are seen: those held out where all are ablated.
    """
    if question_set == "seen_s1" and condition.design == "none":
        return "held_out_s1", Condition("random", 100, condition.shuffle)
    return question_set, condition


def score_rows(scores: Scores) -> Iterator[dict[str, Any]]:
    """Rows of RELEASED_SCORE with the run's name in place of its id; nothing for empty cells.

    Raises:
        DataError: An F1 without questions or the other way round, accuracies that do not add
            up to the stated total, or a condition without its blind guess.
    """
    guessed = {(which, c.shuffle) for which, c in scores.blind}
    for question_set, table in scores.f1.items():
        asked = _counts_by_condition(scores, question_set)
        for run, grid in table.grids.items():
            said = scores.settings[run].condition
            condition = _asked_as(question_set, said)
            counts = scores.counts.get(question_set, Table()).row(run) or asked.get(condition, {})
            right = scores.accuracy.get(question_set, Table()).row(run)
            _check_total(run, question_set, right, counts)
            blind = scores.blind.get(_guess_of(question_set, condition))
            if blind is None and (question_set, said.shuffle) in guessed:
                raise DataError(
                    f"the blind guesses lack {question_set} of the condition of {run!r}: the file "
                    "of guesses was cut short; fetch it again"
                )
            whole = _whole(question_set, said)
            for concept, f1 in zip(grid.columns, grid.rows[run], strict=True):
                n = counts.get(concept)
                if (f1 is None) != (n == 0) and (n is not None):
                    raise DataError(
                        f"{grid.path} has {as_written(grid, run, concept)} as the F1 of {run!r} "
                        f"for {concept!r}, which has {n:g} questions: one of the two files is "
                        "damaged"
                    )
                if f1 is not None:
                    yield {
                        "run_name": run,
                        "question_set": question_set,
                        "concept": concept,
                        "macro_f1_s1": f1,
                        "blind_f1_s1": (blind or {}).get(concept),
                        "accuracy": right.get(concept),
                        "n_questions": None if n is None else int(n),
                        "whole": whole is True
                        or (isinstance(whole, frozenset) and concept in whole),
                    }


def _asked_as(question_set: str, condition: Condition) -> Condition:
    """Leaves are asked the same questions whatever is ablated."""
    return Condition("random", 100, condition.shuffle) if question_set == "leaf" else condition


def _whole(question_set: str, condition: Condition) -> bool | frozenset[str]:
    """Hypernyms of which no Yes was trained: all, none, or those that the condition ablates."""
    if question_set != "held_out_s1":
        return False
    if condition.design == "systematic":
        return ablated(condition)
    return condition.n == 100


def _counts_by_condition(scores: Scores, question_set: str) -> dict[Condition, Cells]:
    """Counts that all runs of a condition share, for runs that the count files leave out."""
    table = scores.counts.get(question_set, Table())
    shared: dict[Condition, Cells] = {}
    for run in table.grids:
        condition, row = _asked_as(question_set, scores.settings[run].condition), table.row(run)
        shared[condition] = row if shared.get(condition, row) == row else {}
    return shared


def _check_total(run: str, question_set: str, right: Cells, counts: Cells) -> None:
    """Accuracies weighted by counts must give the stated overall accuracy."""
    overall = right.get(_TOTALS[0])
    names = [name for name in right if name not in _TOTALS]
    if overall is None or any(counts.get(n) is None or right[n] is None for n in names):
        return
    n_all = sum(counts[name] or 0.0 for name in names)
    mean = sum((right[name] or 0.0) * (counts[name] or 0.0) for name in names) / max(n_all, 1.0)
    if abs(mean - overall) > 1e-6:
        raise DataError(
            f"the {question_set} accuracies of {run!r} weighted by their questions give {mean:.6f} "
            f"where the file says {overall:.6f}: one of the files is damaged"
        )
