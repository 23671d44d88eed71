"""Orders and identities that are the same in every process and on every machine."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import blake2b, sha256
from typing import Any, TypeVar

T = TypeVar("T")


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def content_id(value: Any) -> str:
    """The first 16 hex digits of the sha256 of the canonical JSON of a value."""
    return sha256(canonical_json(value).encode()).hexdigest()[:16]


def hash_key(seed: object, purpose: str, item: object) -> bytes:
    """The sort key that replaces random sampling: a 64-byte keyed digest."""
    return blake2b(f"{seed}|{purpose}|{item}".encode()).digest()


def keyed_order(items: Iterable[T], seed: object, purpose: str) -> list[T]:
    """Items in an order that depends only on seed, purpose and the items themselves.

    The first n of it are nested in n, do not depend on PYTHONHASHSEED and can be
    computed in partitions.
    """
    return sorted(items, key=lambda item: hash_key(seed, purpose, item))


def hash63(*parts: object) -> int:
    """The first 63 bits of the hash of the parts, as a non-negative integer."""
    text = "|".join(str(part) for part in parts)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def unit_interval(*parts: object) -> float:
    """A number in [0, 1) that depends only on the parts."""
    return hash63(*parts) / float(1 << 63)
