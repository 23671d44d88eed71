"""`xmodal binding figures`: what binding runs and looks say, drawn from the store."""

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
    name: Annotated[
        list[str] | None,
        typer.Option(
            help="accuracy (by number of objects), mechanism (by layer), steps (mechanism by "
            "training step), arms (beside the paper's), factors (their effects) or predicts "
            "(mechanism against accuracy); may be repeated.  [default: all that have rows]"
        ),
    ] = None,
) -> None:
    """Draw accuracy, mechanism, arms and factors from the store, as PNG and SVG."""
    from xmodal.report.binding_figures import draw

    for line in draw(store, output or store.parent, run or (), name or ()):
        typer.echo(line)
