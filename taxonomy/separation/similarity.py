"""Seen classes whose text features are too like those of an unseen one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from taxonomy.errors import ConfigError, DataError

Matrix = npt.NDArray[np.floating[Any]]
_CHUNK_ROWS = 1024


def check_pair(features: Matrix | None, max_cosine: float | None) -> None:
    """Raise ConfigError unless both are given or neither is."""
    if (features is None) != (max_cosine is None):
        got = "no features" if features is None else "features"
        raise ConfigError(
            f"features and max_cosine go together, got max_cosine {max_cosine} and {got}; give "
            "both or neither"
        )


def unit_rows(features: Matrix, n_classes: int) -> npt.NDArray[np.float64]:
    """Rows of length 1.

    Args:
        features: floating [C, D], a row a class, in the order of their ids.
        n_classes: C.

    Returns:
        float64 [C, D].

    Raises:
        DataError: Another shape, a value that is no number, or a row of zeros.
    """
    array = np.asarray(features)
    if array.ndim != 2 or array.shape[0] != n_classes or not array.shape[1]:
        raise DataError(
            f"features must be [{n_classes}, D], one row a class, got {list(array.shape)}; "
            "give them in the order of the class ids"
        )
    array = array.astype(np.float64)
    lengths = np.sqrt((array * array).sum(axis=1, keepdims=True))
    wrong = np.flatnonzero(~np.isfinite(lengths[:, 0]) | (lengths[:, 0] == 0))
    if len(wrong):
        raise DataError(
            f"features must be finite and not all zero, got row {wrong[0]} with length "
            f"{lengths[wrong[0], 0]}; extract that class again"
        )
    return np.asarray(array / lengths)


def similar_classes(
    features: Matrix, n_classes: int, unseen: Sequence[int], max_cosine: float
) -> dict[int, tuple[int, float]]:
    """The other classes with a larger cosine than allowed with an unseen one.

    Args:
        features: floating [C, D].
        n_classes: C.
        unseen: Rows of the unseen classes.
        max_cosine: The largest cosine allowed.

    Returns:
        By row, the row of the unseen class that it is most like, the first of equal ones, and
        the cosine.

    Raises:
        DataError: The features are no [C, D] of numbers.
    """
    unit = unit_rows(features, n_classes)
    others = np.setdiff1d(np.arange(n_classes), unseen)
    against = unit[list(unseen)].T
    found = {}
    for start in range(0, len(others) if len(unseen) else 0, _CHUNK_ROWS):
        rows = others[start : start + _CHUNK_ROWS]
        cosines = unit[rows] @ against
        nearest = cosines.argmax(axis=1)
        largest = cosines[np.arange(len(rows)), nearest]
        for place in np.flatnonzero(largest > max_cosine):
            found[int(rows[place])] = (int(unseen[nearest[place]]), float(largest[place]))
    return found
