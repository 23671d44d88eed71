"""`xmodal card`: a trained projector as a folder to share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, StorePath


@user_errors
def card(
    run_id: Annotated[str, typer.Argument(help="Id of a run of `xmodal train`, or its beginning.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The folder, new or empty.  [default: cards/RUN beside the store]",
        ),
    ] = None,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Write a run's projector, its config and a model card, as the Hugging Face hub has them.

    `xmodal eval --projector FOLDER` asks it again, and the card says how Python loads it.
    """
    from xmodal.sharing.card import make_card

    typer.echo(make_card(store, run_id, output))
