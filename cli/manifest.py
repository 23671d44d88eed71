"""`xmodal manifest`: who is held out, what is asked, what training may see."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, Dataset, StorePath

app = typer.Typer(help="Designs: what training may see, and every question.", no_args_is_help=True)

ManifestId = Annotated[str, typer.Argument(help="Id of a manifest, or its beginning.")]
Unit = Annotated[
    str, typer.Option(help="What is held out: pair (cells) or leaf (all cells of a leaf).")
]
Closure = Annotated[
    str,
    typer.Option(help="For systematic: none, or down to hold out descendant hypernyms too."),
]
Mentions = Annotated[
    str,
    typer.Option(
        help="What else leaves training. drop_all: what asks a hypernym that has no Yes left; "
        "drop_words: also what contains its word; rebalance: drop_all, then as many No as Yes; "
        "keep: nothing; drop_positives: only the Yes of held-out cells leave."
    ),
]
Negatives = Annotated[
    str, typer.Option(help="Hypernym No: matched (another image) or image (another hypernym).")
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
    ratio: Annotated[float, typer.Option(help="For random: share of the cells, 0 to 1.")] = 1.0,
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
) -> None:
    """Build one manifest into the store and print its id."""
    from taxonomy.manifest import headline
    from taxonomy.model import ManifestConfig
    from xmodal.manifests import build_into

    config = ManifestConfig(
        design=design,
        unit=unit,
        ratio=ratio,
        n_held_out_hypernyms=n_held_out_hypernyms,
        closure=closure,
        mentions=mentions,
        negatives=negatives,
        shuffle=shuffle,
        seed=seed,
        shuffle_seed=shuffle_seed,
        train_leaf_negatives=train_leaf_negatives,
    )
    for manifest in build_into(store, [config], dataset):
        typer.echo(headline(manifest), err=True)
        typer.echo(manifest.manifest_id)


@app.command("grid")
@user_errors
def grid(
    store: StorePath = DEFAULT_STORE,
    dataset: Dataset = None,
    designs: Annotated[str, typer.Option(help="Designs, with commas between.")] = "random",
    ratios: Annotated[str, typer.Option(help="Ratios of random designs.")] = "0,0.5,1",
    n_held_out_hypernyms: Annotated[
        str, typer.Option(help="Numbers of hypernyms of systematic designs.")
    ] = "",
    shuffles: Annotated[str, typer.Option(help="Shuffles.")] = "none",
    seeds: Annotated[str, typer.Option(help="Seeds.")] = "42,218,7",
    unit: Unit = "pair",
    closure: Closure = "none",
    mentions: Mentions = "drop_all",
    negatives: Negatives = "matched",
    shuffle_seed: ShuffleSeed = None,
    train_leaf_negatives: TrainLeafNegatives = 1,
) -> None:
    """Build every combination of the listed values and print the ids."""
    from cli.lists import listed
    from taxonomy.manifest import grid as combinations
    from xmodal.manifests import build_into

    configs = combinations(
        listed("designs", designs, str),
        listed("ratios", ratios, float),
        listed("n_held_out_hypernyms", n_held_out_hypernyms, int),
        listed("shuffles", shuffles, str),
        listed("seeds", seeds, int),
        unit=unit,
        closure=closure,
        mentions=mentions,
        negatives=negatives,
        shuffle_seed=shuffle_seed,
        train_leaf_negatives=train_leaf_negatives,
    )
    for manifest in build_into(store, configs, dataset):
        typer.echo(manifest.manifest_id)


@app.command("list")
@user_errors
def list_manifests(
    store: StorePath = DEFAULT_STORE,
    fmt: Annotated[
        str, typer.Option("--format", help="table, csv, json, jsonl, markdown or parquet.")
    ] = "table",
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
    from xmodal.store.render import as_record

    typer.echo(as_record(record(store, manifest_id)), nl=False)


@app.command("report")
@user_errors
def report(
    manifest_id: ManifestId,
    store: StorePath = DEFAULT_STORE,
    fmt: Annotated[
        str, typer.Option("--format", help="table, csv, json, jsonl, markdown or parquet.")
    ] = "table",
) -> None:
    """Show what training sees of each hypernym: Yes, No, its word, what is held out."""
    from xmodal.manifests import report as read_report
    from xmodal.store.render import emit

    lines, table = read_report(store, manifest_id)
    typer.echo(lines, err=fmt != "table")
    emit(table, fmt)
