"""What the demo of binding prints at its end: tables, reading, figures, where to go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from taxonomy.errors import StoreError
from xmodal.report.binding import accuracy_chart
from xmodal.report.binding_mechanism import mechanism_chart
from xmodal.report.printed import printed
from xmodal.report.style import save_chart
from xmodal.store import Store

Row = Mapping[str, Any]
CONTROL, MENDED = "text", "noise-text"
"""The demo's arms."""
NAMES = {
    (CONTROL, "scratch"): "text-trained",
    (CONTROL, "text-trained"): "more text",
    (MENDED, "text-trained"): "text with noise tokens",
}
"""By arm and start, what the demo calls a condition."""
LITTLE = 0.1
"""A share of answers by place below which binding is not called positional."""
_LIFT = """
WITH lift AS (
    SELECT b.out_accuracy - a.out_accuracy AS lift
    FROM binding_run AS run_a
    JOIN binding_score AS a USING (run_id)
    JOIN binding_run AS run_b ON run_b.start_run_id = run_a.start_run_id
    JOIN binding_score AS b ON b.run_id = run_b.run_id
    WHERE
        run_a.arm = $control
        AND run_b.arm = $mended
        AND list_contains($ids, run_a.run_id)
        AND list_contains($ids, run_b.run_id)
        AND a.is_last AND a.context = 'text' AND a.vocabulary = 'base'
        AND b.is_last AND b.context = 'text' AND b.vocabulary = 'base'
)

SELECT
    avg(lift ORDER BY lift) AS lift,
    seed_low(lift, lift, -1) AS low,
    seed_high(lift, lift, 1) AS high,
    count(*) AS n
FROM lift
"""
_RUNS = "SELECT run_id, arm, start, seed_init FROM binding_run"


def closing(
    store: Path,
    run_ids: Sequence[str],
    *,
    n_from: int,
    n_to: int,
    n_positions: int | None = None,
) -> Iterator[str]:
    """Tables, reading, figures and next steps, from the store alone.

    Args:
        store: The DuckDB file.
        run_ids: Of the demo: other runs may lie in the store.
        n_from: Fewest objects that training shows.
        n_to: Most.
        n_positions: Learned positions that training with text alone reaches; None where they are
            not learned.

    Yields:
        The text to print.

    Raises:
        StoreError: The store lacks what was just made.
    """
    accuracy: dict[str, list[dict[str, Any]]] = {}
    mechanism: dict[str, list[dict[str, Any]]] = {}
    shifted: dict[str, float] = {}
    with Store.open(store, read_only=True) as opened:
        runs = {row["run_id"]: row for row in opened.query(_RUNS).to_pylist()}
        for run_id in run_ids:
            if run_id not in runs:
                raise StoreError(
                    f"run {run_id} is not in {store}: `xmodal store sync --store {store}` says why"
                )
            name = NAMES[runs[run_id]["arm"], runs[run_id]["start"]]
            if name in accuracy:
                continue
            rows = opened.analysis("binding-accuracy", run=run_id, context="text").to_pylist()
            last = max(row["stage_number"] for row in rows)
            accuracy[name] = [
                row for row in rows if row["stage_number"] == last and row["vocabulary"] == "base"
            ]
            rows = opened.analysis("binding-mechanism", run=run_id).to_pylist()
            mechanism[name] = [row for row in rows if row["patch"] == "counterfactual"]
            rows = opened.analysis("binding-shift", run=run_id).to_pylist()
            shifted[name] = next(row["accuracy"] for row in _least(rows) if row["shift"] == 1)
        asked = {"control": CONTROL, "mended": MENDED, "ids": list(run_ids)}
        (lift,) = opened.query(_LIFT, asked).to_pylist()
    yield ""
    yield _accuracy_table(accuracy, n_to)
    yield _mechanism_table(mechanism)
    yield _reading(accuracy, lift, n_from, n_to, n_positions)
    yield by_place(mechanism)
    yield by_shift(mechanism, shifted)
    # in the figures, too, by the names of the tables
    names = {rows[0]["condition"]: name for name, rows in accuracy.items()}
    flat = [row for rows in accuracy.values() for row in rows]
    figures = save_chart(accuracy_chart(flat, names), store.parent / "accuracy")
    held = [row for rows in mechanism.values() for row in _least(rows)]
    more = save_chart(mechanism_chart(held, names), store.parent / "mechanism")
    yield f"\nFigures: {figures[0]}, {more[0]}, and {figures[1].name}, {more[1].name}"
    yield f"Store:   {store}\n\nTry next:"
    for name in ("binding-accuracy", "binding-arms", "binding-mechanism", "binding-factors"):
        yield f"  xmodal query @{name} --store {store}"


def _accuracy_table(accuracy: Mapping[str, Sequence[Row]], n_to: int) -> str:
    counts = sorted({row["n_objects"] for rows in accuracy.values() for row in rows})
    table = Table(
        box=box.SIMPLE_HEAD,
        title="Right answers to the two-hop question, text context, by number of objects",
        title_justify="left",
        caption=f"Trained with up to {n_to} objects; more are out of distribution.",
        caption_justify="left",
    )
    table.add_column("")
    for n in counts:
        table.add_column(f"{n}" if n <= n_to else f"{n} *", justify="right")
    table.add_column("runs", justify="right")
    for name, rows in accuracy.items():
        by = {row["n_objects"]: row for row in rows}
        table.add_row(name, *(f"{by[n]['accuracy']:.3f}" for n in counts), str(rows[0]["n_runs"]))
    table.add_row("a guess", *(f"{1 / n:.3f}" for n in counts), "")
    return _printed(table)


def _least(rows: Sequence[Row]) -> list[Row]:
    """Those of the fewest objects looked at: what training shows at most, but 4 at least."""
    fewest = min(row["n_objects"] for row in rows)
    return [row for row in rows if row["n_objects"] == fewest]


def _mechanism_table(mechanism: Mapping[str, Sequence[Row]]) -> str:
    table = Table(
        box=box.SIMPLE_HEAD,
        title="What the last token holds after each layer: answers when it is patched from a "
        "counterfactual",
        title_justify="left",
        caption="positional: of the object at the counterfactual's place; symbolic: of the object "
        "with its key;\nreflexive: the counterfactual's own answer. Shares, mean over runs. "
        "Layer 0 is the query itself.\n*: the layer of the most positional and symbolic answers, "
        "where both controls have fewer.",
        caption_justify="left",
    )
    for name in (
        "",
        "objects",
        "layer",
        "positional",
        "symbolic",
        "reflexive",
        "no effect",
        "other",
    ):
        table.add_column(name, justify="left" if not name else "right")
    for name, rows in mechanism.items():
        for at, row in enumerate(_least(rows)):
            shares = (
                row[f"{kind}_rate"]
                for kind in ("positional", "symbolic", "reflexive", "no_effect", "other")
            )
            table.add_row(
                "" if at else name,
                "" if at else str(row["n_objects"]),
                f"{row['layer']}{' *' if row['is_peak'] else ''}",
                *(f"{share:.2f}" for share in shares),
            )
    return _printed(table)


def _reading(
    accuracy: Mapping[str, Sequence[Row]],
    lift: Row,
    n_from: int,
    n_to: int,
    n_positions: int | None = None,
) -> str:
    """What the numbers say, and no more."""
    inside, outside = dict[str, float](), dict[str, float]()
    for name, rows in accuracy.items():
        for found, wanted in ((inside, True), (outside, False)):
            of = [row["accuracy"] for row in rows if (row["n_objects"] <= n_to) == wanted]
            if of:
                found[name] = sum(of) / len(of)
    start, control, mended = NAMES.values()
    most = max(row["n_objects"] for row in accuracy[start])
    if not outside:
        return (
            f"\nThe text-trained decoders answer {inside[start]:.1%} right with {n_from} to "
            f"{n_to} objects; nothing was asked about more, see n_most."
        )
    interval = ""
    if lift["low"] is not None:
        interval = (
            f" (95 % interval over {lift['n']} seeds {100 * lift['low']:.1f} to "
            f"{100 * lift['high']:.1f})"
        )
    said = [
        f"\nThe text-trained decoders answer {inside[start]:.1%} right with {n_from} to {n_to} "
        f"objects and {outside[start]:.1%} with {n_to + 1} to {most}.",
        f"As many more steps with the same text leave {outside[control]:.1%}; with noise tokens "
        f"in the context, which take positions and are never seen, {outside[mended]:.1%}: "
        f"{100 * lift['lift']:+.1f} points{interval} at equal steps and questions.",
    ]
    if n_positions is not None:
        said.append(
            f"Positions are learned: text with up to {n_to} objects trains the first {n_positions} "
            "of them, longer contexts need more, and of the two arms only noise tokens reach "
            "further. `xmodal binding train --grid position=learned,rope` takes that apart."
        )
    return "\n".join(said)


def by_place(mechanism: Mapping[str, Sequence[Row]]) -> str:
    """How much of any layer is positional, and what that says where patches are answered."""
    most = {
        name: max(row["positional_rate"] for row in _least(rows) if row["layer"] > 0)
        for name, rows in mechanism.items()
    }
    n = min(row["n_objects"] for rows in mechanism.values() for row in rows)
    said = ", ".join(f"{share:.1%} ({name})" for name, share in most.items())
    return (
        f"With {n} objects a patch of the last token is answered by place in at most {said}, at "
        "whichever layer."
    )


def by_shift(mechanism: Mapping[str, Sequence[Row]], shifted: Mapping[str, float]) -> str:
    """Whether decoders that bind by key by the patches are tied to positions all the same."""
    by_key = min(
        max(row["symbolic_rate"] for row in _least(rows) if row["layer"] > 0)
        for rows in mechanism.values()
    )
    by_place = max(
        row["positional_rate"]
        for rows in mechanism.values()
        for row in _least(rows)
        if row["layer"] > 0
    )
    said = []
    if by_place < LITTLE and by_key > 1 - LITTLE:
        said.append(
            "By this measure all of them bind by key, before the arms and after; it keeps every "
            "position as it was."
        )
    if shifted:
        rights = ", ".join(f"{share:.1%} ({name})" for name, share in shifted.items())
        said.append(
            "The same number of objects with every position shifted by one, nothing else changed: "
            f"{rights} right.\nWhat falls there is tied to absolute positions."
        )
    return "\n".join(said)


def _printed(table: Table) -> str:
    return "\n".join(line.rstrip() for line in printed(table).splitlines()) + "\n"
