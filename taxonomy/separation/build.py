"""One separation of one dataset: unseen branches first, then levels and their controls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa

from taxonomy import tables
from taxonomy.errors import ManifestError
from taxonomy.hashing import content_id, keyed_order
from taxonomy.model import Taxonomy
from taxonomy.separation.classes import Classes, read_classes
from taxonomy.separation.levels import Tie, removed_at
from taxonomy.separation.model import ARMS, RANDOM, SIMILAR, Removed, Separation, SeparationConfig
from taxonomy.separation.nouns import read_nouns
from taxonomy.separation.similarity import Matrix, check_pair
from taxonomy.separation.unseen import draw_unseen
from taxonomy.wordnet import WordNet


def build_separation(
    taxonomy: Taxonomy,
    config: SeparationConfig,
    wordnet: WordNet,
    *,
    features: Matrix | None = None,
) -> Separation:
    """Draw the unseen classes of a dataset and what each level removes around them.

    Args:
        taxonomy: The dataset.
        config: Its settings.
        wordnet: The WordNet that the dataset was built with.
        features: floating [C, D], text features of the leaves by concept id; with max_cosine
            they make level similar.

    Raises:
        ConfigError: max_cosine without features, or features without it.
        DataError: A leaf's synset is in another WordNet, or features do not fit.
        ManifestError: Whole branches do not make up n_unseen classes, or a level leaves fewer
            than min_training.
    """
    classes = read_classes(taxonomy, read_nouns(wordnet))
    return separate(taxonomy.dataset_id, classes, config, features=features)


def separate(
    dataset_id: str, classes: Classes, config: SeparationConfig, *, features: Matrix | None = None
) -> Separation:
    """build_separation for classes that are read already."""
    check_pair(features, config.max_cosine)
    unseen, roots = draw_unseen(classes, config.n_unseen, config.max_branch, config.seed)
    levels = {
        level: ties
        for level, ties in removed_at(classes, unseen, config, features).items()
        if level in (*config.levels, SIMILAR)
    }
    _check_size(classes, unseen, levels, config)
    taken = set(unseen)
    others = [row for row in range(len(classes)) if row not in taken]
    order = _random_order(classes, others, config.seed)
    rows = {
        level: ([*unseen, *ties], [*unseen, *order[: len(ties)]]) if level != "none" else ([], [])
        for level, ties in levels.items()
    }
    removed = {
        level: Removed(separated=_ids(classes, separated), control=_ids(classes, control))
        for level, (separated, control) in rows.items()
    }
    ids = _ids(classes, unseen)
    identity = {
        "dataset": dataset_id,
        **config.as_dict(),
        "features": _features_id(features),
        "unseen": ids,
        "removed": {level: [arms.separated, arms.control] for level, arms in removed.items()},
    }
    return Separation(
        separation_id=content_id(identity),
        dataset_id=dataset_id,
        config=config,
        unseen=ids,
        roots=tuple(roots),
        removed=removed,
        classes=_table(classes, unseen, levels, removed),
        summary=_summary(classes, unseen, levels),
    )


def _random_order(classes: Classes, rows: Sequence[int], seed: int) -> list[int]:
    """The rows in the order in which controls remove them, the same at every level."""
    row_of = {classes.keys[row]: row for row in rows}
    return [row_of[key] for key in keyed_order(row_of, seed, "control")]


def _ids(classes: Classes, rows: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(classes.ids[row] for row in rows))


def _features_id(features: Matrix | None) -> str | None:
    if features is None:
        return None
    array = np.ascontiguousarray(features, dtype="<f8")
    return sha256(str(array.shape).encode() + array.tobytes()).hexdigest()


def _check_size(
    classes: Classes,
    unseen: Sequence[int],
    levels: Mapping[str, Mapping[int, Tie]],
    config: SeparationConfig,
) -> None:
    for level, ties in levels.items():
        n_unseen = 0 if level == "none" else len(unseen)
        left = len(classes) - n_unseen - len(ties)
        if left < config.min_training:
            means = {"branch": ", a smaller distance", SIMILAR: ", a larger max_cosine"}
            raise ManifestError(
                f"level {level} leaves {left} of {len(classes)} classes in training ({n_unseen} "
                f"unseen, {len(ties)} too near to them), fewer than min_training "
                f"{config.min_training}; take fewer unseen{means.get(level, '')}, or leave the "
                "level out"
            )


def _table(
    classes: Classes,
    unseen: Sequence[int],
    levels: Mapping[str, Mapping[int, Tie]],
    removed: Mapping[str, Removed],
) -> pa.Table:
    """One row a level, arm and class."""
    taken, columns = set(unseen), _columns()
    for level, ties in levels.items():
        for arm in ARMS:
            out = set(removed[level].of(arm))
            for row, class_id in enumerate(classes.ids):
                gone = class_id in out and row not in taken
                tie = ties.get(row) if gone and arm == "separated" else None
                status = "unseen" if row in taken else "removed" if gone else "seen"
                values = {
                    "level": level,
                    "arm": arm,
                    "class_id": class_id,
                    "status": status,
                    "in_training": class_id not in out,
                    "reason": tie.relation if tie else RANDOM if gone else None,
                    "unseen_id": classes.ids[tie.unseen] if tie else None,
                    "detail": tie.detail if tie else None,
                }
                for name, value in values.items():
                    columns[name].append(value)
    return pa.Table.from_pydict(columns, schema=tables.SEPARATION)


def _columns() -> dict[str, list[Any]]:
    return {name: [] for name in tables.SEPARATION.names}


def _summary(
    classes: Classes, unseen: Sequence[int], levels: Mapping[str, Mapping[int, Tie]]
) -> dict[str, Any]:
    """Counts for the reader; no part of the separation's identity."""
    return {
        "wordnet_version": classes.nouns.version,
        "n_classes": len(classes),
        "n_unplaced": classes.n_unplaced,
        "n_unseen": len(unseen),
        "levels": {
            level: {
                "n_unseen": len(unseen),
                "n_seen": len(classes) - len(unseen) - len(ties),
                "n_removed": len(ties),
                "n_removed_by_reason": dict(
                    sorted(Counter(tie.relation for tie in ties.values()).items())
                ),
            }
            for level, ties in levels.items()
        },
    }
