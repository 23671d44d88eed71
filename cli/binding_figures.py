"""`xmodal binding figures`: accuracy and mechanism, drawn from the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, StorePath


@user_errors
def figures(
    store: StorePath = DEFAULT_STORE,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder of the figures.  [default: the store's]"),
    ] = None,
    run: Annotated[
        list[str] | None,
        typer.Option(
            help="The conditions of these runs, ids or beginnings; may be repeated.  [default: all]"
        ),
    ] = None,
) -> None:
    """Draw accuracy by number of objects and mechanism by layer, as PNG and SVG."""
    from xmodal.report.binding_figures import draw

    for line in draw(store, output or store.parent, run or ()):
        typer.echo(line)
