"""The canonical split: whole style families, chosen apart for every leaf."""

from __future__ import annotations

from collections.abc import Collection

from taxonomy.hashing import keyed_order

SEED = 0


def split_families(leaf: str, groups: Collection[tuple[str, ...]]) -> dict[str, str]:
    """The split of every style family of one leaf.

    Args:
        leaf: Name of the leaf; together with a group it decides the order.
        groups: The leaf's families, those that must stay together in one tuple.

    Returns:
        Family to train, validation or test.
    """
    order = keyed_order(sorted(groups), SEED, f"split|{leaf}")
    n_test, n_validation = _shares(len(order))
    split = {}
    for rank, group in enumerate(order):
        if rank < n_test:
            name = "test"
        elif rank < n_test + n_validation:
            name = "validation"
        else:
            name = "train"
        split |= dict.fromkeys(group, name)
    return split


def _shares(n_groups: int) -> tuple[int, int]:
    """How many groups test and validate, of n."""
    return (2 if n_groups >= 8 else 1), (1 if n_groups >= 4 else 0)
