"""`xmodal binding train`: small decoders on the retrieval task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.lists import listed
from cli.options import DEFAULT_STORE, StorePath


@user_errors
def train(
    store: StorePath = DEFAULT_STORE,
    size: Annotated[
        str,
        typer.Option(
            help="small: 4 layers, width 64, up to 4 objects, for a CPU; paper: 12 layers, width "
            "128, up to 8 objects, for a GPU."
        ),
    ] = "small",
    arm: Annotated[
        list[str] | None,
        typer.Option(
            help="text, noise-text, image-text, noise-image-text, grounding-text, "
            "grounding-image-text, or factors (noise, grounding, image, mixing) joined by +; may "
            "be repeated. Every arm has the same steps and questions.  [default: text]"
        ),
    ] = None,
    start: Annotated[
        str,
        typer.Option(
            help="scratch; or text-trained: all arms of a seed go on from one decoder that has "
            "learnt the task in text, which is trained first unless it is there or ships."
        ),
    ] = "scratch",
    seeds: Annotated[
        str, typer.Option(help="Comma-separated; of initialisation and of what is drawn.")
    ] = "42",
    scene_set: Annotated[
        str | None,
        typer.Option(
            help="Id of a scene set, or its beginning, for arms that see images.  [default: the "
            "only one]"
        ),
    ] = None,
    stages: Annotated[
        Path | None,
        typer.Option(
            help="JSON file in place of --arm: a list of stages, each with name, n_steps and "
            "lessons, the shares of pairs, hops, text, noise, image and grounding; expanded: true "
            "takes the expanded vocabulary, guided: true asks the middle of the blocks for the "
            "shape."
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="NAME=VALUE, a setting of the recipe, such as position=rope, second=1000 or "
            "n_to=6; --settings lists them all; may be repeated.",
        ),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            help="factorial: every combination of noise, grounding, image and mixing; "
            "factors=A,B: of some; NAME=VALUE,VALUE: of settings; may be repeated."
        ),
    ] = None,
    together: Annotated[
        int | None,
        typer.Option(
            help="Seeds that train in one batched model.  [default: all on a GPU, 1 on a CPU]"
        ),
    ] = None,
    workers: Annotated[int, typer.Option(help="Models at a time, a process each.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Check everything, say what is there, what ships, what would be trained and what "
            "that costs, and train nothing.",
        ),
    ] = False,
    settings: Annotated[
        bool, typer.Option("--settings", help="List the settings of --set, and train nothing.")
    ] = False,
) -> None:
    """Train decoders from scratch to tell colour from shape, arm by arm, and sync.

    A finished run is not trained again; a stopped one goes on where it was. `xmodal query
    @binding-arms` shows what came out.
    """
    from xmodal.bindings.runs import train_binding
    from xmodal.bindings.settings import settings_table

    if settings:
        typer.echo(settings_table(size))
        return
    for line in train_binding(
        store, size=size, arms=arm or (), start=start, seeds=listed("seeds", seeds, int),
        scene_set=scene_set, stages=stages, changes=changes or (), grid=grid or (),
        together=together, workers=workers, device=device, dry_run=dry_run,
    ):  # fmt: skip
        typer.echo(line)
