"""What trained projections answer: scored, and written beside their run."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from taxonomy.errors import ManifestError
from taxonomy.hashing import content_id
from xmodal.align.caption_pairs import check_texts
from xmodal.align.captions import CaptionSet
from xmodal.align.class_pairs import ClassWorld
from xmodal.align.projection import Aligner
from xmodal.align.ranking import Items, caption_tasks, zero_shot_tasks
from xmodal.align.run_folder import AlignFolder
from xmodal.align.text_features import TextFeatureSet
from xmodal.files import file_sha256, write_whole
from xmodal.provenance import command, now, versions
from xmodal.seals import sealed
from xmodal.tables import ANSWERS, COMPOSITIONS, EVALUATION, EVALUATIONS, WEIGHTS

SPLITS = ("train", "validation", "test")
_AT_A_TIME = 8192
"""Rows that are projected together."""

Edges = Callable[[int, int], int | None]
"""Edges between two classes in WordNet."""


@dataclass(frozen=True)
class Evaluated:
    """One scoring, made now or found."""

    evaluation_id: str
    path: Path
    made: bool


@torch.no_grad()
def embed(aligner: Aligner, side: str, features: Tensor) -> Tensor:
    """float32 [N, D] on the CPU, unit rows, of float [N, Dt] or [N, Dv]."""
    like = aligner.like
    parts = [
        aligner.embed(side, part.to(like.device, like.dtype)).float().cpu()
        for part in torch.split(features, _AT_A_TIME)
    ]
    return torch.cat(parts)


def answer_classes(
    aligner: Aligner,
    world: ClassWorld,
    *,
    split: str,
    unseen: Collection[int],
    trained: Collection[int],
    limit: Collection[int] | None = None,
    edges: Edges | None = None,
) -> pa.Table:
    """Zero-shot, seen, generalised and retrieval: columns of xmodal.align.ranking.ANSWER.

    Args:
        aligner: Trained, in evaluation mode.
        world: Whose pictures are shown and whose class texts are candidates.
        split: Of the pictures.
        unseen: Concept ids of the unseen classes.
        trained: Of the classes that training saw.
        limit: Pictures and candidates are of these classes only; None for no limit.
        edges: Between two classes; None leaves distances out.

    Raises:
        ManifestError: No picture is left to ask about.
    """
    within = set(world.class_ids) & set(world.class_ids if limit is None else limit)
    asked = within & (set(unseen) | set(trained))
    images = world.images(split, asked)
    if not len(images):
        raise ManifestError(
            f"no {split} picture shows one of the {len(asked)} classes to ask about: take another "
            "split or class list"
        )
    pictures = Items(
        ids=torch.from_numpy(images),
        vectors=embed(aligner, "image", world.vectors(images)),
        classes=torch.from_numpy(world.class_of(images)),
    )
    rows = [row for row, one in enumerate(world.class_ids) if one in asked]
    ids = torch.tensor(np.array(world.class_ids, dtype=np.int64)[rows])
    classes = Items(ids=ids, vectors=embed(aligner, "text", world.text[rows]), classes=ids)
    return zero_shot_tasks(
        pictures, classes, unseen=set(unseen) & asked, trained=set(trained) & asked, edges=edges
    )


def answer_captions(aligner: Aligner, captions: CaptionSet, texts: TextFeatureSet) -> pa.Table:
    """Retrieval both ways among all texts and pictures of a caption set: columns of ANSWER.

    Args:
        aligner: Trained, in evaluation mode.
        captions: What goes together, and the pictures' features.
        texts: Features of its texts, row by row.

    Raises:
        DataError: Text features of other texts.
    """
    check_texts(captions, texts)
    text, image = (torch.from_numpy(np.array(one.open())) for one in (texts, captions))
    table = captions.pairs()
    pairs = [torch.tensor(table[name].to_numpy()) for name in ("text_row", "image_row")]
    return caption_tasks(
        Items(ids=torch.arange(len(text)), vectors=embed(aligner, "text", text), classes=None),
        Items(ids=torch.arange(len(image)), vectors=embed(aligner, "image", image), classes=None),
        (pairs[0], pairs[1]),
    )


def write_evaluation(
    folder: AlignFolder,
    facts: Mapping[str, Any],
    identity: Mapping[str, Any],
    answer: Callable[[], Mapping[str, pa.Table]],
    device: str,
) -> Evaluated:
    """Score a run unless that was done and is whole, and write what an evaluation leaves.

    Args:
        folder: Of the run.
        facts: Columns of align_evaluation that say what was scored.
        identity: What else decides the answers, such as hashes of the features.
        answer: Gives the tables by file name.
        device: Where it computes.
    """
    weights = file_sha256(folder.path / WEIGHTS)
    made_id = content_id({**facts, **identity, "aligner": weights})
    path = folder.path / EVALUATIONS / made_id
    has_table = any((path / name).is_file() for name in (ANSWERS, COMPOSITIONS))
    if has_table and (path / EVALUATION).is_file():
        return Evaluated(made_id, path, made=False)
    started = time.monotonic()
    tables = answer()
    path.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        _write_table(path / name, table)
    record = {
        "evaluation_id": made_id,
        "run_id": folder.path.name,
        **facts,
        "aligner_sha256": weights,
        "seconds": round(time.monotonic() - started, 3),
        "device": device,
        "versions_json": json.dumps(versions(), sort_keys=True),
        "command": command(),
        "created_at": now(),
    }
    text = json.dumps(sealed(record, path, list(tables)), indent=1)
    write_whole(path / EVALUATION, lambda path: path.write_text(text))
    return Evaluated(made_id, path, made=True)


def _write_table(path: Path, table: pa.Table) -> None:
    write_whole(path, lambda part: pq.write_table(table, part, compression="zstd"))
