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

_FORMATS = "table, csv, json, jsonl, markdown or parquet"
Format = Annotated[str, typer.Option("--format", help=f"{_FORMATS}.")]
FormatOrSuffix = Annotated[
    str | None,
    typer.Option("--format", help=f"{_FORMATS}; by the suffix of --output if left out."),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write to this file, not to stdout.")
]
AllowOutside = Annotated[
    bool,
    typer.Option(
        "--allow-outside",
        help="Take pictures that the file names outside its folder of pictures too: by .., a "
        "whole path or a link. For files that you trust.",
    ),
]


def to_stderr(line: str) -> None:
    """Tell the user something that is no result."""
    typer.echo(line, err=True)
