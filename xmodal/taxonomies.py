"""Taxonomies of the bundled pictures or of a user's table, with the bundle filled in."""

from __future__ import annotations

from csv import DictReader
from dataclasses import replace
from pathlib import Path
from typing import Any

from taxonomy.build import build_csv, build_emoji
from taxonomy.errors import ConfigError
from taxonomy.model import RELATION, Taxonomy, TaxonomyConfig
from taxonomy.wordnet import WordNet
from xmodal.bundle import wordnet_files
from xmodal.bundle.pictures import data_file, load_pictures
from xmodal.relations import relate


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
    csv: Path | None = None,
    edges: Path | None = None,
) -> Taxonomy:
    """Build a taxonomy, hypernyms alone, from the source that the config names.

    Args:
        config: Source, pairs, min_leaves and seed.
        wordnet_dir: The user's own WordNet folder; the bundled nouns if None.
        csv: The user's table; goes with source csv and only with it.
        edges: A further table of hyponym, hypernym rows for source csv.

    Returns:
        The taxonomy.

    Raises:
        ConfigError: A table without source csv, or the other way round.
        DataError: Something in the user's folder or table cannot be used.
    """
    if (csv is not None) != (config.source == "csv"):
        raise ConfigError(
            "source csv needs a table and no other source takes one, "
            f"got source {config.source!r} and table {str(csv) if csv else None!r}"
        )
    if edges is not None and csv is None:
        raise ConfigError(f"edges go with a csv table, got {str(edges)!r} without one")
    nouns = WordNet.open(wordnet_dir or wordnet_files.wordnet_dir())
    if csv is not None:
        return build_csv(config, nouns, csv, edges_path=edges)
    taxonomy = build_emoji(
        config, nouns, data_file("spec.txt"), data_file("hypernyms.json"), load_pictures()
    )
    return replace(taxonomy, notes={**taxonomy.notes, "near_duplicates": near_duplicates()})


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
