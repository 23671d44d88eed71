"""Draws that follow from a few numbers: places in a fixed order, taken at a stride.

Where questions are too many to list, each must follow from what is kept. Pictures, and leaves,
stand in one order by a hash; a hypernym takes those at (start + k * stride) mod n for k = 0, 1, 2
and so on, start and stride by a hash of its own. The same arithmetic is in sql/views.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from taxonomy.hashing import hash63, unit_interval
from taxonomy.manifest.draws import Ints, Keys

PRIME = 2**31 - 1
"""Keys of cells are below it. It is above the number of leaves: no two of a hypernym are equal."""
ID_SHIFT = 2**31
"""An example's id is image_id * ID_SHIFT + asked_id, xor a mask of the shuffle."""
_BLOCK = 1 << 18


def mixed64(seed: int, ids: Ints | Keys) -> Keys:
    """Different 64-bit keys of different ids, as SplitMix64 mixes a counter.

    Args:
        seed: Below 2**63.
        ids: [n], not negative.

    Returns:
        uint64 [n].
    """
    z = ids.astype(np.uint64)
    z *= np.uint64(0x9E3779B97F4A7C15)
    z += np.uint64(seed)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z ^= z >> np.uint64(shift)
        z *= np.uint64(factor)
    z ^= z >> np.uint64(31)
    return z


def coprime(n: int, *parts: object) -> int:
    """A stride through n places that visits all of them, by a hash of the parts."""
    stride = 1 + hash63(*parts) % n
    while math.gcd(stride, n) > 1:
        stride += 1
    return stride


def id_mask(dataset_id: str, shuffle_id: str) -> int:
    """What tells the example ids of a shuffle from those of others; below 2**62."""
    return hash63(dataset_id, shuffle_id, "strided-example") >> 1


def take(label_at: Any, state: Any, start: int, stride: int, wanted: int) -> tuple[int, int, int]:
    """Draw pictures at a stride until enough of them are a No.

    Args:
        label_at: int [n], of the picture at each place the row of its label leaf; L for none.
        state: int8 [L + 1], of a leaf's cell: 0 not false, 1 false, 2 false and held out.
        start: First place.
        stride: Coprime to n.
        wanted: No wanted.

    Returns:
        How many were drawn, how many of these are a No, and how many No are held out. The last
        one drawn is a No, unless all n were drawn.
    """
    n, drawn, found, held = len(label_at), 0, 0, 0
    while drawn < n and found < wanted:
        size = min(n - drawn, _BLOCK, (wanted - found) * 5 // 4 + 64)
        places = (start + np.arange(drawn, drawn + size, dtype=np.int64) * stride) % n
        got = state[label_at[places]]
        n_no = int(np.count_nonzero(got))
        if found + n_no > wanted:
            got = got[: int(np.flatnonzero(got)[wanted - found - 1]) + 1]
            n_no = wanted - found
        elif found + n_no == wanted:
            got = got[: int(np.flatnonzero(got)[-1]) + 1]
        drawn, found = drawn + len(got), found + n_no
        held += int(np.count_nonzero(got == 2))
    return drawn, found, held


def quotas(sizes: Sequence[tuple[str, int]], ratio: float, seed: int, answer: bool) -> list[int]:
    """How many cells of each hypernym a random pair design holds out.

    The cell of rank r among n lies at (r + u) / n, u of the group; the round(ratio N) smallest of
    all are held out, equal ones by hypernym. See taxonomy.manifest.ablation.pair_positions.

    Args:
        sizes: Key and number of cells of each hypernym.
        ratio: Share held out, 0 to 1.
        seed: Of the design.
        answer: Of the cells.

    Returns:
        One number a hypernym; each grows with the ratio.
    """
    total = sum(n for _, n in sizes)
    target = round(ratio * total)
    # the last position held out lies this near to the ratio: each hypernym strays by a cell
    slack = (len(sizes) + 1) / max(1, total)
    counts, near = [], []
    for group, (key, n) in enumerate(sizes):
        offset = unit_interval(seed, "pair-offset", key, answer)
        low = max(0, math.floor((ratio - slack) * n) - 1)
        high = min(n, math.ceil((ratio + slack) * n) + 1)
        near += [((rank + offset) / n, group) for rank in range(low, high)]
        counts.append(low)
    for _, group in sorted(near)[: target - sum(counts)]:
        counts[group] += 1
    return counts


def smallest(keys: Ints, n: int) -> int:
    """A bound below which lie exactly n of different keys, all below PRIME."""
    return PRIME if n >= len(keys) else int(np.partition(keys, n)[n])


def jumps(skipped: Ints) -> Ints:
    """Where counting places must jump over some: see unskipped.

    Args:
        skipped: int64 [m], ascending, different.
    """
    return skipped - np.arange(len(skipped))


def unskipped(index: Ints, jump: Ints) -> Ints:
    """The places of the index-th of those that are not skipped, index from 0."""
    return index + np.searchsorted(jump, index, side="right")


def key_of(a: Ints, b: Ints, x: Ints) -> Ints:
    """Keys of cells, int64 below PRIME; a, b of the hypernym, x of the leaf."""
    return (a * x + b) % PRIME
