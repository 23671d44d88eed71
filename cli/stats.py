"""xmodal stats: intervals and tests over any two groups of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import user_errors
from cli.lists import columns_given, listed
from cli.options import DEFAULT_STORE, FormatOrSuffix, Output, StorePath, to_stderr

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from xmodal.store.stat_rows import StatRow

app = typer.Typer(
    help="Intervals and tests: bootstrap of leaves, permutation, McNemar, equivalence.",
    no_args_is_help=True,
)
_COLUMN = "COLUMN=VALUE; repeat as needed. Columns: those of the view run_unit, run, manifest, "
Where = Annotated[
    list[str] | None,
    typer.Option("--where", "-w", help=f"{_COLUMN}question_set, image_mode. Of both sides."),
]
Metric = Annotated[str, typer.Option(help="macro_f1 or balanced_accuracy.")]
Resamples = Annotated[int, typer.Option(help="Of the bootstrap and of the permutation.")]
Seed = Annotated[int, typer.Option(help="Of resamples and permutations.")]
Confidence = Annotated[float, typer.Option(help="Of the intervals.")]
Hypernyms = Annotated[
    str,
    typer.Option(help="fixed: about these hypernyms; random: they are a sample of hypernyms too."),
]


@app.command("compare")
@user_errors
def compare(
    where: Where = None,
    a: Annotated[list[str] | None, typer.Option("--a", help="Of the first side alone.")] = None,
    b: Annotated[list[str] | None, typer.Option("--b", help="Of the second.")] = None,
    by: Annotated[
        str | None, typer.Option(help="In place of --a and --b: every value of this column.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="With --by: hold all others against this value.")
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(help="Test equivalence too: differences smaller than this count as none."),
    ] = None,
    questions: Annotated[
        str,
        typer.Option(help="common: what both sides were asked; own: each its own; auto: common "
                     "unless shuffle or negatives differ."),
    ] = "auto",
    metric: Metric = "macro_f1",
    hypernyms: Hypernyms = "fixed",
    confidence: Confidence = 0.95,
    resamples: Resamples = 10_000,
    seed: Seed = 0,
    store: StorePath = DEFAULT_STORE,
    fmt: FormatOrSuffix = None,
    output: Output = None,
) -> None:  # fmt: skip
    """Hold two conditions against each other and store the result.

    `xmodal stats compare --where ratio=1 --where shuffle=none --a lm_init=pretrained --b
    lm_init=random --margin 0.05`
    """
    from xmodal.stats.ask import compare_groups
    from xmodal.stats.compare import Settings

    settings = Settings(
        metric=metric, n_resamples=resamples, seed=seed, confidence=confidence, margin=margin,
        hypernyms=hypernyms, questions=questions,
    )  # fmt: skip
    rows = compare_groups(
        store, where=columns_given("--where", where or ()), a=columns_given("--a", a or ()),
        b=columns_given("--b", b or ()), by=by, against=against, settings=settings,
    )  # fmt: skip
    tell(rows, fmt, output)


@app.command("level")
@user_errors
def level(
    where: Where = None,
    metric: Metric = "macro_f1",
    hypernyms: Hypernyms = "fixed",
    confidence: Confidence = 0.95,
    resamples: Resamples = 10_000,
    seed: Seed = 0,
    store: StorePath = DEFAULT_STORE,
    fmt: FormatOrSuffix = None,
    output: Output = None,
) -> None:
    """Score of one condition with its interval, stored."""
    from xmodal.stats.ask import measure_level
    from xmodal.stats.compare import Settings

    settings = Settings(
        metric=metric, n_resamples=resamples, seed=seed, confidence=confidence, hypernyms=hypernyms
    )
    tell(
        measure_level(store, where=columns_given("--where", where or ()), settings=settings),
        fmt, output,
    )  # fmt: skip


@app.command("mixed")
@user_errors
def mixed(
    formula: Annotated[
        str, typer.Argument(help='Such as "macro_f1 ~ lm_init * shuffle": columns, + : and *.')
    ],
    where: Annotated[
        list[str] | None,
        typer.Option("--where", "-w", help="COLUMN=VALUE: which scores. Repeat as needed."),
    ] = None,
    slopes: Annotated[
        str | None,
        typer.Option(help="Effects with a random slope by hypernym, with commas between; all that "
                     "vary within hypernyms if left out, none if empty."),
    ] = None,
    confidence: Confidence = 0.95,
    store: StorePath = DEFAULT_STORE,
    fmt: FormatOrSuffix = None,
    output: Output = None,
) -> None:  # fmt: skip
    """Mixed model of F1 over hypernyms and runs, both random; its assumptions are printed.

    Columns: those of a condition, coherence, probe_f1, depth; scores macro_f1, macro_f1_s1,
    balanced_accuracy. Released runs are modelled as well (--where source=s1).
    """
    from xmodal.stats.ask import fit_mixed

    rows, assumed = fit_mixed(
        store, formula, where=columns_given("--where", where or ()),
        slopes=None if slopes is None else listed("slopes", slopes, str), confidence=confidence,
    )  # fmt: skip
    tell(rows, fmt, output, ["it assumes that", *(f"- {line}" for line in assumed)])


def tell(
    rows: Sequence[StatRow], fmt: str | None, output: Path | None, beside: Sequence[str] = ()
) -> None:
    """The table on stdout, what must be known beside it on stderr."""
    from xmodal.stats.ask import notes_of, table_of
    from xmodal.stats.words import statement
    from xmodal.store.render import emit

    emit(table_of(rows), fmt, output)
    for line in (*map(statement, rows), *(beside or notes_of(rows))):
        to_stderr(line)
