"""All questions of one (dataset, shuffle), drawn once, before and without any ablation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from taxonomy.manifest.draws import Bools, Ints, Keys, ids63, keys64, take_distinct
from taxonomy.manifest.shuffle import Labels
from taxonomy.manifest.world import World
from taxonomy.model import SPLITS

TRAIN = SPLITS.index("train")


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Q questions about images, in the order of (image, asked id)."""

    example_id: Ints
    image: Ints
    """Row of the image in the world."""
    label: Ints
    """Row of the label leaf."""
    about_hypernym: Bools
    asked: Ints
    """Row of the hypernym, or of the leaf."""
    answer: Bools
    shortfall: Mapping[str, int]
    """Negatives that could not be drawn for want of candidates, by kind."""

    def __len__(self) -> int:
        return len(self.image)


class NegativeOrder:
    """The hash orders in which images become a No, made when first asked for."""

    def __init__(self, world: World, draw_id: str) -> None:
        self._world = world
        self._seed = f"{world.dataset_id}|{draw_id}"
        self._keys: dict[int, Keys] = {}

    def of(self, hypernym: int, images: Ints) -> Ints:
        """The given images (rows, ascending) in the hash order of a hypernym."""
        return images[np.argsort(self.keys(hypernym, images), kind="stable")]

    def keys(self, hypernym: int, images: Ints) -> Keys:
        """What the given images (rows) are sorted by for a hypernym."""
        if hypernym not in self._keys:
            purpose = f"hypernym-no|{self._world.hypernyms.keys[hypernym]}"
            self._keys[hypernym] = keys64(self._seed, purpose, self._world.image_ids)
        return self._keys[hypernym][images]


def draw_questions(
    world: World,
    labels: Labels,
    order: NegativeOrder,
    *,
    negatives: str,
    train_leaf_negatives: int,
    shown: Ints | None = None,
    matched: tuple[Ints, Ints] | None = None,
) -> Questions:
    """Draw the questions of one shuffle: two leaf questions an image, hypernym Yes and No.

    Args:
        world: The dataset.
        labels: The shuffle; images whose leaf has no label are in no question.
        order: Hash orders for this dataset and shuffle.
        negatives: matched or image.
        train_leaf_negatives: Leaf No questions of a training image; others have one.
        shown: Leaves that are the label of some picture; None for those of this world's.
        matched: Images and hypernyms of matched No, drawn elsewhere; None to draw them here.
    """
    images = np.flatnonzero(labels.label_of[world.image_leaf] >= 0)
    label = labels.label_of[world.image_leaf]
    parts = [(images, label[images], np.ones(len(images), dtype=np.bool_), False)]
    shown = np.unique(label[images]) if shown is None else shown
    seed = f"{world.dataset_id}|{labels.shuffle_id}"
    image, asked, short_leaf = _leaf_no(world, label, images, shown, seed, train_leaf_negatives)
    parts.append((image, asked, np.zeros(len(image), dtype=np.bool_), False))
    row, hypernym = np.nonzero(world.used[label[images]])
    yes_image = images[row]
    parts.append((yes_image, hypernym, np.ones(len(yes_image), dtype=np.bool_), True))
    if matched is not None:
        image, asked, short = *matched, 0
    elif negatives == "matched":
        image, asked, short = _matched_no(world, label, images, yes_image, hypernym, order)
    else:
        seed = f"{world.dataset_id}|{labels.draw_id}"
        image, asked, short = _image_no(world, label, images, seed)
    parts.append((image, asked, np.zeros(len(image), dtype=np.bool_), True))
    return _assemble(world, labels, parts, {"leaf_no": short_leaf, "hypernym_no": short})


def _leaf_no(
    world: World, label: Ints, images: Ints, shown: Ints, seed: str, n_train: int
) -> tuple[Ints, Ints, int]:
    """Images and asked leaves of the leaf No, and how many are missing."""
    wanted = np.where(world.image_split[images] == TRAIN, n_train, 1)
    draws = np.zeros((len(images), n_train), dtype=np.uint64)
    for k in range(n_train):
        rows = np.flatnonzero(wanted > k)
        draws[rows, k] = keys64(seed, f"leaf-no|{k}", world.image_ids[images[rows]])
    image_parts, asked_parts = [], []
    by_label = np.argsort(label[images], kind="stable")
    starts = np.searchsorted(label[images][by_label], shown)
    for leaf, rows in zip(shown, np.split(by_label, starts[1:]), strict=True):
        eligible = np.setdiff1d(shown, world.conflicts[leaf], assume_unique=True)
        n_draws = min(n_train, len(eligible))
        picked = take_distinct(draws[rows, :n_draws], len(eligible))
        keep = np.arange(n_draws)[None, :] < wanted[rows][:, None]
        image_parts.append(np.broadcast_to(images[rows][:, None], keep.shape)[keep])
        asked_parts.append(eligible[picked[keep]] if n_draws else rows[:0])
    image, asked = _concatenate(image_parts), _concatenate(asked_parts)
    return image, asked, int(wanted.sum()) - len(image)


def _matched_no(
    world: World, label: Ints, images: Ints, yes_image: Ints, hypernym: Ints, order: NegativeOrder
) -> tuple[Ints, Ints, int]:
    """For each (hypernym, split): as many images of which it is false as there are Yes."""
    n_yes = np.zeros((len(world.hypernyms), len(SPLITS)), dtype=np.int64)
    np.add.at(n_yes, (hypernym, world.image_split[yes_image]), 1)
    image_parts, asked_parts, missing = [], [], 0
    for column in range(len(world.hypernyms)):
        ordered = order.of(column, images[world.false[label[images], column]])
        for split in range(len(SPLITS)):
            wanted = int(n_yes[column, split])
            chosen = ordered[world.image_split[ordered] == split][:wanted]
            missing += wanted - len(chosen)
            image_parts.append(chosen)
            asked_parts.append(np.full(len(chosen), column, dtype=np.int64))
    return _concatenate(image_parts), _concatenate(asked_parts), missing


def _image_no(world: World, label: Ints, images: Ints, seed: str) -> tuple[Ints, Ints, int]:
    """For each image as many false hypernyms as it has true ones, without repetition."""
    image_parts, asked_parts, missing = [], [], 0
    wanted = world.used.sum(axis=1)[label[images]]
    for k_total in np.unique(wanted[wanted > 0]).tolist():
        rows = images[wanted == k_total]
        keys = [keys64(seed, f"image-no|{k}", world.image_ids[rows]) for k in range(k_total)]
        draws = np.stack(keys, axis=1)
        for leaf in np.unique(label[rows]).tolist():
            members = np.flatnonzero(label[rows] == leaf)
            eligible = np.flatnonzero(world.false[leaf])
            n_draws = min(k_total, len(eligible))
            missing += (k_total - n_draws) * len(members)
            picked = take_distinct(draws[members, :n_draws], len(eligible))
            image_parts.append(np.repeat(rows[members], n_draws))
            asked_parts.append(eligible[picked.ravel()] if n_draws else members[:0])
    return _concatenate(image_parts), _concatenate(asked_parts), missing


def _concatenate(parts: list[Ints]) -> Ints:
    return np.concatenate([*parts, np.empty(0, dtype=np.int64)])


def asked_ids(world: World, about_hypernym: Bools, asked: Ints) -> Ints:
    """Concept ids of what is asked."""
    ids = np.empty(len(asked), dtype=np.int64)
    ids[about_hypernym] = world.hypernyms.ids[asked[about_hypernym]]
    ids[~about_hypernym] = world.leaves.ids[asked[~about_hypernym]]
    return ids


def _assemble(
    world: World,
    labels: Labels,
    parts: list[tuple[Ints, Ints, Bools, bool]],
    shortfall: Mapping[str, int],
) -> Questions:
    image = np.concatenate([part[0] for part in parts])
    asked = np.concatenate([part[1] for part in parts])
    answer = np.concatenate([part[2] for part in parts])
    about = np.concatenate([np.full(len(part[0]), part[3], dtype=np.bool_) for part in parts])
    concept = asked_ids(world, about, asked)
    order = np.lexsort((concept, world.image_ids[image]))
    image, asked, answer, about = image[order], asked[order], answer[order], about[order]
    return Questions(
        example_id=example_ids(world, labels.shuffle_id, image, concept[order]),
        image=image,
        label=labels.label_of[world.image_leaf[image]],
        about_hypernym=about,
        asked=asked,
        answer=answer,
        shortfall=shortfall,
    )


def example_ids(world: World, shuffle_id: str, image: Ints, concept: Ints) -> Ints:
    """int64 ids of (image, asked) questions, equal in every manifest of a shuffle."""
    pairs = zip(world.image_ids[image].tolist(), concept.tolist(), strict=True)
    return ids63(f"{world.dataset_id}|{shuffle_id}", pairs)
