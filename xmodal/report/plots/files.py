"""Figures as files, and which of them a store has rows for."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import pyarrow as pa

from taxonomy.errors import ConfigError, DataError, StoreError, XmodalError, unknown
from xmodal.files import make_folder
from xmodal.report.plots import FIGURES, figure
from xmodal.report.plots.rows import Figure
from xmodal.report.style import FORMATS, printed, save_chart
from xmodal.store import Store, need_store

USUAL = ("png", "svg", "pdf")
MADE_BY = "`xmodal train` or `xmodal import s1 PATH`"
LETTERS = 66
"""Of a caption in one line of a column; twice as many stand above two."""


def draw(
    store: Path,
    name: str,
    *,
    runs: Sequence[str] = (),
    where: Mapping[str, str],
    output: Path | None = None,
    formats: Sequence[str] = (),
    caption: bool = True,
) -> list[Path]:
    """Draw one figure into files, each of which appears whole or not at all.

    Args:
        store: The DuckDB file.
        name: Of FIGURES.
        runs: As figure takes them.
        where: As figure takes it.
        output: A file, whose ending is its format, or a folder for NAME.png and so on; None for
            the store's folder.
        formats: Of FORMATS; none for USUAL, or a file's own.
        caption: Write title and caption above the figure.

    Returns:
        The files.

    Raises:
        ConfigError: As figure does, or a format that there is not.
        StoreError: As figure does, or no such store.
        DataError: The files cannot be written.
    """
    stem, endings = _places(name, store.parent if output is None else output, formats)
    need_store(store, MADE_BY)
    with Store.open(store, read_only=True) as opened:
        made = figure(opened, name, runs=runs, where=where)
    chart = printed(captioned(made) if caption else made.chart)
    make_folder(stem.parent, "the figures' folder")
    try:
        return save_chart(chart, stem, endings)
    except XmodalError:
        raise
    except OSError as error:
        raise DataError(f"{stem.parent} cannot be written into: {error.strerror}") from error


def _places(name: str, output: Path, formats: Sequence[str]) -> tuple[Path, list[str]]:
    """Path without ending, and the endings."""
    for one in formats:
        if one not in FORMATS:
            raise ConfigError(unknown("format", one, FORMATS))
    if output.is_dir() or not output.suffix:
        return output / name, list(dict.fromkeys(formats or USUAL))
    ending = output.suffix[1:].lower()
    if ending not in FORMATS:
        raise ConfigError(
            f"--output {output}: {unknown('format', ending, FORMATS)}; a folder's name has no dot"
        )
    if formats and set(formats) != {ending}:
        raise ConfigError(
            f"--output {output} is one file: leave --format out, or give a folder as --output"
        )
    return output.with_name(output.stem), [ending]


def captioned(made: Figure) -> Any:
    """The chart below its title and its caption."""
    width = LETTERS * (2 if isinstance(made.chart, alt.ConcatChart) else 1)
    lines = textwrap.wrap(made.caption, width, break_on_hyphens=False)
    return alt.concat(made.chart, title=alt.Title(made.title, subtitle=lines, offset=10))


def figures_table(
    store: Path, *, runs: Sequence[str] = (), where: Mapping[str, str] | None = None
) -> pa.Table:
    """Name of every figure, what it shows, and how many rows of the store it would draw.

    Args:
        store: The DuckDB file.
        runs: As figure takes them.
        where: As figure takes it; a figure without such rows has none.

    Raises:
        StoreError: No such store.
        ConfigError: A column or value that no figure has.
    """
    need_store(store, MADE_BY)
    with Store.open(store, read_only=True) as opened:
        counts = counted(opened, runs, where or {})
    shows = [kind.shows for kind in FIGURES.values()]
    return pa.table({"figure": list(FIGURES), "shows": shows, "n_rows": counts})


def counted(store: Store, runs: Sequence[str], where: Mapping[str, str]) -> list[int]:
    """Rows of every figure; a column that none of them has is an error."""
    counts, refused = [], []
    for name in FIGURES:
        try:
            counts.append(figure(store, name, runs=runs, where=where).n_rows)
        except StoreError:
            counts.append(0)
        except ConfigError as error:
            counts.append(0)
            refused.append(error)
    if len(refused) == len(FIGURES):
        raise refused[0]
    return counts
