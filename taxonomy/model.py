"""The two things the taxonomy layer makes: a Taxonomy and, from it, Manifests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from taxonomy.errors import ConfigError
from taxonomy.hashing import content_id

if TYPE_CHECKING:
    import pyarrow as pa

SPLITS = ("train", "validation", "test")
SOURCES = ("emoji", "csv", "things", "imagefolder", "wordnet", "list")
IN_WORDNET = ("things", "imagefolder", "wordnet", "list")
"""Sources whose hypernyms can be chosen in WordNet, by depth or from a file."""
PAIRS = ("agreed", "strict", "everyday", "categories")
INNER_LEAVES = ("drop", "keep")
RELATION = "hypernym"
"""The relation that is asked about unless another is named."""
DESIGNS = ("none", "random", "systematic")
IMPORTED = "imported"
"""The design of a manifest read from somebody else's files: not built, so not in DESIGNS."""
STRIDED = "strided"
"""The negatives of a manifest whose questions are not listed but follow from a few numbers."""
SHUFFLES = ("none", "within", "across", "across_s1", "swap", "swap_control")


def one_of(name: str, got: str, valid: tuple[str, ...]) -> None:
    """Raise ConfigError unless got is one of the valid values of a setting."""
    if got not in valid:
        raise ConfigError(f"{name} must be one of {', '.join(valid)}, got {got!r}")


@dataclass(frozen=True, kw_only=True)
class TaxonomyConfig:
    """Identity of one taxonomy build, before its data is read."""

    source: str = "emoji"
    """Where concepts and images come from: emoji, csv, things, imagefolder, wordnet or list."""
    pairs: str = "agreed"
    """Which (leaf, hypernym) pairs are a Yes: agreed, strict, or what the hand-made list says:
    everyday, called categories for things."""
    min_leaves: int = 6
    """Hypernyms with fewer leaves than this are dropped and listed."""
    seed: int = 0
    """Seed of the split where the source ships none."""
    inner_leaves: str = "drop"
    """Pictured concepts above other pictured ones: drop (inner, in no question) or keep."""
    min_depth: int | None = None
    """Least WordNet depth of a hypernym that the source does not name itself, edges."""
    max_depth: int | None = None
    """Largest such depth."""
    relations: tuple[str, ...] = (RELATION,)
    """What may be asked about a leaf: hypernym, part, or relations of a user's table."""

    def __post_init__(self) -> None:
        one_of("source", self.source, SOURCES)
        one_of("pairs", self.pairs, PAIRS)
        one_of("inner_leaves", self.inner_leaves, INNER_LEAVES)
        if self.min_leaves < 1:
            raise ConfigError(f"min_leaves must be at least 1, got {self.min_leaves}")
        self._check_source()

    def _check_source(self) -> None:
        """Settings that mean something for some sources only."""
        if (self.pairs == "categories") > (self.source == "things"):
            raise ConfigError(f"pairs categories goes with source things, got {self.source!r}")
        if self.pairs == "everyday" and self.source in IN_WORDNET:
            raise ConfigError(
                f"pairs everyday needs a hand-made list, which source {self.source} has not; "
                + ("its list is pairs categories" if self.source == "things" else "take strict")
            )
        if self.inner_leaves == "keep" and self.source not in IN_WORDNET:
            raise ConfigError(
                f"inner_leaves keep goes with source {', '.join(IN_WORDNET)}, got {self.source!r}"
            )
        depths = [depth for depth in (self.min_depth, self.max_depth) if depth is not None]
        if depths and self.source not in IN_WORDNET:
            raise ConfigError(
                f"depth goes with source {', '.join(IN_WORDNET)}, got {self.source!r}"
            )
        if depths and (min(depths) < 0 or depths != sorted(depths)):
            raise ConfigError(
                f"depth must run from 0 or more upwards, got {self.min_depth} to {self.max_depth}"
            )

    def as_dict(self) -> dict[str, Any]:
        """Every setting by name, for the store."""
        return asdict(self)

    def identity(self) -> dict[str, Any]:
        """The settings that the dataset's id is made of.

        Settings that came after the first release count only where they are not at their
        default, so that datasets keep their ids.
        """
        return _without_defaults(self, ("inner_leaves", "min_depth", "max_depth", "relations"))


@dataclass(frozen=True, kw_only=True)
class Taxonomy:
    """One dataset: concepts, hypernym graph, pairs and images as Arrow tables.

    Tables follow taxonomy.tables (CONCEPT, EDGE, LEAF_HYPERNYM, IMAGE); ids are dense
    integers within the dataset, in the order of the concepts' keys.
    """

    dataset_id: str
    """First 16 hex digits of the sha256 of config, rows of all tables and picture hashes."""
    config: TaxonomyConfig
    concepts: pa.Table
    edges: pa.Table
    leaf_hypernym: pa.Table
    images: pa.Table
    notes: Mapping[str, Any] = field(default_factory=dict)
    """Counts and lists for the reader: dropped hypernyms, leaves without validation, ..."""


@dataclass(frozen=True, kw_only=True)
class ManifestConfig:
    """Every knob of one design. The manifest's id is the hash of this and the dataset."""

    design: str = "random"
    """Which cells are held out: none, random or systematic; imported for files of others."""
    unit: str = "pair"
    """What random draws: pair (cells) or leaf (all cells of a leaf, as S1 did)."""
    ratio: float = 1.0
    """Share of the cells held out, 0 to 1. 0 for design none; derived for systematic and, over
    the true cells, for imported."""
    n_held_out_hypernyms: int | None = None
    """For systematic: how many hypernyms lose all their cells."""
    closure: str = "none"
    """For systematic: none (the paper) or down (their descendants too)."""
    mentions: str = "drop_all"
    """drop_all, keep, drop_positives, drop_words or rebalance."""
    negatives: str = "matched"
    """Hypernym No: matched (another image, same hypernym), image (S1: same image), or strided
    (matched, at a stride through the images: questions follow by arithmetic, none is listed)."""
    shuffle: str = "none"
    """none, within, across, across_s1, swap, or swap_control: the leaves of swap as they are."""
    seed: int = 42
    """Seed of the ablation, and of the shuffle unless shuffle_seed is given."""
    shuffle_seed: int | None = None
    """Seed of the shuffle; None means the same as seed."""
    train_leaf_negatives: int = 1
    """Leaf No questions a training image; validation and test always have one."""
    relation: str = RELATION
    """What hypernym questions ask: hypernym, part, or another relation of the dataset."""

    def __post_init__(self) -> None:
        if self.design != IMPORTED:
            one_of("design", self.design, DESIGNS)
        one_of("unit", self.unit, ("pair", "leaf"))
        one_of("closure", self.closure, ("none", "down"))
        one_of(
            "mentions",
            self.mentions,
            ("drop_all", "keep", "drop_positives", "drop_words", "rebalance"),
        )
        one_of("negatives", self.negatives, ("matched", "image", STRIDED))
        if self.mentions == "rebalance" and self.negatives == STRIDED:
            raise ConfigError(
                "mentions rebalance draws No anew and goes with negatives matched or image, got "
                f"{self.negatives!r}"
            )
        one_of("shuffle", self.shuffle, SHUFFLES)
        if not 0.0 <= self.ratio <= 1.0:
            raise ConfigError(f"ratio must be in [0, 1], got {self.ratio}")
        if (self.n_held_out_hypernyms is not None) != (self.design == "systematic"):
            raise ConfigError(
                "n_held_out_hypernyms goes with design systematic and only with it, got "
                f"design {self.design!r} and n_held_out_hypernyms {self.n_held_out_hypernyms}"
            )
        if self.train_leaf_negatives < 1:
            raise ConfigError(
                f"train_leaf_negatives must be at least 1, got {self.train_leaf_negatives}"
            )

    def as_dict(self) -> dict[str, Any]:
        """Every setting by name, for the store."""
        return asdict(self)

    def identity(self) -> dict[str, Any]:
        """The settings that the manifest's id is made of; a later one only if not at default."""
        return _without_defaults(self, ("relation",))


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One design applied to one dataset: what training may see and what is asked.

    Tables follow taxonomy.tables (CELL, LABEL, EXAMPLE).
    """

    manifest_id: str
    dataset_id: str
    config: ManifestConfig
    shuffle_id: str
    """Hash of the shuffle's kind and seed; "none" when there is none."""
    cells: pa.Table
    labels: pa.Table
    examples: pa.Table
    rows_sha256: str
    """Hash of the rows of the three tables, canonical order."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    """Nominal and realised ratios, exclusion and shortfall counts."""


def manifest_id(dataset_id: str, config: ManifestConfig, rows: str | None = None) -> str:
    """The id of the manifest of a config over a dataset.

    Args:
        dataset_id: The dataset.
        config: The resolved config.
        rows: Hash of the manifest's rows for design imported, which no config can draw again;
            None for any other.
    """
    content = {} if rows is None else {"rows": rows}
    return content_id({"dataset": dataset_id, **config.identity(), **content})


def _without_defaults(config: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Settings by name, without those of the names that are at their default."""
    default = {f.name: f.default for f in fields(config)}
    settings = asdict(config)
    return {k: v for k, v in settings.items() if k not in names or v != default[k]}
