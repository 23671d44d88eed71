"""A list of WordNet synsets as a source without pictures."""

from __future__ import annotations

from pathlib import Path

from taxonomy.errors import DataError
from taxonomy.model import TaxonomyConfig
from taxonomy.selection import read_lines
from taxonomy.sources.imagefolder import synset_source
from taxonomy.sources.source import Source
from taxonomy.wordnet import WordNet


def read_synsets(
    config: TaxonomyConfig, wordnet: WordNet, path: Path, hypernyms_path: Path | None = None
) -> Source:
    """Read a list of synsets as a source: concepts and pairs, no pictures.

    Args:
        config: min_leaves, depths and inner_leaves for the choice of hypernyms.
        wordnet: Where the synsets are looked up, and hypernyms found.
        path: One synset a line, such as parrot.n.01; # starts a comment.
        hypernyms_path: The hypernyms to ask about; None: those WordNet has above the leaves.

    Returns:
        The source; a concept is called by the first lemma of its synset.

    Raises:
        DataError: Not readable, empty, an unknown synset, or one twice.
    """
    first: dict[str, str] = {}
    for where, line in read_lines(path):
        try:
            synset = wordnet.name(line)
        except DataError as error:
            raise DataError(f"{where}: {error}") from error
        if synset in first:
            raise DataError(f"{where}: {line!r} is {synset}, as in {first[synset]}; keep one")
        first[synset] = where
    words = {synset: wordnet.lemmas(synset)[0].lower() for synset in first}
    return synset_source(config, wordnet, words, hypernyms_path, None, {})
