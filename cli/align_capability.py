"""`xmodal align capability`: what a user knows of LMs, to hold against how visual they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, StorePath, to_stderr


@user_errors
def capability(
    file: Annotated[
        Path,
        typer.Argument(
            help="A .csv or .parquet table with columns lm (as in @text-features), capability, "
            "value and, if wanted, source.",
        ),
    ],
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Bring measures of LMs from elsewhere, such as MMLU-Pro, for `xmodal query @capability`.

    A value replaces an earlier one of the same LM and capability.
    """
    from xmodal.alignments.capabilities import import_capabilities

    done = import_capabilities(store, file)
    typer.echo(f"{done.n_values} values of {done.n_lms} LMs")
    if done.unknown_lms:
        to_stderr(
            f"{len(done.unknown_lms)} LMs have no text features here yet, such as "
            f"{done.unknown_lms[0]!r}: names must be those that @text-features lists"
        )
