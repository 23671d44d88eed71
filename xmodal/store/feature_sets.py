"""Feature sets in the store: where they lie, what made them, which pictures they lack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from xmodal.store.rows import FeatureSetRow, SkippedImageRow

if TYPE_CHECKING:
    from xmodal.store.store import Store

SKIPPED_IMAGE = pa.schema(
    [
        pa.field("feature_set_id", pa.string(), nullable=False),
        pa.field("image_id", pa.int32(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
    ]
)


def replace_feature_set(
    store: Store, row: FeatureSetRow, skipped: Sequence[SkippedImageRow] = ()
) -> None:
    """Write a feature set over what is stored of it; one that has moved gets its new path.

    Args:
        store: Open, to write.
        row: The set.
        skipped: Its pictures without features.
    """
    own = {"id": row.feature_set_id}
    with store.transaction():
        store.execute("DELETE FROM feature_set WHERE feature_set_id = $id", own)
        store.execute("DELETE FROM skipped_image WHERE feature_set_id = $id", own)
        store.insert_rows("feature_set", [row])
        table = pa.Table.from_pylist([one.values() for one in skipped], schema=SKIPPED_IMAGE)
        store.insert("skipped_image", table, SKIPPED_IMAGE)
