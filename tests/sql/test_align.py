"""Golden numbers of the analyses of alignment: text features, separations and their leaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from taxonomy.errors import StoreError
from taxonomy.separation import Removed, Separation, SeparationConfig
from taxonomy.tables import LEAK, SEPARATION
from tests.xmodal.store import world
from tests.xmodal.store.empty import empty_store
from tests.xmodal.store.world import PARROT, RUBY, SAW
from xmodal.store import Store
from xmodal.store.rows import CaptionSetRow, TextFeatureSetRow


@pytest.fixture
def store() -> Iterator[Store]:
    with empty_store() as opened:
        opened.add_taxonomy(world.taxonomy())
        yield opened


def separation(separation_id: str = "s1") -> Separation:
    """Parrots are unseen; at branch rubies are too near, in the control saws go in their place."""
    config = SeparationConfig(n_unseen=1, min_training=1, levels=("none", "branch"))
    parrot = {"class_id": PARROT, "status": "unseen"}
    classes: list[dict[str, Any]] = []
    for arm in ("separated", "control"):
        at: dict[str, Any] = {"level": "none", "arm": arm, "in_training": True}
        classes.append(at | parrot)
        classes += [at | {"class_id": leaf, "status": "seen"} for leaf in (RUBY, SAW)]
        out = RUBY if arm == "separated" else SAW
        near = {"reason": "distance", "unseen_id": PARROT, "detail": "2"}
        why = near if arm == "separated" else {"reason": "random"}
        at = {"level": "branch", "arm": arm}
        classes.append(at | parrot | {"in_training": False})
        classes.append(at | why | {"class_id": out, "status": "removed", "in_training": False})
        left = SAW if arm == "separated" else RUBY
        classes.append(at | {"class_id": left, "status": "seen", "in_training": True})
    return Separation(
        separation_id=separation_id,
        dataset_id="d1",
        config=config,
        unseen=(PARROT,),
        roots=("bird.n.01",),
        removed={
            "none": Removed(separated=(), control=()),
            "branch": Removed(separated=(PARROT, RUBY), control=(PARROT, SAW)),
        },
        classes=pa.Table.from_pylist(
            [dict.fromkeys(SEPARATION.names) | row for row in classes], schema=SEPARATION
        ),
        summary={"n_unplaced": 0},
    )


def leak(seen: int, relation: str, **more: Any) -> dict[str, Any]:
    given = {"unseen_id": PARROT, "seen_id": seen, "relation": relation}
    return dict.fromkeys(LEAK.names) | given | more


LEAKS = {
    ("none", "separated"): [leak(PARROT, "identity"), leak(RUBY, "distance", distance=2)],
    ("none", "control"): [leak(PARROT, "identity"), leak(RUBY, "distance", distance=2)],
    ("branch", "separated"): [],
    ("branch", "control"): [leak(RUBY, "distance", distance=2)],
}


def add(store: Store, made: Separation) -> None:
    found = {part: pa.Table.from_pylist(rows, schema=LEAK) for part, rows in LEAKS.items()}
    store.add_separation(made, found)


def test_separation_counts_by_level_and_arm(store: Store) -> None:
    add(store, separation())
    # a second time nothing comes in twice
    add(store, separation())
    add(store, separation("t2"))
    rows = store.analysis("separation", separation="s").to_pylist()
    names = ("level", "arm", "n_unseen", "n_removed", "n_training", "n_leaks", "n_leaking")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("none", "separated", 1, 0, 3, 2, 1),
        ("none", "control", 1, 0, 3, 2, 1),
        ("branch", "separated", 1, 1, 1, 0, 0),
        ("branch", "control", 1, 1, 1, 1, 1),
    ]
    assert {row["separation_id"] for row in store.analysis("separation").to_pylist()} == {
        "s1",
        "t2",
    }


def test_a_separation_comes_back_as_it_was(store: Store) -> None:
    add(store, separation())
    add(store, separation("s2"))
    got, want = store.load_separation("s1"), separation()
    assert got.classes.equals(want.classes)
    assert replace(got, classes=None) == replace(want, classes=None)
    with pytest.raises(StoreError, match=r"^separation 's' is ambiguous: s1, s2$"):
        store.load_separation("s")


def test_leaks_are_named(store: Store) -> None:
    add(store, separation())
    rows = store.analysis("leaks", level="none", arm="separated").to_pylist()
    assert [(r["unseen"], r["seen"], r["relation"], r["distance"]) for r in rows] == [
        ("parrot", "parrot", "identity", None),
        ("parrot", "ruby", "distance", 2),
    ]
    assert store.analysis("leaks", level="branch", arm="separated").num_rows == 0
    # in the order of the levels
    levels = [row["level"] for row in store.analysis("leaks").to_pylist()]
    assert levels == ["none"] * 4 + ["branch"]


def test_text_features_are_listed_by_lm(store: Store) -> None:
    given: dict[str, Any] = {
        "dataset_id": "d1",
        "templates_json": '["name"]',
        "lm_revision": None,
        "lm_hash": "h",
        "lm_init": "pretrained",
        "lm_kind": "decoder",
        "n_lm_parameters": 10,
        "pooling": "last",
        "layer": "last",
        "longest": 512,
        "n_rows": 3,
        "n_texts": 3,
        "n_cut": 0,
        "n_unknown": 1,
        "width": 16,
        "sha256": "f",
        "path": "text-features/a",
        "names": None,
        "texts_sha256": None,
    }
    for made_id, lm in (("a1", "bert"), ("a0", "qwen")):
        store.add_text_feature_set(TextFeatureSetRow(text_feature_set_id=made_id, lm=lm, **given))
    moved = given | {"path": "elsewhere"}
    store.add_text_feature_set(TextFeatureSetRow(text_feature_set_id="a1", lm="bert", **moved))
    rows = store.analysis("text-features").to_pylist()
    assert [(row["text_feature_set_id"], row["lm"]) for row in rows] == [
        ("a0", "qwen"),
        ("a1", "bert"),
    ]
    assert "elsewhere" in store.query("FROM text_feature_set")["path"].to_pylist()


def test_caption_sets_are_listed_by_name(store: Store) -> None:
    given: dict[str, Any] = {
        "caption_set_id": "c1",
        "name": "b",
        "source": "parquet",
        "encoder": "vit",
        "revision": "r",
        "weights_sha256": None,
        "layer": "last",
        "pooling": "cls",
        "width": 4,
        "n_pairs": 5,
        "n_texts": 4,
        "n_images": 3,
        "n_skipped": 1,
        "sha256": "x",
        "path": "captions/c1",
    }
    store.add_caption_set(CaptionSetRow(**given))
    store.add_caption_set(CaptionSetRow(**given | {"caption_set_id": "c2", "name": "a"}))
    # one with a new name is there once
    store.add_caption_set(CaptionSetRow(**given | {"name": "c"}))
    rows = store.analysis("caption-sets").to_pylist()
    assert [(row["caption_set_id"], row["name"]) for row in rows] == [("c2", "a"), ("c1", "c")]
    shown = given | {"name": "c"}
    assert rows[1] == {name: shown[name] for name in rows[1]}
    counts = ["n_pairs", "n_texts", "n_images", "n_skipped"]
    assert list(rows[1])[-4:] == counts
