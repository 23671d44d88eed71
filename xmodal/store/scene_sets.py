"""Scene sets in the store: where they lie, and what made them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from xmodal.store.ids import resolve_id
from xmodal.store.rows import Row

if TYPE_CHECKING:
    from xmodal.store.store import Store


class SceneSetRow(Row):
    """One set of rendered scenes."""

    scene_set_id: str
    encoder: str
    revision: str
    weights_sha256: str | None
    layer: str
    scene_layout: Literal["fixed", "jittered", "random"]
    size_from: float
    size_to: float
    n_colours: int
    n_shapes: int
    n_from: int
    n_to: int
    n_scenes: int
    side: int
    n_image_tokens: int
    width: int
    seed: int
    sha256: str
    path: str


def add_scene_set(store: Store, row: SceneSetRow) -> None:
    """Write a scene set over what is stored of it; one that has moved gets its new path.

    Args:
        store: Open, to write.
        row: The set.
    """
    with store.transaction():
        store.execute("DELETE FROM scene_set WHERE scene_set_id = $id", {"id": row.scene_set_id})
        store.insert_rows("scene_set", [row])


def load_scene_set_row(store: Store, given: str) -> SceneSetRow:
    """A stored scene set by its id or the beginning of it.

    Raises:
        StoreError: An id that is unknown or ambiguous.
    """
    rows = store.query("FROM scene_set ORDER BY scene_set_id").to_pylist()
    chosen = resolve_id("scene set", given, [row["scene_set_id"] for row in rows])
    (row,) = [row for row in rows if row["scene_set_id"] == chosen]
    return SceneSetRow(**row)
