"""Separations in the store: who is unseen, who is seen at each level, and what still leaks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from taxonomy.hashing import canonical_json
from taxonomy.separation import Separation
from taxonomy.tables import LEAK, SEPARATION
from xmodal.store.rows import SeparationRow

if TYPE_CHECKING:
    from xmodal.store.store import Store

Part = tuple[str, str]
"""Level and arm."""


def add_separation(
    store: Store,
    made: Separation,
    leaks: Mapping[Part, pa.Table],
    created_at: str,
    text_feature_set_id: str | None = None,
) -> None:
    """Write a separation; nothing happens when it is there already.

    Args:
        store: Open, to write.
        made: The separation.
        leaks: By level and arm what the audit found; taxonomy.tables.LEAK.
        created_at: The time, as the store writes it.
        text_feature_set_id: Whose cosines level similar compares.
    """
    own = {"id": made.separation_id}
    text = "SELECT count(*) AS n FROM separation WHERE separation_id = $id"
    if store.query(text, own)["n"][0].as_py():
        return
    config = made.config
    row = SeparationRow(
        separation_id=made.separation_id,
        dataset_id=made.dataset_id,
        n_unseen=config.n_unseen,
        max_branch=config.max_branch,
        distance=config.distance,
        max_cosine=config.max_cosine,
        text_feature_set_id=text_feature_set_id,
        min_training=config.min_training,
        seed=config.seed,
        roots_json=json.dumps(made.roots),
        summary_json=canonical_json(dict(made.summary)),
        created_at=created_at,
    )
    owner = {"separation_id": made.separation_id}
    with store.transaction():
        store.insert_rows("separation", [row])
        store.insert("separation_class", made.classes, SEPARATION, owner)
        for (level, arm), table in leaks.items():
            where = owner | {"level": level, "arm": arm}
            store.insert("separation_leak", table, LEAK, where)
