"""Pairs of pictures that look nearly the same."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scripts.build_pictures.phash import hamming, phash, pixels

MAX_HAMMING = 6
"""Perceptual hashes this close make a pair, bits of 64."""
MIN_COSINE = 0.95
"""So does ink this similar: catches plain discs, where the hash is noise."""
_SIDE = 32


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two pictures, by position, that look nearly the same."""

    first: int
    second: int
    n_bits: int
    """Hamming distance of the perceptual hashes, 0 to 64."""
    cosine: float
    """Cosine of the ink (white minus colour) at 32 x 32 pixels, 0 to 1."""

    @property
    def closeness(self) -> float:
        """The larger of the cosine and the share of equal hash bits, 0 to 1."""
        return max(self.cosine, 1 - self.n_bits / 64)


def find_pairs(pngs: Sequence[bytes]) -> list[Pair]:
    """All pairs within MAX_HAMMING or MIN_COSINE, by brute force."""
    hashes = np.array([phash(png) for png in pngs], dtype=np.uint64)
    ink = np.stack([_ink(png) for png in pngs])
    pairs = []
    for first in range(len(pngs) - 1):
        n_bits = hamming(hashes[first], hashes[first + 1 :])
        cosine = ink[first + 1 :] @ ink[first]
        near = np.flatnonzero((n_bits <= MAX_HAMMING) | (cosine >= MIN_COSINE))
        pairs += [
            Pair(
                first=first,
                second=first + 1 + int(step),
                n_bits=int(n_bits[step]),
                cosine=float(cosine[step]),
            )
            for step in near
        ]
    return pairs


def _ink(png: bytes) -> np.ndarray:
    """float64 [32 * 32 * 3], unit length: white minus colour, 2 x 2 pixels averaged."""
    colour = pixels(png).reshape(_SIDE, 2, _SIDE, 2, 3).mean(axis=(1, 3))
    ink = (255.0 - colour).ravel()
    return ink / max(float(np.linalg.norm(ink)), 1e-9)


def write_pairs(pairs: Sequence[Pair], rows: Sequence[dict], path: Path) -> None:
    """The pairs that lie in different splits, as CSV: same leaf first, closest first."""
    crossing = [
        (rows[p.first], rows[p.second], p)
        for p in pairs
        if rows[p.first]["split"]
        and rows[p.second]["split"]
        and rows[p.first]["split"] != rows[p.second]["split"]
    ]
    crossing.sort(key=lambda c: (c[0]["concept"] != c[1]["concept"], c[2].n_bits, -c[2].cosine))
    named = ("image_id", "concept", "style", "split")
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["same_leaf", "n_bits", "ink_cosine"]
            + [f"{name}_{side}" for side in ("a", "b") for name in named]
        )
        for a, b, pair in crossing:
            same = str(a["concept"] == b["concept"]).lower()
            writer.writerow(
                [
                    same,
                    pair.n_bits,
                    f"{pair.cosine:.3f}",
                    *(row[n] for row in (a, b) for n in named),
                ]
            )
