"""Manifests whose questions are not listed: a few numbers a hypernym, from which all follow.

Which questions there are, and what of them training sees, is as in taxonomy.manifest.questions
and mentions; only the draws are others, so that they can be made again from what is kept, in SQL
(sql/views/example_derived.sql). Nothing here has a row for an image's question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from taxonomy.hashing import hash63
from taxonomy.manifest.ablation import held_out_hypernyms, random_leaves
from taxonomy.manifest.draws import Bools, Ints, keys64
from taxonomy.manifest.mentions import mentioning
from taxonomy.manifest.questions import TRAIN
from taxonomy.manifest.shuffle import Labels
from taxonomy.manifest.strides import (
    PRIME,
    coprime,
    jumps,
    key_of,
    mixed64,
    quotas,
    smallest,
    take,
    unskipped,
)
from taxonomy.manifest.world import World
from taxonomy.model import SPLITS, ManifestConfig

N_SPLITS = len(SPLITS)


@dataclass(frozen=True, kw_only=True)
class Strided:
    """A manifest of which every question can be derived. Tables follow taxonomy.tables."""

    manifest_id: str
    dataset_id: str
    config: ManifestConfig
    shuffle_id: str
    id_mask: int
    labels: pa.Table
    cells: pa.Table
    """STRIDED_CELL."""
    leaves: pa.Table
    """STRIDED_LEAF."""
    hypernyms: pa.Table
    """STRIDED_HYPERNYM."""
    draws: pa.Table
    """STRIDED_DRAW."""
    rows_sha256: str
    """Hash of the rows of all five tables, canonical order."""
    summary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Places:
    """The images of each split in the order of their draws."""

    images: tuple[Ints, ...]
    """Of each split the rows of its images in the world, by place."""
    leaf: tuple[Ints, ...]
    """Of each split the rows of the leaves of these images."""

    def table(self, world: World) -> pa.Table:
        """Columns of IMAGE_PLACE, by split and place."""
        sizes = [len(images) for images in self.images]
        rows = np.concatenate(self.images)
        split = pa.DictionaryArray.from_arrays(np.repeat(np.arange(N_SPLITS), sizes), list(SPLITS))
        return pa.table(
            {
                "split": split,
                "place": np.concatenate([np.arange(n) for n in sizes]),
                "image_id": world.image_ids[rows].astype(np.int32),
                "leaf_id": world.leaves.ids[np.concatenate(self.leaf)].astype(np.int32),
            }
        )


def places(world: World) -> Places:
    """Order the images of each split by a hash of the dataset and their ids."""
    keys = mixed64(hash63(world.dataset_id, "image-place"), world.image_ids)
    images = []
    for split in range(N_SPLITS):
        rows = np.flatnonzero(world.image_split == split)
        images.append(rows[np.argsort(keys[rows])])
    return Places(images=tuple(images), leaf=tuple(world.image_leaf[rows] for rows in images))


@dataclass(frozen=True, kw_only=True)
class Held:
    """Which cells a design holds out: those of some leaves, and those with a key below a bound."""

    x: Ints
    """int64 [L]."""
    a: Ints
    b: Ints
    below: Ints
    """int64 [2, H]: the bound of false cells, and that of true ones."""
    leaves: Bools
    """bool [L]."""

    def mask(self, used: Bools, false: Bools) -> Bools:
        """bool [H, L], of the true and the false cells, bool [H, L] each."""
        held = np.empty_like(used)
        for row, true in enumerate(used):
            keys = key_of(self.a[row], self.b[row], self.x)
            held[row] = self.leaves | (
                keys < np.where(true, self.below[1, row], self.below[0, row])
            )
        held &= used | false
        return held


def hold_out(world: World, config: ManifestConfig, used: Bools, false: Bools) -> Held:
    """The held-out cells of a resolved config.

    Args:
        world: The dataset.
        config: Its design.
        used: bool [H, L], true cells.
        false: bool [H, L].
    """
    n_leaves, n_hypernyms, seed = len(world.leaves), len(world.hypernyms), config.seed
    leaf_keys = keys64(seed, "strided-leaf", world.leaves.keys)
    x = 1 + np.argsort(np.argsort(leaf_keys, kind="stable"))
    names = world.hypernyms.keys
    a = np.array([1 + hash63(seed, "strided-a", key) % (PRIME - 1) for key in names], np.int64)
    b = np.array([hash63(seed, "strided-b", key) % PRIME for key in names], np.int64)
    below = np.zeros((2, n_hypernyms), dtype=np.int64)
    leaves = np.zeros(n_leaves, dtype=np.bool_)
    if config.design == "random" and config.unit == "leaf" and config.ratio:
        leaves = random_leaves(world, config)
    elif config.design == "random" and config.unit == "pair":
        for answer, mask in ((False, false), (True, used)):
            sizes = list(zip(names, mask.sum(axis=1).tolist(), strict=True))
            for row, n in enumerate(quotas(sizes, config.ratio, seed, answer)):
                if n:
                    below[int(answer), row] = smallest(key_of(a[row], b[row], x[mask[row]]), n)
    elif config.design == "systematic":
        held = held_out_hypernyms(world, config)
        if config.unit == "leaf":
            leaves |= used[held].any(axis=0)
        else:
            below[:, held] = PRIME
    return Held(x=x, a=a, b=b, below=below, leaves=leaves)


@dataclass(frozen=True, kw_only=True)
class LeafNo:
    """How leaf No are drawn; all int64 [L], of label leaves."""

    place: Ints
    """Place among the labels, -1 for a leaf that is none."""
    jumps: tuple[Ints, ...]
    n_eligible: Ints
    start: Ints
    stride: Ints
    step: Ints

    def asked(self, leaf: int, place: Ints, draw: int) -> Ints:
        """Places of the leaves that draw `draw` asks of the images at some places."""
        n = self.n_eligible[leaf]
        index = (self.start[leaf] + place * self.stride[leaf] + draw * self.step[leaf]) % n
        return unskipped(index, self.jumps[leaf])


def leaf_no(world: World, labels: Labels, shown: Ints) -> LeafNo:
    """The numbers of the leaf No of a shuffle.

    Args:
        world: The dataset.
        labels: The shuffle.
        shown: Rows of the leaves that are some image's label, ascending.
    """
    place = np.full(len(world.leaves), -1, dtype=np.int64)
    place[shown] = np.arange(len(shown))
    jump = [np.empty(0, dtype=np.int64)] * len(place)
    n_eligible, start, stride, step = np.zeros((4, len(place)), dtype=np.int64)
    for leaf in shown.tolist():
        skipped = place[world.conflicts[leaf]]
        skipped = skipped[skipped >= 0]
        jump[leaf] = jumps(skipped)
        n = n_eligible[leaf] = len(shown) - len(skipped)
        if n:
            of = (world.dataset_id, labels.shuffle_id, "leaf-no", world.leaves.keys[leaf])
            start[leaf] = hash63(*of, "start") % n
            stride[leaf], step[leaf] = coprime(n, *of, "stride"), coprime(n, *of, "step")
    return LeafNo(
        place=place, jumps=tuple(jump), n_eligible=n_eligible, start=start, stride=stride, step=step
    )


def count_leaf_no(no: LeafNo, label_at: Any, n_draws: int) -> Ints:
    """int64 [L]: how often each leaf is asked as a No about the images of a split.

    Args:
        no: The numbers of the draws.
        label_at: By place the row of the image's label leaf; L for none.
        n_draws: Leaf No an image.
    """
    n_leaves = len(no.place)
    by_label = np.argsort(label_at, kind="stable")
    ends = np.searchsorted(label_at[by_label], np.arange(n_leaves), side="right")
    asked = [np.empty(0, dtype=np.int64)]
    for leaf, (begin, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        if begin < end:
            draws = range(min(n_draws, int(no.n_eligible[leaf])))
            asked += [no.asked(leaf, by_label[begin:end], draw) for draw in draws]
    counts = np.zeros(n_leaves, dtype=np.int64)
    shown = no.place >= 0
    counts[shown] = np.bincount(np.concatenate(asked), minlength=int(shown.sum()))
    return counts


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What was drawn; int64 [H, splits] each, numbers of questions but for the first three."""

    start: Ints
    stride: Ints
    n_draws: Ints
    yes: Ints
    no: Ints
    yes_held: Ints
    no_held: Ints


def count_draws(
    world: World,
    labels: Labels,
    label_at: Sequence[Any],
    used: Bools,
    false: Bools,
    held: Bools,
) -> Counts:
    """Draw the hypernym questions of a shuffle and count them.

    Args:
        world: The dataset.
        labels: The shuffle.
        label_at: Of each split, by place, the row of the label leaf; L for none.
        used: bool [H, L], true cells.
        false: bool [H, L].
        held: bool [H, L].
    """
    n_leaves, n_hypernyms = len(world.leaves), len(world.hypernyms)
    n_shown = np.stack([np.bincount(at, minlength=n_leaves + 1)[:n_leaves] for at in label_at])
    made = np.zeros((7, n_hypernyms, N_SPLITS), dtype=np.int64)
    state = np.zeros(n_leaves + 1, dtype=np.int8)
    for row, key in enumerate(world.hypernyms.keys):
        yes = n_shown[:, used[row]].sum(axis=1)
        yes_held = n_shown[:, used[row] & held[row]].sum(axis=1)
        state[:n_leaves] = np.where(false[row], 1 + held[row], 0)
        for split, at in enumerate(label_at):
            if len(at):
                of = (world.dataset_id, labels.draw_id, "hypernym-no", key, SPLITS[split])
                start, stride = hash63(*of, "start") % len(at), coprime(len(at), *of, "stride")
                drawn, no, no_held = take(at, state, start, stride, int(yes[split]))
                made[:, row, split] = (
                    *(start, stride, drawn),
                    *(yes[split], no, yes_held[split], no_held),
                )
    names = ("start", "stride", "n_draws", "yes", "no", "yes_held", "no_held")
    return Counts(**dict(zip(names, made, strict=True)))


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What training may ask under a mentions policy."""

    hypernyms: Bools
    """bool [H]."""
    leaves: Bools
    """bool [L]."""
    taught: Bools
    """bool [H]: training has a Yes of it."""


def training_asks(world: World, mentions: str, counts: Counts) -> Asked:
    """Apply a mentions policy, as taxonomy.manifest.mentions does question by question."""
    kept = counts.yes[:, TRAIN] - counts.yes_held[:, TRAIN]
    taught = kept > 0
    if mentions in ("keep", "drop_positives"):
        return Asked(
            hypernyms=np.ones(len(world.hypernyms), dtype=np.bool_),
            leaves=np.ones(len(world.leaves), dtype=np.bool_),
            taught=taught,
        )
    exact = mentions != "drop_words"
    words = {world.hypernyms.words[row] for row in np.flatnonzero(~taught)}
    hypernyms = ~mentioning(world.hypernyms, words, exact)
    return Asked(
        hypernyms=hypernyms,
        leaves=~mentioning(world.leaves, words, exact),
        taught=taught & hypernyms,
    )
