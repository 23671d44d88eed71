"""What the demo prints at its end: table, two sentences, figure, where to go on."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from xmodal.report.figure import condition_chart
from xmodal.report.style import save_chart
from xmodal.store import Store

Row = Mapping[str, Any]
SUBJECTS = {"hypernym": "pictures", "part": "parts of what pictures show"}
"""By relation, what the figure's title speaks of."""
SHUFFLES = {
    "hypernym": (
        ("shuffled within categories, all removed", "labels shuffled within categories"),
        ("shuffled across categories, all removed", "labels shuffled across categories"),
    ),
    "part": (
        (
            "shuffled, the same parts, all removed",
            "labels shuffled among leaves of the same parts",
        ),
        (
            "shuffled, no part in common, all removed",
            "labels shuffled between leaves without a common part",
        ),
    ),
}
"""By relation, the labels of the shuffles' conditions and their names in the reading."""


def closing(
    store: Path, run_ids: Mapping[str, Set[str]], relation: str = "hypernym"
) -> Iterator[str]:
    """Table, reading, figure and next steps, from the store alone.

    Args:
        store: The DuckDB file.
        run_ids: For each condition's label the runs that it was asked for.
        relation: What the questions beside leaf questions ask: hypernym or part.

    Yields:
        The text to print.
    """
    with Store.open(store, read_only=True) as opened:
        found = opened.analysis("conditions").to_pylist()
        scrambled = opened.analysis("scrambled").to_pylist()
        losses = opened.analysis("loss-curve", name="train_loss").to_pylist()
    rows = [
        (label, row)
        for label, wanted in run_ids.items()
        for row in found
        if wanted <= set(row["run_ids"])
    ]
    yield ""
    yield _table(rows, relation)
    asked_for = set().union(*run_ids.values())
    followed = [row for row in scrambled if row["run_id"] in asked_for]
    yield reading(dict(rows), followed, relation)
    figures = save_chart(
        condition_chart(
            _dots(rows, relation),
            _losses(run_ids, losses),
            f"What a frozen LM answers about {SUBJECTS[relation]}",
        ),
        store.parent / "conditions",
    )
    yield f"\nFigure: {figures[0]} and {figures[1].name}"
    yield f"Store:  {store}\n\nTry next:"
    for text in (
        "@main-results",
        "@hypernym-f1 --param question_set=held_out",
        "select shuffle, split, kind, count(*) as questions from example join manifest "
        "using (manifest_id) group by all order by all",
    ):
        shown = text if text.startswith("@") else f'"{text}"'
        yield f"  xmodal query {shown} --store {store}"


def _table(rows: Sequence[tuple[str, Row]], relation: str) -> str:
    table = Table(
        box=box.SIMPLE_HEAD,
        title="Macro-F1 on test pictures (fractions)",
        title_justify="left",
    )
    table.add_column("condition")
    for name in (relation, "guess", "mean picture", "right", "leaf", "runs"):
        table.add_column(name, justify="right")
    for label, row in rows:
        table.add_row(
            label,
            *(
                _number(row[name])
                for name in (
                    "hypernym_f1",
                    "blind_f1",
                    "mean_image_f1",
                    "hypernym_accuracy",
                    "leaf_f1",
                )
            ),
            str(row["n_runs"]),
        )
    console = Console(file=io.StringIO(), width=100)
    console.print(table)
    console.print(
        f"{relation}: held-out (leaf, {relation}) questions, or all where nothing is removed;\n"
        f"mean over {relation}s. guess: the better of always Yes and always No on the same\n"
        "questions. mean picture: the same with the average training picture shown instead.\n"
        f"right: balanced accuracy of the {relation} answers; any guess has 0.5 on average, "
        "though\none that varies has a higher F1 than a constant one.",
        highlight=False,
    )
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue().rstrip()


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _dots(rows: Sequence[tuple[str, Row]], relation: str) -> list[dict[str, Any]]:
    dots = []
    for label, row in rows:
        for questions, guess in (("hypernym", "blind_f1"), ("leaf", "leaf_blind_f1")):
            if row[f"{questions}_f1"] is not None:
                dots.append(
                    {
                        "condition": label,
                        "questions": relation if questions == "hypernym" else questions,
                        "macro_f1": row[f"{questions}_f1"],
                        "low": row[f"{questions}_min"],
                        "high": row[f"{questions}_max"],
                        "blind_f1": row[guess],
                    }
                )
    return dots


def _losses(run_ids: Mapping[str, Set[str]], losses: Sequence[Row]) -> list[dict[str, Any]]:
    """Loss curves of the pretrained LM and of random weights, all evidence removed."""
    return [
        {
            "condition": label,
            "run": row["run_id"],
            "step": row["step"],
            "value": row["value"],
        }
        for label in ("pretrained, all removed", "random weights, all removed")
        for row in losses
        if row["run_id"] in run_ids.get(label, ())
    ]


CLEARLY = 0.05
"""How far above guessing a score must lie for the demo to say so."""


def against_guessing(row: Row) -> str:
    """Whether a score is above guessing, and by which measure it is or is not."""
    score, accuracy = row["hypernym_f1"], row["hypernym_accuracy"]
    guess, what = row["blind_f1"], "the better of always Yes and always No"
    if (blind := row.get("mean_image_f1")) is not None and blind > guess:
        guess, what = blind, "the same projector shown the mean picture"
    by_accuracy = f"balanced accuracy ({accuracy:.2f}, where any guess has 0.50 on average)"
    by_f1 = f"macro-F1 ({score:.2f}, where {what} has {guess:.2f})"
    # a guess that varies has a higher F1 than a constant one, but no better accuracy
    above_accuracy, above_f1 = accuracy > 0.5 + CLEARLY, score > guess + CLEARLY
    if above_accuracy and above_f1:
        return f"answers them clearly above guessing, by {by_accuracy} and by {by_f1}"
    no = "does not answer them clearly above guessing"
    if above_accuracy:
        return f"{no}: it does by {by_accuracy}, but not by {by_f1}"
    if above_f1:
        return (
            f"{no}: it does not by {by_accuracy}; its {by_f1} proves nothing, for answers that "
            "vary at random beat constant ones there"
        )
    return f"{no}, neither by {by_accuracy} nor by {by_f1}"


def reading(
    rows: Mapping[str, Row], scrambled: Sequence[Mapping[str, Any]], relation: str = "hypernym"
) -> str:
    """Two sentences that say what the numbers show, in whichever direction they point.

    Args:
        rows: Rows of @conditions by label.
        scrambled: Rows of @scrambled, of the runs that were asked for.
        relation: hypernym or part.
    """
    main = rows.get("pretrained, all removed")
    if main is None or main["hypernym_f1"] is None:
        return ""
    first = (
        f"Trained on leaf questions only, with every question about a {relation} removed, the "
        f"projector of the pretrained LM {against_guessing(main)}"
    )
    parts = []
    for label, name in (
        ("random weights, all removed", "random LM weights"),
        *SHUFFLES[relation],
    ):
        row = rows.get(label)
        if row is not None and row["hypernym_f1"] is not None:
            parts.append(f"{row['hypernym_f1']:.2f} with {name}")
    second = "The same questions come out at " + ", ".join(parts) if parts else ""
    follows = [row["taught_mean"] for row in scrambled if row["taught_mean"] is not None]
    if follows and second:
        share = sum(follows) / len(follows)
        second += (
            "; where an LM was taught a scrambled taxonomy, "
            f"{share:.0%} of its answers follow that one against the true one"
        )
    return f"\n{first}.{' ' + second + '.' if second else ''}"
