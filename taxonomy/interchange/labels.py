"""Whose labels the pictures of each leaf carry, as the Yes of chat files say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from taxonomy.errors import DataError
from taxonomy.interchange.matching import Asked
from taxonomy.interchange.reading import Turn
from taxonomy.manifest.draws import Bools, Ints
from taxonomy.manifest.world import World


def read_labels(
    world: World, image: Ints, answer: Bools, asked: Sequence[Asked], turns: Sequence[Turn]
) -> tuple[Ints, int]:
    """The label leaf of each image leaf.

    A leaf's own label, if its Yes allow it; else the one leaf that all its leaf Yes name, among
    leaves of one word the one whose hypernyms were answered Yes most.

    Args:
        world: The dataset, with the images of the files.
        image: int64 [T], row of each turn's image.
        answer: bool [T].
        asked: What each turn may ask.
        turns: For messages.

    Returns:
        int64 [L], -1 for leaves in no question; and how many leaves took one of several of a
        word.

    Raises:
        DataError: The Yes of a leaf name two leaves, or nothing that can be its label.
    """
    label_of = np.full(len(world.leaves), -1, dtype=np.int64)
    by_leaf: dict[int, list[int]] = defaultdict(list)
    for turn, row in enumerate(image.tolist()):
        by_leaf[int(world.image_leaf[row])].append(turn)
    n_homonyms = 0
    for leaf, members in sorted(by_leaf.items()):
        yes = [turn for turn in members if answer[turn]]
        allowed = _allowed(world, leaf, [t for t in yes if not asked[t].hypernyms], asked, turns)
        if allowed is None:
            allowed = _by_hypernyms(world, leaf, yes, asked, turns)
        if leaf in allowed:
            label_of[leaf] = leaf
            continue
        n_homonyms += len(allowed) > 1
        told = _told(world, yes, asked)
        best = min(allowed, key=lambda row: (-int((world.used[row] & told).sum()), row))
        label_of[leaf] = best
    return label_of, n_homonyms


def _allowed(
    world: World, leaf: int, sure: list[int], asked: Sequence[Asked], turns: Sequence[Turn]
) -> frozenset[int] | None:
    """Leaves that all sure leaf Yes name; None if there is no such Yes."""
    if not sure:
        return None
    allowed = asked[sure[0]].leaves
    for turn in sure[1:]:
        if not allowed & asked[turn].leaves:
            raise DataError(
                f"{turns[turn].where}: {turns[turn].question!r} and "
                f"{turns[sure[0]].question!r} ({turns[sure[0]].where}) are both Yes about images "
                f"of {world.leaves.keys[leaf]}; the images of a leaf carry one leaf's labels"
            )
        allowed &= asked[turn].leaves
    return allowed


def _by_hypernyms(
    world: World, leaf: int, yes: list[int], asked: Sequence[Asked], turns: Sequence[Turn]
) -> frozenset[int]:
    """Leaves that may be the label where every Yes may be about a hypernym."""
    unsure = [turn for turn in yes if asked[turn].leaves]
    if not unsure or any(leaf in asked[turn].leaves for turn in unsure):
        return frozenset({leaf})
    told = _told(world, [turn for turn in yes if not asked[turn].leaves], asked)
    named = set().union(*(asked[turn].leaves for turn in unsure))
    maybe = told | _told(world, unsure, asked)
    if world.used[leaf].any() and not (world.used[leaf] & ~maybe).any():
        return frozenset({leaf})
    fitting = frozenset(row for row in named if not (told & ~world.used[row]).any())
    if not fitting:
        turn = turns[unsure[0]]
        raise DataError(
            f"{turn.where}: {turn.question!r} is Yes about an image of {world.leaves.keys[leaf]}; "
            "no leaf of that name has the other hypernyms that its images are said to show"
        )
    return fitting


def _told(world: World, turns: list[int], asked: Sequence[Asked]) -> Bools:
    """bool [H]: hypernyms that these turns may ask."""
    told = np.zeros(len(world.hypernyms), dtype=np.bool_)
    for turn in turns:
        told[list(asked[turn].hypernyms)] = True
    return told
