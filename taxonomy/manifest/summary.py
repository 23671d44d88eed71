"""Counts of a manifest for the reader, however its questions are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taxonomy.manifest.draws import Bools
from taxonomy.manifest.shuffle import DROPPED, MOVED, STAYED, Labels
from taxonomy.manifest.world import World
from taxonomy.model import ManifestConfig


def share(part: Bools, whole: Bools) -> float:
    """How many are in a part, over how many are in the whole; 0 of nothing."""
    return float(part.sum()) / max(1, int(whole.sum()))


def summary_of(
    world: World,
    config: ManifestConfig,
    labels: Labels,
    held: Bools,
    questions: Mapping[str, Any],
) -> dict[str, Any]:
    """Counts of cells and leaves, together with those of questions.

    Args:
        world: The dataset.
        config: The resolved config.
        labels: The shuffle.
        held: bool [L, H].
        questions: The counts of questions.
    """
    labelled = labels.label_of >= 0
    truth = world.used[labels.label_of[labelled]]
    common = truth & world.claimed[labelled]
    return {
        "ratio_nominal": config.ratio,
        "ratio_realised_cells": share(held, world.cells),
        "ratio_realised_true_cells": share(held & world.used, world.used),
        "ratio_realised_false_cells": share(held & world.false, world.false),
        "n_true_cells": int(world.used.sum()),
        "n_false_cells": int(world.false.sum()),
        "n_excluded_cells": dict(world.n_excluded_cells),
        "n_excluded_leaf_pairs": world.n_excluded_leaf_pairs,
        **questions,
        "n_leaves_moved": int((labels.status == MOVED).sum()),
        "n_leaves_stayed": int((labels.status == STAYED).sum()),
        "n_leaves_dropped": int((labels.status == DROPPED).sum()),
        "n_moved_leaves_sharing_a_hypernym": int(
            (
                (world.claimed[labelled] & world.claimed[labels.label_of[labelled]]).any(axis=1)
                & (labels.status[labelled] == MOVED)
            ).sum()
        ),
        # share of the label leaves' true pairs that also hold of the leaf in the picture
        "label_overlap_ratio": share(common, truth),
        "exchanged_categories": [list(pair) for pair in labels.exchanged],
    }
