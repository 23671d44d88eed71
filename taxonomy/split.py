"""Splits within a leaf: whole groups go to test, validation or training, in hash order."""

from __future__ import annotations

from collections.abc import Mapping

from taxonomy.errors import DataError
from taxonomy.hashing import keyed_order

TEST_SHARE = 0.25
VALIDATION_SHARE = 0.05
MIN_GROUPS_FOR_VALIDATION = 4


def split_leaf(leaf: str, groups: Mapping[str, int], seed: int) -> dict[str, str]:
    """Give each group of a leaf's images one split.

    Groups are taken in hash order: to test until it has its share of the images, then to
    validation where the leaf has at least four groups, the rest to training.

    Args:
        leaf: Name of the leaf; part of the order's key.
        groups: Number of images of each group, at least 1.
        seed: Seed of the order.

    Returns:
        train, validation or test by group: at least one group in train and one in test.

    Raises:
        DataError: The leaf has fewer than two groups.
    """
    n_images = sum(groups.values())
    if len(groups) < 2:
        raise DataError(
            f"leaf {leaf!r} has {n_images} image(s) in {len(groups)} group(s); it needs at least "
            "two groups, one to train and one to test"
        )
    order = keyed_order(groups, seed, f"split|{leaf}")
    to_validate = len(groups) >= MIN_GROUPS_FOR_VALIDATION
    kept = 2 if to_validate else 1
    test = _until(order, groups, TEST_SHARE * n_images, spare=kept)
    rest = order[len(test) :]
    validation = _until(rest, groups, VALIDATION_SHARE * n_images, spare=1) if to_validate else []
    chosen = dict.fromkeys(order, "train")
    chosen.update(dict.fromkeys(validation, "validation"))
    chosen.update(dict.fromkeys(test, "test"))
    return chosen


def _until(order: list[str], groups: Mapping[str, int], enough: float, spare: int) -> list[str]:
    """The first groups that come nearest to enough images; at least one, all but spare at most."""
    taken, n_taken = [order[0]], groups[order[0]]
    for group in order[1 : len(order) - spare]:
        # half of the next group would already be too much
        if n_taken + groups[group] / 2 > enough:
            break
        taken.append(group)
        n_taken += groups[group]
    return taken
