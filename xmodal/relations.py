"""Relations of a taxonomy: parts of the bundled list or of WordNet, and a user's table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from taxonomy.errors import ConfigError, unknown
from taxonomy.model import RELATION, Taxonomy
from taxonomy.relations.parts import listed_parts, wordnet_parts
from taxonomy.relations.relation import PART, add_relations
from taxonomy.relations.table import read_table
from taxonomy.wordnet import WordNet
from xmodal.bundle.files import data_file


def relate(
    taxonomy: Taxonomy, wordnet: WordNet, names: Sequence[str], table: Path | None = None
) -> Taxonomy:
    """Add relations to a taxonomy that has hypernyms alone.

    Args:
        taxonomy: As its source gave it.
        wordnet: The nouns, for parts.
        names: Relations wanted; part comes from WordNet and, for the bundled pictures, from
            their list. Those of the table need not be named.
        table: A user's table of concept, relation, target.

    Raises:
        ConfigError: A relation that is neither part nor in the table.
        DataError: Something in the table cannot be used, or no target has enough leaves.
    """
    found = read_table(table, taxonomy) if table is not None else []
    known = [PART, *(relation.name for relation in found)]
    for name in names:
        if name not in (RELATION, *known):
            raise ConfigError(
                f"{unknown('relation', name, known)}; --relations FILE gives your own relations"
            )
    if PART in names:
        bundled = taxonomy.config.source == "emoji"
        parts = (
            listed_parts(taxonomy, wordnet, data_file("parts.json"))
            if bundled
            else wordnet_parts(taxonomy, wordnet)
        )
        found = [parts, *found]
    return add_relations(taxonomy, found)
