"""A list of images that are not opened one by one: a Parquet table, taken at its word.

Columns `synset` or `leaf` (a WordNet id, synset or lemma, as folders of source imagefolder are
named), `image` and `sha256` (64 hex digits, or 32 bytes); `split` and `group` where the user has
them. Rows are read in batches and checked as arrays; an image's id is its row. Hashes are not
held against the files, which need not be there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from taxonomy.build import assemble
from taxonomy.errors import DataError
from taxonomy.hashing import hash63
from taxonomy.identity import ImageHash, id_of_list
from taxonomy.manifest.draws import Ints, Keys
from taxonomy.manifest.strides import mixed64
from taxonomy.model import SPLITS, Taxonomy, TaxonomyConfig
from taxonomy.sources.imagefolder import resolve_label, synset_source
from taxonomy.sources.list_file import (
    check_names,
    coded,
    column_names,
    digests,
    hex_text,
    no_nulls,
    places,
    read_batches,
)
from taxonomy.split import split_groups
from taxonomy.tables import IMAGE
from taxonomy.wordnet import WordNet


@dataclass(frozen=True, kw_only=True)
class ImageList:
    """A taxonomy, and the rows of its images on disk."""

    taxonomy: Taxonomy
    """Its images have the columns image_id, concept_id and split alone."""
    path: Path

    def batches(self) -> Iterator[pa.Table]:
        """The rows of the images, columns of IMAGE, in the order of their ids.

        Raises:
            DataError: The file has changed.
        """
        lean, begin = self.taxonomy.images, 0
        columns = ["image", "sha256", *({"group"} & set(column_names(self.path)))]
        for batch in read_batches(self.path, columns):
            own = lean.slice(begin, len(batch))
            group = batch["group"] if "group" in columns else pa.nulls(len(batch))
            rows = {
                **{name: own[name] for name in own.column_names},
                "style": pa.nulls(len(batch)),
                "family": group,
                "sha256": hex_text(digests(batch["sha256"], self.path, begin)),
                "uri": places(batch["image"], self.path.parent),
            }
            begin += len(batch)
            yield pa.table([rows[field.name] for field in IMAGE], names=IMAGE.names).cast(IMAGE)
        if begin != lean.num_rows:
            raise DataError(f"{self.path} has changed while it was read: build the taxonomy again")

    def whole(self) -> Taxonomy:
        """The taxonomy with all columns of its images in memory."""
        return replace_images(self.taxonomy, pa.concat_tables(self.batches()))


def read_list(
    config: TaxonomyConfig,
    wordnet: WordNet,
    path: Path,
    hypernyms_path: Path | None = None,
    *,
    allow_outside: bool = False,
) -> ImageList:
    """Read a list of images: its leaves, the hypernyms above them, and a split of the images.

    Args:
        config: min_leaves, depths, inner_leaves, and the seed of the split.
        wordnet: Where the leaves are looked up, and hypernyms found.
        path: The Parquet file.
        hypernyms_path: The hypernyms to ask about; None: those WordNet has above the leaves.
        allow_outside: Take images that do not lie below the list's folder too.

    Raises:
        DataError: It cannot be read, lacks a column or a value, has a hash twice, names an
            unknown synset, or a leaf cannot be split.
    """
    rows = _read_rows(path, allow_outside)
    concepts, words, notes = _resolve(rows.labels, path, wordnet)
    source = synset_source(config, wordnet, words, hypernyms_path, None, notes)
    bare = assemble(config, source, wordnet)
    ids = dict(
        zip(*(bare.concepts[name].to_pylist() for name in ("key", "concept_id")), strict=True)
    )
    of_label = [ids.get(f"leaf/{synset}", ids.get(f"inner/{synset}")) for synset in concepts]
    is_leaf = np.array([f"leaf/{synset}" in ids for synset in concepts])
    concept = np.array(of_label, dtype=np.int32)[rows.label]
    split = _split(config, rows, is_leaf, path)
    rows.hash.add_columns(concept, split)
    in_words = pa.DictionaryArray.from_arrays(pa.array(split, mask=split < 0), list(SPLITS))
    images = pa.table(
        {
            "image_id": np.arange(len(concept), dtype=np.int32),
            "concept_id": concept,
            "split": in_words,
        }
    )
    validated = np.unique(rows.label[split == SPLITS.index("validation")])
    without = {concepts[n] for n in np.flatnonzero(is_leaf)} - {concepts[n] for n in validated}
    taxonomy = Taxonomy(
        dataset_id=id_of_list(
            config, bare.concepts, bare.edges, bare.leaf_hypernym, rows.hash.hexdigest()
        ),
        config=config,
        concepts=bare.concepts,
        edges=bare.edges,
        leaf_hypernym=bare.leaf_hypernym,
        images=images,
        notes={**bare.notes, "leaves_without_validation": sorted(without)},
    )
    return ImageList(taxonomy=taxonomy, path=path)


def replace_images(taxonomy: Taxonomy, images: pa.Table) -> Taxonomy:
    """The taxonomy with other columns of the same images."""
    return Taxonomy(**{**vars(taxonomy), "images": images})


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """N rows as arrays."""

    labels: tuple[str, ...]
    label: Ints
    """int32 [N]: position in labels."""
    prefix: Keys
    """uint64 [N]: the first eight bytes of the sha256."""
    split: Any
    """int8 [N], or None."""
    group: Any
    """int64 [N]: a number for each group within its leaf or across, or None."""
    hash: ImageHash


def _read_rows(path: Path, allow_outside: bool) -> _Rows:
    there = column_names(path)
    naming = [name for name in ("synset", "leaf") if name in there]
    missing = [name for name in ("image", "sha256") if name not in there]
    if len(naming) != 1 or missing:
        lacks = f"lacks {', '.join(missing)}" if missing else "has both or none of leaf and synset"
        raise DataError(
            f"{path} {lacks}: it must have the columns image, sha256 and one of synset and leaf, "
            f"got {', '.join(there)}"
        )
    more = [name for name in ("split", "group") if name in there]
    labels: dict[str, int] = {}
    splits = {name: n for n, name in enumerate(SPLITS)}
    groups: dict[str, int] = {}
    parts: dict[str, list[Any]] = {name: [] for name in ("label", "prefix", *more)}
    hashed, begin = ImageHash(), 0
    for batch in read_batches(path, [naming[0], "image", "sha256", *more]):
        for name in batch.column_names:
            no_nulls(batch[name], name, path, begin)
        check_names(batch["image"], path, begin, allow_outside)
        where = partial(coded, path=path, begin=begin)
        parts["label"].append(where(batch[naming[0]], labels, grow=True).astype(np.int32))
        found = digests(batch["sha256"], path, begin)
        parts["prefix"].append(found[:, :8].copy().view(">u8").ravel().astype(np.uint64))
        hashed.add_images(found, batch["group"] if "group" in more else None)
        if "split" in more:
            parts["split"].append(where(batch["split"], splits, grow=False).astype(np.int8))
        if "group" in more:
            parts["group"].append(where(batch["group"], groups, grow=True))
        begin += len(batch)
    if not begin:
        raise DataError(f"{path} has no rows; it needs one an image")
    if begin >= 2**31:
        raise DataError(f"{path} has {begin} rows; a dataset has less than 2^31 images")
    joined = {name: np.concatenate(part) for name, part in parts.items()}
    _check_once(path, naming[0], joined["prefix"])
    return _Rows(
        labels=tuple(labels),
        label=joined["label"],
        prefix=joined["prefix"],
        split=joined.get("split"),
        group=joined.get("group"),
        hash=hashed,
    )


def _check_once(path: Path, naming: str, prefix: Keys) -> None:
    """Refuse a hash that is there twice, under two leaves or one."""
    order = np.argsort(prefix, kind="stable")
    same = np.flatnonzero(prefix[order[1:]] == prefix[order[:-1]])
    if not len(same):
        return
    # few: of two different hashes the first eight bytes are hardly ever equal
    suspects = np.unique(np.concatenate([order[same], order[same + 1]]))
    first: dict[bytes, tuple[int, str]] = {}
    begin = 0
    for batch in read_batches(path, [naming, "sha256"]):
        own = suspects[(suspects >= begin) & (suspects < begin + len(batch))] - begin
        found = digests(batch["sha256"], path, begin)
        for row, leaf in zip(own.tolist(), batch[naming].take(own).to_pylist(), strict=True):
            number, other = first.setdefault(found[row].tobytes(), (begin + row, leaf))
            if number != begin + row:
                what = (
                    f"under {other!r} and {leaf!r}, of which a No about one would be false"
                    if leaf != other
                    else f"under {leaf!r}"
                )
                raise DataError(
                    f"{path} rows {number} and {begin + row} have one sha256 "
                    f"({found[row].tobytes().hex()}) {what}; keep one of them"
                )
        begin += len(batch)


def _resolve(
    labels: tuple[str, ...], path: Path, wordnet: WordNet
) -> tuple[list[str], dict[str, str], Mapping[str, list[str]]]:
    """The synset of each label; words by synset; notes."""
    synsets: list[str] = []
    words: dict[str, str] = {}
    label_of: dict[str, str] = {}
    ambiguous = []
    for label in labels:
        named = resolve_label(label, path, wordnet)
        if named.synset in label_of:
            raise DataError(
                f"{path}: {label!r} and {label_of[named.synset]!r} are both {named.synset}; call "
                "it one of the two"
            )
        label_of[named.synset] = label
        words[named.synset] = named.word
        synsets.append(named.synset)
        if named.n_senses > 1:
            ambiguous.append(f"{label} = {named.synset} (first of {named.n_senses} senses)")
    return synsets, words, {"ambiguous_folders": sorted(ambiguous)}


def _split(config: TaxonomyConfig, rows: _Rows, is_leaf: Any, path: Path) -> Any:
    """int8 [N]: position in SPLITS, -1 for images of inner concepts."""
    at = np.flatnonzero(is_leaf[rows.label])
    split = np.full(len(rows.label), -1, dtype=np.int8)
    if rows.split is not None:
        split[at] = rows.split[at]
    else:
        keys = mixed64(hash63(config.seed, "list-split"), rows.prefix[at])
        group = None if rows.group is None else rows.group[at]
        split[at] = split_groups(rows.label[at], keys, group)
    n_leaves = len(rows.labels)
    counts = np.bincount(rows.label[at] * 3 + split[at], minlength=3 * n_leaves).reshape(-1, 3)
    for name in ("train", "test"):
        lacking = np.flatnonzero(is_leaf & (counts[:, SPLITS.index(name)] == 0))
        if len(lacking):
            raise DataError(
                f"{path}: {len(lacking)} leaves have no {name} image, such as "
                f"{rows.labels[lacking[0]]!r} with {counts[lacking[0]].sum()} images in all: each "
                "needs two groups or more, one to train and one to test"
            )
    if rows.split is not None and rows.group is not None:
        _check_groups(rows, path)
    return split


def _check_groups(rows: _Rows, path: Path) -> None:
    """Refuse a group of a leaf that is in two splits."""
    pair = rows.label.astype(np.int64) << 32 | rows.group
    order = np.lexsort((rows.split, pair))
    leaks = (np.diff(pair[order]) == 0) & (np.diff(rows.split[order]) != 0)
    if leaks.any():
        row = int(order[int(np.argmax(leaks))])
        raise DataError(
            f"{path} row {row}: its group is in two splits of {rows.labels[rows.label[row]]!r}; "
            "a group stays together"
        )
