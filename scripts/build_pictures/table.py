"""The Parquet file of the bundle from drawn pictures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from scripts.build_pictures.concepts import Concept
from scripts.build_pictures.near_duplicates import Pair
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


def in_order(pictures: Iterable[Picture]) -> list[Picture]:
    """By concept, style and glyph: the position is the image id."""
    return sorted(pictures, key=lambda p: (p.concept, p.style, p.glyph))


def make_table(
    ordered: Sequence[Picture], concepts: Iterable[Concept], pairs: Iterable[Pair]
) -> pa.Table:
    """All columns of the bundle.

    Args:
        ordered: The pictures, from in_order.
        concepts: What the pictures show.
        pairs: Near-duplicates among the pictures, by position.

    Returns:
        A table with SCHEMA.
    """
    styles = {style.name: style for style in STYLES}
    by_name = {concept.name: concept for concept in concepts}
    splits = _splits(ordered, [c.name for c in by_name.values() if not c.inner], pairs)
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


def _splits(
    ordered: Sequence[Picture], leaves: Iterable[str], pairs: Iterable[Pair]
) -> dict[str, dict[str, str]]:
    """Leaf to family to split."""
    family = {style.name: style.family for style in STYLES}
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for picture in ordered:
        counts[picture.concept][family[picture.style]] += 1
    lookalikes = defaultdict(list)
    for pair in sorted(pairs, key=lambda p: (-p.closeness, p.first, p.second)):
        a, b = ordered[pair.first], ordered[pair.second]
        if a.concept == b.concept and family[a.style] != family[b.style]:
            lookalikes[a.concept].append((family[a.style], family[b.style]))
    return {leaf: split_families(leaf, counts[leaf], lookalikes[leaf]) for leaf in leaves}


def write_table(table: pa.Table, path: Path) -> None:
    """Write without compressing the pictures again: PNG is compressed already."""
    pq.write_table(
        table,
        path,
        compression={name: "NONE" if name == "png" else "ZSTD" for name in table.column_names},
        use_dictionary=["concept", "synset", "style", "family", "split", "license", "attribution"],
    )
