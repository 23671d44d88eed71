"""What must hold of every manifest; a violation is a bug of the builder, not of the user."""

from __future__ import annotations

import numpy as np

from taxonomy.manifest.draws import Bools
from taxonomy.manifest.questions import TRAIN, Questions
from taxonomy.manifest.shuffle import MOVED, Labels
from taxonomy.manifest.world import World
from taxonomy.model import ManifestConfig


def _must(holds: bool | np.bool_, what: str) -> None:
    if not holds:
        raise AssertionError(f"manifest builder: {what}")


def check(
    world: World,
    config: ManifestConfig,
    labels: Labels,
    held: Bools,
    questions: Questions,
    in_training: Bools,
) -> None:
    """Raise AssertionError if a manifest breaks one of its promises.

    Args:
        world: The dataset.
        config: The resolved config.
        labels: The shuffle.
        held: bool [L, H].
        questions: All Q questions, those of rebalance included.
        in_training: bool [Q].
    """
    _check_questions(world, questions)
    _must(not (held & ~world.cells).any(), "a held-out cell is outside the universe")
    split = world.image_split[questions.image]
    _must((split[in_training] == TRAIN).all(), "a test question is in training")
    about, asked = questions.about_hypernym, questions.asked
    trained = in_training & about
    if config.mentions == "drop_positives":
        trained = trained & questions.answer
    _must(
        not held[questions.label[trained], asked[trained]].any(),
        "a held-out cell is in training",
    )
    if config.mentions in ("drop_all", "drop_words", "rebalance"):
        _check_mentions(world, questions, in_training)
    label = labels.label_of[labels.label_of >= 0]
    _must(len(np.unique(label)) == len(label), "two leaves carry the labels of one")
    words = np.array(world.leaves.words)
    moved = labels.status == MOVED
    _must((words[moved] != words[labels.label_of[moved]]).all(), "a moved leaf kept its word")


def _check_questions(world: World, questions: Questions) -> None:
    _must(
        len(np.unique(questions.example_id)) == len(questions),
        "two questions have one example id",
    )
    label, asked = questions.label, questions.asked
    about, answer = questions.about_hypernym, questions.answer
    yes, no = about & answer, about & ~answer
    _must(world.used[label[yes], asked[yes]].all(), "a hypernym Yes is not true")
    _must(world.false[label[no], asked[no]].all(), "a hypernym No is not false")
    leaf_yes = ~about & answer
    _must((label[leaf_yes] == asked[leaf_yes]).all(), "a leaf Yes is not true")


def _check_mentions(world: World, questions: Questions, in_training: Bools) -> None:
    about, asked = questions.about_hypernym, questions.asked
    taught = np.unique(asked[in_training & about & questions.answer])
    untaught = np.setdiff1d(np.arange(len(world.hypernyms)), taught)
    words = {world.hypernyms.words[row] for row in untaught.tolist()}
    asked_words = {
        world.hypernyms.words[row] for row in np.unique(asked[in_training & about]).tolist()
    } | {world.leaves.words[row] for row in np.unique(asked[in_training & ~about]).tolist()}
    _must(not words & asked_words, "training asks a hypernym that it has no Yes for")
