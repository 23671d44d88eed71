"""Features that go with those that an alignment was trained on: of one LM, of one encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from taxonomy.errors import DataError

Row = Mapping[str, Any]
_READER = ("lm_hash", "lm_init", "pooling", "layer", "longest")
_ENCODER = ("encoder", "revision", "weights_sha256", "layer", "pooling", "width")
_PREPARED = ("side", "fit", "precision")
"""How pictures were encoded, where both tables say so."""


def same_reader(a: Row, b: Row) -> bool:
    """Whether two rows of text_feature_set were read by one LM in one way."""
    return all(a[name] == b[name] for name in _READER)


def check_reader(texts: Row, trained: Row) -> None:
    """Refuse text features of another LM than those that were trained on.

    Args:
        texts: Row of text_feature_set to ask with.
        trained: The same, of the training texts.

    Raises:
        DataError: They are; says in what.
    """
    for name in _READER:
        if texts[name] != trained[name]:
            raise DataError(
                f"text features {texts['text_feature_set_id']} have {name} {texts[name]}, trained "
                f"were {trained['text_feature_set_id']} with {trained[name]}: `xmodal align "
                "features` reads the texts as it needs them"
            )


def check_encoder(pictures: Row, trained: Row) -> None:
    """Refuse picture features of another encoder than those that were trained on.

    Args:
        pictures: Row of feature_set, or of caption_set, to ask with.
        trained: The same, of the training pictures.

    Raises:
        DataError: They are, or principal components of another dataset.
    """
    what, mine = _name(pictures), _name(trained)
    if what == mine:
        return
    both = [name for name in _PREPARED if name in pictures and name in trained]
    for name in (*_ENCODER, *both):
        if pictures[name] != trained[name]:
            raise DataError(
                f"{what} have {name} {pictures[name]}, trained were {mine} with {trained[name]}: "
                "encode the pictures in the same way, and train on those"
            )
    if pictures["pooling"] == "pca":
        raise DataError(
            f"{what} and {mine} have principal components of their own pictures: train on features "
            "of pooling mean or cls to ask about others"
        )


def _name(row: Row) -> str:
    if "caption_set_id" in row:
        return f"the pictures of captions {row['caption_set_id']}"
    return f"features {row['feature_set_id']}"
