"""The files and folders a user may name, and which source takes which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from taxonomy.errors import ConfigError
from taxonomy.model import TaxonomyConfig
from taxonomy.sources.csv_source import read_csv
from taxonomy.sources.imagefolder import read_imagefolder
from taxonomy.sources.source import Source
from taxonomy.sources.things import read_things
from taxonomy.sources.wordnet_list import read_synsets
from taxonomy.wordnet import WordNet

NEEDS: Mapping[str, tuple[str, ...]] = {
    "emoji": (),
    "csv": ("csv",),
    "things": ("concepts", "categories"),
    "imagefolder": ("images",),
    "wordnet": ("synsets",),
    "list": ("images",),
}
MAY: Mapping[str, tuple[str, ...]] = {
    "emoji": (),
    "csv": ("edges",),
    "things": ("images", "leaves", "hypernyms"),
    "imagefolder": ("hypernyms",),
    "wordnet": ("hypernyms",),
    "list": ("hypernyms",),
}


@dataclass(frozen=True, kw_only=True)
class UserFiles:
    """What the user named on the command line; None is not named."""

    csv: Path | None = None
    """The table of source csv."""
    edges: Path | None = None
    """A further table of hyponym, hypernym rows for source csv."""
    concepts: Path | None = None
    """things_concepts.tsv of source things."""
    categories: Path | None = None
    """category53_longFormat.tsv of source things."""
    images: Path | None = None
    """The folder of pictures of source things or imagefolder; the Parquet file of source list."""
    leaves: Path | None = None
    """The leaves of source things to keep."""
    synsets: Path | None = None
    """The list of source wordnet."""
    hypernyms: Path | None = None
    """The hypernyms to ask about, for things, imagefolder, wordnet and list."""
    allow_outside: bool = False
    """Take pictures that the table names outside its folder too."""

    def check(self, config: TaxonomyConfig) -> None:
        """Raise ConfigError unless the source has what it needs and nothing else is named."""
        given = {f.name for f in fields(self) if getattr(self, f.name) is not None}
        given.discard("allow_outside")
        source = config.source
        for name in NEEDS[source]:
            if name not in given:
                raise ConfigError(
                    f"source {source} needs {' and '.join(NEEDS[source])}, got no {name}"
                )
        if self.allow_outside and source not in ("csv", "list"):
            raise ConfigError(f"allow_outside goes with source csv or list, got {source!r}")
        for name in sorted(given - {*NEEDS[source], *MAY[source]}):
            takes = [s for s in NEEDS if name in (*NEEDS[s], *MAY[s])]
            raise ConfigError(f"{name} goes with source {' or '.join(takes)}, got {source!r}")
        if self.hypernyms is not None and (config.min_depth, config.max_depth) != (None, None):
            raise ConfigError(
                "depth finds hypernyms in WordNet and a file of hypernyms names them; give one"
            )

    def read(self, config: TaxonomyConfig, wordnet: WordNet) -> Source:
        """Read the source that the config names from these files.

        Raises:
            ConfigError: A file that the source needs is not named, or one that it cannot use.
            DataError: A file or picture that cannot be used.
        """
        self.check(config)
        if self.csv is not None:
            return read_csv(
                config,
                wordnet,
                self.csv,
                edges_path=self.edges,
                allow_outside=self.allow_outside,
            )
        if self.concepts is not None and self.categories is not None:
            return read_things(
                config,
                wordnet,
                self.concepts,
                self.categories,
                images=self.images,
                leaves_path=self.leaves,
                hypernyms_path=self.hypernyms,
            )
        if self.synsets is not None:
            return read_synsets(config, wordnet, self.synsets, self.hypernyms)
        if self.images is not None and config.source != "list":
            return read_imagefolder(config, wordnet, self.images, self.hypernyms)
        raise ConfigError(f"source {config.source} is not read from the user's files")
