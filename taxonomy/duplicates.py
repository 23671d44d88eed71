"""Near-duplicates across splits: pictures that look alike by their perceptual hashes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MAX_BITS = 4
"""Hashes of 64 bits that differ in no more than this look alike."""


def near_duplicates(
    hashes: NDArray[np.uint64], splits: Sequence[str | None], max_bits: int = MAX_BITS
) -> list[tuple[int, int, int]]:
    """Pairs of pictures in different splits whose hashes almost agree.

    Args:
        hashes: uint64 [n], perceptual hashes.
        splits: n splits; a picture in None is in no pair.
        max_bits: The most bits in which two hashes may differ.

    Returns:
        (first row, second row, differing bits), nearest first, first < second.
    """
    codes = {name: i for i, name in enumerate(sorted({s for s in splits if s is not None}))}
    code = np.array([-1 if split is None else codes[split] for split in splits])
    found: list[tuple[int, int, int]] = []
    for i in np.flatnonzero(code >= 0):
        bits = np.bitwise_count(hashes[i + 1 :] ^ hashes[i])
        later = code[i + 1 :]
        alike = np.flatnonzero((bits <= max_bits) & (later >= 0) & (later != code[i]))
        found += [(int(bits[step]), int(i), int(i + 1 + step)) for step in alike]
    return [(i, j, n_bits) for n_bits, i, j in sorted(found)]
