"""Shuffles: which leaf's labels the pictures of a leaf carry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from taxonomy.errors import ManifestError
from taxonomy.hashing import content_id, hash_key
from taxonomy.manifest.draws import Ints, keys64
from taxonomy.manifest.matching import Allowed, as_swaps, match
from taxonomy.manifest.world import World
from taxonomy.model import RELATION, ManifestConfig

STATUSES = ("identity", "moved", "stayed", "dropped")
IDENTITY, MOVED, STAYED, DROPPED = range(4)
SIMILAR_SIZE_RATIO = 0.5


@dataclass(frozen=True, kw_only=True)
class Labels:
    """A shuffle: L image leaves and their labels."""

    shuffle_id: str
    draw_id: str
    """What the draws of hypernym questions are keyed by: that of no shuffle for `within`."""
    label_of: Ints
    """int64 [L]: row of the label leaf, -1 if the leaf is in no question."""
    status: Ints
    """int64 [L]: position in STATUSES."""
    exchanged: tuple[tuple[str, str], ...] = ()
    """For swap: the words of the categories that changed places."""


def draw_labels(world: World, config: ManifestConfig) -> Labels:
    """Draw the shuffle of a resolved config.

    Raises:
        ManifestError: The dataset has no two leaves, or categories, that can be exchanged.
    """
    kind, seed = config.shuffle, config.shuffle_seed
    own = np.arange(len(world.leaves), dtype=np.int64)
    if kind == "none":
        status = np.full_like(own, IDENTITY)
        return Labels(shuffle_id="none", draw_id="none", label_of=own, status=status)
    # one seed pairs other leaves under another relation
    of = {} if world.relation == RELATION else {"relation": world.relation}
    shuffle_id = content_id({"kind": kind, "seed": seed, **of})
    exchanged: tuple[tuple[str, str], ...] = ()
    if kind in ("within", "across_s1"):
        everyone = [list(range(len(own)))]
        groups = _alike(world) if kind == "within" else everyone
        label_of = own.copy()
        for group in groups:
            moved = derange(group, world, f"{kind}|{seed}")
            label_of[list(moved)] = list(moved.values())
    elif kind == "across":
        label_of = _across(world, seed)
    else:
        label_of, exchanged = _swap(world, seed)
        if kind == "swap_control":
            label_of = np.where(label_of >= 0, own, -1)
    if (label_of < 0).all():
        raise ManifestError(
            f"shuffle {kind} finds no labels for any of the {len(own)} leaves: "
            "every two of them share a hypernym, or no two hypernyms of similar size are "
            "without a common leaf; choose another shuffle"
        )
    status = np.where(label_of < 0, DROPPED, np.where(label_of == own, STAYED, MOVED))
    return Labels(
        shuffle_id=shuffle_id,
        draw_id="none" if kind == "within" else shuffle_id,
        label_of=label_of,
        status=status,
        exchanged=exchanged,
    )


def _alike(world: World) -> list[list[int]]:
    """Leaves with a hypernym, grouped by everything that hypernym questions depend on.

    Equal true cells are not enough: if a source claims a hypernym of one leaf of the group
    only, a No about the other would become a No that is not false.
    """
    groups: dict[bytes, list[int]] = defaultdict(list)
    for leaf in np.flatnonzero(world.used.any(axis=1)):
        groups[world.used[leaf].tobytes() + world.false[leaf].tobytes()].append(int(leaf))
    return list(groups.values())


def derange(group: Sequence[int], world: World, seed: str) -> dict[int, int]:
    """A permutation of leaves without a fixed point by surface form.

    Leaves of one word stand together, the words in hash order after the most frequent
    one, and everyone takes the label that many places on. Where one word names more than
    half of the leaves, the surplus stays out.

    Returns:
        Label leaf of each leaf that moves; empty where none can.
    """
    by_word: dict[str, list[int]] = defaultdict(list)
    for leaf in sorted(group, key=lambda leaf: hash_key(seed, "leaf", world.leaves.keys[leaf])):
        by_word[world.leaves.words[leaf]].append(leaf)
    blocks = sorted(by_word.items(), key=lambda b: (-len(b[1]), hash_key(seed, "word", b[0])))
    largest = blocks[0][1]
    shift = min(len(largest), len(group) - len(largest))
    row = largest[:shift] + [leaf for _, block in blocks[1:] for leaf in block]
    return {leaf: row[(i + shift) % len(row)] for i, leaf in enumerate(row)} if shift else {}


def _order(world: World, seed: object, purpose: str, members: Sequence[int] | Ints) -> Ints:
    keys = keys64(seed, purpose, (world.leaves.keys[leaf] for leaf in members))
    return np.asarray(members, dtype=np.int64)[np.argsort(keys, kind="stable")]


def _foreign(world: World, rows: Ints, columns: Ints) -> Allowed:
    """Pairs of leaves with different words and no hypernym in common, by any source."""
    _, word = np.unique(np.array(world.leaves.words), return_inverse=True)
    # leaves with the same hypernyms are held against the others once
    sets, kind = np.unique(np.packbits(world.claimed, axis=1), axis=0, return_inverse=True)
    claimed = np.unpackbits(sets, axis=1).astype(np.float32)
    return Allowed(
        row_kind=kind[rows],
        column_kind=kind[columns],
        apart=claimed @ claimed.T == 0,
        row_word=word[rows],
        column_word=word[columns],
    )


def _across(world: World, seed: object) -> Ints:
    """A random matching of all leaves to foreign ones, the largest there is."""
    everyone = np.arange(len(world.leaves), dtype=np.int64)
    rows = _order(world, seed, "across-image", everyone)
    columns = _order(world, seed, "across-label", everyone)
    chosen = match(_foreign(world, rows, columns))
    label_of = np.full(len(everyone), -1, dtype=np.int64)
    label_of[rows[chosen >= 0]] = columns[chosen[chosen >= 0]]
    return as_swaps(label_of)


def _swap(world: World, seed: object) -> tuple[Ints, tuple[tuple[str, str], ...]]:
    """Exchange whole categories pairwise; leaves that find no counterpart are dropped."""
    label_of = np.full(len(world.leaves), -1, dtype=np.int64)
    exchanged = []
    for first, second in _swap_pairs(world, seed):
        rows = _order(world, seed, "swap-leaf", np.flatnonzero(world.used[:, first]))
        columns = _order(world, seed, "swap-leaf", np.flatnonzero(world.used[:, second]))
        chosen = match(_foreign(world, rows, columns))
        a, b = rows[chosen >= 0], columns[chosen[chosen >= 0]]
        label_of[a], label_of[b] = b, a
        exchanged.append((world.hypernyms.words[first], world.hypernyms.words[second]))
    return label_of, tuple(exchanged)


def _swap_pairs(world: World, seed: object) -> list[tuple[int, int]]:
    """Pairs of categories of similar size, no leaf in two of the chosen categories.

    Greedy: the pair that moves most leaves first, then the more equal, then hash order.
    """
    sizes = world.used.sum(axis=0)
    claimed = world.claimed.astype(np.float32)
    apart = claimed.T @ claimed == 0
    candidates = []
    for a, b in zip(*np.nonzero(np.triu(apart, k=1)), strict=True):
        small, large = sorted((int(sizes[a]), int(sizes[b])))
        if small and small >= SIMILAR_SIZE_RATIO * large:
            names = f"{world.hypernyms.keys[a]}|{world.hypernyms.keys[b]}"
            key = hash_key(seed, "swap-pair", names)
            candidates.append((-small, large, key, int(a), int(b)))
    taken = np.zeros(len(world.leaves), dtype=np.bool_)
    pairs = []
    for _, _, _, a, b in sorted(candidates):
        members = world.claimed[:, a] | world.claimed[:, b]
        if not (taken & members).any():
            taken |= members
            pairs.append((a, b))
    return pairs
