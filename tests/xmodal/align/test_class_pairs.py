"""Pairs from a dataset: who is trained on, who is looked at, and by which features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from taxonomy.errors import ConfigError, ManifestError
from tests.xmodal import tiny
from xmodal.align.class_pairs import Chosen, ClassWorld
from xmodal.align.templates import class_texts
from xmodal.align.text_features import TextSource, make_text_features
from xmodal.features.extract import FeatureConfig
from xmodal.lms.text import load_text_model


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, lm_folder: Path) -> ClassWorld:
    folder = tmp_path_factory.mktemp("pairs")
    of = tiny.taxonomy(folder)
    found = class_texts(of, ["name"])
    source = TextSource(
        texts=found.texts,
        concept_id=found.concept_id,
        dataset_id=of.dataset_id,
        templates=("name",),
    )
    texts, _ = make_text_features(source, load_text_model(str(lm_folder)), folder / "texts")
    return ClassWorld(of=of, pictures=tiny.features(of, folder / "features"), texts=texts)


def shown(world: ClassWorld) -> Iterator[dict[str, Any]]:
    """The pictures of the dataset as the csv has them, by rows of the table."""
    names = {row["concept_id"]: row["name"] for row in world.of.concepts.to_pylist()}
    for row in world.of.images.to_pylist():
        yield row | {"leaf": names[row["concept_id"]]}


def rows_of(world: ClassWorld, chosen: Chosen) -> list[tuple[int, int]]:
    """(row of the picture features, concept id of the text) of each training pair."""
    pairs, array = chosen.train, np.array(world.pictures.open())[:, 0]
    assert pairs.text_row is not None
    found = []
    for vector, row in zip(pairs.image.numpy(), pairs.text_row.tolist(), strict=True):
        (at,) = np.flatnonzero((array == vector).all(1))
        found.append((int(at), world.class_ids[row]))
    return found


def test_every_view_of_a_training_picture_has_the_text_of_its_class(world: ClassWorld) -> None:
    chosen = world.choose(world.class_ids)
    train = [row for row in shown(world) if row["split"] == "train"]
    want = {(row["image_id"], row["concept_id"]) for row in train}
    further = {
        (world.pictures.n_images + at, row["concept_id"])
        for at, row in enumerate(sorted(train, key=lambda row: row["image_id"]))
    }
    assert set(rows_of(world, chosen)) == want | further
    assert (len(chosen.train), chosen.n_images) == (2 * len(want), len(want))
    assert chosen.trained == world.class_ids
    assert torch.equal(chosen.train.text, torch.from_numpy(np.array(world.texts.open())))
    assert chosen.validation is not None
    assert len(chosen.validation) == sum(row["split"] == "validation" for row in shown(world))


def test_classes_that_are_left_out_are_nowhere(world: ClassWorld) -> None:
    trained = world.class_ids[1:4]
    chosen = world.choose(trained)
    assert {one for _, one in rows_of(world, chosen)} == set(trained) == set(chosen.trained)
    assert chosen.validation is not None
    assert chosen.validation.text_row is not None
    assert {world.class_ids[i] for i in chosen.validation.text_row.tolist()} == set(trained)


def test_validation_classes_are_not_trained_on(world: ClassWorld) -> None:
    drawn = set()
    for seed in range(8):
        among = world.class_ids[:4]
        chosen = world.choose(
            world.class_ids, validation="classes", share=0.4, held_out=among, seed=seed
        )
        assert len(chosen.validated) == 2
        assert set(chosen.validated) <= set(among)
        assert set(chosen.trained) == set(world.class_ids) - set(chosen.validated)
        assert chosen.validation is not None
        # all they have: four training pictures and one for validation each
        assert len(chosen.validation) == 10
        again = world.choose(
            world.class_ids, validation="classes", share=0.4, held_out=among, seed=seed
        )
        assert again.data_id == chosen.data_id
        drawn.add(chosen.validated)
    assert len(drawn) > 1


def test_fewer_pairs_are_among_more(world: ClassWorld) -> None:
    by_n = {n: rows_of(world, world.choose(world.class_ids, n_pairs=n)) for n in (5, 12, 40)}
    assert [len(rows) for rows in by_n.values()] == [5, 12, 40]
    assert set(by_n[5]) < set(by_n[12]) < set(by_n[40])
    other = rows_of(world, world.choose(world.class_ids, n_pairs=5, seed=1))
    assert set(other) != set(by_n[5])
    few = world.choose(world.class_ids, n_pairs=2)
    assert len(few.trained) <= 2


def test_the_id_tells_what_is_trained_on_apart(world: ClassWorld) -> None:
    ids = [
        world.choose(world.class_ids).data_id,
        world.choose(world.class_ids, validation="none").data_id,
        world.choose(world.class_ids[1:]).data_id,
        world.choose(world.class_ids, n_pairs=5).data_id,
    ]
    # equal vectors under another id too: the run says whose they are
    for change in ({"sha256": "x"}, {"text_feature_set_id": "x"}):
        other = replace(world, texts=replace(world.texts, **change))
        ids.append(other.choose(world.class_ids).data_id)
    for change in ({"sha256": "x"}, {"feature_set_id": "x"}):
        other = replace(world, pictures=replace(world.pictures, **change))
        ids.append(other.choose(world.class_ids).data_id)
    assert len(set(ids)) == len(ids)
    assert world.choose(world.class_ids).data_id == ids[0]


def test_several_tokens_become_their_mean(world: ClassWorld, tmp_path: Path) -> None:
    config = FeatureConfig(encoder="classical", pooling="patches", n_views=1)
    pictures = tiny.features(world.of, tmp_path, config)
    of = replace(world, pictures=pictures)
    images = of.images("train", of.class_ids)
    assert pictures.shape[1] > 1
    want = np.array(pictures.open())[images].mean(1)
    np.testing.assert_allclose(of.vectors(images).numpy(), want, rtol=1e-6, atol=1e-7)
    assert len(of.choose(of.class_ids).train) == len(images)


def test_pictures_without_features_are_left_out(world: ClassWorld) -> None:
    first = int(world.images("train", world.class_ids)[0])
    lacking = replace(world, pictures=replace(world.pictures, skipped=((first, "damaged"),)))
    assert first not in lacking.images("train", world.class_ids)
    assert lacking.choose(world.class_ids).n_images == world.choose(world.class_ids).n_images - 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_pairs": 1}, "n-pairs must be from 2 to the 40 there are, got 1"),
        ({"n_pairs": 41}, "n-pairs must be from 2 to the 40 there are, got 41"),
        ({"validation": "all"}, "validation must be one of pictures, classes, none, got 'all'"),
        (
            {"validation": "classes", "share": 1.0},
            "validation share must be between 0 and 1, got 1",
        ),
    ],
)
def test_settings_out_of_range(world: ClassWorld, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        world.choose(world.class_ids, **settings)
    assert str(error.value) == message


def test_no_picture_is_left(world: ClassWorld) -> None:
    with pytest.raises(ManifestError, match="has 0 training pictures of the classes"):
        world.choose([])


def test_features_of_other_datasets(world: ClassWorld) -> None:
    with pytest.raises(ConfigError, match=r"^text features .* are of captions, not of dataset"):
        replace(world, texts=replace(world.texts, dataset_id=None))
    with pytest.raises(ConfigError, match=r"^features .* are of dataset d2, not of dataset"):
        replace(world, pictures=replace(world.pictures, dataset_id="d2"))
