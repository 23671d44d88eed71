"""Training the encoder: the same bits again, no labels, views that stay pictures."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from taxonomy.errors import ConfigError, DataError
from tests.xmodal import tiny
from xmodal.bundle.encoder.augment import STYLES, AugmentConfig, silhouettes, views
from xmodal.bundle.encoder.load import PICTURES, RECIPE, WEIGHTS, read_encoder
from xmodal.bundle.encoder.net import NetConfig
from xmodal.bundle.encoder.package import train_encoder, training_pictures
from xmodal.bundle.encoder.train import EncoderTraining, contrast, view_bank
from xmodal.bundle.pictures import load_pictures

SMALL = EncoderTraining(
    net=NetConfig(width=8, n_channels=4), n_strong=2, n_gentle=1, n_steps=3, batch_size=8
)


@pytest.fixture(scope="module")
def some() -> pa.Table:
    """Every 170th picture; train, validation, test and none among their splits."""
    found = load_pictures().take(list(range(0, 6308, 170)))
    assert {"train", "validation", "test", None} == set(found["split"].to_pylist())
    return found


@pytest.fixture(scope="module")
def made(some: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("encoder") / "made"
    train_encoder(some, output, SMALL)
    return output


def weights(folder: Path) -> bytes:
    return (folder / WEIGHTS).read_bytes()


def test_another_process_makes_the_same_bits(made: Path, tmp_path: Path) -> None:
    code = (
        "import sys, torch; from pathlib import Path\n"
        "torch.set_num_threads(2)\n"
        "from tests.xmodal.bundle.encoder.test_train import SMALL\n"
        "from xmodal.bundle.encoder.package import train_encoder\n"
        "from xmodal.bundle.pictures import load_pictures\n"
        "some = load_pictures().take(list(range(0, 6308, 170)))\n"
        "train_encoder(some, Path(sys.argv[1]), SMALL)"
    )
    environment = tiny.environment(PYTHONHASHSEED="7")
    there = str(tmp_path / "there")
    subprocess.run([sys.executable, "-c", code, there], env=environment, check=True)
    assert weights(tmp_path / "there") == weights(made)


def test_names_families_and_order_of_the_pictures_change_no_bit(
    some: pa.Table, made: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    other = some
    for name in ("concept", "synset", "wn_offset", "style", "family", "emoji", "image_id"):
        at = other.schema.get_field_index(name)
        other = other.set_column(at, name, other[name].take(rng.permutation(len(other))))
    other = other.take(rng.permutation(len(other)))
    train_encoder(other, tmp_path / "other", SMALL)
    assert weights(tmp_path / "other") == weights(made)
    # not even there
    train_encoder(some.select(["sha256", "split", "png"]), tmp_path / "bare", SMALL)
    assert weights(tmp_path / "bare") == weights(made)


def test_another_seed_makes_others(some: pa.Table, made: Path, tmp_path: Path) -> None:
    train_encoder(some, tmp_path / "other", replace(SMALL, seed=1))
    assert weights(tmp_path / "other") != weights(made)


def test_only_training_pictures_enter(some: pa.Table, made: Path, tmp_path: Path) -> None:
    want = {row["sha256"] for row in some.to_pylist() if row["split"] == "train"}
    assert read_encoder(made).training_pictures == want
    assert set(training_pictures(some)[0]) == want
    train_encoder(some.filter(pa.compute.equal(some["split"], "train")), tmp_path / "alone", SMALL)
    assert weights(tmp_path / "alone") == weights(made)


def test_the_recipe_says_what_was_done(made: Path) -> None:
    recipe = json.loads((made / RECIPE).read_text())
    assert recipe["training"] == json.loads(json.dumps(SMALL.as_dict()))
    for name in (WEIGHTS, PICTURES):
        assert recipe["sha256"][name] == sha256((made / name).read_bytes()).hexdigest()
    assert recipe["n_training_pictures"] == len((made / PICTURES).read_text().split())
    assert {"python", "torch"} <= recipe["versions"].keys()
    assert {path.name for path in made.parent.iterdir()} == {made.name}


class TestRefusals:
    def test_a_folder_that_exists(self, some: pa.Table, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"exists; give a folder that does not$"):
            train_encoder(some, tmp_path, SMALL)
        assert list(tmp_path.iterdir()) == []

    def test_no_training_picture(self, some: pa.Table, tmp_path: Path) -> None:
        none = some.filter(pa.compute.equal(some["split"], "test"))
        with pytest.raises(DataError, match="needs training pictures, got none"):
            train_encoder(none, tmp_path / "x", SMALL)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", [WEIGHTS, PICTURES])
    def test_files_that_are_not_those_of_the_recipe(
        self, made: Path, tmp_path: Path, name: str
    ) -> None:
        for path in made.iterdir():
            (tmp_path / path.name).write_bytes(path.read_bytes())
        (tmp_path / name).write_bytes((made / name).read_bytes() + b"0")
        with pytest.raises(DataError, match=rf"{name} is not the one of its recipe"):
            read_encoder(tmp_path)

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="holds no whole encoder: "):
            read_encoder(tmp_path)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"n_steps": 0}, "n_steps must be at least 1, got 0"),
            ({"seed": -1}, "seed must be at least 0, got -1"),
            ({"n_strong": 0, "n_gentle": 0}, "n_strong and n_gentle must be 1 or more together"),
        ],
    )
    def test_settings_out_of_range(self, change: dict[str, int], message: str) -> None:
        with pytest.raises(ConfigError, match=f"^{message}"):
            EncoderTraining(**change)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def pixels() -> Tensor:
    _, found = training_pictures(load_pictures().take(list(range(0, 6308, 400))))
    return found.float() / 255


class TestViews:
    def only(self, name: str) -> AugmentConfig:
        shares = tuple(float(style == name) for style in STYLES)
        return AugmentConfig(shares=shares)

    @pytest.mark.parametrize("name", STYLES)
    def test_every_style_stays_in_range_and_is_drawn_anew(self, pixels: Tensor, name: str) -> None:
        drawn = silhouettes(pixels)
        generator = torch.Generator().manual_seed(0)
        first = views(pixels, drawn, generator, self.only(name))
        second = views(pixels, drawn, generator, self.only(name))
        assert first.shape == pixels.shape
        assert (float(first.min()) >= 0, float(first.max()) <= 1) == (True, True)
        assert torch.isfinite(first).all()
        assert not torch.equal(first, second)
        # something is left of most pictures
        assert ((first < 0.8).any(1).flatten(1).sum(1) > 10).float().mean() > 0.8

    def test_no_change_leaves_the_picture_alone(self, pixels: Tensor) -> None:
        still = replace(
            self.only("plain"), turn=0.0, scale=0.0, stretch=0.0, shear=0.0, shift=0.0, bend=0.0,
            flip_ratio=0.0, width_ratio=0.0, blur_ratio=0.0,
        )  # fmt: skip
        seen = views(pixels, silhouettes(pixels), torch.Generator(), still)
        assert torch.allclose(seen, pixels, atol=1e-5)

    def test_a_silhouette_is_what_white_from_the_border_does_not_reach(self) -> None:
        ring = torch.ones(1, 3, 9, 9)
        ring[:, :, 2:7, 2:7] = 0.0
        ring[:, :, 3:6, 3:6] = 1.0  # a white hole belongs to the drawing
        want = torch.zeros(1, 1, 9, 9)
        want[:, :, 2:7, 2:7] = 1.0
        assert torch.equal(silhouettes(ring), want)


def test_the_bank_begins_with_the_pictures_themselves(some: pa.Table) -> None:
    from xmodal.features import classical

    _, pixels = training_pictures(some)
    bank = view_bank(pixels, SMALL)
    assert bank.shape == (4, len(pixels), 64, 58)
    assert torch.equal(bank[0], classical.encode(pixels.float() / 255).half())
    assert not torch.equal(bank[0], bank[1])


def test_the_loss_is_that_of_the_formula() -> None:
    points = F.normalize(torch.randn(6, 5, generator=torch.Generator().manual_seed(1)), dim=1)
    total = 0.0
    for i in range(6):
        j = (i + 3) % 6
        others = [float((points[i] @ points[k] / 0.3).exp()) for k in range(6) if k != i]
        total -= float(np.log(float((points[i] @ points[j] / 0.3).exp()) / sum(others)))
    assert float(contrast(points, 0.3)) == pytest.approx(total / 6, abs=1e-5)
