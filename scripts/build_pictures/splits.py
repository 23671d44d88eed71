"""The canonical split: whole style families, chosen apart for every leaf."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from taxonomy.hashing import keyed_order

SEED = 0
Group = tuple[str, ...]


def split_families(
    leaf: str, families: Mapping[str, int], lookalikes: Iterable[tuple[str, str]] = ()
) -> dict[str, str]:
    """The split of every style family of one leaf.

    Families that drew the leaf nearly alike are put into the same split. Of n families
    one tests (two of 8), and one validates where n is 4 or more; the rest trains.

    Args:
        leaf: Name of the leaf; it decides the order of the families.
        families: Family to its number of pictures of this leaf.
        lookalikes: Pairs of families to keep together, the closest first. Pairs are
            passed over once too few families would be left that stand alone.

    Returns:
        Family to train, validation or test.
    """
    n_test, n_validation = _shares(len(families))
    groups = _join({(family,) for family in families}, lookalikes, n_test + n_validation)
    order = keyed_order(sorted(groups), SEED, f"split|{leaf}")
    if len(families) == 2:
        order.sort(key=lambda group: families[group[0]])
    split = dict.fromkeys(families, "train")
    for name, n_wanted in (("test", n_test), ("validation", n_validation)):
        for group in order:
            if len(group) <= n_wanted and split[group[0]] == "train":
                split |= dict.fromkeys(group, name)
                n_wanted -= len(group)
    return split


def _shares(n_families: int) -> tuple[int, int]:
    """How many families test and validate, of n."""
    return (2 if n_families >= 8 else 1), (1 if n_families >= 4 else 0)


def _join(
    groups: Collection[Group], lookalikes: Iterable[tuple[str, str]], n_alone: int
) -> set[Group]:
    """Groups united along the pairs, while at least n_alone groups of one family are left."""
    joined = set(groups)
    for pair in lookalikes:
        touched = {group for group in joined if set(group) & set(pair)}
        after = (joined - touched) | {tuple(sorted(f for group in touched for f in group))}
        if sum(len(group) == 1 for group in after) >= n_alone:
            joined = after
    return joined
