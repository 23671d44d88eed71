"""Separations in the store: who is unseen, who is seen at each level, and what still leaks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from taxonomy.errors import ConfigError, unknown
from taxonomy.hashing import canonical_json
from taxonomy.model import one_of
from taxonomy.separation.model import (
    ARMS,
    LEVELS,
    SIMILAR,
    Removed,
    Separation,
    SeparationConfig,
)
from taxonomy.tables import LEAK, SEPARATION
from xmodal.store.ids import resolve_id
from xmodal.store.rows import SeparationRow

if TYPE_CHECKING:
    from xmodal.store.store import Store

Where = tuple[str, str]
"""Level and arm."""


def add_separation(
    store: Store,
    made: Separation,
    leaks: Mapping[Where, pa.Table],
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


@dataclass(frozen=True)
class Part:
    """The classes of a separation at one level, in one arm: concept ids."""

    unseen: frozenset[int]
    trained: frozenset[int]
    """What training may see: at level none the unseen classes too."""


_CLASSES = """
SELECT class_id, status, in_training
FROM separation_class
WHERE separation_id = $id AND level = $level AND arm = $arm
"""
_LEVELS = """
SELECT DISTINCT level
FROM separation_class
WHERE separation_id = $id
"""


def levels_of(store: Store, separation_id: str) -> list[str]:
    """The levels of a stored separation, in their order."""
    there = store.query(_LEVELS, {"id": separation_id})["level"].to_pylist()
    return [level for level in (*LEVELS, SIMILAR) if level in there]


def load_part(store: Store, separation_id: str, level: str, arm: str) -> Part:
    """Who is seen and unseen at a level, in an arm.

    Raises:
        ConfigError: The separation has no such level, or there is no such arm.
    """
    one_of("arm", arm, ARMS)
    if level not in (there := levels_of(store, separation_id)):
        raise ConfigError(f"separation {separation_id}: {unknown('level', level, there)}")
    rows = store.query(_CLASSES, {"id": separation_id, "level": level, "arm": arm}).to_pylist()
    return Part(
        frozenset(row["class_id"] for row in rows if row["status"] == "unseen"),
        frozenset(row["class_id"] for row in rows if row["in_training"]),
    )


def load_separation(store: Store, given: str) -> Separation:
    """A separation as it was made.

    Args:
        store: Open, to read.
        given: Its id or the beginning of it.

    Raises:
        StoreError: An id that is unknown or ambiguous.
    """
    ids = store.query("SELECT separation_id FROM separation")["separation_id"].to_pylist()
    found = {"id": resolve_id("separation", given, ids)}
    (row,) = store.query("SELECT * FROM separation WHERE separation_id = $id", found).to_pylist()
    text = "SELECT * FROM separation_class WHERE separation_id = $id ORDER BY rowid"
    classes = store.query(text, found).select(SEPARATION.names).cast(SEPARATION)
    rows = classes.to_pylist()
    levels = list(dict.fromkeys(one["level"] for one in rows))
    out: dict[Where, set[int]] = {}
    for one in rows:
        ids_out = out.setdefault((one["level"], one["arm"]), set())
        if not one["in_training"]:
            ids_out.add(one["class_id"])
    removed = {
        level: Removed(
            separated=tuple(sorted(out[level, "separated"])),
            control=tuple(sorted(out[level, "control"])),
        )
        for level in levels
    }
    return Separation(
        separation_id=row["separation_id"],
        dataset_id=row["dataset_id"],
        config=SeparationConfig(
            n_unseen=row["n_unseen"],
            max_branch=row["max_branch"],
            distance=row["distance"],
            levels=tuple(level for level in levels if level in LEVELS),
            max_cosine=row["max_cosine"],
            min_training=row["min_training"],
            seed=row["seed"],
        ),
        unseen=tuple(sorted({r["class_id"] for r in rows if r["status"] == "unseen"})),
        roots=tuple(json.loads(row["roots_json"])),
        removed=removed,
        classes=classes,
        summary=json.loads(row["summary_json"]),
    )
