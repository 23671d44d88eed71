"""What the demo of alignments prints at its end: table, reading, figure, where to go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from taxonomy.errors import StoreError
from xmodal.report.figure import level_chart
from xmodal.report.printed import printed
from xmodal.report.style import save_chart
from xmodal.store import Store

Row = Mapping[str, Any]
CONTROL = "as many removed at random"
TOP1 = ("top1", "low", "high", "chance")
TOP5 = ("top5", "low5", "high5", "chance5")
"""Columns of @zero-shot: a score, its interval, and what a guess has."""
Measure = tuple[str, str, str, str]
TITLES = {
    TOP1: "Pictures of unseen classes whose own class text is the nearest (top-1, fractions)",
    TOP5: "Pictures of unseen classes whose own class text is among the nearest five (top-5)",
}
NOTE = """Test pictures; mean over the unseen classes, with its 95 % interval over classes. trained:
classes that training saw. At level none it saw the unseen ones too; each further level removes
what is nearer to them. {control}: {reader}, with as many classes left."""


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

    Raises:
        StoreError: Others trained and asked in this store, in a way that nothing tells apart.
    """
    with Store.open(store, read_only=True) as opened:
        found = opened.analysis("zero-shot", task="zero-shot").to_pylist()
        parts = opened.analysis("separation", separation=separation_id).to_pylist()
        controls = opened.analysis("text-controls").to_pylist()
    readers = list(names.values())

    def own(row: Row) -> bool:
        said = (row["separation_id"], row["recipe"], row["split"], row["class_list"], row["names"])
        return (
            said == (separation_id, recipe, "test", None, None)
            and row["asked_on"] == row["trained_on"]
        )

    rows = [
        row | {"reader": names[row["lm"], row["lm_init"]]}
        for row in found
        if own(row) and (row["lm"], row["lm_init"]) in names
    ]
    rows.sort(key=lambda row: (row["arm"] == "control", readers.index(row["reader"])))
    differences = [
        row | {"reader": names[row["control_lm"], row["control_init"]]}
        for row in controls
        if own(row)
        and row["arm"] == "separated"
        and names.get((row["lm"], row["lm_init"])) == readers[0]
        and (row["control_lm"], row["control_init"]) in names
    ]
    sizes = {row["level"]: row for row in parts if row["arm"] == "separated"}
    by = _one_each(rows, store)
    rows = list(by.values())
    against = {
        (level, reader): row for (level, reader, _), row in _one_each(differences, store).items()
    }
    if lacking := [level for level in sizes if (level, readers[0], "separated") not in by]:
        raise StoreError(
            f"{store} has no score of {readers[0]} at level {lacking[0]}: `xmodal store sync "
            f"--store {store}` says what cannot be brought in"
        )
    yield ""
    yield _table(sizes, by, readers, TOP1)
    yield _table(sizes, by, readers, TOP5)
    yield NOTE.format(control=CONTROL, reader=readers[0])
    yield reading(by, against, readers)
    figures = save_chart(level_chart(_points(rows)), store.parent / "levels")
    yield f"\nFigure: {figures[0]} and {figures[1].name}"
    yield f"Store:  {store}\n\nTry next:"
    for name in ("zero-shot", "generalised", "hierarchical", "text-controls", "leaks"):
        yield f"  xmodal query @{name} --store {store}"


Key = tuple[str, str, str]
"""Level, reader, arm."""


def _one_each(rows: Sequence[dict[str, Any]], store: Path) -> dict[Key, dict[str, Any]]:
    """Rows by level, reader and arm: of several numbers of pairs the largest, which is all.

    Raises:
        StoreError: Runs of another setting are in the store, which nothing tells apart.
    """
    most = {_key(row): row["n_pairs"] for row in sorted(rows, key=lambda row: row["n_pairs"])}
    found: dict[Key, dict[str, Any]] = {}
    for row in rows:
        key = _key(row)
        if row["n_pairs"] < most[key]:
            continue
        if key in found:
            raise StoreError(
                f"{store} holds several scores of {key[1]} at level {key[0]}, arm {key[2]}, by "
                f"recipe {row['recipe']}: see `xmodal query @zero-shot --store {store}`, or give "
                "the demo another --output"
            )
        found[key] = row
    return found


def _key(row: Row) -> Key:
    return row["level"], row["reader"], row["arm"]


def _table(
    sizes: Mapping[str, Row], by: Mapping[Key, Row], readers: Sequence[str], measure: Measure
) -> str:
    table = Table(box=box.SIMPLE_HEAD, title=TITLES[measure], title_justify="left")
    for name in ("level", "trained", *readers, CONTROL, "guess", "runs"):
        table.add_column(name, justify="left" if name == "level" else "right")
    for level, size in sizes.items():
        first = by[level, readers[0], "separated"]
        table.add_row(
            level,
            str(size["n_training"]),
            *(_score(by.get((level, reader, "separated")), measure) for reader in readers),
            _score(by.get((level, readers[0], "control")), measure),
            f"{first[measure[3]]:.3f}",
            str(first["n_runs"]),
        )
    return printed(table) + "\n"


def _score(row: Row | None, measure: Measure) -> str:
    if row is None:
        return "-"
    score, _, high, _ = measure
    half = "" if row[high] is None else f" ± {row[high] - row[score]:.3f}"
    return f"{row[score]:.3f}{half}"


def reading(
    by: Mapping[Key, Row], against: Mapping[tuple[str, str], Row], readers: Sequence[str]
) -> str:
    """What the last level says, in a few sentences; by intervals, not by hope.

    Args:
        by: Scores.
        against: By level and reader, what the first reader has more than that one.
        readers: The first is the one that is asked about.
    """
    last = list(dict.fromkeys(level for level, _, _ in by))[-1]
    own = by[last, readers[0], "separated"]
    said = [
        f"\nAt level {last} the {readers[0]} names {own['top1']:.1%} of the pictures; a guess has "
        f"{own['chance']:.1%}, which is {_place(own, TOP1)} its interval. Among the nearest five: "
        f"{own['top5']:.1%}; a guess has {own['chance5']:.1%}, {_place(own, TOP5)} its interval."
    ]
    for reader in readers[1:]:
        row = against.get((last, reader))
        if row is not None:
            both = ("difference", "low", "high"), ("difference5", "low5", "high5")
            first, five = (_apart(*(row[name] for name in names)) for names in both)
            said.append(f"Against {reader}, in points: {first}; among the nearest five {five}.")
    return "\n".join(said)


def _apart(difference: float, low: float | None, high: float | None) -> str:
    """A difference and its interval, in points of percent."""
    said = f"{100 * difference:+.1f}"
    if low is None or high is None:
        return f"{said} without an interval"
    zero = "zero within" if low <= 0 <= high else "zero outside"
    return f"{said} ({100 * low:.1f} to {100 * high:.1f}, {zero})"


def _place(row: Row, measure: Measure) -> str:
    """Where a guess lies."""
    _, low, high, chance = measure
    if row[low] is None:
        return "without"
    return "below" if row[chance] < row[low] else "above" if row[chance] > row[high] else "within"


def _points(rows: Sequence[Row]) -> list[dict[str, Any]]:
    points = []
    for row in rows:
        arm = "" if row["arm"] == "separated" else f", {CONTROL}"
        for measure, name in ((TOP1, "the nearest"), (TOP5, "among the nearest five")):
            score, low, high, chance = (row[column] for column in measure)
            points.append(
                {
                    "series": row["reader"] + arm,
                    "level": row["level"],
                    "measure": name,
                    "score": score,
                    "low": score if low is None else max(0.0, low),
                    "high": score if high is None else high,
                    "chance": chance,
                }
            )
    return points
