"""Options that several commands share. Light imports only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StorePath = Annotated[
    Path,
    typer.Option(
        "--store", envvar="XMODAL_STORE", help="The DuckDB experiment store.", show_default=True
    ),
]
DEFAULT_STORE = Path("xmodal.duckdb")
Dataset = Annotated[
    str | None,
    typer.Option("--dataset", help="Id of a dataset, or its beginning; the latest if not given."),
]


def to_stderr(line: str) -> None:
    """Tell the user something that is no result."""
    typer.echo(line, err=True)
