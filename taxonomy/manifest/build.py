"""One design applied to one dataset: questions first, ablation second."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import numpy as np

from taxonomy.manifest.ablation import held_out_cells, resolve
from taxonomy.manifest.check import check
from taxonomy.manifest.draws import Bools
from taxonomy.manifest.images import check_listed, require_images
from taxonomy.manifest.mentions import (
    Training,
    hypernyms_with_yes,
    question_held_out,
    training_set,
)
from taxonomy.manifest.questions import TRAIN, NegativeOrder, Questions, draw_questions
from taxonomy.manifest.rows import (
    cell_table,
    example_table,
    label_table,
    rows_sha256,
    with_added,
)
from taxonomy.manifest.shuffle import Labels, draw_labels
from taxonomy.manifest.strided import Places, Strided, places
from taxonomy.manifest.strided_build import derive
from taxonomy.manifest.summary import share, summary_of
from taxonomy.manifest.world import World, read_world
from taxonomy.model import RELATION, SPLITS, Manifest, ManifestConfig, Taxonomy, manifest_id

K = TypeVar("K")
V = TypeVar("V")


class ManifestBuilder:
    """Builds manifests of one taxonomy; what several of them share is drawn once."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        require_images(taxonomy)
        self._taxonomy = taxonomy
        self._worlds: dict[str, World] = {}
        self._labels: dict[tuple[str, str, int | None], Labels] = {}
        self._orders: dict[tuple[str, str], NegativeOrder] = {}
        self._questions: dict[tuple[str, str, str, int], Questions] = {}
        self._places: dict[str, Places] = {}

    @property
    def world(self) -> World:
        """The taxonomy under the relation hypernym."""
        return self.world_of(RELATION)

    def world_of(self, relation: str) -> World:
        """The taxonomy under a relation.

        Raises:
            ConfigError: The dataset does not have it.
        """
        return _cached(self._worlds, relation, lambda: read_world(self._taxonomy, relation))

    def resolve(self, config: ManifestConfig) -> ManifestConfig:
        """The config as it will stand in the manifest, unused knobs at fixed values."""
        return resolve(config, len(self.world_of(config.relation).hypernyms))

    def build(self, config: ManifestConfig) -> Manifest:
        """Build and check one manifest.

        Raises:
            ManifestError: The design asks for more hypernyms than there are, the shuffle
                finds nothing to exchange, or the questions are too many to list.
        """
        config = self.resolve(config)
        check_listed(config, self._taxonomy)
        world, labels = self.world_of(config.relation), self.labels(config)
        draws = config.relation, labels.draw_id
        order = _cached(self._orders, draws, lambda: NegativeOrder(world, labels.draw_id))
        questions = self._draw_questions(config, labels, order)
        held = held_out_cells(world, config)
        training = training_set(world, questions, labels.label_of, held, config.mentions, order)
        added = training.added_image, training.added_asked
        everything = with_added(world, labels, questions, *added)
        in_cell = question_held_out(everything, held)
        in_training = np.isin(
            everything.example_id, questions.example_id[~training.in_training], invert=True
        )
        taught = hypernyms_with_yes(world, everything, in_training)
        cells, label_rows = cell_table(world, held), label_table(world, labels)
        examples = example_table(world, everything, in_cell, in_training, taught)
        check(world, config, labels, held, everything, in_training)
        return Manifest(
            manifest_id=manifest_id(world.dataset_id, config),
            dataset_id=world.dataset_id,
            config=config,
            shuffle_id=labels.shuffle_id,
            cells=cells,
            labels=label_rows,
            examples=examples,
            rows_sha256=rows_sha256(cells, label_rows, examples),
            summary=summarise(world, config, labels, held, questions, training),
        )

    def derive(self, config: ManifestConfig) -> Strided:
        """Build one manifest with negatives strided: no question is listed.

        Raises:
            ManifestError: As for build.
        """
        config = self.resolve(config)
        world = self.world_of(config.relation)
        return derive(world, config, self.labels(config), self.places(config.relation))

    def places(self, relation: str = RELATION) -> Places:
        """The images in the order in which strided manifests draw them."""
        return _cached(self._places, relation, lambda: places(self.world_of(relation)))

    def labels(self, config: ManifestConfig) -> Labels:
        """The shuffle of a resolved config.

        Raises:
            ManifestError: It finds nothing to exchange.
        """
        key = (config.relation, config.shuffle, config.shuffle_seed)
        world = self.world_of(config.relation)
        return _cached(self._labels, key, lambda: draw_labels(world, config))

    def _draw_questions(
        self, config: ManifestConfig, labels: Labels, order: NegativeOrder
    ) -> Questions:
        negatives, n_leaf_no = config.negatives, config.train_leaf_negatives
        world = self.world_of(config.relation)
        return _cached(
            self._questions,
            (config.relation, labels.shuffle_id, negatives, n_leaf_no),
            lambda: draw_questions(
                world, labels, order, negatives=negatives, train_leaf_negatives=n_leaf_no
            ),
        )


def build_manifest(taxonomy: Taxonomy, config: ManifestConfig) -> Manifest:
    """Build one manifest of a taxonomy.

    Raises:
        ManifestError: The design asks for more hypernyms than there are, or the shuffle
            finds nothing to exchange.
    """
    return ManifestBuilder(taxonomy).build(config)


def build_manifests(taxonomy: Taxonomy, configs: Iterable[ManifestConfig]) -> Iterator[Manifest]:
    """Build several manifests of a taxonomy, drawing shared questions once."""
    builder = ManifestBuilder(taxonomy)
    return (builder.build(config) for config in configs)


def _cached(store: dict[K, V], key: K, make: Callable[[], V]) -> V:
    if key not in store:
        store[key] = make()
    return store[key]


def summarise(
    world: World,
    config: ManifestConfig,
    labels: Labels,
    held: Bools,
    questions: Questions,
    training: Training,
) -> dict[str, Any]:
    """Counts for the reader. Shares of questions are of the drawn ones, none added."""
    about, split = questions.about_hypernym, world.image_split[questions.image]
    in_cell = question_held_out(questions, held)
    dropped = (split == TRAIN) & ~about & ~training.in_training
    return summary_of(
        world,
        config,
        labels,
        held,
        {
            "ratio_realised_questions": share(in_cell, about),
            "ratio_realised_questions_by_split": {
                name: share(in_cell & (split == row), about & (split == row))
                for row, name in enumerate(SPLITS)
            },
            "n_missing_negatives": dict(questions.shortfall),
            "n_questions": {name: int((split == row).sum()) for row, name in enumerate(SPLITS)},
            "n_training_questions": int(training.in_training.sum()) + len(training.added_image),
            "n_training_leaf_questions_dropped": int(dropped.sum()),
            "n_rebalance_added": len(training.added_image),
            "n_rebalance_missing": training.missing,
        },
    )
