"""The encoder that ships: whole, small, and trained on the training split alone."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from tests.xmodal import tiny
from xmodal.bundle.encoder.load import NAME, PICTURES, RECIPE, WEIGHTS, load_encoder
from xmodal.bundle.encoder.train import EncoderTraining
from xmodal.bundle.files import data_file
from xmodal.bundle.pictures import load_pictures
from xmodal.features import classical
from xmodal.features.config import FeatureConfig
from xmodal.features.encoders.load import OWN


def folder() -> Path:
    return data_file(f"encoder/{RECIPE}").parent


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.rand(70, 3, 64, 64, generator=torch.Generator().manual_seed(2))


def test_hashes_are_those_of_the_recipe_and_the_version_comes_from_them() -> None:
    recipe = json.loads((folder() / RECIPE).read_text())
    for name in (WEIGHTS, PICTURES):
        assert sha256((folder() / name).read_bytes()).hexdigest() == recipe["sha256"][name]
    assert load_encoder().version == recipe["sha256"][WEIGHTS][:16]
    assert recipe["training"] == json.loads(json.dumps(EncoderTraining().as_dict()))


def test_it_was_trained_on_exactly_the_training_split() -> None:
    rows = load_pictures().select(["sha256", "split"]).to_pylist()
    of = {split: {r["sha256"] for r in rows if r["split"] == split} for split in ("train", "test")}
    assert load_encoder().training_pictures == of["train"]
    assert not load_encoder().training_pictures & of["test"]


def test_files_are_small_and_hold_no_pickle() -> None:
    files = list(folder().iterdir())
    assert sum(path.stat().st_size for path in files) < 6_000_000
    assert {path.suffix for path in files} == {".json", ".safetensors", ".txt"}


def test_it_is_the_default() -> None:
    assert (NAME in OWN, FeatureConfig().encoder) == (True, NAME)


def test_features_are_made_of_it_like_of_any_other(tmp_path: Path) -> None:
    config = FeatureConfig(encoder=NAME, pooling="patches", n_views=2)
    features = tiny.features(tiny.taxonomy(tmp_path), tmp_path / "features", config)
    # 35 pictures and a further view of the 20 for training
    assert features.shape == (55, 16, 528)
    assert features.encoder_version == load_encoder().version
    assert features.training_pictures == load_encoder().training_pictures


def test_tokens_have_one_shape_and_do_not_depend_on_the_batch(pixels: torch.Tensor) -> None:
    encoder = load_encoder()
    tokens = encoder.encode(pixels)
    assert (encoder.side, tokens.shape, tokens.dtype) == (64, (70, 16, 528), torch.float32)
    for rows in (slice(0, 1), slice(60, 70), slice(3, 6)):
        assert torch.allclose(encoder.encode(pixels[rows]), tokens[rows], atol=1e-5)


def test_bytes_do_not_depend_on_the_threads_and_weights_stay(pixels: torch.Tensor) -> None:
    encoder = load_encoder()
    before = {name: value.clone() for name, value in encoder.net.state_dict().items()}
    found = []
    threads = torch.get_num_threads()
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            found.append(encoder.encode(pixels[:9]))
            assert torch.get_num_threads() == n
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*found)
    assert all(torch.equal(before[name], now) for name, now in encoder.net.state_dict().items())
    assert not any(p.requires_grad for p in encoder.net.parameters())


def test_a_mirror_image_and_a_view_mirrored_whole_are_alike(pixels: torch.Tensor) -> None:
    """Each token of a mirror image is that of the picture: both contain both, added up."""
    encoder = load_encoder()
    here, there = encoder.encode(pixels[:5]), encoder.encode(pixels[:5].flip(-1))
    assert torch.allclose(here, there, atol=1e-5)


def test_the_classical_channels_are_those_of_the_classical_encoder(pixels: torch.Tensor) -> None:
    some = pixels[:3]
    plain, mirrored = classical.encode(some), classical.encode(some.flip(-1))
    got = load_encoder().encode(some)[..., :464]
    for row, column in ((0, 0), (2, 3)):
        # channel c of the four tokens under a coarse one, in reading order
        under = [(2 * row + i) * 8 + 2 * column + j for i in (0, 1) for j in (0, 1)]
        half = (plain[:, under] + mirrored[:, under]) / 2
        apart = (plain[:, under] - mirrored[:, under]).abs() / 2
        want = torch.cat([half, apart], dim=2).transpose(1, 2).flatten(1)
        assert torch.allclose(got[:, 4 * row + column], want, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 3, 32, 32), (2, 1, 64, 64), (3, 64, 64)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"pixels must be \[B, 3, 64, 64\], got "):
        load_encoder().encode(torch.zeros(shape))
