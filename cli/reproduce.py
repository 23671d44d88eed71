"""`xmodal reproduce`: a run made again from what is stored of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, Format, StorePath, to_stderr


@user_errors
def reproduce(
    run_id: Annotated[str, typer.Argument(help="A run id or the beginning of one.")],
    store: StorePath = DEFAULT_STORE,
    tolerance: Annotated[
        float,
        typer.Option(
            help="Largest difference of weights, metrics, logits, cosines or shares of right "
            "answers that is called equal."
        ),
    ] = 0.0,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Keep the run made again in this folder, new or empty."
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(help="Make only so many steps, and compare the metrics until then."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1 or mps.  [default: the run's]")
    ] = None,
    trust_features: Annotated[
        bool,
        typer.Option(
            "--trust-features",
            help="Do not ask whether the encoder, and an alignment's LM, are here and unchanged: "
            "training needs their stored features alone.",
        ),
    ] = False,
    together: Annotated[
        bool,
        typer.Option(
            "--together",
            help="Make the runs again, too, that trained in one pass or one batched model with it: "
            "sums are rounded by that.",
        ),
    ] = False,
    fmt: Format = "table",
) -> None:
    """Make a run again from its stored recipe, seeds, data and models, and say if it is the same.

    Weights, metrics and predictions are compared; the store stays as it is. Exit status 0 only if
    they are identical, or equal within --tolerance. Nothing begins if manifest, features, encoder,
    LM or the run that it starts from is gone or has changed: it is named.
    """
    from xmodal.reproduce import reproduce as again
    from xmodal.store.render import chosen_format, emit

    chosen_format(fmt)
    found = again(
        store, run_id, tolerance=tolerance, output=output, steps=steps, device=device,
        trust_features=trust_features, together=together,
    )  # fmt: skip
    emit(found.table(), fmt)
    for line in found.lines():
        to_stderr(line)
    raise typer.Exit(0 if found.is_same else 1)
