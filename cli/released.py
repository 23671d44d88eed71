"""xmodal import: results that others released, beside our own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, StorePath, to_stderr

app = typer.Typer(help="Import results that others released.", no_args_is_help=True)


@app.callback()
def released() -> None:
    """Keep s1 a command of its own while it is the only one."""


@app.command("s1")
@user_errors
def s1(
    path: Annotated[Path, typer.Argument(help="A clone of sally-xu-42/cross-modal-taxonomic-gen.")],
    store: StorePath = DEFAULT_STORE,
    audit: Annotated[
        bool, typer.Option("--audit", help="Print the audit of the results; store nothing.")
    ] = False,
    fmt: Annotated[
        str | None,
        typer.Option("--format", help="Of the audit: table, json (fractions) or markdown."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write the audit to this file; .md is a page with figures."
        ),
    ] = None,
) -> None:
    """Bring the released results of S1 into the store, over any earlier import of them."""
    from xmodal.released.command import audit_s1, import_s1

    if audit:
        typer.echo(audit_s1(path, fmt, output, to_stderr))
    else:
        typer.echo(import_s1(path, store, fmt, output, to_stderr))
