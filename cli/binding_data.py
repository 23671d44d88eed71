"""`xmodal binding data`: scenes, what an encoder sees of them, and the task in words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, StorePath


@user_errors
def data(
    store: StorePath = DEFAULT_STORE,
    encoder: Annotated[
        str,
        typer.Option(
            help="classical, a folder or a hub name. embedded-ssl goes, but gives a picture and "
            "its mirror image the same tokens.",
        ),
    ] = "classical",
    scene_layout: Annotated[
        str,
        typer.Option(
            help="fixed: object i in cell i of a grid; jittered: moved in it, of varying size; "
            "random: anywhere.",
        ),
    ] = "random",
    n_scenes: Annotated[
        int, typer.Option(help="In all, the same for each number of objects.")
    ] = 20_000,
    objects: Annotated[str, typer.Option(help="Fewest and most objects of a scene.")] = "2-16",
    vocabulary: Annotated[
        str, typer.Option(help="base (16 colours, 16 shapes) or expanded (216 of each).")
    ] = "base",
    n_colours: Annotated[
        int | None, typer.Option(help="Colours.  [default: of the vocabulary]")
    ] = None,
    n_shapes: Annotated[
        int | None, typer.Option(help="Shapes.  [default: of the vocabulary]")
    ] = None,
    object_size: Annotated[
        float | None,
        typer.Option(help="Of the largest object, a share of the side.  [default: 0.235]"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the scenes.")] = 0,
    side: Annotated[
        int | None,
        typer.Option(help="Pixels of a picture's side.  [default: as the encoder takes them]"),
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help="penultimate, N or last, as for features extract.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Revision of a hub model.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "cpu",
    sample: Annotated[
        int,
        typer.Option(
            min=0,
            help="Print so many sequences of the text task, and draw a sheet of scenes beside "
            "the store.",
        ),
    ] = 0,
    rate: Annotated[
        bool, typer.Option("--rate", help="Print how many sequences a second are made.")
    ] = False,
) -> None:
    """Draw scenes and encode their pictures, once; a second call makes nothing.

    What was stopped goes on where it was.
    """
    from xmodal.bindings.scene_sets import config_meant, ensure_scene_set
    from xmodal.machine import device_meant
    from xmodal.progress import counter

    device = device_meant(device)
    config = config_meant(
        encoder=encoder, layout=scene_layout, n_scenes=n_scenes, objects=objects,
        vocabulary=vocabulary, n_colours=n_colours, n_shapes=n_shapes, size=object_size,
        seed=seed, side=side, layer=layer, revision=revision, device=device,
    )  # fmt: skip
    with counter("scenes") as progress:
        row, new = ensure_scene_set(store, config, device=device, progress=progress)
    path = store.parent / row.path
    typer.echo(f"{row.scene_set_id} {'made' if new else 'is there'}: {path}")
    typer.echo(
        f"{row.n_scenes} scenes of {row.n_from} to {row.n_to} objects, {row.n_image_tokens} "
        f"tokens of {row.width} channels each"
    )
    _show(path, sample, rate, device)


def _show(path: Path, sample: int, rate: bool, device: str) -> None:
    """Samples and rate, as asked for."""
    from xmodal.bindings.samples import sampled, timed

    for line in (*sampled(path, sample), *([timed(path, device)] if rate else [])):
        typer.echo(line)
