"""Keyed draws for many items at once: the same digests as taxonomy.hashing, as arrays."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Bools: TypeAlias = npt.NDArray[np.bool_]
Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Keys: TypeAlias = npt.NDArray[np.uint64]


def keys64(seed: object, purpose: str, items: Iterable[object]) -> Keys:
    """The first 64 bits of taxonomy.hashing.hash_key of each item.

    Sorting by them gives the order of keyed_order.

    Args:
        seed: What the order depends on besides the items.
        purpose: Name of the draw, so that two draws with one seed are unrelated.
        items: Anything with a stable str().

    Returns:
        uint64 [n].
    """
    base = blake2b(f"{seed}|{purpose}|".encode())
    digests = bytearray()
    for item in items:
        state = base.copy()
        state.update(str(item).encode())
        digests += state.digest()[:8]
    return np.frombuffer(bytes(digests), dtype=">u8").astype(np.uint64)


def ids63(seed: object, pairs: Iterable[tuple[object, object]]) -> Ints:
    """taxonomy.hashing.hash63 of (seed, first, second) for many pairs.

    Args:
        seed: The parts before the pair, joined by "|".
        pairs: The last two parts.

    Returns:
        int64 [n], each below 2**63.
    """
    base = blake2b(f"{seed}|".encode(), digest_size=8)
    digests = bytearray()
    for first, second in pairs:
        state = base.copy()
        state.update(f"{first}|{second}".encode())
        digests += state.digest()
    return (np.frombuffer(bytes(digests), dtype=">u8") >> np.uint64(1)).astype(np.int64)


def take_distinct(draws: Keys, n_items: int) -> Ints:
    """Turn random numbers into distinct positions, the first k nested in k.

    Column k picks among the positions that columns 0..k-1 have left over.

    Args:
        draws: uint64 [n, k], independent random numbers; k at most n_items.
        n_items: How many positions there are.

    Returns:
        int64 [n, k], positions in [0, n_items), distinct within a row.
    """
    n_rows, n_draws = draws.shape
    picked = np.empty((n_rows, n_draws), dtype=np.int64)
    for k in range(n_draws):
        position = (draws[:, k] % np.uint64(n_items - k)).astype(np.int64)
        for taken in np.sort(picked[:, :k], axis=1).T:
            position += position >= taken
        picked[:, k] = position
    return picked
