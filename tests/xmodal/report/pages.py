"""A store for pages: hostile names, a picture that is there and one that is gone."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
from PIL import Image

from taxonomy.model import Manifest, Taxonomy
from taxonomy.tables import EXAMPLE, IMAGE
from tests.xmodal.store import world
from tests.xmodal.store.world import BIRD, PARROT, RUBY, SAW
from xmodal.store import Store

EVIL = """<script>alert("x")</script>' & <img src=x onerror=alert(1)>"""
"""Name of the hypernym that world calls bird."""


def picture(path: Path, colour: str) -> str:
    """Write a picture; its sha256."""
    Image.new("RGB", (200, 100), colour).save(path)
    return sha256(path.read_bytes()).hexdigest()


def taxonomy(folder: Path) -> Taxonomy:
    """world's, with pictures in files: 0 of a parrot, 1 of a ruby that is gone."""
    of = world.taxonomy()
    parrot = folder / "parrot.png"
    images = [
        (0, PARROT, "test", None, None, picture(parrot, "green"), str(parrot)),
        (1, RUBY, "test", None, None, "ab", str(folder / "secret" / "ruby.png")),
    ]
    names = [EVIL if name == "bird" else name for name in of.concepts["name"].to_pylist()]
    place = of.concepts.schema.get_field_index("name")
    concepts = of.concepts.set_column(place, of.concepts.schema.field(place), pa.array(names))
    return replace(of, concepts=concepts, images=world.table(IMAGE, images))


def manifest(**knobs: object) -> Manifest:
    """Two held-out questions about the hypernym, of different pictures, and two about leaves."""
    questions = [
        (1, PARROT, BIRD, True, "held_out"),
        (2, RUBY, BIRD, False, "held_out"),
        (3, SAW, SAW, True, "leaf"),
        (4, SAW, RUBY, False, "leaf"),
    ]
    of = world.manifest(questions, **knobs)
    rows = of.examples.to_pylist()
    rows[1]["image_id"] = 1
    return replace(of, examples=pa.Table.from_pylist(rows, schema=EXAMPLE))


def fill(store: Store, folder: Path) -> None:
    """Pretrained and random weights, all removed: the former right, the latter always No."""
    store.add_taxonomy(taxonomy(folder))
    store.add_feature_set(world.feature_set())
    of = manifest(design="random", ratio=1.0)
    store.add_manifest(of)
    right = [(1, True), (2, False), (3, True), (4, False)]
    world.run_folder(folder / "runs", "aaa1", of, right)
    no = [(n, False) for n in range(1, 5)]
    world.run_folder(folder / "runs", "bbb1", of, no, lm_init="random", seed_init=7)
    assert store.sync(folder / "runs").rejected == ()
