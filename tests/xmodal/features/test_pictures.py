"""Pixels of picture files of any size and mode."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from taxonomy.errors import DataError
from xmodal.bundle.pictures import decode, load_pictures
from xmodal.features.pictures import read_pixels


def read(*paths: Path) -> np.ndarray:  # type: ignore[type-arg]
    hashes = [sha256(path.read_bytes()).hexdigest() for path in paths]
    (batch,) = read_pixels([str(path) for path in paths], hashes, 64)
    assert batch.shape == (len(paths), 3, 64, 64)
    return batch.numpy()


def colours(path: Path) -> set[tuple[float, ...]]:
    (pixels,) = read(path)
    return {tuple(round(float(x), 3) for x in pixel) for pixel in pixels.reshape(3, -1).T}


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA", "1", "CMYK"])
@pytest.mark.parametrize("size", [(64, 64), (300, 300), (7, 7)])
def test_a_white_picture_of_any_mode_and_size_is_white(
    tmp_path: Path, mode: str, size: tuple[int, int]
) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    Image.new("RGBA", size, "white").convert("RGB" if mode == "CMYK" else "RGBA").convert(
        mode
    ).save(path)
    assert colours(path) == {(1.0, 1.0, 1.0)}


@pytest.mark.parametrize("size", [(20, 10), (640, 320), (64, 32)])
def test_the_whole_picture_fills_the_square_on_white(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", size, (255, 0, 0)).save(path)
    (pixels,) = read(path)
    assert (pixels[:, 16:48] == np.array([1, 0, 0])[:, None, None]).all()
    assert (pixels[:, :16] == 1).all()
    assert (pixels[:, 48:] == 1).all()


def test_a_sliver_keeps_one_pixel(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (3, 900), "black").save(path)
    (pixels,) = read(path)
    assert (pixels.min(axis=(0, 1)) < 0.5).sum() == 1


def test_transparent_and_palette_pictures_lie_on_white(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (64, 64), (9, 9, 9, 0))
    clear.paste((0, 0, 255, 255), (0, 0, 64, 32))
    clear.save(tmp_path / "a.png")
    clear.quantize(4).save(tmp_path / "p.png")
    for name in ("a.png", "p.png"):
        assert colours(tmp_path / name) == {(1.0, 1.0, 1.0), (0.0, 0.0, 1.0)}


def test_grey_pictures_have_equal_channels(tmp_path: Path) -> None:
    grey = Image.linear_gradient("L")
    grey.save(tmp_path / "a.jpg")
    (pixels,) = read(tmp_path / "a.jpg")
    assert np.array_equal(pixels[0], pixels[1])
    assert np.array_equal(pixels[0], pixels[2])
    assert pixels.max() - pixels.min() > 0.9


def test_a_camera_s_turn_is_undone(tmp_path: Path) -> None:
    picture = Image.new("RGB", (64, 64), "white")
    picture.paste("black", (0, 0, 64, 32))
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    picture.save(tmp_path / "a.png", exif=exif)
    (pixels,) = read(tmp_path / "a.png")
    assert (pixels[:, :32] == 1).all()
    assert (pixels[:, 32:] == 0).all()


def test_more_than_8_bits_a_channel_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.full((8, 8), 40_000, dtype=np.uint16)).save(path)
    with pytest.raises(DataError, match=r"must have 8 bits a channel, got mode I;16; convert it$"):
        read(path)


def test_embedded_pictures_come_as_they_are_and_in_order() -> None:
    png = load_pictures()["png"]
    (batch,) = read_pixels(["bundle:5", "bundle:0"], ["", ""], 64)
    for pixels, row in zip(batch.numpy(), (5, 0), strict=True):
        rgba = decode(png[row].as_py()).astype(float) / 255
        want = rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]
        assert np.abs(pixels.transpose(1, 2, 0) - want).max() < 0.01


def test_batches_are_as_long_as_told(tmp_path: Path) -> None:
    uris = [f"bundle:{i}" for i in range(5)]
    assert [len(b) for b in read_pixels(uris, [""] * 5, 64, 2)] == [2, 2, 1]
