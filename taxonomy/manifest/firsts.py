"""The first n of many in hash order, found over partitions that exchange counts alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from taxonomy.manifest.draws import Bools, Floats, Ints, Keys

_LAST = np.uint64(2**64 - 1)
_ANY = np.iinfo(np.int64).max


@dataclass
class Phase:
    """What one phase of a build moves between machines."""

    rounds: int = 0
    bytes_up: int = 0
    """From the partitions to the one that merges."""
    bytes_down: int = 0
    """From the one that merges to the partitions."""
    bytes_across: int = 0
    """Between partitions."""


@dataclass
class Traffic:
    """What goes between machines, by phase."""

    phases: dict[str, Phase] = field(default_factory=lambda: defaultdict(Phase))
    state_bytes: int = 0
    """The most that the merging side holds at a time of what it was sent."""

    def holds(self, arrays: Sequence[npt.NDArray[Any]]) -> None:
        """Note what the merging side holds at a time."""
        self.state_bytes = max(self.state_bytes, sum(array.nbytes for array in arrays))

    def up(self, phase: str, arrays: Sequence[npt.NDArray[Any]]) -> None:
        """Count what each partition sends, one round."""
        self.phases[phase].rounds += 1
        self.phases[phase].bytes_up += sum(array.nbytes for array in arrays)
        self.holds(arrays)

    def down(self, phase: str, array: npt.NDArray[Any], n_partitions: int) -> None:
        """Count what every partition is sent."""
        self.phases[phase].bytes_down += array.nbytes * n_partitions

    def across(self, phase: str, arrays: Sequence[npt.NDArray[Any]]) -> None:
        """Count what one partition sends to another."""
        self.phases[phase].bytes_across += sum(array.nbytes for array in arrays)


class Keyed:
    """The candidates of one partition in G groups, each in the order of (key, item)."""

    def __init__(self, groups: Sequence[tuple[Keys, Ints]]) -> None:
        """Take keys and items of each group; an item is the same number on every partition."""
        orders = [np.lexsort((items, keys)) for keys, items in groups]
        self.keys = [keys[o] for (keys, _), o in zip(groups, orders, strict=True)]
        self.items = [items[o] for (_, items), o in zip(groups, orders, strict=True)]

    def at_most(self, cuts: Keys) -> Ints:
        """int64 [G]: candidates with keys up to a cut a group."""
        pairs = zip(self.keys, cuts, strict=True)
        return np.array([np.searchsorted(k, cut, "right") for k, cut in pairs], dtype=np.int64)

    def below(self, cuts: Keys) -> Ints:
        """int64 [G]: candidates with keys below a cut a group."""
        pairs = zip(self.keys, cuts, strict=True)
        return np.array([np.searchsorted(k, cut, "left") for k, cut in pairs], dtype=np.int64)

    def at(self, group: int, cut: np.uint64) -> Ints:
        """Items of a group with this key, ascending."""
        start, stop = (np.searchsorted(self.keys[group], cut, side) for side in ("left", "right"))
        return self.items[group][start:stop]

    def take(self, cuts: Keys, bounds: Ints) -> list[Ints]:
        """Items of each group below its cut, or at it and not above its bound."""
        taken = []
        for group, n_below in enumerate(self.below(cuts)):
            at = self.at(group, cuts[group])
            n = n_below + np.searchsorted(at, bounds[group], "right")
            taken.append(self.items[group][:n])
        return taken


def first(
    partitions: Sequence[Keyed], quota: Ints, traffic: Traffic, phase: str
) -> list[list[Ints]]:
    """The first items of each group over all partitions, in the order of (key, item).

    A bisection over the 64 bits of the keys: a round asks every partition how many candidates lie
    up to a cut. It ends for a group when the cut parts off exactly its quota, after about as many
    rounds as its number of candidates has binary digits. Only items with equal keys are sent.

    Args:
        partitions: Candidates of each.
        quota: int64 [G], how many; fewer where there are not as many.
        traffic: Counts what is sent.
        phase: Under which name.

    Returns:
        For each partition and group the chosen items that it holds, in that order.
    """
    n_groups = len(quota)
    counts = [one.at_most(np.full(n_groups, _LAST)) for one in partitions]
    traffic.up(phase, counts)
    total = sum(counts, np.zeros(n_groups, dtype=np.int64))
    low, high = np.zeros(n_groups, dtype=np.uint64), np.full(n_groups, _LAST)
    bounds = np.where(quota <= 0, -1, _ANY)
    cuts = np.where(quota >= total, _LAST, np.uint64(0))
    open_: Bools = (quota > 0) & (quota < total)
    while open_.any():
        middle = low + (high - low) // np.uint64(2)
        traffic.down(phase, middle[open_], len(partitions))
        counts = [one.at_most(middle) for one in partitions]
        traffic.up(phase, [count[open_] for count in counts])
        found = sum(counts, np.zeros(n_groups, dtype=np.int64))
        enough = found >= quota
        high, low = np.where(enough, middle, high), np.where(enough, low, middle + np.uint64(1))
        exact = open_ & (found == quota)
        cuts = np.where(exact, middle, cuts)
        tied = open_ & ~exact & (low == high)
        for group in np.flatnonzero(tied):
            cuts[group] = low[group]
            n = int(quota[group])
            bounds[group] = _bound(partitions, int(group), cuts[group], n, traffic, phase)
        open_ &= ~exact & ~tied
    traffic.down(phase, np.stack([cuts.view(np.int64), bounds]), len(partitions))
    return [one.take(cuts, bounds) for one in partitions]


def _bound(
    partitions: Sequence[Keyed],
    group: int,
    cut: np.uint64,
    quota: int,
    traffic: Traffic,
    phase: str,
) -> int:
    """The last item that is chosen among those with the cut's own key."""
    below = [one.below(np.full(len(one.keys), cut))[[group]] for one in partitions]
    at = [one.at(group, cut) for one in partitions]
    traffic.up(phase, [*below, *at])
    return int(np.sort(np.concatenate(at))[quota - int(np.sum(below)) - 1])


def spread(sizes: Ints, offsets: Floats, wanted: int) -> Ints:
    """How many of each group lie among the first places of evenly spread groups.

    The member of rank r in a group of n lies at (r + offset) / n: which places are first follows
    from the sizes alone. Equal places count in the order of the groups.

    Args:
        sizes: int64 [G], n of each group.
        offsets: float64 [G], in [0, 1).
        wanted: How many places; at most the sum of the sizes.

    Returns:
        int64 [G], with sum wanted.
    """
    n = np.maximum(sizes, 1)

    def at_most(place: float) -> Ints:
        # the rank that the place would have, and its neighbours, for what rounding does
        guess = np.clip(np.floor(place * n - offsets), -1, n).astype(np.int64)
        ranks = guess[:, None] + np.arange(-1, 2)
        fits = (ranks >= 0) & (ranks < sizes[:, None])
        fits &= (ranks + offsets[:, None]) / n[:, None] <= place
        found: Ints = np.where(fits, ranks + 1, 0).max(axis=1)
        return found

    # numbers from 0 on are ordered as their bits are
    low, high = 0, int(np.float64(2.0).view(np.int64))
    while low < high:
        middle = (low + high) // 2
        if int(at_most(_float(middle)).sum()) >= wanted:
            high = middle
        else:
            low = middle + 1
    last = _float(low)
    before = at_most(float(np.nextafter(last, -1.0)))
    tied = np.flatnonzero(at_most(last) > before)
    before[tied[: wanted - int(before.sum())]] += 1
    return before


def _float(bits: int) -> float:
    return float(np.int64(bits).view(np.float64))
