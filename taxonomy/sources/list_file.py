"""A Parquet list of images, a batch at a time: texts as numbers, hashes as bytes, names checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from taxonomy.errors import DataError
from taxonomy.identity import flat_bytes
from taxonomy.manifest.draws import Ints
from taxonomy.reading import check_name
from taxonomy.sources.inside import inside

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


def no_nulls(column: pa.ChunkedArray, name: str, path: Path, begin: int) -> None:
    """Refuse a column with NULL in it."""
    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy()))
        raise DataError(f"{path} row {begin + row}: {name} must not be NULL")


def coded(
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
    found: Ints = np.array(own, dtype=np.int64)[encoded.indices.to_numpy()]
    return found


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


def check_names(column: pa.ChunkedArray, path: Path, begin: int, allow_outside: bool) -> None:
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


def places(column: pa.ChunkedArray, root: Path) -> pa.ChunkedArray:
    """Where the images lie: names start at the list's folder."""
    if str(root) == ".":
        return column
    below = pc.binary_join_element_wise(str(root), column, "/")
    return pc.if_else(pc.starts_with(column, "/"), column, below)
