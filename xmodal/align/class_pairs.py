"""Pairs from a dataset: each picture with the text of its class."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from taxonomy.errors import ConfigError, ManifestError
from taxonomy.hashing import content_id, keyed_order
from taxonomy.model import Taxonomy, one_of
from xmodal.align.pairs import Pairs
from xmodal.align.text_features import TextFeatureSet
from xmodal.features.feature_set import FeatureSet

VALIDATIONS = ("pictures", "classes", "none")
_AT_A_TIME = 8192
"""Rows of picture features read together."""

Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which pairs a run trains on and looks at."""

    train: Pairs
    validation: Pairs | None
    trained: tuple[int, ...]
    """Concept ids of the classes with a training pair, ascending."""
    validated: tuple[int, ...]
    """Concept ids of the classes held out to look at; empty unless they are."""
    data_id: str
    """Hash of the rows, of the features that they are rows of, and of what these are called."""
    n_images: int
    """Pictures with a training pair, however many views of them there are."""


@dataclass(frozen=True, kw_only=True)
class ClassWorld:
    """The pictures of a dataset and the texts of its classes, as features."""

    of: Taxonomy
    pictures: FeatureSet
    texts: TextFeatureSet

    def __post_init__(self) -> None:
        for what, found in (("features", self.pictures), ("text features", self.texts)):
            if found.dataset_id != self.of.dataset_id:
                whose = f"dataset {found.dataset_id}" if found.dataset_id else "captions"
                raise ConfigError(
                    f"{what} {found.path.name} are of {whose}, not of dataset "
                    f"{self.of.dataset_id}: take those of one dataset"
                )

    @cached_property
    def class_ids(self) -> tuple[int, ...]:
        """Concept ids of the classes, in the order of their texts' rows."""
        return tuple(self.texts.table()["concept_id"].to_pylist())

    @cached_property
    def text(self) -> Tensor:
        """float32 [C, Dt]."""
        return torch.from_numpy(np.array(self.texts.open()))

    def images(self, split: str, classes: Collection[int]) -> Ints:
        """Ids of the pictures of a split that show one of the classes and have features."""
        images = self.of.images
        shown = pc.and_(
            pc.fill_null(pc.equal(images["split"], split), False),
            pc.is_in(images["concept_id"], value_set=_ints(classes)),
        )
        ids: Ints = images.filter(shown)["image_id"].to_numpy().astype(np.int64)
        return ids[~np.isin(ids, self.pictures.skipped_images)]

    def class_of(self, images: Ints) -> Ints:
        """Concept ids of the classes that pictures show."""
        return self._shown[images]

    def vectors(self, rows: Ints) -> Tensor:
        """float32 [N, Dv] of rows of the picture features: the mean of a row's tokens."""
        _, _, width = self.pictures.shape
        found = torch.empty(len(rows), width)
        for start in range(0, len(rows), _AT_A_TIME):
            part = slice(start, start + _AT_A_TIME)
            found[part] = self.pictures.take(rows[part]).mean(1)
        return found

    def choose(
        self,
        trained: Collection[int],
        *,
        validation: str = "pictures",
        share: float = 0.1,
        held_out: Collection[int] | None = None,
        n_pairs: int | None = None,
        seed: int = 0,
    ) -> Chosen:
        """The pairs of a run.

        Args:
            trained: Concept ids of the classes that training may see.
            validation: What is looked at. pictures: validation pictures of the trained classes;
                classes: a share of the classes, which are then not trained on, with all their
                training and validation pictures; none.
            share: Of the classes that are held out to look at.
            held_out: The classes among which those are drawn; None for all that are trained.
            n_pairs: Train on so many pairs only, a random choice, nested in n_pairs; None for all.
            seed: Of the choice of classes and of pairs; no part of a run's seeds.

        Raises:
            ConfigError: A setting out of range.
            ManifestError: Too few pictures or classes.
        """
        one_of("validation", validation, VALIDATIONS)
        known = set(self.class_ids) & set(trained)
        looked_at: set[int] = set()
        if validation == "classes":
            looked_at = self._held_out(
                known & set(known if held_out is None else held_out), share, seed
            )
        images = self.images("train", known - looked_at)
        rows = self._views(images)
        if n_pairs is not None:
            rows = some_rows(rows, n_pairs, seed)
        if len(rows) < 2:
            raise ManifestError(
                f"dataset {self.of.dataset_id} has {len(rows)} training pictures of the classes "
                "that training may see: take another separation or level"
            )
        of_rows = self._image_of(rows)
        shown = sorted(set(self.class_of(of_rows).tolist()))
        watched: Ints = np.zeros(0, dtype=np.int64)
        if validation == "pictures":
            watched = self.images("validation", known)
        elif validation == "classes":
            both = [self.images(split, looked_at) for split in ("train", "validation")]
            watched = np.sort(np.concatenate(both))
        if validation != "none" and len(watched) < 2:
            raise ManifestError(
                f"there are {len(watched)} validation pictures, at least 2 are needed: "
                "--validation none trains to the end"
            )
        return Chosen(
            train=self._pairs(rows),
            validation=self._pairs(watched) if len(watched) else None,
            trained=tuple(shown),
            validated=tuple(sorted(looked_at)),
            data_id=content_id(
                {
                    # a run says which sets it is of, so that equal vectors of others, such as of
                    # another dataset or longest, are another run
                    "texts": self.texts.text_feature_set_id,
                    "pictures": self.pictures.feature_set_id,
                    "text": self.texts.sha256,
                    "image": self.pictures.sha256,
                    "rows": digest(rows),
                    "classes": digest(self.class_of(of_rows)),
                    "validation": digest(watched),
                }
            ),
            n_images=len(np.unique(of_rows)),
        )

    @cached_property
    def _shown(self) -> Ints:
        """int64 by image id."""
        images = self.of.images
        found = np.full(self.pictures.n_images, -1, dtype=np.int64)
        found[images["image_id"].to_numpy()] = images["concept_id"].to_numpy()
        return found

    def _held_out(self, classes: set[int], share: float, seed: int) -> set[int]:
        if not 0.0 < share < 1.0:
            raise ConfigError(f"validation share must be between 0 and 1, got {share:g}")
        keys = dict(
            zip(
                self.of.concepts["concept_id"].to_pylist(),
                self.of.concepts["key"].to_pylist(),
                strict=True,
            )
        )
        by_key = {keys[one]: one for one in classes}
        n = max(2, round(share * len(classes)))
        return {by_key[key] for key in keyed_order(by_key, seed, "validation classes")[:n]}

    def _views(self, images: Ints) -> Ints:
        """Rows of all views of pictures, view by view."""
        n_views = self.pictures.config.n_views if len(self.pictures.augmented) else 1
        augmented = images[np.isin(images, self.pictures.augmented)]
        further = [
            self.pictures.rows(augmented, np.full(len(augmented), view))
            for view in range(1, n_views)
        ]
        return np.concatenate([images, *further])

    def _image_of(self, rows: Ints) -> Ints:
        """Ids of the pictures that rows are views of."""
        further = rows - self.pictures.n_images
        augmented = self.pictures.augmented
        if not len(augmented):
            return rows
        return np.where(further < 0, rows, augmented[further % len(augmented)])

    def _pairs(self, rows: Ints) -> Pairs:
        row_of = {one: row for row, one in enumerate(self.class_ids)}
        classes = self.class_of(self._image_of(rows))
        text_row = torch.tensor([row_of[one] for one in classes.tolist()])
        return Pairs(text=self.text, image=self.vectors(rows), text_row=text_row, group=text_row)


def some_rows(rows: Ints, n: int, seed: int) -> Ints:
    """The first n of rows in a random order, in their own order."""
    if not 2 <= n <= len(rows):
        raise ConfigError(f"n-pairs must be from 2 to the {len(rows)} there are, got {n}")
    order = np.random.default_rng([seed, 1]).permutation(len(rows))
    return rows[np.sort(order[:n])]


def digest(numbers: Ints) -> str:
    """Hash of whole numbers in their order."""
    return sha256(np.ascontiguousarray(numbers, dtype="<i8").tobytes()).hexdigest()


def _ints(classes: Collection[int]) -> Any:
    return pa.array(sorted(classes), pa.int32())
