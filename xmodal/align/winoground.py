"""Compositional examples in the layout of Winoground: two captions of the same words, two pictures.

https://huggingface.co/datasets/facebook/winoground
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from taxonomy.errors import DataError
from taxonomy.reading import check_name, parse_json, read_bytes, read_text, short
from taxonomy.sources.inside import inside
from xmodal.align.caption_record import clean, valid
from xmodal.parquet import DAMAGE, check_once, first_line
from xmodal.tables import COMPOSITION

LINES, PICTURES = "examples.jsonl", "images"
_NEEDED = ("id", "image_0", "image_1", "caption_0", "caption_1")
_SUFFIXES = ("", ".png", ".jpg", ".jpeg", ".webp")

Vectors = np.ndarray[Any, np.dtype[np.floating[Any]]]


@dataclass(frozen=True, kw_only=True)
class Example:
    """Caption 0 is of picture 0, caption 1 of picture 1."""

    example_id: int
    captions: tuple[str, str]
    images: tuple[bytes, bytes]
    """The bytes of the pictures' files."""
    tag: str | None
    """What changes places between the captions, such as Object."""


def read_winoground(path: Path, *, allow_outside: bool = False) -> list[Example]:
    """The examples of a Parquet file, or of a folder with examples.jsonl and images.

    Args:
        path: A .parquet file with the columns id, image_0, image_1, caption_0, caption_1 and
            tag; or a folder that has it, or examples.jsonl with these fields, where image_0 is
            the name of a picture in images, with or without .png.
        allow_outside: Take pictures that do not lie in images too.

    Raises:
        DataError: Nothing of the kind is there, or an example lacks something; names it.
    """
    file = _file(path)
    rows = _parquet(file) if file.suffix == ".parquet" else _lines(file)
    found: dict[int, Example] = {}
    for where, row in rows:
        example = _example(row, where, file.parent / PICTURES, allow_outside)
        if example.example_id in found:
            raise DataError(f"{where} has the id {example.example_id} of an earlier example")
        found[example.example_id] = example
    if not found:
        raise DataError(f"{file} holds no example")
    return list(found.values())


def texts_of(examples: Sequence[Example]) -> list[str]:
    """2N captions: 0 and 1 of each example, one example after the other."""
    return [caption for example in examples for caption in example.captions]


def images_of(examples: Sequence[Example]) -> list[bytes]:
    """2N pictures: 0 and 1 of each example, one example after the other."""
    return [image for example in examples for image in example.images]


def compose(examples: Sequence[Example], text_vectors: Vectors, image_vectors: Vectors) -> pa.Table:
    """All four cosines of each example.

    Args:
        examples: N of them.
        text_vectors: floating [2N, D], of texts_of, projected; of any length but 0.
        image_vectors: floating [2N, D], of images_of, likewise.

    Returns:
        Columns of COMPOSITION, a row an example.

    Raises:
        DataError: Vectors of another shape, or one that has no direction.
    """
    n = len(examples)
    texts, images = np.asarray(text_vectors), np.asarray(image_vectors)
    if texts.ndim != 2 or texts.shape != images.shape or len(texts) != 2 * n:
        raise DataError(
            f"vectors must be [{2 * n}, D], two texts and two pictures an example, got "
            f"{list(texts.shape)} and {list(images.shape)}"
        )
    text, image = (_unit(x, what) for x, what in ((texts, "text"), (images, "picture")))
    # [example, caption, picture]
    cosine = text.reshape(n, 2, -1) @ image.reshape(n, 2, -1).transpose(0, 2, 1)
    columns = [
        pa.array([example.example_id for example in examples], pa.int64()),
        pa.array([example.tag for example in examples], pa.string()),
        *(pa.array(cosine[:, c, i], pa.float32()) for i in (0, 1) for c in (0, 1)),
    ]
    return pa.table(columns, schema=COMPOSITION)


def _unit(vectors: Vectors, what: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    wide = vectors.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    if not (np.isfinite(length) & (length > 0)).all():
        row = int(np.flatnonzero(~(np.isfinite(length) & (length > 0)))[0])
        raise DataError(
            f"{what} vector {row % 2} of example {row // 2} must be finite and not 0, got length "
            f"{length[row, 0]}"
        )
    unit: np.ndarray[Any, np.dtype[np.float64]] = wide / length
    return unit


def _file(path: Path) -> Path:
    if path.is_dir():
        found = [path / LINES] if (path / LINES).is_file() else sorted(path.glob("*.parquet"))
        if len(found) != 1:
            raise DataError(f"{path} must hold {LINES} or one .parquet file of examples")
        return found[0]
    if not os.path.isfile(path) or path.suffix not in (".parquet", ".jsonl"):
        raise DataError(f"{path} must be a .parquet file of examples, or a folder with {LINES}")
    return path


def _parquet(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    check_name(file)
    try:
        opened = pq.ParquetFile(file)
        names = opened.schema_arrow.names
        if lacking := [name for name in _NEEDED if name not in names]:
            raise DataError(f"{file} has no column {lacking[0]}, only {', '.join(names)}")
        check_once(file, names, (*_NEEDED, "tag"))
        wanted = [*_NEEDED, *(["tag"] if "tag" in names else [])]
        place = 0
        for batch in opened.iter_batches(16, columns=wanted):
            for row in batch.to_pylist():
                yield f"{file}, row {place}", row
                place += 1
    except DAMAGE as error:
        raise DataError(f"{file} cannot be read as Parquet: {first_line(error)}") from error


def _lines(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(read_text(file).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{file}, line {number}"
        row = parse_json(line, where)
        if not isinstance(row, dict):
            raise DataError(f"{where} must be an object, got {type(row).__name__}")
        yield where, row


def _example(row: dict[str, Any], where: str, folder: Path, allow_outside: bool) -> Example:
    example_id = row.get("id")
    if not isinstance(example_id, int) or isinstance(example_id, bool):
        raise DataError(f"{where} must have a whole number as id, got {short(example_id)}")
    if not -(2**63) <= example_id < 2**63:
        raise DataError(f"{where} must have an id of 64 bits, got {short(example_id)}")
    captions = clean(row.get("caption_0")), clean(row.get("caption_1"))
    if not all(captions):
        raise DataError(f"{where} must have caption_0 and caption_1, got {captions}")
    images = [
        _image(row.get(name), f"{name} of {where}", folder, allow_outside) for name in _NEEDED[1:3]
    ]
    tag = row.get("tag")
    return Example(
        example_id=example_id,
        captions=captions,
        images=(images[0], images[1]),
        tag=valid(tag) if isinstance(tag, str) else None if tag is None else short(tag),
    )


def _image(given: Any, where: str, folder: Path, allow_outside: bool) -> bytes:
    """A picture as a row has it: bytes, {bytes, path}, or its name."""
    if isinstance(given, dict):
        given = given["bytes"] if given.get("bytes") is not None else given.get("path")
    if isinstance(given, bytes) and given:
        return given
    if not isinstance(given, str) or not given:
        raise DataError(f"{where} must be a picture or the name of one, got {short(given)}")
    for suffix in _SUFFIXES:
        # each name on its own: one of them may be a link
        file = inside(folder, given + suffix, where, allow_outside=allow_outside)
        if os.path.isfile(file):
            return read_bytes(file, f"{where}: ")
    raise DataError(f"{where}: no picture {folder / given} or {folder / given}.png")
