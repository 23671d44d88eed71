"""A manifest's questions as arrays, in the order training and evaluation use them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from taxonomy.errors import ManifestError
from taxonomy.model import Manifest, Taxonomy

Ints = np.ndarray[tuple[int], np.dtype[np.int64]]
Bools = np.ndarray[tuple[int], np.dtype[np.bool_]]
Floats = np.ndarray[tuple[int], np.dtype[np.float32]]


@dataclass(frozen=True)
class Examples:
    """Questions in ascending order of image, then example; N of them."""

    example_id: Ints
    image: Ints
    asked: Ints
    """Row of `phrases` that each question asks."""
    answer: Bools
    kind: np.ndarray[tuple[int], np.dtype[np.str_]]
    split: np.ndarray[tuple[int], np.dtype[np.str_]]
    question_set: np.ndarray[tuple[int], np.dtype[np.str_]]
    """leaf, held_out, seen or unasked."""
    in_training: Bools
    leaf: Ints
    """Label leaf."""
    phrases: list[str]
    targets: list[bool] = field(default_factory=list)
    """Whether each of `phrases` is a hypernym, or a target of another relation: no leaf."""

    def __len__(self) -> int:
        return len(self.example_id)

    def take(self, rows: Ints | Bools) -> Examples:
        """Some of the questions, in the given order."""
        return Examples(
            self.example_id[rows],
            self.image[rows],
            self.asked[rows],
            self.answer[rows],
            self.kind[rows],
            self.split[rows],
            self.question_set[rows],
            self.in_training[rows],
            self.leaf[rows],
            self.phrases,
            self.targets,
        )


def _column(table: Any, name: str) -> np.ndarray[Any, Any]:
    values: np.ndarray[Any, Any] = table[name].to_numpy()
    return values


def read_examples(taxonomy: Taxonomy, manifest: Manifest) -> Examples:
    """All questions of a manifest.

    Raises:
        ManifestError: The manifest belongs to another dataset.
    """
    if manifest.dataset_id != taxonomy.dataset_id:
        raise ManifestError(
            f"manifest {manifest.manifest_id} belongs to dataset {manifest.dataset_id}, "
            f"got dataset {taxonomy.dataset_id}"
        )
    table = manifest.examples
    ids, image = _column(table, "example_id"), _column(table, "image_id").astype(np.int64)
    order = np.lexsort((ids, image))
    asked_ids, asked = np.unique(_column(table, "asked_id"), return_inverse=True)
    phrases = taxonomy.concepts["phrase"].to_pylist()
    roles = taxonomy.concepts["role"].to_pylist()
    examples = Examples(
        example_id=ids,
        image=image,
        asked=asked.astype(np.int64),
        answer=_column(table, "answer").astype(bool),
        kind=_column(table, "kind").astype(str),
        split=_column(table, "split").astype(str),
        question_set=_column(table, "question_set").astype(str),
        in_training=_column(table, "in_training").astype(bool),
        leaf=_column(table, "label_leaf_id").astype(np.int64),
        phrases=[phrases[i] for i in asked_ids],
        targets=[roles[i] != "leaf" for i in asked_ids],
    )
    return examples.take(order)


@dataclass(frozen=True)
class Groups:
    """Training questions grouped by image: rows offsets[i] to offsets[i + 1] are image i's."""

    examples: Examples
    images: Ints
    offsets: Ints
    weights: Floats
    """Loss weight of each question; mean 1 over the questions that a pass uses."""


def group_by_image(examples: Examples, balance: bool, leaf_no: int | None = None) -> Groups:
    """The questions in training, grouped.

    Args:
        examples: All questions of a manifest.
        balance: Weigh Yes and No so that both count the same within leaf questions and
            within hypernym questions.
        leaf_no: How many of an image's leaf No questions a visit uses; None for all.

    Raises:
        ManifestError: Nothing is left to train on.
    """
    chosen = examples.take(np.flatnonzero(examples.in_training))
    if not len(chosen):
        raise ManifestError("the manifest leaves no training question; lower its ratio")
    images, first = np.unique(chosen.image, return_index=True)
    offsets = np.append(first, len(chosen)).astype(np.int64)
    return Groups(chosen, images, offsets, balanced_weights(chosen, balance, leaf_no))


def balanced_weights(chosen: Examples, balance: bool, leaf_no: int | None = None) -> Floats:
    """Loss weights of questions, float32 [N], mean 1 over those that a pass uses.

    Args:
        chosen: The questions.
        balance: Yes and No count the same within leaf and within hypernym questions.
        leaf_no: How many of an image's leaf No questions a visit uses; None for all.
    """
    weights: Floats = np.ones(len(chosen), dtype=np.float32)
    for kind in ("leaf", "hypernym") if balance else ():
        groups = [(chosen.kind == kind) & (chosen.answer == said) for said in (True, False)]
        counts = [_n_used(chosen, group, leaf_no if kind == "leaf" else None) for group in groups]
        if all(counts):
            for group, count in zip(groups, counts, strict=True):
                weights[group] = sum(counts) / 2 / count
    return weights


def _n_used(chosen: Examples, group: Bools, most: int | None) -> int:
    """Questions of a group in one pass, at most so many No an image."""
    if most is None or bool(chosen.answer[group].any()):
        return int(group.sum())
    return int(np.minimum(np.unique(chosen.image[group], return_counts=True)[1], most).sum())


def full_size(examples: Examples, batch_unit: str) -> int:
    """Size of the unablated training set in units of a batch: its images or its questions."""
    train = examples.split == "train"
    return int(len(np.unique(examples.image[train])) if batch_unit == "images" else train.sum())
