"""Taxonomies of the bundled pictures or of a user's table, with the bundle filled in."""

from __future__ import annotations

from csv import DictReader
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxonomy.build import assemble, build_emoji
from taxonomy.model import RELATION, Taxonomy, TaxonomyConfig
from taxonomy.sources.image_list import ImageList, read_list
from taxonomy.sources.user_files import UserFiles
from taxonomy.stats import summary
from taxonomy.wordnet import WordNet
from xmodal.bundle import wordnet_files
from xmodal.bundle.pictures import data_file, load_pictures
from xmodal.relations import relate
from xmodal.store import Store
from xmodal.store.datasets import list_datasets

if TYPE_CHECKING:
    import pyarrow as pa


def build_taxonomy(
    config: TaxonomyConfig,
    *,
    wordnet_dir: Path | None = None,
    relations: Path | None = None,
    **source: Any,
) -> Taxonomy:
    """Build a taxonomy with the relations that the config and a table name.

    Args:
        config: As for build_source, and relations.
        wordnet_dir: The user's own WordNet folder; the bundled nouns if None.
        relations: A table of concept, relation, target; its relations are added.
        source: What build_source takes for the source.

    Raises:
        ConfigError: A relation that is neither part nor in the table.
        DataError: Something in the user's folder or tables cannot be used.
    """
    alone = replace(config, relations=(RELATION,))
    taxonomy = build_source(alone, wordnet_dir=wordnet_dir, **source)
    nouns = WordNet.open(wordnet_dir or wordnet_files.wordnet_dir())
    return relate(taxonomy, nouns, config.relations, relations)


def build_source(
    config: TaxonomyConfig,
    *,
    wordnet_dir: Path | None = None,
    allow_outside: bool = False,
    **files: Path | None,
) -> Taxonomy:
    """Build a taxonomy, hypernyms alone, from the source that the config names.

    Args:
        config: Source, pairs, min_leaves, depths, what becomes of inner leaves, and seed.
        wordnet_dir: The user's own WordNet folder; the bundled nouns if None.
        allow_outside: Take pictures that a table names outside its folder too.
        files: The user's files by name; taxonomy.sources.user_files says which source takes
            which.

    Returns:
        The taxonomy.

    Raises:
        ConfigError: A file that the source needs is not named, or one that it cannot use.
        DataError: Something in the user's folder or tables cannot be used.
    """
    if config.source == "list":
        found = read_image_list(
            config, wordnet_dir=wordnet_dir, allow_outside=allow_outside, **files
        )
        return found.whole()
    named = UserFiles(**files, allow_outside=allow_outside)
    named.check(config)
    nouns = WordNet.open(wordnet_dir or wordnet_files.wordnet_dir())
    if config.source != "emoji":
        return assemble(config, named.read(config, nouns), nouns)
    taxonomy = build_emoji(
        config, nouns, data_file("spec.txt"), data_file("hypernyms.json"), load_pictures()
    )
    return replace(taxonomy, notes={**taxonomy.notes, "near_duplicates": near_duplicates()})


def read_image_list(
    config: TaxonomyConfig,
    *,
    wordnet_dir: Path | None = None,
    allow_outside: bool = False,
    relations: Path | None = None,
    **files: Path | None,
) -> ImageList:
    """Read a list of images with the relations of the config and a table; its rows stay on disk.

    Args:
        config: Of source list.
        wordnet_dir: The user's own WordNet folder; the bundled nouns if None.
        allow_outside: Take images that the list names outside its folder too.
        relations: A table of concept, relation, target.
        files: images, and hypernyms if the user names them.

    Raises:
        ConfigError: A file that the source needs is not named, or one that it cannot use.
        DataError: Something in the user's tables cannot be used.
    """
    named = UserFiles(**files, allow_outside=allow_outside)
    named.check(config)
    nouns = WordNet.open(wordnet_dir or wordnet_files.wordnet_dir())
    alone = replace(config, relations=(RELATION,))
    assert named.images is not None  # checked
    found = read_list(alone, nouns, named.images, named.hypernyms, allow_outside=allow_outside)
    return replace(found, taxonomy=relate(found.taxonomy, nouns, config.relations, relations))


def store_taxonomy(store: Path, config: TaxonomyConfig, **given: Any) -> str:
    """Build a taxonomy into a store.

    Args:
        store: The DuckDB file; made if it is not there. Nothing is written on an error.
        config: As for build_taxonomy.
        given: What else build_taxonomy takes.

    Returns:
        The summary, several lines.
    """
    if config.source == "list":
        found = read_image_list(config, **given)
        with Store.open(store) as opened:
            opened.add_taxonomy(found.taxonomy, found.batches())
        return (
            f"{summary(found.taxonomy)}\nhashes were taken from the list at their word: no image "
            "was opened"
        )
    taxonomy = build_taxonomy(config, **given)
    with Store.open(store) as opened:
        opened.add_taxonomy(taxonomy)
    return summary(taxonomy)


def overview(store: Path) -> pa.Table:
    """One row a stored dataset, oldest first: its settings and what it holds."""
    with Store.open(store, read_only=True) as opened:
        return list_datasets(opened)


def near_duplicates() -> list[dict[str, int]]:
    """Bundled pictures in different splits that look alike, as the bundle's builder found them.

    Returns:
        image_a and image_b (ids) and n_bits, in how many of 64 bits their perceptual hashes
        differ; pictures of one leaf first, then the nearest.
    """
    with data_file("near_duplicates.csv").open(encoding="utf-8", newline="") as file:
        return [
            {
                "image_a": int(row["image_id_a"]),
                "image_b": int(row["image_id_b"]),
                "n_bits": int(row["n_bits"]),
            }
            for row in DictReader(file)
        ]
