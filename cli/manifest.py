"""`xmodal manifest`: who is held out, what is asked, what training may see."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, AllowOutside, Dataset, Format, StorePath, to_stderr

app = typer.Typer(help="Designs: what training may see, and every question.", no_args_is_help=True)

ManifestId = Annotated[str, typer.Argument(help="Id of a manifest, or its beginning.")]
Unit = Annotated[
    str, typer.Option(help="What is held out: pair (cells) or leaf (all cells of a leaf).")
]
CLOSURE_HELP = "For systematic: none, or down to hold out descendant hypernyms too."
Closure = Annotated[str, typer.Option(help=CLOSURE_HELP)]
Mentions = Annotated[
    str,
    typer.Option(
        help="What else leaves training. drop_all: what asks a hypernym that has no Yes left; "
        "drop_words: also what contains its word; rebalance: drop_all, then as many No as Yes; "
        "keep: nothing; drop_positives: only the Yes of held-out cells leave."
    ),
]
Negatives = Annotated[
    str,
    typer.Option(
        help="Hypernym No: matched (another image), image (another hypernym), or strided (another "
        "image, and no question is listed: for millions of images; see example_derived)."
    ),
]
Relation = Annotated[
    str,
    typer.Option(
        help="What is held out and asked beside leaves: hypernym, part, or another relation of "
        "the dataset."
    ),
]
TrainLeafNegatives = Annotated[
    int, typer.Option(help="Leaf No questions a training image; validation and test have one.")
]
ShuffleSeed = Annotated[
    int | None, typer.Option(help="Seed of the shuffle.  [default: the seed of the design]")
]


@app.command("build")
@user_errors
def build(
    store: StorePath = DEFAULT_STORE,
    dataset: Dataset = None,
    design: Annotated[
        str, typer.Option(help="Which cells are held out: none, random or systematic.")
    ] = "random",
    ratio: Annotated[
        float | None,
        typer.Option(help="For random: share of the cells, 0 to 1.  [default: 1]"),
    ] = None,
    n_held_out_hypernyms: Annotated[
        int | None, typer.Option(help="For systematic: hypernyms that lose all their cells.")
    ] = None,
    unit: Unit = "pair",
    closure: Closure = "none",
    mentions: Mentions = "drop_all",
    negatives: Negatives = "matched",
    shuffle: Annotated[
        str,
        typer.Option(
            help="Whose labels a leaf carries: none, within, across, across_s1, swap or "
            "swap_control (the leaves of swap under their own labels)."
        ),
    ] = "none",
    seed: Annotated[int, typer.Option(help="Seed of the design.")] = 42,
    shuffle_seed: ShuffleSeed = None,
    train_leaf_negatives: TrainLeafNegatives = 1,
    relation: Relation = "hypernym",
) -> None:
    """Build one manifest into the store and print its id."""
    from cli.grids import chosen_ratio
    from taxonomy.manifest import headline
    from taxonomy.model import ManifestConfig
    from xmodal.manifests import build_into

    config = ManifestConfig(
        design=design,
        unit=unit,
        ratio=chosen_ratio(design, ratio),
        n_held_out_hypernyms=n_held_out_hypernyms,
        closure=closure,
        mentions=mentions,
        negatives=negatives,
        shuffle=shuffle,
        seed=seed,
        shuffle_seed=shuffle_seed,
        train_leaf_negatives=train_leaf_negatives,
        relation=relation,
    )
    for manifest in build_into(store, [config], dataset, tell=to_stderr):
        typer.echo(headline(manifest), err=True)
        typer.echo(manifest.manifest_id)


@app.command("grid")
@user_errors
def grid(
    store: StorePath = DEFAULT_STORE,
    dataset: Dataset = None,
    paper: Annotated[
        str | None,
        typer.Option(
            help="s1: the paper's grid instead of a listed one. 30 manifests a seed: random at "
            "0.1, 0.3, 0.5, 0.7, 0.9 and 1 and systematic at 10, 20, 30 and 40 hypernyms, each "
            "with shuffle none, within and across (the paper's 53 categories are random at 1; "
            "with all of S1's settings, below, across is across_s1). "
            "Needs a dataset of 41 hypernyms or more."
        ),
    ] = None,
    with_full: Annotated[
        bool, typer.Option("--with-full", help="For --paper: 3 more a seed, nothing held out.")
    ] = False,
    with_swap: Annotated[
        bool,
        typer.Option(
            "--with-swap",
            help="For --paper: 2 more a seed, whole categories exchanged and their control, "
            "random at 1.",
        ),
    ] = False,
    designs: Annotated[
        str | None, typer.Option(help="Designs, with commas between.  [default: random]")
    ] = None,
    ratios: Annotated[
        str | None, typer.Option(help="Ratios of random designs.  [default: 0,0.5,1]")
    ] = None,
    n_held_out_hypernyms: Annotated[
        str | None, typer.Option(help="Numbers of hypernyms of systematic designs.")
    ] = None,
    shuffles: Annotated[str | None, typer.Option(help="Shuffles.  [default: none]")] = None,
    seeds: Annotated[str, typer.Option(help="Seeds.")] = "42,218,7",
    unit: Unit = "pair",
    closure: Annotated[str | None, typer.Option(help=f"{CLOSURE_HELP}  [default: none]")] = None,
    mentions: Mentions = "drop_all",
    negatives: Negatives = "matched",
    shuffle_seed: ShuffleSeed = None,
    train_leaf_negatives: TrainLeafNegatives = 1,
    relation: Relation = "hypernym",
) -> None:
    """Build every combination of the listed values, or a paper's grid.

    Prints a line a manifest: its id, a tab, and the design in a few words (`cut -f1` has the ids).
    With --paper s1, --unit leaf --negatives image --mentions keep hold out as S1's code did.
    """
    from cli.grids import chosen_grid
    from taxonomy.manifest import in_words
    from xmodal.manifests import build_into

    said = {
        "designs": designs,
        "ratios": ratios,
        "n_held_out_hypernyms": n_held_out_hypernyms,
        "shuffles": shuffles,
        "closure": closure,
    }
    configs = chosen_grid(
        paper,
        with_full,
        with_swap,
        said,
        seeds,
        unit=unit,
        mentions=mentions,
        negatives=negatives,
        shuffle_seed=shuffle_seed,
        train_leaf_negatives=train_leaf_negatives,
        relation=relation,
    )
    for manifest in build_into(store, configs, dataset, paper=paper, tell=to_stderr):
        typer.echo(f"{manifest.manifest_id}\t{in_words(manifest.config)}")


@app.command("list")
@user_errors
def list_manifests(
    store: StorePath = DEFAULT_STORE,
    fmt: Format = "table",
) -> None:
    """List the manifests of the store with their settings and realised ratios."""
    from xmodal.manifests import overview
    from xmodal.store.render import emit

    emit(overview(store), fmt)


@app.command("show")
@user_errors
def show(manifest_id: ManifestId, store: StorePath = DEFAULT_STORE) -> None:
    """Show every setting and count of one manifest."""
    from xmodal.manifests import record
    from xmodal.store.screen import as_record

    typer.echo(as_record(record(store, manifest_id)), nl=False)


@app.command("report")
@user_errors
def report(
    manifest_id: ManifestId,
    store: StorePath = DEFAULT_STORE,
    fmt: Format = "table",
) -> None:
    """Show what training sees of each hypernym: Yes, No, its word, what is held out."""
    from xmodal.manifests import report as read_report
    from xmodal.store.render import emit

    lines, table = read_report(store, manifest_id)
    typer.echo(lines, err=fmt != "table")
    emit(table, fmt)


@app.command("export")
@user_errors
def export(
    manifest_id: ManifestId,
    output: Annotated[Path, typer.Option(help="A folder that is not there yet, or empty.")],
    store: StorePath = DEFAULT_STORE,
    fmt: Annotated[
        str,
        typer.Option(
            "--format",
            help="llava-json: conversations for LLaVA and Prismatic. parquet: the questions as "
            "rows, in folders by leaves; says how many bytes.",
        ),
    ] = "llava-json",
    per: Annotated[
        str,
        typer.Option(
            help="An entry a question (Prismatic's align stage, S1's code) or an image (its "
            "questions as turns: LLaVA, Prismatic's finetune stage)."
        ),
    ] = "question",
    images: Annotated[
        str,
        typer.Option(
            help="none: entries name an image by its path on this machine, as the dataset has it; "
            "copy: write it under images/ and name it by that, so that the folder can be moved."
        ),
    ] = "none",
) -> None:
    """Write a manifest as chat.json (training), validation.json, test.json and manifest.json.

    With --format parquet its questions alone, as rows.
    """
    from xmodal.interchange import export_manifest

    line = export_manifest(store, manifest_id, output, fmt=fmt, per=per, images=images)
    typer.echo(line)


@app.command("import")
@user_errors
def import_(
    path: Annotated[
        Path,
        typer.Argument(
            help="A folder with chat.json and test.json, or the file of the training questions."
        ),
    ],
    store: StorePath = DEFAULT_STORE,
    dataset: Dataset = None,
    test: Annotated[
        list[Path] | None,
        typer.Option(help="A file of test questions; may be given again.  [default: test.json]"),
    ] = None,
    validation: Annotated[
        list[Path] | None,
        typer.Option(
            help="A file of validation questions; may be given again.  [default: validation.json]"
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The seed the files were drawn with, if you know it.")
    ] = None,
    relation: Annotated[
        str, typer.Option(help="What questions about no leaf ask, in files without a sidecar.")
    ] = "hypernym",
    allow_outside: AllowOutside = False,
) -> None:
    """Store the manifest of chat files and print its id.

    With manifest.json beside them it is the manifest that was exported. Without, its design is
    imported: what is held out, the shuffle and the other settings are read off the questions.
    """
    from taxonomy.manifest import headline
    from xmodal.interchange import import_manifest

    manifest = import_manifest(
        store,
        path,
        dataset_id=dataset,
        test=test or (),
        validation=validation or (),
        seed=seed,
        relation=relation,
        allow_outside=allow_outside,
    )
    typer.echo(headline(manifest), err=True)
    typer.echo(manifest.manifest_id)
