"""Pairs from captions: who is trained on, who is looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from taxonomy.errors import ConfigError, DataError, ManifestError
from taxonomy.hashing import content_id
from xmodal.align.captions import CaptionSet
from xmodal.align.class_pairs import Chosen, Ints, digest, some_rows
from xmodal.align.pairs import Pairs
from xmodal.align.text_features import TextFeatureSet

VALIDATIONS = ("pairs", "none")

Bools = np.ndarray[Any, np.dtype[np.bool_]]


def check_texts(captions: CaptionSet, texts: TextFeatureSet) -> None:
    """Refuse text features of other texts than the captions, row by row.

    Raises:
        DataError: They are.
    """
    want = [[one] for one in captions.texts()]
    if texts.dataset_id is not None or texts.table()["texts"].to_pylist() != want:
        raise DataError(
            f"text features {texts.text_feature_set_id} are not of the captions of set "
            f"{captions.caption_set_id}: `xmodal align features --captions "
            f"{captions.caption_set_id}` makes such"
        )


def choose_captions(
    captions: CaptionSet,
    texts: TextFeatureSet,
    *,
    keep: Bools | None = None,
    validation: str = "pairs",
    share: float = 0.1,
    n_pairs: int | None = None,
    seed: int = 0,
) -> Chosen:
    """The pairs of a run over captions.

    Args:
        captions: Which text goes with which picture, and the pictures' features.
        texts: Features of its texts, row by row.
        keep: bool [N], of each text whether training may see it; None for all.
        validation: What is looked at. pairs: those of a share of the pictures, but for those
            whose text is trained on; none.
        share: Of the pictures.
        n_pairs: Train on so many pairs only, a random choice, nested in n_pairs; None for all.
        seed: Of the choice of pictures and pairs.

    Raises:
        ConfigError: A setting out of range.
        DataError: Text features of other texts.
        ManifestError: Too few pairs are left.
    """
    check_texts(captions, texts)
    table = captions.pairs()
    text_row, image_row = (
        table[name].to_numpy().astype(np.int64) for name in ("text_row", "image_row")
    )
    seen: Bools = np.ones(len(text_row), dtype=np.bool_) if keep is None else keep[text_row]
    watched: Bools = np.zeros(len(text_row), dtype=np.bool_)
    if validation == "pairs":
        if not 0.0 < share < 1.0:
            raise ConfigError(f"validation share must be between 0 and 1, got {share:g}")
        watched = _of_pictures(image_row, captions.n_images, share, seed)
    rows: Ints = np.flatnonzero(seen & ~watched)
    if n_pairs is not None:
        rows = some_rows(rows, n_pairs, seed)
    # what a text that training sees says of a picture is no test of it
    looked_at = np.flatnonzero(seen & watched & ~np.isin(text_row, text_row[rows]))
    for what, found in (("training", rows), ("validation", looked_at)):
        if len(found) < 2 and (what == "training" or validation != "none"):
            raise ManifestError(
                f"{len(found)} {what} pairs of {len(text_row)} are left, at least 2 are needed: "
                "take more captions, another level, or --validation none"
            )
    text = torch.from_numpy(np.array(texts.open()))
    image = torch.from_numpy(np.array(captions.open()))

    def pairs(found: Ints) -> Pairs:
        return Pairs(
            text=text,
            image=image,
            text_row=torch.from_numpy(text_row[found]),
            image_row=torch.from_numpy(image_row[found]),
        )

    return Chosen(
        train=pairs(rows),
        validation=pairs(looked_at) if validation != "none" else None,
        trained=(),
        validated=(),
        data_id=content_id(
            {
                "texts": texts.text_feature_set_id,
                "pictures": captions.caption_set_id,
                "text": texts.sha256,
                "image": captions.sha256,
                "rows": digest(rows),
                "validation": digest(looked_at) if validation != "none" else None,
            }
        ),
        n_images=len(np.unique(image_row[rows])),
    )


def _of_pictures(image_row: Ints, n_images: int, share: float, seed: int) -> Bools:
    """bool [P], whether each pair is of one of the pictures that are held out."""
    order = np.random.default_rng([seed, 2]).permutation(n_images)
    held_out = np.zeros(n_images, dtype=np.bool_)
    held_out[order[: max(2, round(share * n_images))]] = True
    return held_out[image_row]
