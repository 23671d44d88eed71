"""How a rebuilt table differs from another one, picture by picture."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from scripts.build_pictures.phash import pixels

Key = tuple[str, str, str]


def by_key(table: pa.Table) -> dict[Key, bytes]:
    """(concept, style, emoji) to PNG bytes."""
    columns = (table[name].to_pylist() for name in ("concept", "style", "emoji", "png"))
    return {
        (concept, style, emoji): png for concept, style, emoji, png in zip(*columns, strict=True)
    }


def compare(ours: dict[Key, bytes], theirs: dict[Key, bytes]) -> str:
    """A few lines: pairs on one side only, identical pictures, pixel differences (0 to 255)."""
    common = sorted(ours.keys() & theirs.keys())
    distances = [
        np.abs(pixels(ours[key]).astype(int) - pixels(theirs[key])).mean() for key in common
    ]
    differing = sorted(
        ((distance, key) for distance, key in zip(distances, common, strict=True) if distance),
        reverse=True,
    )
    lines = [
        f"only ours: {sorted(ours.keys() - theirs.keys())}",
        f"only theirs: {sorted(theirs.keys() - ours.keys())}",
        f"in both: {len(common)}, of equal bytes: {sum(ours[k] == theirs[k] for k in common)}",
        f"mean absolute pixel difference: {np.mean(distances):.4f} of 255",
    ]
    lines += [f"  {distance:.2f} {' / '.join(key)}" for distance, key in differing[:20]]
    return "\n".join(lines)
