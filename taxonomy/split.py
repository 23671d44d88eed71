"""Splits within a leaf: whole groups go to test, validation or training, in hash order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from taxonomy.errors import DataError
from taxonomy.hashing import keyed_order
from taxonomy.manifest.draws import Ints, Keys
from taxonomy.model import SPLITS

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


def split_groups(leaf: Ints, keys: Keys, group: Ints | None = None) -> Any:
    """Split the images of many leaves at once, by the rule of split_leaf.

    Groups are taken in the order of the least key of their images.

    Args:
        leaf: int [N], number of the leaf.
        keys: uint64 [N], of each image.
        group: int64 [N], number of the group below 2**32; None: each image is one.

    Returns:
        int8 [N]: position in SPLITS. A leaf with one group has test images alone.
    """
    order = np.lexsort((keys, leaf))
    if group is not None:
        # images by leaf and group, these by the first of their images in the order of keys
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        pair = leaf.astype(np.int64) << 32 | group
        _, member = np.unique(pair, return_inverse=True)
        first = np.full(int(member.max()) + 1, len(order), dtype=np.int64)
        np.minimum.at(first, member, place)
        order = np.argsort(first[member], kind="stable")
        begins = np.flatnonzero(np.diff(member[order], prepend=-1))
    else:
        begins = np.arange(len(order))
    sizes = np.diff(begins, append=len(order))
    of_group = _split_sizes(leaf[order[begins]], sizes)
    split = np.empty(len(order), dtype=np.int8)
    split[order] = np.repeat(of_group, sizes)
    return split


def _split_sizes(leaf: Ints, sizes: Ints) -> Any:
    """int8 [G]: the split of each group, groups of a leaf side by side and in order."""
    starts = np.flatnonzero(np.diff(leaf, prepend=-1))
    n_groups = np.diff(starts, append=len(leaf))
    own = np.repeat(np.arange(len(starts)), n_groups)
    before = np.cumsum(sizes) - sizes
    n_images = np.add.reduceat(sizes, starts)
    before -= before[starts][own]
    index = np.arange(len(leaf)) - starts[own]
    to_validate = n_groups >= MIN_GROUPS_FOR_VALIDATION
    spare = np.where(to_validate, 2, 1)
    # half of the next group would already be too much
    reach = before + sizes / 2
    test = (index == 0) | (
        (index < (n_groups - spare)[own]) & (reach <= TEST_SHARE * n_images[own])
    )
    n_test = np.add.reduceat(test.astype(np.int64), starts)
    in_test = np.add.reduceat(np.where(test, sizes, 0), starts)
    rest = index - n_test[own]
    validation = (rest == 0) | (
        (rest > 0)
        & (rest < (n_groups - n_test - 1)[own])
        & (reach - in_test[own] <= VALIDATION_SHARE * n_images[own])
    )
    validation &= to_validate[own]
    split = np.where(validation, SPLITS.index("validation"), SPLITS.index("train"))
    return np.where(test, SPLITS.index("test"), split).astype(np.int8)
