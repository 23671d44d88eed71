"""Text features on disk: one vector a row, what it was read from, and what read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from taxonomy.errors import DataError
from taxonomy.hashing import content_id
from taxonomy.reading import read_json, record_of
from xmodal.align.parts import chunk_paths, join_chunks, part_folder, put, write_chunk
from xmodal.arrays import map_npy
from xmodal.files import file_sha256
from xmodal.lms.reader import LONGEST, Pooling, TextReader, Tokenised
from xmodal.parquet import read_exactly

ARRAY, TEXTS, DESCRIPTION = "features.npy", "texts.parquet", "text_feature_set.json"
CHUNK = 4096
"""Rows that are made, written and noted together."""
SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        # of the class; NULL for a text that stands for itself
        pa.field("concept_id", pa.int32()),
        pa.field("texts", pa.list_(pa.string()), nullable=False),
    ]
)

Progress = Callable[[int, int], None]
"""Called with (texts done, texts in all)."""


@dataclass(frozen=True, kw_only=True)
class TextSource:
    """What is read: a row each, its vector the mean of those of its texts."""

    texts: list[list[str]]
    concept_id: list[int] | None = None
    dataset_id: str | None = None
    """Whose classes they are; None for texts of a file."""
    templates: tuple[str, ...] = ()
    names: str | None = None
    """Language or origin of class names that a user gave; None for the dataset's own."""

    @property
    def table(self) -> pa.Table:
        """Columns of SCHEMA."""
        ids: Sequence[int | None] = self.concept_id or [None] * len(self.texts)
        columns = [list(range(len(self.texts))), ids, self.texts]
        return pa.table(columns, schema=SCHEMA)

    @property
    def sha256(self) -> str:
        """Of the texts in their order, and of the classes that they stand for."""
        return content_id({"texts": self.texts, "concepts": self.concept_id})


_ANEW = "delete its folder to read the texts anew"


@dataclass(frozen=True, kw_only=True)
class TextFeatureSet:
    """A finished set."""

    text_feature_set_id: str
    dataset_id: str | None
    templates: tuple[str, ...]
    lm: str
    lm_revision: str | None
    lm_hash: str
    lm_init: str
    lm_kind: str
    n_lm_parameters: int
    pooling: str
    layer: str
    longest: int
    n_texts: int
    n_cut: int
    """Texts that were longer than longest."""
    n_unknown: int
    """Texts with a word that the tokenizer does not know."""
    width: int
    sha256: str
    path: Path
    names: str | None = None
    """Language or origin of class names that a user gave; None for the dataset's own."""
    texts_sha256: str | None = None
    """Of what was read; None for sets that were made before it was kept."""

    def open(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The memory-mapped array, float32 [N, D], read-only.

        Raises:
            DataError: The file is missing or damaged.
        """
        path = self.path / ARRAY
        loaded: np.ndarray[Any, np.dtype[np.float32]] = map_npy(path, _ANEW)
        if loaded.shape[1:] != (self.width,) or loaded.dtype != np.float32:
            raise DataError(
                f"{path} must hold float32 [N, {self.width}], got {loaded.dtype} "
                f"{list(loaded.shape)}; {_ANEW}"
            )
        return loaded

    def table(self) -> pa.Table:
        """What each row was read from; columns of SCHEMA."""
        return read_exactly(self.path / TEXTS, SCHEMA)


def text_feature_set_id(source: TextSource, lm: TextReader, pooling: Pooling, longest: int) -> str:
    """Hash of texts, whose they are, weights and what is taken; s2 is last under another name."""
    name = "last" if pooling.name == "s2" else pooling.name
    whose = {"dataset": source.dataset_id, "names": source.names}
    return content_id(
        {
            "texts": source.sha256,
            "lm": lm.sha256,
            "pooling": name,
            "layer": pooling.layer,
            "longest": longest,
            "tokens": lm.tokens_id,
            **{key: value for key, value in whose.items() if value is not None},
        }
    )


def make_text_features(
    source: TextSource,
    lm: TextReader,
    root: Path,
    *,
    pooling: Pooling | None = None,
    longest: int = LONGEST,
    batch_tokens: int | None = None,
    progress: Progress | None = None,
) -> tuple[TextFeatureSet, bool]:
    """Read texts, unless that was done; a call that was stopped goes on where it was.

    Args:
        source: What is read.
        lm: What reads.
        root: Folder of the sets; one subfolder each, put in place by one rename.
        pooling: None for the sound one of the reader.
        longest: Tokens of a text, at most.
        batch_tokens: Of a batch; None for what suits the device.
        progress: Called after each batch.

    Returns:
        The set, and whether it had to be made.

    Raises:
        ConfigError: A pooling or layer that the reader does not have.
        DataError: A text that gives no finite vector.
    """
    pooling = pooling or lm.pooling()
    made_id = text_feature_set_id(source, lm, pooling, longest)
    if (root / made_id / DESCRIPTION).is_file():
        return load_text_features(root / made_id), False
    flat = [text for texts in source.texts for text in texts]
    read = lm.tokenise(flat, pooling, longest)
    part = root / f".{made_id}.part"
    with part_folder(part):
        width = _fill(part, source, lm, pooling, read, batch_tokens, progress)
        pq.write_table(source.table, part / TEXTS)
        found = _described(part, made_id, source, lm, pooling, longest, read, width)
        put(part, found.path, DESCRIPTION, asdict(found))
    return load_text_features(found.path), True


def _described(
    part: Path,
    made_id: str,
    source: TextSource,
    lm: TextReader,
    pooling: Pooling,
    longest: int,
    read: Sequence[Tokenised],
    width: int,
) -> TextFeatureSet:
    """What is said of a set whose array is there."""
    return TextFeatureSet(
        text_feature_set_id=made_id,
        dataset_id=source.dataset_id,
        templates=source.templates,
        lm=lm.name,
        lm_revision=lm.revision,
        lm_hash=lm.sha256,
        lm_init=lm.init,
        lm_kind=lm.kind,
        n_lm_parameters=lm.n_parameters,
        pooling=pooling.name,
        layer=pooling.layer,
        longest=longest,
        n_texts=len(read),
        n_cut=sum(one.cut for one in read),
        n_unknown=sum(one.unknown for one in read),
        width=width,
        sha256=file_sha256(part / ARRAY),
        path=part.parent / made_id,
        names=source.names,
        texts_sha256=source.sha256,
    )


def _fill(
    part: Path,
    source: TextSource,
    lm: TextReader,
    pooling: Pooling,
    read: Sequence[Tokenised],
    batch_tokens: int | None,
    progress: Progress | None,
) -> int:
    """Make the array: chunks that are there stay, the others are made. Gives its width."""
    n_rows = len(source.texts)
    total, done = len(read), 0

    def told(n: int) -> None:
        nonlocal done
        done += n
        if progress is not None:
            progress(done, total)

    notes = chunk_paths(part, n_rows, CHUNK)
    there = [start for start, note in notes.items() if note.is_file()]
    told(sum(len(texts) for start in there for texts in source.texts[start : start + CHUNK]))
    at = 0
    for start, note in notes.items():
        chunk = source.texts[start : start + CHUNK]
        flat = [text for texts in chunk for text in texts]
        own_read = read[at : at + len(flat)]
        at += len(flat)
        if start not in there:
            vectors = lm.encode(
                flat, pooling, batch_tokens=batch_tokens, on_batch=told, read=own_read
            )
            means = torch.stack(
                [one.mean(0) for one in torch.split(vectors, [len(texts) for texts in chunk])]
            ).numpy()
            write_chunk(note, means)
    chunks = [map_npy(note, _ANEW) for note in notes.values()]
    width = int(chunks[0].shape[1])
    join_chunks(part / ARRAY, (n_rows, width), chunks)
    return width


def load_text_features(path: Path) -> TextFeatureSet:
    """A finished set.

    Raises:
        DataError: There is none, or its description is damaged.
    """
    try:
        return record_of(TextFeatureSet, read_json(path / DESCRIPTION), DESCRIPTION, path=path)
    except DataError as error:
        raise DataError(
            f"{path} holds no whole text features ({error}); delete it to read the texts anew"
        ) from error


def same_rows(texts: Sequence[str]) -> list[list[str]]:
    """Texts that stand for themselves, each once, in the order of their first appearance."""
    return [[text] for text in dict.fromkeys(texts)]
