"""`xmodal eval`: a trained projector, asked again."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, StorePath


@user_errors
def evaluate(
    run: Annotated[str, typer.Option(help="Id of a run, or its beginning.")],
    manifest: Annotated[
        str | None,
        typer.Option(
            help="Whose questions are asked: id of a manifest of the same dataset, or its "
            "beginning; the run's own if left out."
        ),
    ] = None,
    store: StorePath = DEFAULT_STORE,
    image: Annotated[
        list[str] | None,
        typer.Option(
            help="What is shown: real; or, blind to the picture, zero, mean, noise (like the "
            "training pictures) or other-leaf; may be repeated.  [default: real]"
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    verify_batch: Annotated[
        bool,
        typer.Option(
            "--verify-batch",
            help="Ask a sample again one by one and fail if a logit is off by more than 1e-4 "
            "max(1, |logit|).",
        ),
    ] = False,
    verify_sample: Annotated[
        int,
        typer.Option(min=0, help="With --verify-batch: questions an image mode; 0 for all."),
    ] = 64,
    allow_seen: Annotated[
        bool, typer.Option("--allow-seen", help="Ask about pictures the encoder was trained on.")
    ] = False,
) -> None:
    """Score a trained run on a manifest's questions and store the answers.

    On the run's own manifest, other image modes appear in @baselines and @image-blind; on another
    manifest, the scores are in @transfer. What was scored before is not scored again.
    """
    from xmodal.evaluations import evaluate_run

    for line in evaluate_run(
        store,
        run,
        manifest_id=manifest,
        images=image or ["real"],
        split=split,
        verified=(verify_sample or None) if verify_batch else 0,
        allow_seen=allow_seen,
    ):
        typer.echo(line)
