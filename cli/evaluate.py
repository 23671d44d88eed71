"""`xmodal eval`: a trained projector, of this store or of others, asked again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, StorePath
from taxonomy.errors import ConfigError


@user_errors
def evaluate(
    run: Annotated[str | None, typer.Option(help="Id of a run, or its beginning.")] = None,
    projector: Annotated[
        Path | None,
        typer.Option(
            help="In place of --run: a folder of `xmodal card`. The manifest may be of any dataset "
            "whose features were made as those that the projector was trained on."
        ),
    ] = None,
    manifest: Annotated[
        str | None,
        typer.Option(
            help="Whose questions are asked: id of a manifest of the same dataset, or its "
            "beginning; the run's own if left out. With --projector it must be given."
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
        bool,
        typer.Option(
            "--allow-seen",
            help="Ask about pictures that the encoder, or the shared projector, was trained on.",
        ),
    ] = False,
    lm: Annotated[
        str | None,
        typer.Option(
            help="With --projector: the LM's folder or hub name here, if not as the card says; its "
            "weights must be the card's."
        ),
    ] = None,
) -> None:
    """Score a trained run on a manifest's questions and store the answers.

    On the run's own manifest, other image modes appear in @baselines and @image-blind; on another
    manifest, the scores are in @transfer. What was scored before is not scored again. A shared
    projector's answers are kept apart from own runs: @transfer alone has them, as source card.
    """
    from xmodal.evaluations import evaluate_run
    from xmodal.sharing.evaluate import evaluate_card

    how: dict[str, Any] = {
        "images": image or ["real"],
        "split": split,
        "verified": (verify_sample or None) if verify_batch else 0,
        "allow_seen": allow_seen,
    }
    if run is not None and projector is None and lm is None:
        lines = evaluate_run(store, run, manifest_id=manifest, **how)
    elif projector is not None and run is None and manifest is not None:
        lines = evaluate_card(store, projector, manifest_id=manifest, lm=lm, **how)
    else:
        raise ConfigError(
            "give --run RUN, or --projector FOLDER with --manifest ID; --lm goes with --projector"
        )
    for line in lines:
        typer.echo(line)
