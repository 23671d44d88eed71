"""xmodal report: the experiment told on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.lists import columns_given
from cli.options import DEFAULT_STORE, Dataset, StorePath


@user_errors
def report(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Folder of the page, index.html: new, empty, or with an earlier report.",
        ),
    ],
    store: StorePath = DEFAULT_STORE,
    dataset: Dataset = None,
    run: Annotated[
        list[str] | None,
        typer.Option(
            help="The conditions of these runs, ids or beginnings; may be repeated.  [default: all]"
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            "-w",
            help="COLUMN=VALUE: the conditions that have it, such as lm_init=pretrained; may be "
            "repeated.",
        ),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Of the page.")] = None,
    max_mb: Annotated[
        float,
        typer.Option(help="Size of the page at most, MB; fewer pictures are shown to keep to it."),
    ] = 15.0,
) -> None:
    """Tell the experiment on one page that opens from disk, without a network.

    Pictures, taxonomy, manifests, results and figures, statistics in words, what runs got right and
    wrong, and where every run comes from.
    """
    from xmodal.report.report import write_report

    page, n_bytes = write_report(
        store, output, dataset=dataset, runs=run or (), title=title, max_mb=max_mb,
        where=columns_given("--where", where or ()),
    )  # fmt: skip
    typer.echo(f"{page}: {n_bytes / 1e6:.1f} MB")
