"""`xmodal taxonomy`: build a taxonomy into the store, draw it, count it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import user_errors
from cli.options import DEFAULT_STORE, Dataset, StorePath

app = typer.Typer(help="What is asked: concepts, hypernyms, images.", no_args_is_help=True)


@app.command("build")
@user_errors
def build(
    store: StorePath = DEFAULT_STORE,
    source: Annotated[
        str | None,
        typer.Option(help="emoji (bundled) or csv (your own table).  [default: csv with --csv]"),
    ] = None,
    pairs: Annotated[
        str,
        typer.Option(
            help="Which (leaf, hypernym) pairs are a Yes: agreed (true in every source that "
            "speaks of it), strict (WordNet's closure) or everyday (the hand-made list)."
        ),
    ] = "agreed",
    min_leaves: Annotated[
        int, typer.Option(help="Hypernyms with fewer leaves are dropped and listed.")
    ] = 6,
    csv: Annotated[
        Path | None,
        typer.Option(
            help="Table with columns leaf, image and synset or hypernym (several hypernyms "
            "parted by |); split and group if you have them. Image paths start at the table."
        ),
    ] = None,
    edges: Annotated[
        Path | None, typer.Option(help="Table with columns hyponym, hypernym; goes with --csv.")
    ] = None,
    wordnet: Annotated[
        Path | None,
        typer.Option(help="Your WordNet folder, 3.0 or later; the bundled nouns if not given."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split, where the source ships none.")] = 0,
) -> None:
    """Build a taxonomy and write it to the store."""
    from taxonomy.model import TaxonomyConfig
    from taxonomy.stats import summary
    from xmodal.store import Store
    from xmodal.taxonomies import build_taxonomy

    chosen = source or ("csv" if csv else "emoji")
    config = TaxonomyConfig(source=chosen, pairs=pairs, min_leaves=min_leaves, seed=seed)
    taxonomy = build_taxonomy(config, wordnet_dir=wordnet, csv=csv, edges=edges)
    with Store.open(store) as opened:
        opened.add_taxonomy(taxonomy)
    typer.echo(summary(taxonomy))


@app.command("show")
@user_errors
def show(
    name: Annotated[str, typer.Argument(help="A concept (bird), key or synset (bird.n.01).")],
    store: StorePath = DEFAULT_STORE,
    dataset: Dataset = None,
    synsets: Annotated[
        bool, typer.Option("--synsets", help="Show the WordNet synsets in between too.")
    ] = False,
) -> None:
    """Draw everything under a concept, with counts of leaves and images."""
    from taxonomy.outline import outline
    from xmodal.store import Store

    with Store.open(store, read_only=True) as opened:
        typer.echo(outline(opened.load_taxonomy(dataset), name, synsets=synsets))


@app.command("stats")
@user_errors
def stats(store: StorePath = DEFAULT_STORE, dataset: Dataset = None) -> None:
    """Count leaves, images by split, pairs, and what was dropped."""
    from taxonomy.stats import report
    from xmodal.store import Store

    with Store.open(store, read_only=True) as opened:
        typer.echo(report(opened.load_taxonomy(dataset)))
