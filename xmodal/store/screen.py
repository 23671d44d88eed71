"""A result as a table for reading, made to fit the terminal without cutting any value."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.table import Table
from rich.text import Text

from xmodal.store.cells import cell_text, column_names, numeric_columns, rows_of

_UNBOUNDED = 100_000
_LONG = 24
"""Text columns with longer values may be broken into lines; shorter values never are."""


def as_table(table: pa.Table, width: int | None = None) -> str:
    """A table for reading, floats rounded.

    Args:
        table: The result.
        width: Columns of the terminal. In a table that does not fit, names are broken at their
            underscores; columns that are the same in every row move to a line below; the first
            columns become headings over the rows that share them; and if all that does not
            help, each row is laid out as a record. None means as wide as it comes.
    """
    sink = io.StringIO()
    # a notebook is no terminal: rich would colour there what is plain text elsewhere
    console = Console(
        file=sink,
        width=width or _UNBOUNDED,
        force_terminal=width is not None,
        force_jupyter=False,
    )
    names, rows = column_names(table), list(rows_of(table))
    every = list(range(len(names)))
    whole = _Sheet(table, names, rows, every)
    if not width or whole.fits(console, width):
        console.print(whole.grid(rows))
    else:
        same = _same(rows) if len(rows) > 1 else []
        columns = [i for i in every if i not in same]
        _print_narrow(console, width, _Sheet(table, names, rows, columns, broken=True))
        if same:
            shared = [f"{names[i]} {_cell(rows[0][i])}" for i in same]
            console.print(Text(f"the same in every row: {', '.join(shared)}", style="dim"))
    return sink.getvalue()


def as_record(row: Mapping[str, Any]) -> str:
    """One line a field, for a single row; JSON and nested values are laid out below theirs."""
    width = max(map(len, row))
    lines = []
    for name, value in row.items():
        nested = json.loads(value) if name.endswith("_json") else value
        if isinstance(nested, dict):
            lines.append(name)
            lines += [f"  {key:<{width - 2}}  {cell_text(item)}" for key, item in nested.items()]
        else:
            lines.append(f"{name:<{width}}  {'NULL' if value is None else cell_text(value)}")
    return "".join(f"{line}\n" for line in lines)


class _Sheet:
    """Some columns of a result, and how they look in a grid."""

    def __init__(
        self,
        table: pa.Table,
        names: Sequence[str],
        rows: Sequence[tuple[Any, ...]],
        columns: Sequence[int],
        *,
        broken: bool = False,
    ) -> None:
        self.names, self.rows, self.columns, self.broken = names, rows, list(columns), broken
        self._numeric = numeric_columns(table)
        self._width = [max((len(_cell(row[i])) for row in rows), default=0) for i in columns]
        self._all = (table, names, rows)

    def without_first(self) -> _Sheet:
        """The same but for the first column."""
        return _Sheet(*self._all, self.columns[1:], broken=self.broken)

    def grid(self, rows: Sequence[tuple[Any, ...]]) -> Table:
        """Some of the rows; columns as wide as in every other grid of this sheet."""
        grid = Table(show_edge=False, header_style="bold", collapse_padding=self.broken)
        for index, wide in zip(self.columns, self._width, strict=True):
            name = self.names[index].replace("_", "_\n") if self.broken else self.names[index]
            head = max(map(len, name.splitlines()), default=0)
            can_break = self.broken and wide > _LONG and not self._numeric[index]
            grid.add_column(
                Text(name),
                justify="right" if self._numeric[index] else "left",
                min_width=max(head, _LONG if can_break else wide),
                no_wrap=not can_break,
                overflow="fold",
            )
        for row in rows:
            cells = (row[index] for index in self.columns)
            grid.add_row(
                *(Text("NULL", style="dim") if c is None else Text(_cell(c)) for c in cells)
            )
        return grid

    def fits(self, console: Console, width: int) -> bool:
        """Whether a grid is no wider than the terminal, with long texts broken if they may be."""
        unbounded = console.options.update(width=_UNBOUNDED)
        size = console.measure(self.grid(self.rows), options=unbounded)
        return bool((size.minimum if self.broken else size.maximum) <= width)


def _print_narrow(console: Console, width: int, sheet: _Sheet) -> None:
    """A grid with headings over groups of rows, or records where no grid fits."""
    headed: list[int] = []
    while not sheet.fits(console, width):
        headed.append(sheet.columns[0])
        sheet = sheet.without_first()
        n_groups = sum(1 for _ in groupby(sheet.rows, lambda row: [row[i] for i in headed]))
        if not sheet.columns or 2 * n_groups > len(sheet.rows):
            _print_records(console, sheet.names, sheet.rows, [*headed, *sheet.columns])
            return
    for shared, group in groupby(sheet.rows, lambda row: [row[i] for i in headed]):
        if headed:
            said = (f"{sheet.names[i]} {_cell(v)}" for i, v in zip(headed, shared, strict=True))
            console.print(Text(", ".join(said), style="bold"))
        console.print(sheet.grid(list(group)))
        if headed:
            console.print()


def _print_records(
    console: Console,
    names: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    columns: Sequence[int],
) -> None:
    wide = max(len(names[i]) for i in columns)
    for row in rows:
        for i in columns:
            console.print(Text(f"{names[i]:<{wide}}  {_cell(row[i])}"))
        console.print()


def _same(rows: Sequence[tuple[Any, ...]]) -> list[int]:
    return [i for i, first in enumerate(rows[0]) if all(_cell(r[i]) == _cell(first) for r in rows)]


def _cell(value: Any) -> str:
    return "NULL" if value is None else cell_text(value, rounded=True)
