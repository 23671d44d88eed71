"""xmodal plot: figures of runs, drawn from the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.lists import columns_given
from cli.options import DEFAULT_STORE, StorePath
from taxonomy.errors import ConfigError


@user_errors
def plot(
    name: Annotated[
        str | None,
        typer.Argument(
            help="ablation, shuffles, coherence, categories, depth, exposure, agreement, learning "
            "or confusion."
        ),
    ] = None,
    store: StorePath = DEFAULT_STORE,
    run: Annotated[
        list[str] | None,
        typer.Option(help="Of these runs alone, ids or beginnings; may be repeated."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", "-w", help="COLUMN=VALUE of the figure's rows; may be repeated."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="A file, or a folder for NAME.png ...  [default: the store's]"
        ),
    ] = None,
    fmt: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help="png, svg, pdf, json (Vega-Lite) or html (one file, needs no network); may be "
            "repeated.  [default: png, svg, pdf]",
        ),
    ] = None,
    caption: Annotated[bool, typer.Option(help="Write title and caption above the figure.")] = True,
    list_figures: Annotated[
        bool, typer.Option("--list", help="List the figures and the rows there are for each.")
    ] = False,
) -> None:
    """Draw a figure at the width of a paper's column: `xmodal plot ablation --where source=own`."""
    from xmodal.report.plots.files import draw, figures_table
    from xmodal.store.render import emit

    columns = columns_given("--where", where or ())
    if list_figures:
        emit(figures_table(store, runs=run or (), where=columns), "table", None)
    elif name is None:
        raise ConfigError("give a figure, such as ablation, or --list")
    else:
        for path in draw(
            store, name, runs=run or (), where=columns, output=output, formats=fmt or (),
            caption=caption,
        ):  # fmt: skip
            typer.echo(path)
