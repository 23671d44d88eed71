"""`xmodal taxonomy`: build a taxonomy into the store, draw it, count it, compare its sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import user_errors
from cli.options import (
    DEFAULT_STORE,
    AllowOutside,
    Dataset,
    FormatOrSuffix,
    Output,
    StorePath,
    to_stderr,
)

if TYPE_CHECKING:
    from taxonomy.model import TaxonomyConfig

app = typer.Typer(help="What is asked: concepts, hypernyms, images.", no_args_is_help=True)


@app.command("build")
@user_errors
def build(
    store: StorePath = DEFAULT_STORE,
    source: Annotated[
        str | None,
        typer.Option(
            help="emoji (bundled), csv (your table; needs --csv), things (needs --concepts and "
            "--categories), imagefolder (needs --images), list (a Parquet file of images; needs "
            "--images) or wordnet (needs --synsets).  "
            "[default: csv with --csv, else emoji]"
        ),
    ] = None,
    pairs: Annotated[
        str,
        typer.Option(
            help="Which (leaf, hypernym) pairs are a Yes: agreed (true in every source that "
            "speaks of it), strict (WordNet's closure) or the hand-made list alone: everyday, "
            "for things categories."
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
    concepts: Annotated[
        Path | None, typer.Option(help="things: things_concepts.tsv, as THINGS ships it.")
    ] = None,
    categories: Annotated[
        Path | None, typer.Option(help="things: category53_longFormat.tsv of THINGSplus.")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="things: a folder of folders <uniqueID>/<name>.jpg; without it the dataset has "
            "no images. imagefolder: a folder for each WordNet id (n01817953), synset "
            "(parrot.n.01) or lemma (African_grey), or files <WordNet id>_<anything>.jpg. list: a "
            "Parquet file with columns synset or leaf, image, sha256, split and group if you "
            "have them; no image is opened."
        ),
    ] = None,
    leaves: Annotated[
        Path | None,
        typer.Option(
            help="things: keep these leaves only; a uniqueID or word a line, or .jsonl, .csv or "
            ".tsv with hyponym or leaf. Implies --inner-leaves keep."
        ),
    ] = None,
    inner_leaves: Annotated[
        str | None,
        typer.Option(
            help="things, imagefolder, wordnet, list: leaves above others: drop (in no question) "
            "or keep.  [default: keep with --leaves, else drop]"
        ),
    ] = None,
    synsets: Annotated[
        Path | None, typer.Option(help="wordnet: one synset (parrot.n.01) a line; no images.")
    ] = None,
    hypernyms: Annotated[
        Path | None,
        typer.Option(
            help="things, imagefolder, wordnet, list: ask about these; a word, a synset or word = "
            "synset a line. Left out: the categories, or what WordNet has above the leaves."
        ),
    ] = None,
    depth: Annotated[
        str | None,
        typer.Option(
            help="imagefolder, wordnet, list, things with pairs strict: WordNet depth of the "
            "hypernyms to find, such as 4-8 or 5."
        ),
    ] = None,
    relation: Annotated[
        list[str] | None,
        typer.Option(help="part: ask about parts too, by WordNet's part meronyms."),
    ] = None,
    relations: Annotated[
        Path | None,
        typer.Option(
            help="Your own relations: a table with columns concept, relation, target; phrase, "
            "question (with {phrase} in it) and answer (yes or unclear) if you have them. A "
            "hypernym, inner concept or synset stands for the leaves below it."
        ),
    ] = None,
    wordnet: Annotated[
        Path | None,
        typer.Option(help="Your WordNet folder, 3.0 or later; the bundled nouns if not given."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split, where the source ships none.")] = 0,
    allow_outside: AllowOutside = False,
) -> None:
    """Build a taxonomy and write it to the store."""
    from xmodal.taxonomies import store_taxonomy

    files = {
        "csv": csv, "edges": edges, "concepts": concepts, "categories": categories,
        "images": images, "leaves": leaves, "synsets": synsets, "hypernyms": hypernyms,
    }  # fmt: skip
    config = _config(source, pairs, min_leaves, seed, inner_leaves, depth, relation or (), files)
    more = {"wordnet_dir": wordnet, "relations": relations, "allow_outside": allow_outside}
    typer.echo(store_taxonomy(store, config, **more, **files))


def _config(
    source: str | None,
    pairs: str,
    min_leaves: int,
    seed: int,
    inner_leaves: str | None,
    depth: str | None,
    relations: Sequence[str],
    files: dict[str, Path | None],
) -> TaxonomyConfig:
    """The settings, what was left out filled in by the files that were named."""
    from taxonomy.model import RELATION, TaxonomyConfig
    from taxonomy.selection import parse_depth

    least, largest = parse_depth(depth)
    return TaxonomyConfig(
        source=source or ("csv" if files["csv"] else "emoji"),
        pairs=pairs,
        min_leaves=min_leaves,
        seed=seed,
        inner_leaves=inner_leaves or ("keep" if files["leaves"] else "drop"),
        min_depth=least,
        max_depth=largest,
        relations=tuple(dict.fromkeys((RELATION, *relations))),
    )


@app.command("list")
@user_errors
def list_taxonomies(
    store: StorePath = DEFAULT_STORE, fmt: FormatOrSuffix = None, output: Output = None
) -> None:
    """List the datasets of the store, oldest first; the last is taken where none is named."""
    from xmodal.store.render import emit
    from xmodal.taxonomies import overview

    emit(overview(store), fmt, output)


@app.command("compare")
@user_errors
def compare(
    store: StorePath = DEFAULT_STORE,
    dataset: Dataset = None,
    fmt: FormatOrSuffix = None,
    output: Output = None,
) -> None:
    """Show where the dataset's list and WordNet disagree, hypernym by hypernym.

    The list is the source's: the everyday list, THINGSplus' categories, your table. On the screen
    the leaves are cut short; any other --format has them all. The totals follow on stderr, so
    that the rows can be read by a program.
    """
    from taxonomy.compare import compare as held
    from xmodal.store import Store
    from xmodal.store.render import chosen_format, emit

    chosen = chosen_format(fmt, output)
    with Store.open(store, read_only=True) as opened:
        found = held(opened.load_taxonomy(dataset))
    emit(found.on_screen() if chosen == "table" else found.rows, chosen, output)
    to_stderr(found.closing)


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
def stats(
    store: StorePath = DEFAULT_STORE,
    dataset: Dataset = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every list in full: concepts without a synset and so on.")
    ] = False,
) -> None:
    """Count leaves, images by split, pairs, and what was dropped."""
    from taxonomy.stats import report
    from xmodal.store import Store

    with Store.open(store, read_only=True) as opened:
        typer.echo(report(opened.load_taxonomy(dataset), in_full=everything))
