"""A manifest built over partitions, each with the pictures and the cells of its own leaves.

What one machine would hold of a very large dataset is a Partition. They exchange rows of leaves
and counts, never rows of pictures; the tables and their hash are those of build_manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from taxonomy.manifest.draws import Bools, Ints, keys64
from taxonomy.manifest.firsts import Keyed
from taxonomy.manifest.mentions import Training, hypernyms_with_yes, question_held_out
from taxonomy.manifest.questions import TRAIN, NegativeOrder, Questions
from taxonomy.manifest.rows import cell_table, example_table, with_added
from taxonomy.manifest.shuffle import Labels
from taxonomy.manifest.world import World
from taxonomy.model import SPLITS

_NONE = np.empty(0, dtype=np.int64)


def partition_of(keys: Sequence[str], n_partitions: int) -> Ints:
    """int64 [n]: the partition of each leaf, by the hash of its key."""
    hashes = keys64("partition", "leaf", keys)
    return (hashes % np.uint64(n_partitions)).astype(np.int64)


def split_world(world: World, n_partitions: int) -> list[Partition]:
    """Spread a dataset over partitions by leaf.

    Every partition knows the lists of leaves and hypernyms; of cells, conflicts and images it has
    those of its own leaves. Rows of other leaves are empty.
    """
    owner = partition_of(world.leaves.keys, n_partitions)
    partitions = []
    for number in range(n_partitions):
        mine = owner == number
        images = mine[world.image_leaf]
        part = replace(
            world,
            used=world.used & mine[:, None],
            claimed=world.claimed & mine[:, None],
            false=world.false & mine[:, None],
            conflicts=tuple(
                rows if own else _NONE for rows, own in zip(world.conflicts, mine, strict=True)
            ),
            n_excluded_cells={},
            n_excluded_leaf_pairs=0,
            image_ids=world.image_ids[images],
            image_leaf=world.image_leaf[images],
            image_split=world.image_split[images],
        )
        partitions.append(Partition(number, n_partitions, part))
    return partitions


class Partition:
    """One machine: the leaves whose keys hash to it, their cells and their images."""

    def __init__(self, number: int, n_partitions: int, world: World) -> None:
        """Take the dataset as this partition knows it."""
        self.number, self.world = number, world
        self.owner = partition_of(world.leaves.keys, n_partitions)
        self.mine: Bools = self.owner == number
        self.held = np.zeros_like(world.used)
        self.labels: Labels
        self.asked: World
        """The dataset with the rows of the leaves whose labels its pictures carry."""
        self.asked_held: Bools
        self.order: NegativeOrder
        self.questions: Questions
        self.everything: Questions
        self.in_training: Bools

    # held-out cells

    def sizes(self) -> Ints:
        """int64 [2, H]: its true and its false cells of each hypernym."""
        return np.stack([self.world.used.sum(axis=0), self.world.false.sum(axis=0)])

    def cells_in_order(self, seed: int) -> Keyed:
        """Its cells in 2 H groups, true before false, as random pairs are drawn."""

        def keys(hypernym: str, members: Ints) -> tuple[object, str, list[str]]:
            leaves = self.world.leaves.keys
            return seed, "pair", [f"{leaves[leaf]}|{hypernym}" for leaf in members]

        return self._keyed((self.world.used, self.world.false), keys)

    def leaves_in_order(self, seed: int) -> Keyed:
        """Its leaves in H groups, by the hypernyms they have, as random leaves are drawn."""

        def keys(hypernym: str, members: Ints) -> tuple[object, str, list[str]]:
            return seed, f"leaf|{hypernym}", [self.world.leaves.keys[leaf] for leaf in members]

        return self._keyed((self.world.used,), keys)

    def _keyed(
        self,
        masks: Sequence[Bools],
        keys: Callable[[str, Ints], tuple[object, str, list[str]]],
    ) -> Keyed:
        groups = []
        for mask in masks:
            for column, hypernym in enumerate(self.world.hypernyms.keys):
                members = np.flatnonzero(mask[:, column])
                groups.append((keys64(*keys(hypernym, members)), members))
        return Keyed(groups)

    def hold_out(self, groups: Sequence[Ints], unit: str) -> None:
        """Hold out cells in 2 H groups of leaves (unit pair), or all cells of some leaves."""
        if unit == "leaf":
            leaves = np.unique(np.concatenate(groups))
            self.held[leaves] = self.world.cells[leaves]
            return
        for group, leaves in enumerate(groups):
            self.held[leaves, group % self.held.shape[1]] = True

    # labels and questions

    def lend(self, leaves: Ints) -> tuple[Bools, Bools, Bools, list[Ints]]:
        """Rows of its leaves: true, false and held-out cells, conflicts."""
        conflicts = [self.world.conflicts[leaf] for leaf in leaves]
        return self.world.used[leaves], self.world.false[leaves], self.held[leaves], conflicts

    def wanted(self) -> Ints:
        """Other partitions' leaves whose labels its pictures carry."""
        labels = self.labels.label_of[self.mine]
        labels = labels[labels >= 0]
        return labels[~self.mine[labels]]

    def borrow(self, lent: Sequence[tuple[Ints, tuple[Bools, Bools, Bools, list[Ints]]]]) -> None:
        """Take rows of the leaves that it wanted."""
        used, false, held = self.world.used.copy(), self.world.false.copy(), self.held.copy()
        conflicts = list(self.world.conflicts)
        for leaves, rows in lent:
            used[leaves], false[leaves], held[leaves] = rows[:3]
            for leaf, others in zip(leaves, rows[3], strict=True):
                conflicts[leaf] = others
        self.asked = replace(self.world, used=used, false=false, conflicts=tuple(conflicts))
        self.asked_held = held
        self.order = NegativeOrder(self.asked, self.labels.draw_id)

    @property
    def label(self) -> Ints:
        """int64 [N]: label leaf of each of its images, -1 for one in no question."""
        return self.labels.label_of[self.world.image_leaf]

    def shown(self) -> Ints:
        """Leaves that are the label of one of its pictures, ascending."""
        return np.unique(self.label[self.label >= 0])

    def n_yes(self) -> Ints:
        """int64 [H x splits]: its hypernym Yes."""
        counts = np.zeros((len(self.world.hypernyms), len(SPLITS)), dtype=np.int64)
        for split in range(len(SPLITS)):
            rows = (self.world.image_split == split) & (self.label >= 0)
            counts[:, split] = self.asked.used[self.label[rows]].sum(axis=0)
        return counts.ravel()

    def false_images(self, column: int) -> Keyed:
        """Its images of which a hypernym is false, a group a split, as matched No are drawn."""
        images = np.flatnonzero(self.label >= 0)
        images = images[self.asked.false[self.label[images], column]]
        splits = self.world.image_split[images]
        return self.images_in_order([(column, images[splits == s]) for s in range(len(SPLITS))])

    def images_in_order(self, groups: Sequence[tuple[int, Ints]]) -> Keyed:
        """Groups of (hypernym, rows of images) in the hash orders of the hypernyms."""
        ids = self.world.image_ids
        return Keyed([(self.order.keys(column, rows), ids[rows]) for column, rows in groups])

    def rows_of(self, ids: Ints) -> Ints:
        """Rows of its images by their ids."""
        return np.searchsorted(self.world.image_ids, ids)

    # training

    def taught(self) -> Ints:
        """int64 [H]: whether it has a train Yes of each hypernym outside held-out cells."""
        questions = self.questions
        in_cell = question_held_out(questions, self.asked_held)
        stay = (self.world.image_split[questions.image] == TRAIN) & ~in_cell
        return hypernyms_with_yes(self.asked, questions, stay).astype(np.int64)

    def balance(self, stay: Bools, column: int) -> tuple[Ints, Ints, Ints]:
        """How many training Yes, and rows of the images of training No and of further ones.

        Args:
            stay: bool [Q], what is in training so far.
            column: The hypernym.
        """
        questions, label = self.questions, self.label
        asks = questions.about_hypernym & (questions.asked == column)
        no = questions.image[stay & asks & ~questions.answer]
        images = np.flatnonzero((label >= 0) & (self.world.image_split == TRAIN))
        free = images[(self.asked.false & ~self.asked_held)[label[images], column]]
        free = np.setdiff1d(free, questions.image[asks], assume_unique=True)
        return np.array([(stay & asks & questions.answer).sum(), len(no)]), no, free

    def settle(self, training: Training) -> Ints:
        """Take what is in training; int64 [H], whether it teaches each hypernym."""
        self.everything = with_added(
            self.asked, self.labels, self.questions, training.added_image, training.added_asked
        )
        out = self.questions.example_id[~training.in_training]
        self.in_training = np.isin(self.everything.example_id, out, invert=True)
        return hypernyms_with_yes(self.asked, self.everything, self.in_training).astype(np.int64)

    def tables(self, taught: Bools) -> tuple[pa.Table, pa.Table]:
        """The cells of its leaves, and the questions about its images."""
        in_cell = question_held_out(self.everything, self.asked_held)
        examples = example_table(self.asked, self.everything, in_cell, self.in_training, taught)
        return cell_table(self.world, self.held), examples
