"""Arrow tables of a manifest, their canonical order and their hash."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from taxonomy.manifest.draws import Bools, Ints
from taxonomy.manifest.questions import Questions, asked_ids, example_ids
from taxonomy.manifest.shuffle import STATUSES, Labels
from taxonomy.manifest.world import World
from taxonomy.model import SPLITS
from taxonomy.tables import CELL, EXAMPLE, LABEL

KINDS = ("leaf", "hypernym")
QUESTION_SETS = ("leaf", "held_out", "seen", "unasked")
SORT_KEYS = (
    ("cell", ("leaf_id", "hypernym_id")),
    ("label", ("image_leaf_id",)),
    ("example", ("image_id", "asked_id")),
)


def _words(vocabulary: Sequence[str], codes: Ints) -> pa.Array:
    return pa.array(vocabulary, pa.string()).take(pa.array(codes))


def cell_table(world: World, held: Bools) -> pa.Table:
    """The cell universe, by leaf and hypernym."""
    leaf, hypernym = np.nonzero(world.cells)
    return pa.Table.from_arrays(
        [
            pa.array(world.leaves.ids[leaf], pa.int32()),
            pa.array(world.hypernyms.ids[hypernym], pa.int32()),
            pa.array(world.used[leaf, hypernym]),
            pa.array(held[leaf, hypernym]),
        ],
        schema=CELL,
    )


def label_table(world: World, labels: Labels) -> pa.Table:
    """The shuffle, by image leaf."""
    none = labels.label_of < 0
    return pa.Table.from_arrays(
        [
            pa.array(world.leaves.ids, pa.int32()),
            pa.array(world.leaves.ids[labels.label_of], pa.int32(), mask=none),
            _words(STATUSES, labels.status),
        ],
        schema=LABEL,
    )


def with_added(
    world: World, labels: Labels, questions: Questions, image: Ints, hypernym: Ints
) -> Questions:
    """Questions plus a hypernym No about each given image, in canonical order."""
    if not len(image):
        return questions
    about = np.concatenate([questions.about_hypernym, np.ones(len(image), dtype=np.bool_)])
    asked = np.concatenate([questions.asked, hypernym])
    images = np.concatenate([questions.image, image])
    added_ids = example_ids(world, labels.shuffle_id, image, world.hypernyms.ids[hypernym])
    order = np.lexsort((asked_ids(world, about, asked), world.image_ids[images]))
    return Questions(
        example_id=np.concatenate([questions.example_id, added_ids])[order],
        image=images[order],
        label=labels.label_of[world.image_leaf[images]][order],
        about_hypernym=about[order],
        asked=asked[order],
        answer=np.concatenate([questions.answer, np.zeros(len(image), dtype=np.bool_)])[order],
        shortfall=questions.shortfall,
    )


def example_table(
    world: World, questions: Questions, in_cell: Bools, in_training: Bools, taught: Bools
) -> pa.Table:
    """One row a question, by image and asked concept.

    Args:
        world: The dataset.
        questions: Q questions.
        in_cell: bool [Q], the question's cell is held out.
        in_training: bool [Q].
        taught: bool [H], the hypernym has a training Yes.
    """
    about = questions.about_hypernym
    question_set = np.zeros(len(questions), dtype=np.int64)
    question_set[about] = np.where(
        in_cell[about], 1, np.where(taught[questions.asked[about]], 2, 3)
    )
    return pa.Table.from_arrays(
        [
            pa.array(questions.example_id),
            pa.array(world.image_ids[questions.image], pa.int32()),
            _words(SPLITS, world.image_split[questions.image]),
            pa.array(world.leaves.ids[questions.label], pa.int32()),
            pa.array(asked_ids(world, about, questions.asked), pa.int32()),
            _words(KINDS, about.astype(np.int64)),
            pa.array(questions.answer),
            pa.array(in_cell, mask=~about),
            _words(QUESTION_SETS, question_set),
            pa.array(in_training),
        ],
        schema=EXAMPLE,
    )


def rows_sha256(cells: pa.Table, labels: pa.Table, examples: pa.Table) -> str:
    """Hash of the rows of a manifest, whatever order they are in; see tables_sha256."""
    return tables_sha256(
        (name, keys, table)
        for (name, keys), table in zip(SORT_KEYS, (cells, labels, examples), strict=True)
    )


def tables_sha256(named: Iterable[tuple[str, Sequence[str], pa.Table]]) -> str:
    """Hash of the rows of some tables, each with its name and the columns it is sorted by.

    Each column counts by its name, its nulls and its values as little-endian 64-bit integers
    (strings as positions in their sorted values, lists by their lengths and values).
    """
    digest = sha256()
    for name, keys, table in named:
        sorted_table = table.sort_by([(key, "ascending") for key in keys])
        digest.update(f"{name}|{len(table)}".encode())
        for column in table.column_names:
            digest.update(f"|{column}|".encode())
            digest.update(_column_bytes(sorted_table[column].combine_chunks()))
    return digest.hexdigest()


def _column_bytes(column: Any) -> bytes:
    if pa.types.is_list(column.type):
        return _column_bytes(pc.list_value_length(column)) + _column_bytes(column.flatten())
    nulls = column.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_string(column.type):
        encoded = column.dictionary_encode()
        vocabulary = [str(word) for word in encoded.dictionary.to_pylist()]
        ranks = np.argsort(np.argsort(vocabulary)) if vocabulary else np.empty(0, dtype=np.int64)
        codes = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
        values = np.where(nulls, 0, ranks[codes] if vocabulary else 0)
        head = "|".join(sorted(vocabulary)).encode()
    else:
        values = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        head = b""
    return head + np.packbits(nulls).tobytes() + values.astype("<i8").tobytes()
