"""`xmodal ask`: a trained projector, and a picture of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, FormatOrSuffix, Output, StorePath


@user_errors
def ask(
    run: Annotated[str, typer.Argument(help="Id of a run, or its beginning.")],
    picture: Annotated[Path, typer.Argument(help="A file: PNG, JPEG, WebP and others.")],
    concepts: Annotated[
        list[str] | None,
        typer.Argument(
            help="What is asked for, such as bird 'musical instrument'; the hypernyms of the "
            "run's dataset if left out."
        ),
    ] = None,
    store: StorePath = DEFAULT_STORE,
    fmt: FormatOrSuffix = None,
    output: Output = None,
) -> None:
    """Ask a trained projector "is there a ... in the image?" about a picture of your own.

    p_yes is the probability of Yes against No alone; margin the logit of Yes minus that of No.
    """
    from xmodal.asking import Asker, answer_table, read_picture_file
    from xmodal.store.render import chosen_format, emit

    chosen_format(fmt, output)
    image = read_picture_file(picture)
    emit(answer_table(Asker.load(store, run).ask(image, concepts or ())), fmt, output)
