"""Image encoders of transformers: layers, tokens, pictures, weights, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from taxonomy.errors import ConfigError, DataError
from tests.xmodal import hub, tiny
from tests.xmodal.features import tiny_encoders as encoders
from xmodal.features.classical import encode
from xmodal.features.encoders.load import config_for, load_encoder
from xmodal.features.encoders.pretrained import Pretrained
from xmodal.features.extract import extract, feature_set_id

ARCHITECTURES = tuple(encoders.N_BEFORE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("encoders")
    for name in (*ARCHITECTURES, "resnet"):
        encoders.save(root / name, name)
    return root


def load(path: Path, **given: Any) -> Pretrained:
    loaded = load_encoder(config_for(str(path), **given))
    assert isinstance(loaded, Pretrained)
    return loaded


def pixels(n: int = 2) -> torch.Tensor:
    return torch.rand(
        n, 3, encoders.SIDE, encoders.SIDE, generator=torch.Generator().manual_seed(1)
    )


def normal(architecture: str, shown: torch.Tensor) -> torch.Tensor:
    said = encoders.PROCESSORS[architecture]
    mean, std = (torch.tensor(said[k])[:, None, None] for k in ("image_mean", "image_std"))
    return (shown - mean) / std


@pytest.mark.parametrize("layer", ["penultimate", "last", "0", "1", "3", "-1"])
@pytest.mark.parametrize("pooling", ["patches", "cls"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_tokens_are_the_model_s_own(
    folder: Path, architecture: str, pooling: str, layer: str
) -> None:
    before = encoders.N_BEFORE[architecture]
    encoder = load(folder / architecture, layer=layer, pooling=pooling)
    shown = pixels()
    if pooling == "cls" and not before:
        with pytest.raises(ConfigError, match=r"has no class token: take pooling mean$"):
            encoder.encode(shown)
        return
    hidden, last = encoders.states(architecture, normal(architecture, shown))
    assert len(hidden) == encoders.N_BLOCKS + 1
    want = last if layer == "last" else hidden[{"penultimate": 2}.get(layer) or int(layer)]
    want = want[:, :1] if pooling == "cls" else want[:, before:]
    got = encoder.encode(shown)
    assert got.dtype == torch.float32
    assert got.shape == (2, 1 if pooling == "cls" else encoders.N_PATCHES, encoders.WIDTH)
    assert torch.allclose(got, want, atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_last_has_the_final_layernorm_but_for_clip(folder: Path, architecture: str) -> None:
    last, raw = (
        load(folder / architecture, layer=layer).encode(pixels()) for layer in ("last", "3")
    )
    assert torch.equal(last, raw) == (architecture == "clip")
    if architecture != "clip":
        # a fresh layernorm leaves mean 0 and deviation 1
        assert last.mean(-1).abs().max() < 1e-5


@pytest.mark.parametrize("architecture", encoders.DUAL)
def test_of_a_dual_model_the_vision_half_is_loaded(folder: Path, architecture: str) -> None:
    model = load(folder / architecture).model
    saved = load_file(folder / architecture / "model.safetensors")
    assert any(name.startswith("text_model.") for name in saved)
    n_vision = sum(v.numel() for k, v in saved.items() if k.startswith("vision_model."))
    assert sum(p.numel() for p in model.parameters()) == n_vision
    assert not any(p.requires_grad for p in model.parameters())


def test_a_convolutional_model_gives_its_cells(folder: Path) -> None:
    encoder = load(folder / "resnet", layer="last")
    with torch.no_grad():
        want = encoders.make("resnet")(normal("resnet", pixels())).last_hidden_state
    got = encoder.encode(pixels())
    assert got.shape == (2, 16, 16)
    assert torch.allclose(got, want.flatten(2).transpose(1, 2), atol=1e-6)


def picture(path: Path, size: tuple[int, int]) -> Path:
    rng = np.random.default_rng(3)
    noise = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
    noise.resize(size, Image.Resampling.BICUBIC).save(path)
    return path


@pytest.mark.parametrize("size", [(80, 51), (45, 97), (28, 28), (20, 23)])
@pytest.mark.parametrize("architecture", ["dinov2", "clip", "siglip", "vit"])
def test_pictures_are_prepared_as_the_image_processor_does(
    folder: Path, tmp_path: Path, architecture: str, size: tuple[int, int]
) -> None:
    from transformers import AutoImageProcessor

    image = Image.open(picture(tmp_path / "a.png", size))
    processor: Any = AutoImageProcessor.from_pretrained(folder / architecture, backend="pil")
    want = processor(images=image, return_tensors="pt")["pixel_values"][0]
    encoder = load(folder / architecture)
    shown = torch.from_numpy(encoder.preparation(image)).permute(2, 0, 1).float() / 255
    assert torch.allclose(normal(architecture, shown), want, atol=1e-5)


def test_siglip_2_sees_a_square_picture_as_its_processor_cuts_it(
    folder: Path, tmp_path: Path
) -> None:
    from transformers import AutoImageProcessor

    image = Image.open(picture(tmp_path / "a.png", (50, 50)))
    processor: Any = AutoImageProcessor.from_pretrained(folder / "siglip2", backend="pil")
    want = processor(images=image, return_tensors="pt")
    encoder = load(folder / "siglip2")
    shown = torch.from_numpy(encoder.preparation(image)).permute(2, 0, 1).float()[None] / 255
    given = encoder._inputs(normal("siglip2", shown))
    assert torch.allclose(given["pixel_values"], want["pixel_values"], atol=1e-5)
    assert torch.equal(given["spatial_shapes"], want["spatial_shapes"])


def test_dinov3_is_prepared_by_its_file_where_its_class_needs_torchvision(folder: Path) -> None:
    prepare = load(folder / "dinov3").preparation
    assert (prepare.side, prepare.fit, prepare.resample) == (28, "square", 2)
    assert load(folder / "dinov3").processing.mean == (0.485, 0.456, 0.406)


@pytest.mark.parametrize("architecture", ["dinov2", "dinov3", "clip", "siglip", "siglip2", "vit"])
def test_another_side_gives_more_patches(folder: Path, architecture: str) -> None:
    encoder = load(folder / architecture, side=42)
    prepare = encoder.preparation
    # DINOv2's processor cuts 28 of 32 pixels: 42 of 48
    assert (prepare.side, prepare.before) == (42, 48 if architecture == "dinov2" else 42)
    assert encoder.encode(torch.rand(1, 3, 42, 42)).shape == (1, 36, encoders.WIDTH)


@pytest.mark.parametrize("fit", ["crop", "square", "pad"])
def test_fit_says_what_becomes_of_a_wide_picture(folder: Path, fit: str) -> None:
    wide = Image.new("RGB", (84, 28), "white")
    wide.paste("black", (0, 0, 28, 28))
    shown = load(folder / "vit", fit=fit).preparation(wide)[..., 0]
    black = {"crop": 0, "square": 28 * 9.33, "pad": 9.33 * 9.33}[fit]
    assert (shown < 128).sum() == pytest.approx(black, abs=30)


def test_what_is_transparent_shows_white(folder: Path) -> None:
    clear = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    assert (load(folder / "vit").preparation(clear) == 255).all()


def test_the_version_is_of_weights_and_size_not_of_the_place(folder: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(folder / "dinov2", tmp_path / "elsewhere"))
    here, there = (load(path) for path in (folder / "dinov2", moved))
    other = load(encoders.save(tmp_path / "other", "dinov2", seed=1))
    assert (here.version, here.weights_sha256) == (there.version, there.weights_sha256)
    assert here.weights_sha256 != other.weights_sha256
    assert here.version != load(folder / "dinov2", side=42).version
    ids = [
        feature_set_id("d", config_for(str(path)))
        for path in (folder / "dinov2", moved, tmp_path / "other")
    ]
    assert ids[0] == ids[1] != ids[2]


def test_a_hub_model_is_known_by_its_commit(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = "a" * 40, "b" * 40
    for commit in (old, new):
        hub.publish(monkeypatch, tmp_path, "org/vit", folder / "vit", commit)
    latest, local = load(Path("org/vit")), load(folder / "vit")
    assert (latest.name, latest.revision, latest.version) == ("org/vit", new, local.version)
    assert load(Path("org/vit"), revision=old).revision == old
    assert local.revision == local.version


def test_a_pooler_that_the_checkpoint_lacks_is_not_part_of_the_hash(folder: Path) -> None:
    # ViTForImageClassification has no pooler; ViTModel draws one at random
    assert load(folder / "vit").weights_sha256 == load(folder / "vit").weights_sha256


def test_bfloat16_is_close_to_float32(folder: Path) -> None:
    fine = load(folder / "dinov2").encode(pixels())
    coarse = load(folder / "dinov2", precision="bfloat16").encode(pixels())
    assert not torch.equal(fine, coarse)
    assert (fine - coarse).norm() < 0.05 * fine.norm()


@pytest.mark.parametrize("pooling", ["patches", "mean", "cls", "pca"])
def test_features_of_a_dataset_are_the_encoder_s_tokens(
    folder: Path, tmp_path: Path, pooling: str
) -> None:
    of = tiny.taxonomy(tmp_path)
    config = config_for(str(folder / "dinov3"), pooling=pooling, n_components=8)
    features, made = extract(of, config, tmp_path / "features")
    assert made
    assert (features.config.n_views, features.config.layer) == (1, "penultimate")
    encoder = load(folder / "dinov3", pooling="cls" if pooling == "cls" else "patches")
    shown = torch.stack(
        [
            torch.from_numpy(encoder.preparation(Image.open(uri))).permute(2, 0, 1) / 255
            for uri in of.images["uri"].to_pylist()
        ]
    )
    want = encoder.encode(shown)
    got = features.take(np.arange(len(want)))
    if pooling == "pca":
        assert got.shape == (len(want), 1, 8)
        return
    want = want.mean(1, keepdim=True) if pooling == "mean" else want
    assert got.shape == want.shape
    assert torch.allclose(got, want, atol=1e-5)


class TestRefused:
    def refused(self, path: Path, match: str, **given: Any) -> None:
        with pytest.raises((ConfigError, DataError), match=match) as caught:
            load(path, **given).encode(pixels(1))
        assert "\n" not in str(caught.value)

    def test_what_is_not_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        start = re.escape("is none of the package and cannot be loaded as a ")
        self.refused(tmp_path / "none", start + "local folder or hub model: ")
        self.refused(tmp_path, start + r"folder: it holds no config\.json$")

    def test_no_image_processor(self, folder: Path, tmp_path: Path) -> None:
        bare = Path(shutil.copytree(folder / "vit", tmp_path / "bare"))
        (bare / "preprocessor_config.json").unlink()
        self.refused(bare, r"it holds no preprocessor_config\.json, which says how")

    def test_pickled_weights(self, folder: Path, tmp_path: Path) -> None:
        pickled = Path(shutil.copytree(folder / "vit", tmp_path / "pickled"))
        weights = load_file(pickled / "model.safetensors")
        (pickled / "model.safetensors").unlink()
        torch.save(weights, pickled / "pytorch_model.bin")
        self.refused(pickled, "cannot be loaded as a folder: .*safetensors")

    def test_missing_weights(self, folder: Path, tmp_path: Path) -> None:
        lame = Path(shutil.copytree(folder / "dinov2", tmp_path / "lame"))
        weights = load_file(lame / "model.safetensors")
        gone = next(name for name in weights if "norm1.weight" in name)
        save_file({k: v for k, v in weights.items() if k != gone}, lame / "model.safetensors")
        self.refused(lame, "1 of its weights are not there, such as .*norm1.weight$")

    def test_a_language_model(self, tmp_path: Path) -> None:
        lm = tiny.save_lm(tmp_path / "lm")
        self.refused(lm, "a qwen3 model takes no pictures$")

    @pytest.mark.parametrize(
        ("given", "match"),
        [
            ({"layer": "4"}, r"layer must be from -4 to 3 for encoder .*, got 4$"),
            ({"layer": "-5"}, r"layer must be from -4 to 3 for encoder .*, got -5$"),
            ({"side": 30}, r"side must be a multiple of the 7 pixels of a patch .* 28, got 30$"),
        ],
    )
    def test_settings(self, folder: Path, given: dict[str, Any], match: str) -> None:
        self.refused(folder / "vit", match, **given)

    def test_a_device_that_is_not_there(self, folder: Path) -> None:
        with pytest.raises(ConfigError, match=r"^device 'gpu9' cannot be used here: "):
            load_encoder(config_for(str(folder / "vit")), "gpu9")

    def test_a_strange_scale(self, folder: Path, tmp_path: Path) -> None:
        odd = Path(shutil.copytree(folder / "vit", tmp_path / "odd"))
        said = json.loads((odd / "preprocessor_config.json").read_text())
        (odd / "preprocessor_config.json").write_text(json.dumps(said | {"rescale_factor": 1}))
        self.refused(odd, "its pictures are scaled by 1, must be 1/255$")


class TestOwn:
    def test_classical_stands_behind_the_same_interface(self) -> None:
        encoder = load_encoder(config_for("classical"))
        shown = torch.rand(2, 3, 64, 64)
        assert (encoder.name, encoder.version, encoder.preparation.side) == ("classical", "1", 64)
        assert encoder.training_pictures == frozenset()
        assert torch.equal(encoder.encode(shown), encode(shown))

    @pytest.mark.parametrize(
        ("given", "match"),
        [
            ({"layer": "last"}, "layer goes with transformers models, not with encoder 'cla"),
            ({"side": 28}, "side goes with transformers models, not with .*, got 28$"),
            ({"pooling": "cls"}, "encoder 'classical' has no class token: take pooling mean$"),
        ],
    )
    def test_settings_of_others_are_refused(self, given: dict[str, Any], match: str) -> None:
        with pytest.raises(ConfigError, match=match):
            load_encoder(config_for("classical", **given))

    def test_the_default_keeps_its_id(self) -> None:
        """As stores have it since the first version."""
        config = config_for("classical")
        assert feature_set_id("a78bff199446583b", config) == "eef5cd4e663510f5"
