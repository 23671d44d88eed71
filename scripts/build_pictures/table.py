"""The Parquet file of the bundle from drawn pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from scripts.build_pictures.concepts import Concept
from scripts.build_pictures.phash import phash
from scripts.build_pictures.sources import STYLES
from scripts.build_pictures.splits import split_families

SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.int32(), nullable=False),
        pa.field("concept", pa.string(), nullable=False),
        pa.field("synset", pa.string(), nullable=False),
        pa.field("wn_offset", pa.int32(), nullable=False),
        pa.field("style", pa.string(), nullable=False),
        pa.field("family", pa.string(), nullable=False),
        pa.field("split", pa.string()),
        pa.field("emoji", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("license", pa.string(), nullable=False),
        pa.field("attribution", pa.string(), nullable=False),
        pa.field("phash", pa.uint64(), nullable=False),
        pa.field("png", pa.binary(), nullable=False),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One drawing of one concept."""

    concept: str
    style: str
    glyph: str
    png: bytes


def make_table(pictures: Iterable[Picture], concepts: Iterable[Concept]) -> pa.Table:
    """All columns of the bundle, rows sorted by concept, style and glyph."""
    styles = {style.name: style for style in STYLES}
    by_name = {concept.name: concept for concept in concepts}
    ordered = sorted(pictures, key=lambda p: (p.concept, p.style, p.glyph))
    families = defaultdict(set)
    for picture in ordered:
        families[picture.concept].add(styles[picture.style].family)
    splits = {
        name: split_families(name, [(family,) for family in found])
        for name, found in families.items()
        if not by_name[name].inner
    }
    rows = []
    for image_id, picture in enumerate(ordered):
        style, concept = styles[picture.style], by_name[picture.concept]
        rows.append(
            {
                "image_id": image_id,
                "concept": concept.name,
                "synset": concept.synset,
                "wn_offset": concept.offset,
                "style": style.name,
                "family": style.family,
                "split": splits.get(concept.name, {}).get(style.family),
                "emoji": picture.glyph,
                "sha256": sha256(picture.png).hexdigest(),
                "license": style.license,
                "attribution": style.attribution,
                "phash": phash(picture.png),
                "png": picture.png,
            }
        )
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def write_table(table: pa.Table, path: Path) -> None:
    """Write without compressing the pictures again: PNG is compressed already."""
    pq.write_table(
        table,
        path,
        compression={name: "NONE" if name == "png" else "ZSTD" for name in table.column_names},
        use_dictionary=["concept", "synset", "style", "family", "split", "license", "attribution"],
    )
