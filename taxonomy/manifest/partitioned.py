"""The merging side of a manifest that is built over partitions.

It sees partitions through what they send: counts, keys where two are equal, rows of leaves. What
must be drawn over the whole dataset is drawn here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from taxonomy.errors import ConfigError
from taxonomy.hashing import unit_interval
from taxonomy.manifest.ablation import held_out_cells, resolve
from taxonomy.manifest.draws import Bools, Ints
from taxonomy.manifest.firsts import Traffic, first, spread
from taxonomy.manifest.mentions import Training, training_set
from taxonomy.manifest.partitions import Partition
from taxonomy.manifest.questions import draw_questions
from taxonomy.manifest.rows import SORT_KEYS, label_table, rows_sha256
from taxonomy.manifest.shuffle import Labels, draw_labels
from taxonomy.model import SPLITS, ManifestConfig


@dataclass(frozen=True, kw_only=True)
class Partitioned:
    """A manifest as partitions make it."""

    config: ManifestConfig
    """Resolved."""
    cells: list[pa.Table]
    """One table a partition; what a manifest has is their union."""
    examples: list[pa.Table]
    """Likewise."""
    labels: pa.Table
    traffic: Traffic

    def tables(self) -> tuple[pa.Table, pa.Table, pa.Table]:
        """Cells, labels and examples of the whole, each in its canonical order."""
        whole = pa.concat_tables(self.cells), self.labels, pa.concat_tables(self.examples)
        pairs = zip(SORT_KEYS, whole, strict=True)
        cells, labels, examples = (
            table.sort_by([(key, "ascending") for key in keys]).combine_chunks()
            for (_, keys), table in pairs
        )
        return cells, labels, examples

    def rows_sha256(self) -> str:
        """The hash of the whole manifest's rows."""
        return rows_sha256(*self.tables())


def build_partitioned(partitions: Sequence[Partition], config: ManifestConfig) -> Partitioned:
    """Build the manifest of a dataset that is spread over partitions.

    Args:
        partitions: All of them, as split_world gives them.
        config: As for build_manifest.

    Raises:
        ManifestError: As for build_manifest.
        ConfigError: The partitions are of another relation than the config.
    """
    relation = partitions[0].world.relation
    if relation != config.relation:
        raise ConfigError(f"the partitions are of relation {relation}, got {config.relation}")
    merge = _Merge(partitions, resolve(config, len(partitions[0].world.hypernyms)))
    merge.hold_out()
    labels = merge.draw_labels()
    merge.lend_rows()
    merge.draw_questions()
    cells, examples = zip(*merge.train(), strict=True)
    return Partitioned(
        config=merge.config,
        cells=list(cells),
        examples=list(examples),
        labels=label_table(partitions[0].world, labels),
        traffic=merge.traffic,
    )


class _Merge:
    def __init__(self, partitions: Sequence[Partition], config: ManifestConfig) -> None:
        self.partitions, self.config = partitions, config
        self.traffic = Traffic()
        self.hypernyms = partitions[0].world.hypernyms.keys

    def _sum(self, phase: str, counts: Sequence[Ints]) -> Ints:
        self.traffic.up(phase, counts)
        total: Ints = np.sum(counts, axis=0)
        return total

    def hold_out(self) -> None:
        """Say which cells are held out; all else than a random share each partition knows."""
        config = self.config
        if config.design != "random" or not config.ratio:
            for one in self.partitions:
                one.held = held_out_cells(one.world, config)
            return
        sizes = self._sum("held-out cells", [one.sizes() for one in self.partitions])
        if config.unit == "pair":
            quota = np.concatenate([self._pairs(n, row == 0) for row, n in enumerate(sizes)])
            ordered = [one.cells_in_order(config.seed) for one in self.partitions]
        else:
            quota = np.array([min(n, max(1, math.floor(n * config.ratio))) for n in sizes[0]])
            ordered = [one.leaves_in_order(config.seed) for one in self.partitions]
        chosen = first(ordered, quota, self.traffic, "held-out cells")
        for one, groups in zip(self.partitions, chosen, strict=True):
            one.hold_out(groups, config.unit)

    def _pairs(self, sizes: Ints, answer: bool) -> Ints:
        """How many cells of each hypernym are held out, of those with one answer."""
        seed = self.config.seed
        offsets = [unit_interval(seed, "pair-offset", key, answer) for key in self.hypernyms]
        return spread(sizes, np.array(offsets), round(self.config.ratio * int(sizes.sum())))

    def draw_labels(self) -> Labels:
        """Draw the shuffle: it pairs leaves of all partitions, and takes rows of leaves only."""
        worlds = [one.world for one in self.partitions]
        whole = replace(
            worlds[0],
            image_ids=worlds[0].image_ids[:0],
            image_leaf=worlds[0].image_leaf[:0],
            image_split=worlds[0].image_split[:0],
        )
        if self.config.shuffle != "none":
            for name in ("used", "claimed", "false"):
                rows = [getattr(one, name) for one in worlds]
                sent = [
                    np.packbits(mask[one.mine], axis=None)
                    for mask, one in zip(rows, self.partitions, strict=True)
                ]
                self.traffic.up("shuffle", sent)
                whole = replace(whole, **{name: np.any(rows, axis=0)})
            self.traffic.holds([whole.used, whole.claimed, whole.false])
        labels = draw_labels(whole, self.config)
        for one in self.partitions:
            one.labels = labels
        if self.config.shuffle != "none":
            self.traffic.down("shuffle", labels.label_of, len(self.partitions))
        return labels

    def lend_rows(self) -> None:
        """Give each partition the rows of the leaves whose labels its pictures carry."""
        for one in self.partitions:
            wanted, lent = one.wanted(), []
            for other in self.partitions:
                leaves = wanted[one.owner[wanted] == other.number]
                rows = other.lend(leaves)
                lent.append((leaves, rows))
                bits = [np.packbits(mask, axis=None) for mask in rows[:3]]
                self.traffic.across("rows of labels", [*bits, *rows[3]])
            one.borrow(lent)

    def draw_questions(self) -> None:
        """Draw every question; matched No over all partitions, hypernym by hypernym."""
        shown = [one.shown() for one in self.partitions]
        self.traffic.up("leaf No", shown)
        everyone = np.unique(np.concatenate(shown))
        self.traffic.down("leaf No", everyone, len(self.partitions))
        matched: list[tuple[Ints, Ints] | None] = [None] * len(self.partitions)
        if self.config.negatives == "matched":
            matched = [*self._matched()]
        for one, drawn in zip(self.partitions, matched, strict=True):
            one.questions = draw_questions(
                one.asked,
                one.labels,
                one.order,
                negatives=self.config.negatives,
                train_leaf_negatives=self.config.train_leaf_negatives,
                shown=everyone,
                matched=drawn,
            )

    def _matched(self) -> list[tuple[Ints, Ints]]:
        """Rows of images and hypernyms of the matched No of each partition."""
        n_yes = self._sum("matched No", [one.n_yes() for one in self.partitions])
        drawn: list[list[Ints]] = [[] for _ in self.partitions]
        asked: list[list[Ints]] = [[] for _ in self.partitions]
        for column, quota in enumerate(n_yes.reshape(-1, len(SPLITS))):
            candidates = [one.false_images(column) for one in self.partitions]
            chosen = first(candidates, quota, self.traffic, "matched No")
            for number, one in enumerate(self.partitions):
                rows = one.rows_of(np.concatenate(chosen[number]))
                drawn[number].append(rows)
                asked[number].append(np.full(len(rows), column, dtype=np.int64))
        return [
            (np.concatenate(rows), np.concatenate(columns))
            for rows, columns in zip(drawn, asked, strict=True)
        ]

    def train(self) -> list[tuple[pa.Table, pa.Table]]:
        """Say what is in training; the cells and examples of each partition."""
        mentions = self.config.mentions
        taught = self._taught([one.taught() for one in self.partitions])
        training = [
            training_set(
                one.asked,
                one.questions,
                one.labels.label_of,
                one.asked_held,
                "drop_all" if mentions == "rebalance" else mentions,
                one.order,
                taught,
            )
            for one in self.partitions
        ]
        if mentions == "rebalance":
            training = self._rebalance(training)
        settled = [one.settle(given) for one, given in zip(self.partitions, training, strict=True)]
        taught = self._taught(settled)
        return [one.tables(taught) for one in self.partitions]

    def _taught(self, counts: Sequence[Ints]) -> Bools:
        total = self._sum("training", counts) > 0
        self.traffic.down("training", total, len(self.partitions))
        return total

    def _rebalance(self, training: Sequence[Training]) -> list[Training]:
        """Make No equal Yes for each hypernym; see taxonomy.manifest.mentions."""
        stay = [one.in_training.copy() for one in training]
        added: list[list[Ints]] = [[] for _ in self.partitions]
        for column in range(len(self.hypernyms)):
            found = [
                one.balance(mine, column) for one, mine in zip(self.partitions, stay, strict=True)
            ]
            n_yes, n_no = self._sum("rebalance", [counts for counts, _, _ in found])
            candidates = [
                one.images_in_order([(column, no), (column, free)])
                for one, (_, no, free) in zip(self.partitions, found, strict=True)
            ]
            quota = np.array([n_yes, max(0, n_yes - n_no)])
            chosen = first(candidates, quota, self.traffic, "rebalance")
            for number, one in enumerate(self.partitions):
                no, free = (one.rows_of(ids) for ids in chosen[number])
                questions = one.questions
                surplus = np.setdiff1d(found[number][1], no)
                asks = questions.about_hypernym & (questions.asked == column) & ~questions.answer
                stay[number] &= ~(asks & np.isin(questions.image, surplus))
                added[number].append(free)
        return [
            Training(
                in_training=mine,
                added_image=np.concatenate(images),
                added_asked=np.repeat(np.arange(len(images)), [len(rows) for rows in images]),
                missing=0,
            )
            for mine, images in zip(stay, added, strict=True)
        ]
