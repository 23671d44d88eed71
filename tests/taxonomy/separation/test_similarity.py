"""Cosines above a threshold, by chunks; and features that cannot be used."""

from __future__ import annotations

import numpy as np
import pytest

from taxonomy.errors import DataError
from taxonomy.separation import similarity
from taxonomy.separation.similarity import similar_classes


def test_the_nearest_unseen_class_is_named() -> None:
    # cosines with rows 0 and 1: row 2: 0.6 and 0.8; row 3: -1 and 0; row 4: 1 and 0
    features = np.array([[1, 0], [0, 2], [3, 4], [-1, 0], [5, 0]], dtype=np.float32)
    found = similar_classes(features, 5, [0, 1], 0.5)
    assert found == {2: (1, pytest.approx(0.8, abs=1e-12)), 4: (0, 1.0)}
    assert similar_classes(features, 5, [0, 1], 0.9).keys() == {4}
    assert similar_classes(features, 5, [], 0.5) == {}


def test_chunks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.random.default_rng(0).standard_normal((40, 4)).astype(np.float32)
    whole = similar_classes(features, 40, [3, 9, 20], 0.4)
    monkeypatch.setattr(similarity, "_CHUNK_ROWS", 7)
    parts = similar_classes(features, 40, [3, 9, 20], 0.4)
    assert whole.keys() == parts.keys()
    assert len(whole) > 7
    assert [row for row, _ in whole.values()] == [row for row, _ in parts.values()]


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (
            np.ones((4, 2)),
            "features must be [5, D], one row a class, got [4, 2]; give them in the order of the "
            "class ids",
        ),
        (
            np.ones(5),
            "features must be [5, D], one row a class, got [5]; give them in the order of the "
            "class ids",
        ),
        (
            np.eye(5)[:, :4],
            "features must be finite and not all zero, got row 4 with length 0.0; extract that "
            "class again",
        ),
        (
            np.array([[1.0], [np.nan], [1.0], [1.0], [1.0]]),
            "features must be finite and not all zero, got row 1 with length nan; extract that "
            "class again",
        ),
    ],
)
def test_features_that_do_not_fit_are_refused(features: similarity.Matrix, message: str) -> None:
    with pytest.raises(DataError) as caught:
        similar_classes(features, 5, [0], 0.5)
    assert str(caught.value) == message
