"""`xmodal align pairs`: captions and their pictures from files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, AllowOutside, StorePath, to_stderr


@user_errors
def pairs(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="A .parquet file, with a column caption or text, and image, image_path, path or "
            'file_name; a WebDataset .tar, or several as "cc3m-{000..009}.tar"; a .json as of '
            "LLaVA's pretraining; or a folder of .parquet or .tar files.",
        ),
    ],
    store: StorePath = DEFAULT_STORE,
    images: Annotated[
        Path | None,
        typer.Option(help="Folder of pictures that are named by path.  [default: the file's]"),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(help="parquet, webdataset or llava-json.  [default: by the path]"),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What to call the set.  [default: as the file]")
    ] = None,
    encoder: Annotated[
        str, typer.Option(help="As for features extract: of the package, a folder or a hub name.")
    ] = "embedded-ssl",
    pooling: Annotated[
        str, typer.Option("--pool", "--pooling", help="mean, of the patches; cls, the class token.")
    ] = "mean",
    layer: Annotated[
        str | None,
        typer.Option(help="penultimate, N or last, as for features extract."),
    ] = None,
    resize: Annotated[
        int | None, typer.Option(help="Side of the square that the encoder sees, pixels.")
    ] = None,
    fit: Annotated[str | None, typer.Option(help="crop, square or pad.")] = None,
    revision: Annotated[str | None, typer.Option(help="Revision of a hub model.")] = None,
    precision: Annotated[
        str | None,
        typer.Option(help="float32 or bfloat16.  [default: bfloat16 on a GPU, else float32]"),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "cpu",
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Pictures at once.  [default: as suits the encoder]")
    ] = None,
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad",
            help="Leave out pairs without a caption or a picture that can be decoded.",
        ),
    ] = False,
    allow_outside: AllowOutside = False,
) -> None:
    """Encode the pictures of captions, each once, for training; a second call makes nothing.

    What was stopped goes on where it was.
    """
    from xmodal.alignments.captions import ensure_caption_set
    from xmodal.features.encoders.load import config_for
    from xmodal.machine import device_meant
    from xmodal.progress import counter

    device = device_meant(device)
    config = config_for(
        encoder, device, pooling=pooling, layer=layer, side=resize, fit=fit, revision=revision,
        precision=precision, n_views=1,
    )  # fmt: skip
    with counter("pictures") as progress:
        made, new = ensure_caption_set(
            store, path, config, images=images, kind=kind, name=name, device=device,
            batch_size=batch_size, skip_bad=skip_bad, allow_outside=allow_outside,
            progress=progress,
        )  # fmt: skip
    typer.echo(f"{made.caption_set_id} {'made' if new else 'is there'}: {made.path}")
    if made.n_skipped:
        n_pairs = made.n_pairs + made.n_skipped
        to_stderr(f"{made.n_skipped} of {n_pairs} pairs left out, first: {made.first_skipped}")
