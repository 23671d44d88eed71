"""`xmodal align train`: projections between text features and picture features."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import user_errors
from cli.lists import listed
from cli.options import DEFAULT_STORE, Dataset, StorePath


@user_errors
def train(
    store: StorePath = DEFAULT_STORE,
    text_features: Annotated[
        list[str] | None,
        typer.Option(
            help="Id of text features of class names, with --captions of these, or its beginning; "
            "may be repeated.  [default: the only ones]"
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            help="Id of a feature set of pictures, or its beginning.  [default: the dataset's only "
            "one, or of several the default one]"
        ),
    ] = None,
    dataset: Dataset = None,
    captions: Annotated[
        str | None,
        typer.Option(
            help="Id of a caption set, or its beginning: train on these pairs in place of the "
            "dataset's pictures and class names. With --features, --dataset or --separation the "
            "dataset's classes are asked about at the end."
        ),
    ] = None,
    class_texts: Annotated[
        str | None,
        typer.Option(
            help="With --captions: id of text features of the classes to ask about.  [default: the "
            "only ones that the same LM has read]"
        ),
    ] = None,
    separation: Annotated[
        str | None,
        typer.Option(
            help="Id of a separation, or its beginning: train on the classes that it leaves.  "
            "[default: on every class]"
        ),
    ] = None,
    level: Annotated[
        list[str] | None,
        typer.Option(help="Of the separation; may be repeated.  [default: all that it has]"),
    ] = None,
    arm: Annotated[
        list[str] | None,
        typer.Option(
            help="separated, or control: as many classes removed at random; may be repeated.  "
            "[default: separated]"
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="embedded or s2.  [default: embedded for text features of the embedded LMs and of "
            "bags of words, s2 (the paper's) for others]"
        ),
    ] = None,
    side: Annotated[
        str | None,
        typer.Option(help="What is projected: text, image or both, instead of the recipe's."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="A setting of the recipe, such as width=1024, kind=linear, learned_scale=true, "
            "batch_size=4096, n_steps=1000; may be repeated.",
        ),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            help="Values of a setting, such as depth=2,4: one run for each combination; may be "
            "repeated. s2: what the paper's authors would check next, width 2048, 4096, 8192, "
            "depth 2, 4, 6, 8, ReLU, GELU, Swish."
        ),
    ] = None,
    n_pairs: Annotated[
        str,
        typer.Option(help="Numbers of training pairs, such as 500,1000,2000.  [default: all]"),
    ] = "",
    validation: Annotated[
        str | None,
        typer.Option(
            help="What is looked at to stop early and to choose the projections that are kept: "
            "pictures (validation pictures of the trained classes), classes (a share of the seen "
            "classes, not trained on), pairs (of a share of the captions' pictures), none.  "
            "[default: pictures, with --captions pairs]"
        ),
    ] = None,
    validation_share: Annotated[
        float,
        typer.Option(
            help="For --validation classes or pairs: share of classes, or of captions' pictures."
        ),
    ] = 0.1,
    seed: Annotated[
        list[int] | None,
        typer.Option(help="Of initialisation, order and dropout; may be repeated.  [default: 42]"),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Several seeds at once, such as 42,218,7.")] = "",
    split: Annotated[
        str, typer.Option(help="Whose pictures are asked about: train, validation or test.")
    ] = "test",
    allow_seen: Annotated[
        bool, typer.Option("--allow-seen", help="Test on pictures the encoder was trained on.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Runs at a time, a process each.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    rows: Annotated[
        int | None,
        typer.Option(
            help="Rows of a batch that go through the projections at once, where memory forbids "
            "the whole; loss and gradients stay those of the whole batch."
        ),
    ] = None,
    offload: Annotated[
        bool,
        typer.Option("--offload", help="With --rows: keep what is held in the host's memory."),
    ] = False,
) -> None:
    """Train projections between frozen features, ask about unseen classes, sync.

    A finished run is not trained again unless its folder lost a file; a stopped one goes on
    where it was. `xmodal query @zero-shot` shows what came out.
    """
    from xmodal.alignments.runs import train_alignments

    for line in train_alignments(
        store, text_features=text_features or (), features=features, dataset=dataset,
        captions=captions, class_texts=class_texts,
        separation=separation, levels=level or (), arms=arm or ("separated",), recipe=recipe,
        side=side, changes=changes or (), grid=grid or (),
        n_pairs=listed("n-pairs", n_pairs, int), validation=validation,
        validation_share=validation_share,
        seeds=[*(seed or []), *listed("seeds", seeds, int)] or [42], split=split,
        allow_seen=allow_seen, workers=workers, device=device, rows=rows, offload=offload,
    ):  # fmt: skip
        typer.echo(line)
