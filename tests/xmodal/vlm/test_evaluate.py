"""Scoring: with the picture, without it, in any batch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taxonomy.errors import ConfigError, ManifestError, XmodalError
from tests.xmodal import tiny
from xmodal.vlm.evaluate import (
    IMAGE_MODES,
    Scores,
    _other,
    _shown,
    one_by_one,
    sample,
    score,
    verify,
)
from xmodal.vlm.experiment import RunSpec, _predict
from xmodal.vlm.projector import Projector
from xmodal.vlm.trainer import Trainer
from xmodal.vlm.trainset import Examples, read_examples


@pytest.fixture(scope="module")
def trainer(spec: RunSpec) -> Trainer:
    return tiny.trainer(spec)


@pytest.fixture(scope="module")
def projector(trainer: Trainer) -> Projector:
    return trainer.run(trainer.start()).projector


@pytest.fixture(scope="module")
def asked(spec: RunSpec) -> Examples:
    examples = read_examples(spec.taxonomy, spec.manifest)
    return examples.take(np.flatnonzero(examples.split == "test"))


def scored(
    spec: RunSpec, trainer: Trainer, projector: Projector, asked: Examples, **how: Any
) -> Scores:
    given_ = {"train_images": trainer.groups.images} | how
    return score(spec.lm, projector, spec.features, trainer.questions, asked, **given_)


def far(a: Scores, b: Scores) -> float:
    pairs = ((a.logit_yes, b.logit_yes), (a.logit_no, b.logit_no))
    return max(float((np.abs(x - y) / np.maximum(1, np.abs(y))).max()) for x, y in pairs)


@pytest.mark.parametrize("mode", IMAGE_MODES)
@pytest.mark.parametrize("batch_size", [1, 5, 7])
def test_the_batch_size_does_not_matter(
    spec: RunSpec,
    trainer: Trainer,
    projector: Projector,
    asked: Examples,
    mode: str,
    batch_size: int,
) -> None:
    whole = scored(spec, trainer, projector, asked, image_mode=mode)
    parts = scored(spec, trainer, projector, asked, image_mode=mode, batch_size=batch_size)
    assert len(whole.logit_yes) == len(whole.predicted) == len(asked)
    assert far(parts, whole) <= 1e-4


def test_scores_are_those_of_one_question_at_a_time(
    spec: RunSpec, trainer: Trainer, projector: Projector, asked: Examples
) -> None:
    projector.train()  # with dropout, if scoring did not turn it off
    got = scored(spec, trainer, projector, asked)
    projector.eval()
    for row in range(len(asked)):
        picture = torch.from_numpy(np.array(spec.features.open()[asked.image[row]]))
        text = spec.lm.token_ids(f"Is there {asked.phrases[asked.asked[row]]} in the image?")
        with torch.no_grad():
            parts = [projector(picture[None]), spec.lm.embed(torch.tensor([text]))]
            logits = spec.lm.model(inputs_embeds=torch.cat(parts, dim=1)).logits[0, -1]
        yes, no = (float(logits[spec.lm.answer_id(word)]) for word in (" Yes", " No"))
        assert float(got.logit_yes[row]) == pytest.approx(yes, rel=1e-4, abs=1e-4)
        assert float(got.logit_no[row]) == pytest.approx(no, rel=1e-4, abs=1e-4)
        assert bool(got.predicted[row]) == (got.logit_yes[row] > got.logit_no[row])


def test_predictions_carry_the_ids_of_their_questions(
    spec: RunSpec, trainer: Trainer, asked: Examples
) -> None:
    state = trainer.run(trainer.start())
    examples = read_examples(spec.taxonomy, spec.manifest)
    table = _predict(spec, state, examples, trainer.groups, trainer.questions)
    rows = {(row["image_mode"], row["example_id"]): row for row in table.to_pylist()}
    test = [r["example_id"] for r in spec.manifest.examples.to_pylist() if r["split"] == "test"]
    assert set(rows) == {(mode, example) for mode in ("real", "mean") for example in test}
    assert len(rows) == table.num_rows
    for mode in ("real", "mean"):
        want = scored(spec, trainer, state.projector, asked, image_mode=mode)
        for row, example in enumerate(asked.example_id.tolist()):
            assert rows[mode, example]["logit_yes"] == pytest.approx(want.logit_yes[row], abs=1e-4)
            assert rows[mode, example]["predicted"] == bool(want.predicted[row])


def shown(
    spec: RunSpec, trainer: Trainer, asked: Examples, mode: str, seed: int = 0
) -> np.ndarray[Any, Any]:
    images = np.unique(asked.image)
    what = _shown(spec.features, asked, images, mode, trainer.groups.images, seed)
    got = what[torch.arange(len(images))]
    assert got.shape == (len(images), *spec.features.open().shape[1:])
    assert got.dtype == torch.float32
    return got.numpy()


def test_zero_mean_and_noise_say_nothing_of_the_picture(
    spec: RunSpec, trainer: Trainer, asked: Examples
) -> None:
    train = spec.features.open()[trainer.groups.images]
    assert not shown(spec, trainer, asked, "zero").any()
    mean = shown(spec, trainer, asked, "mean")
    assert np.allclose(mean, train.mean(axis=0)[None], atol=1e-6)
    noise = shown(spec, trainer, asked, "noise")
    assert np.array_equal(noise, shown(spec, trainer, asked, "noise"))
    assert not np.array_equal(noise, shown(spec, trainer, asked, "noise", seed=1))
    real = shown(spec, trainer, asked, "real")
    assert np.array_equal(real, spec.features.open()[np.unique(asked.image)])


def test_noise_has_the_mean_and_spread_of_training(spec: RunSpec, trainer: Trainer) -> None:
    train = spec.features.open()[trainer.groups.images]
    images = np.zeros(20_000, dtype=np.int64)
    noise = _shown(
        spec.features, trainer.groups.examples, images, "noise", trainer.groups.images, 0
    )
    assert isinstance(noise, torch.Tensor)
    spread = train.std(axis=0)
    assert np.abs((noise.numpy().mean(axis=0) - train.mean(axis=0)) / spread).max() < 0.05
    assert np.abs(noise.numpy().std(axis=0) / spread - 1).max() < 0.05


def test_other_leaf_shows_test_pictures_of_other_leaves(
    spec: RunSpec, trainer: Trainer, asked: Examples
) -> None:
    images = np.unique(asked.image)
    leaf = {int(i): int(x) for i, x in zip(asked.image, asked.leaf, strict=True)}
    rows = {spec.features.open()[i].tobytes(): int(i) for i in images}
    assert len(rows) == len(images)
    for seed in range(20):
        for image, row in zip(images, shown(spec, trainer, asked, "other-leaf", seed), strict=True):
            assert leaf[rows[row.tobytes()]] != leaf[int(image)]


@given(st.lists(st.integers(0, 5), min_size=2, max_size=40), st.integers(0, 9))
@settings(deadline=None)
def test_another_leaf_is_never_the_same_one(leaves: list[int], seed: int) -> None:
    leaf = np.array(leaves)
    if len(set(leaves)) == 1:
        with pytest.raises(ManifestError, match="needs questions about two leaves or more"):
            _other(leaf, seed)
    else:
        assert (leaf[_other(leaf, seed)] != leaf).all()


def test_another_leaf_is_drawn_evenly() -> None:
    leaf = np.array([0] * 3000 + [1, 1, 2])
    counts = np.bincount(_other(leaf, 0)[:3000], minlength=3003)[3000:]
    assert counts.sum() == 3000
    assert (np.abs(counts - 1000) < 5 * math.sqrt(1000)).all()


def test_an_unknown_mode_is_refused(
    spec: RunSpec, trainer: Trainer, projector: Projector, asked: Examples
) -> None:
    with pytest.raises(ConfigError, match="image_mode must be one of real, zero, mean, noise"):
        scored(spec, trainer, projector, asked, image_mode="blank")


def test_one_by_one_gives_the_batched_scores_in_every_mode(
    spec: RunSpec, trainer: Trainer, projector: Projector, asked: Examples
) -> None:
    rows = sample(asked, 5, 0)
    for mode in IMAGE_MODES:
        how: dict[str, Any] = {"image_mode": mode, "train_images": trainer.groups.images, "seed": 3}
        batched = scored(spec, trainer, projector, asked, **how)
        alone = one_by_one(
            *(spec.lm, projector, spec.features, trainer.questions, asked, rows), **how
        )
        assert verify(batched, alone, asked, rows, torch.float32) <= 1e-4


def test_verify_names_the_furthest_question(asked: Examples) -> None:
    rows = np.array([0, 2])
    batched = Scores(np.array([1, 0, 20], np.float32), np.array([0, 0, 1], np.float32))
    near = Scores(np.array([1.00005, 20.001], np.float32), np.array([0, 1], np.float32))
    # 5e-5 of 1, and 1e-3 of 20: the same in units of max(1, |logit|)
    largest = verify(batched, near, asked, rows, torch.float32)
    assert largest == pytest.approx(5e-5, rel=0.01)
    far_off = Scores(near.logit_yes, np.array([0, 1.5], np.float32))
    message = (
        rf"off by 0.33 max\(1, \|logit\|\), more than 0.0001: the logit of No of example "
        rf"{asked.example_id[2]} is 1 in its batch and 1.5 alone"
    )
    with pytest.raises(XmodalError, match=message):
        verify(batched, far_off, asked, rows, torch.float32)
    nothing = Scores(np.full(2, np.nan, np.float32), near.logit_no)
    with pytest.raises(XmodalError, match="off by inf"):
        verify(batched, nothing, asked, rows, torch.bfloat16)


def test_a_sample_is_nested_and_goes_by_the_seed(asked: Examples) -> None:
    small, large = (set(sample(asked, n, 1).tolist()) for n in (3, 9))
    assert len(small) == 3
    assert small < large
    assert small != set(sample(asked, 3, 2).tolist())
    assert sample(asked, None, 1).tolist() == list(range(len(asked)))
