"""`xmodal compare`: two stores side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import Format, to_stderr


@user_errors
def compare(
    a: Annotated[Path, typer.Argument(metavar="STORE_A", help="A DuckDB experiment store.")],
    b: Annotated[Path, typer.Argument(metavar="STORE_B", help="Another.")],
    tolerance: Annotated[
        float,
        typer.Option(
            help="Largest difference of metrics, logits, cosines, scores or losses that is called "
            "equal."
        ),
    ] = 0.0,
    fmt: Format = "table",
) -> None:
    """Say which runs of two stores agree, and which are in one of them only.

    Runs of equal ids are compared by metrics and answers; manifests, datasets and features are
    listed where they differ under one id. Exit status 0 only if there are common runs, all are
    identical or equal within --tolerance, and their manifests and datasets are the same.
    """
    from xmodal.sharing.compare import compare_stores
    from xmodal.store.render import chosen_format, emit

    chosen_format(fmt)
    found = compare_stores(a, b, tolerance=tolerance)
    emit(found.table, fmt)
    to_stderr(found.line())
    raise typer.Exit(0 if found.is_same else 1)
