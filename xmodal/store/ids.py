"""Ids as users give them: whole, by their beginning, or left out."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from taxonomy.errors import StoreError, unknown

log = logging.getLogger(__name__)
"""Says which dataset a command took where none was named and there are several."""


def resolve_id(kind: str, given: str, ids: list[str]) -> str:
    """The id that is given or that begins so; StoreError if there is none or several."""
    matches = [given] if given in ids else [name for name in ids if name.startswith(given)]
    if not ids:
        raise StoreError(f"no {kind} {given!r}: the store holds none yet")
    if not matches or not given:
        raise StoreError(unknown(kind, given, ids))
    if len(matches) > 1:
        raise StoreError(f"{kind} {given!r} is ambiguous: {', '.join(sorted(matches)[:5])}")
    return matches[0]


def dataset_meant(given: str | None, ids: Sequence[str], path: str) -> str:
    """The dataset that is named, or the latest, which is said where there are others.

    Args:
        given: An id or its beginning; None for the latest.
        ids: Those of the store, oldest first.
        path: The store, for messages.

    Raises:
        StoreError: No dataset yet, or an id that is unknown or ambiguous.
    """
    if not ids:
        raise StoreError(
            f"{path} holds no dataset: `xmodal taxonomy build --store {path}` adds one"
        )
    if given is not None:
        return resolve_id("dataset", given, list(ids))
    if len(ids) > 1:
        log.info(
            "took dataset %s, the latest of %d: --dataset names another, `xmodal taxonomy list` "
            "shows them",
            ids[-1],
            len(ids),
        )
    return ids[-1]
