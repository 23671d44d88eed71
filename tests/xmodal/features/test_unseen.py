"""Encoders must not have learnt from test pictures; pictures without features are not asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from taxonomy.errors import ConfigError, ManifestError
from taxonomy.model import Taxonomy
from tests.xmodal import tiny
from xmodal.features.feature_set import FeatureSet
from xmodal.features.skipped import shown_pictures, with_features
from xmodal.features.unseen import check_unseen, pictures_asked, training_sha256


@pytest.fixture(scope="module")
def taxonomy(tmp_path_factory: pytest.TempPathFactory) -> Taxonomy:
    return tiny.taxonomy(tmp_path_factory.mktemp("unseen"))


@pytest.fixture(scope="module")
def features(taxonomy: Taxonomy, tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    return tiny.features(taxonomy, tmp_path_factory.mktemp("features"))


def hashes(of: Taxonomy, split: str) -> list[str]:
    return [row["sha256"] for row in of.images.to_pylist() if row["split"] == split]


def test_the_test_pictures_are_those_of_test_questions(taxonomy: Taxonomy) -> None:
    manifest = tiny.manifest(taxonomy)
    assert pictures_asked(taxonomy, manifest) == frozenset(hashes(taxonomy, "test"))


def test_only_seen_test_pictures_are_refused(taxonomy: Taxonomy, features: FeatureSet) -> None:
    test, train = hashes(taxonomy, "test"), hashes(taxonomy, "train")
    check_unseen(features, test)
    honest = replace(features, training_pictures=frozenset(train))
    check_unseen(honest, test)
    leaky = replace(features, training_pictures=frozenset([*train, *test[:2]]))
    with pytest.raises(
        ConfigError,
        match=r"^encoder 'classical' of feature set .* was trained on 2 of the 10 test pictures, "
        r"such as sha256 [0-9a-f]{12}: choose other features, or --allow-seen$",
    ):
        check_unseen(leaky, test)
    check_unseen(leaky, test, allow_seen=True)


def test_the_hash_is_of_the_set() -> None:
    assert training_sha256([]) is None
    assert training_sha256(["b", "a", "a"]) == training_sha256(["a", "b"]) != training_sha256("a")


def test_questions_about_skipped_pictures_are_left_out(
    taxonomy: Taxonomy, features: FeatureSet
) -> None:
    manifest = tiny.manifest(taxonomy)
    assert with_features(manifest, features) is manifest
    assert shown_pictures(taxonomy, features) is taxonomy
    lame = replace(features, skipped=((3, "cut"), (6, "gone")))
    asked = with_features(manifest, lame).examples
    images = manifest.examples["image_id"].to_numpy()
    kept = manifest.examples.take(np.flatnonzero(~np.isin(images, [3, 6])))
    assert asked.equals(kept.combine_chunks())
    assert 0 < asked.num_rows < manifest.examples.num_rows
    left = shown_pictures(taxonomy, lame).images["image_id"].to_pylist()
    assert left == [i for i in range(35) if i not in (3, 6)]


def test_a_test_set_without_a_picture_is_refused(taxonomy: Taxonomy, features: FeatureSet) -> None:
    manifest = tiny.manifest(taxonomy)
    none = replace(features, skipped=tuple((i, "gone") for i in range(35)))
    with pytest.raises(ManifestError, match=r"has no picture of manifest .* test questions: mend"):
        with_features(manifest, none)


def test_skipped_and_training_pictures_are_read_back(features: FeatureSet, tmp_path: Path) -> None:
    from xmodal.features.feature_set import load_features

    told = replace(features, skipped=((3, "cut"),), training_pictures=frozenset("ab"), side=9)
    (tmp_path / "feature_set.json").write_text(told.description())
    back = load_features(tmp_path)
    assert (back.skipped, back.training_pictures, back.side) == (((3, "cut"),), {"a", "b"}, 9)
