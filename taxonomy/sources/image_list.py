"""A list of images that are not opened one by one: a Parquet table, taken at its word.

Columns `synset` or `leaf` (a WordNet id, synset or lemma, as folders of source imagefolder are
named), `image` and `sha256` (64 hex digits, or 32 bytes); `split` and `group` where the user has
them. Rows are read in batches and checked as arrays; an image's id is its row. Hashes are not
held against the files, which need not be there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from taxonomy.build import assemble
from taxonomy.errors import DataError
from taxonomy.hashing import hash63
from taxonomy.identity import ImageHash, flat_bytes, id_of_list
from taxonomy.manifest.draws import Ints, Keys
from taxonomy.manifest.strides import mixed64
from taxonomy.model import SPLITS, Taxonomy, TaxonomyConfig
from taxonomy.reading import check_name
from taxonomy.sources.imagefolder import resolve_label, synset_source
from taxonomy.sources.inside import inside
from taxonomy.split import split_groups
from taxonomy.tables import IMAGE
from taxonomy.wordnet import WordNet

Bytes: TypeAlias = npt.NDArray[np.uint8]

BATCH = 1 << 18
"""Rows that are read at once."""
_DAMAGE = (pa.ArrowException, OSError, UnicodeDecodeError)
_ODD = r"(^[/\\])|(^|[/\\])\.\.([/\\]|$)|\\|:|\x00"
"""Names that are looked at one by one: they may lead out of the list's folder."""
_HEX = np.full(256, 255, dtype=np.uint8)
_HEX[np.frombuffer(b"0123456789abcdef", np.uint8)] = range(16)
_HEX[np.frombuffer(b"ABCDEF", np.uint8)] = range(10, 16)
_TO_HEX = np.frombuffer("".join(f"{n:02x}" for n in range(256)).encode(), np.uint16)


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
                "uri": _places(batch["image"], self.path.parent),
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
    coded = pa.DictionaryArray.from_arrays(pa.array(split, mask=split < 0), list(SPLITS))
    images = pa.table(
        {
            "image_id": np.arange(len(concept), dtype=np.int32),
            "concept_id": concept,
            "split": coded,
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
            _no_nulls(batch[name], name, path, begin)
        _check_names(batch["image"], path, begin, allow_outside)
        where = partial(_coded, path=path, begin=begin)
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


def column_names(path: Path) -> list[str]:
    """Names of a Parquet file's columns; DataError if it is none or has one of them twice."""
    check_name(path)
    try:
        with pq.ParquetFile(path) as file:
            names = list(file.schema_arrow.names)
    except _DAMAGE as error:
        raise _unreadable(path, error) from error
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise DataError(f"{path} has the column {twice[0]!r} more than once")
    return names


def read_batches(path: Path, columns: list[str]) -> Iterator[pa.Table]:
    """The rows of some columns, in their order, a batch at a time.

    Raises:
        DataError: The file is damaged.
    """
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH, columns=columns):
                batch.validate(full=True)
                yield pa.table(batch).select(columns)
    except _DAMAGE as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: BaseException) -> DataError:
    lines = str(error).splitlines() or [type(error).__name__]
    return DataError(f"{path} cannot be read as Parquet: {lines[0]}")


def _no_nulls(column: pa.ChunkedArray, name: str, path: Path, begin: int) -> None:
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        raise DataError(f"{path} row {begin + row}: {name} must not be NULL")


def _coded(
    column: pa.ChunkedArray, codes: dict[str, int], *, path: Path, begin: int, grow: bool
) -> Ints:
    """Positions of texts in a dictionary, which grows by those that are new or refuses them."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise DataError(
            f"{path}: leaf, synset, image, split and group must be text, got {column.type}"
        )
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    own = []
    for text in encoded.dictionary.to_pylist():
        if not grow and text not in codes:
            raise DataError(f"{path}: split must be one of {', '.join(codes)}, got {text!r}")
        own.append(codes.setdefault(text, len(codes)))
    coded: Ints = np.array(own, dtype=np.int64)[encoded.indices.to_numpy()]
    return coded


def digests(column: pa.ChunkedArray, path: Path, begin: int) -> Bytes:
    """Hashes as bytes.

    Args:
        column: Hex digits, or binary.
        path: The file, for messages.
        begin: Number of the first row, for messages.

    Returns:
        uint8 [n, 32].

    Raises:
        DataError: One is no sha256.
    """
    kind = column.type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not is_text and kind not in (pa.binary(), pa.large_binary(), pa.binary(32)):
        raise DataError(f"{path}: sha256 must be 64 hex digits or 32 bytes, got {kind}")
    width = 64 if is_text else 32
    odd = pc.binary_length(column).to_numpy() != width
    if not odd.any():
        found: Bytes = flat_bytes(column).reshape(-1, width)
        if not is_text:
            return found
        nibbles = _HEX[found]
        odd = (nibbles == 255).any(axis=1)
        if not odd.any():
            joined: Bytes = nibbles[:, ::2] * 16 + nibbles[:, 1::2]
            return joined
    row = int(np.argmax(odd))
    raise DataError(
        f"{path} row {begin + row}: sha256 must be 64 hex digits or 32 bytes, got "
        f"{str(column[row].as_py())[:80]!r}"
    )


def hex_text(found: Bytes) -> pa.Array:
    """Hashes, uint8 [n, 32], as texts of hex digits."""
    text = _TO_HEX[found]
    offsets = np.arange(len(found) + 1, dtype=np.int32) * 64
    return pa.Array.from_buffers(
        pa.string(), len(found), [None, pa.py_buffer(offsets), pa.py_buffer(text)]
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


def _check_names(column: pa.ChunkedArray, path: Path, begin: int, allow_outside: bool) -> None:
    """Refuse names that are none or lead out of the list's folder."""
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise DataError(f"{path}: image must be text, got {column.type}")
    empty = np.flatnonzero(pc.equal(column, ""))
    if len(empty):
        raise DataError(f"{path} row {begin + int(empty[0])} must name an image, got ''")
    odd = np.flatnonzero(pc.match_substring_regex(column, _ODD))
    for row in odd.tolist():
        where = f"{path} row {begin + row}"
        inside(path.parent, column[row].as_py(), where, allow_outside=allow_outside)


def _places(column: pa.ChunkedArray, root: Path) -> pa.ChunkedArray:
    """Where the images lie: names start at the list's folder."""
    if str(root) == ".":
        return column
    below = pc.binary_join_element_wise(str(root), column, "/")
    return pc.if_else(pc.starts_with(column, "/"), column, below)
