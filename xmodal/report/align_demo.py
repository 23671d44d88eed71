"""What the demo of alignments prints at its end: table, reading, figure, where to go on."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from xmodal.report.figure import level_chart, save_chart
from xmodal.store import Store

Row = Mapping[str, Any]
CONTROL = "as many removed at random"


def closing(
    store: Path, separation_id: str, recipe: str, names: Mapping[tuple[str, str], str]
) -> Iterator[str]:
    """Table, reading, figure and next steps, from the store alone.

    Args:
        store: The DuckDB file.
        separation_id: Whose levels.
        recipe: Name of the recipe that the runs were trained by.
        names: By LM and its weights, what the demo calls it.

    Yields:
        The text to print.
    """
    with Store.open(store, read_only=True) as opened:
        found = opened.analysis("visual-generalization").to_pylist()
        parts = opened.analysis("separation", separation=separation_id).to_pylist()
    rows = [
        row | {"reader": names[row["lm"], row["lm_init"]]}
        for row in found
        if row["separation_id"] == separation_id
        and row["recipe"] == recipe
        and row["split"] == "test"
        and row["class_list"] is None
        and (row["lm"], row["lm_init"]) in names
    ]
    sizes = {row["level"]: row for row in parts if row["arm"] == "separated"}
    by = {(row["level"], row["reader"], row["arm"]): row for row in rows}
    yield ""
    yield _table(sizes, by, list(names.values()))
    yield reading(by, list(names.values()))
    figures = save_chart(level_chart(_points(rows)), store.parent / "levels")
    yield f"\nFigure: {figures[0]} and {figures[1].name}"
    yield f"Store:  {store}\n\nTry next:"
    for name in ("zero-shot", "generalised", "hierarchical", "text-controls", "leaks"):
        yield f"  xmodal query @{name} --store {store}"


Key = tuple[str, str, str]
"""Level, reader, arm."""


def _table(sizes: Mapping[str, Row], by: Mapping[Key, Row], readers: Sequence[str]) -> str:
    table = Table(
        box=box.SIMPLE_HEAD,
        title="Zero-shot accuracy on pictures of unseen classes (fractions)",
        title_justify="left",
    )
    for name in ("level", "trained", *readers, CONTROL, "guess", "runs"):
        table.add_column(name, justify="left" if name == "level" else "right")
    for level, size in sizes.items():
        first = by[level, readers[0], "separated"]
        table.add_row(
            level,
            str(size["n_training"]),
            *(_score(by.get((level, reader, "separated"))) for reader in readers),
            _score(by.get((level, readers[0], "control"))),
            f"{first['chance']:.3f}",
            str(first["n_runs"]),
        )
    console = Console(file=io.StringIO(), width=100)
    console.print(table)
    console.print(
        "The share of test pictures of the unseen classes whose own class text is the nearest of\n"
        "theirs; mean over these classes, with its 95 % interval over classes. trained: classes "
        "that\ntraining saw. At level none it saw the unseen ones too; each further level removes "
        "what is\nnearer to them. "
        f"{CONTROL}: {readers[0]}, with as many classes left.",
        highlight=False,
    )
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue().rstrip()


def _score(row: Row | None) -> str:
    if row is None:
        return "-"
    half = "" if row["high"] is None else f" ± {row['high'] - row['score']:.3f}"
    return f"{row['score']:.3f}{half}"


def reading(by: Mapping[Key, Row], readers: Sequence[str]) -> str:
    """What the last level says, in a few sentences; by intervals, not by hope."""
    levels = list(dict.fromkeys(level for level, _, _ in by))
    last = levels[-1]
    own, others = by[last, readers[0], "separated"], readers[1:]
    above = own["low"] is not None and own["low"] > own["chance"]
    times = own["score"] / own["chance"]
    said = [
        f"\nAt level {last} the {readers[0]} names {own['score']:.1%} of the pictures, where a "
        f"guess has {own['chance']:.1%}: "
        + (
            f"{times:.1f} times as many, and the interval lies above guessing."
            if above
            else "the interval reaches down to guessing, which proves nothing."
        )
    ]
    for reader in others:
        other = by.get((last, reader, "separated"))
        if other is None:
            continue
        apart = own["low"] is not None and own["low"] > other["high"]
        below = "below it, the intervals apart" if apart else "the intervals overlap"
        said.append(f"With {reader}: {other['score']:.1%}, {below}.")
    return "\n".join(said)


def _points(rows: Sequence[Row]) -> list[dict[str, Any]]:
    points = []
    for row in rows:
        arm = "" if row["arm"] == "separated" else f", {CONTROL}"
        points.append(
            {
                "series": row["reader"] + arm,
                "level": row["level"],
                "score": row["score"],
                "low": row["score"] if row["low"] is None else max(0.0, row["low"]),
                "high": row["score"] if row["high"] is None else row["high"],
                "chance": row["chance"],
            }
        )
    return points
