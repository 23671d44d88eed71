"""Small files that stand for very much: refused before any of it is made."""

from __future__ import annotations

import io
import struct
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from taxonomy.errors import DataError
from taxonomy.sources import picture_files
from taxonomy.sources.csv_pictures import read_pictures
from taxonomy.sources.csv_table import Row
from taxonomy.sources.folder_pictures import read_folders
from taxonomy.sources.picture_files import FORMATS, MOST_PIXELS, PictureError, upright
from xmodal.align.caption_files import caption_source
from xmodal.arrays import map_npy, read_npz
from xmodal.features.pictures import BadPictureError, picture_of

MOST_BYTES = 32 << 20
"""Python may take while a bomb is refused."""


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png(width: int, height: int) -> bytes:
    """A whole PNG of one colour: a bit a pixel, packed to a hundredth."""
    packer, row = zlib.compressobj(1), bytes(1 + (width + 7) // 8)
    pixels = b"".join(packer.compress(row * 100) for _ in range(height // 100)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """50,000 x 50,000 pixels, whole, in some megabytes."""
    made = png(50_000, 50_000)
    assert len(made) < 4 << 20
    return made


def by_folder(path: Path) -> object:
    return read_folders({"a": [path]}, 0)


def by_table(path: Path) -> object:
    row = Row(where="t.csv line 2", leaf="a", image=path.name, synset="", hypernyms=(), split="",
              group="")  # fmt: skip
    return read_pictures([row], path.parent, 0, frozenset())


def by_encoder(path: Path) -> object:
    return picture_of(path.read_bytes(), path.name)


@pytest.mark.parametrize("read", [by_folder, by_table, by_encoder])
def test_a_picture_of_too_many_pixels(
    bomb: bytes, tmp_path: Path, read: Callable[[Path], object]
) -> None:
    path = tmp_path / "b.png"
    path.write_bytes(bomb)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"b\.png .*more than 89478485") as caught:
            read(path)
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(("width", "fits"), [(8, True), (9, False)])
def test_the_limit_is_that_number(monkeypatch: pytest.MonkeyPatch, width: int, fits: bool) -> None:
    monkeypatch.setattr(picture_files, "MOST_PIXELS", 64)
    sink = io.BytesIO()
    Image.new("RGB", (width, 8)).save(sink, "PNG")
    if fits:
        assert upright(sink.getvalue()).size == (8, 8)
    else:
        with pytest.raises(PictureError, match="9 x 8 pixels, more than 64"):
            upright(sink.getvalue())


def test_between_our_limit_and_twice_pillows_nothing_is_decoded() -> None:
    # Pillow only warns here
    wide = png(10_000, 10_000)
    assert MOST_PIXELS < 10_000 * 10_000 < 2 * MOST_PIXELS
    with pytest.raises(BadPictureError, match="10000 x 10000 pixels, more than"):
        picture_of(wide, "w")


@pytest.mark.parametrize("kind", FORMATS)
def test_every_kind_that_is_named_is_read(kind: str) -> None:
    sink = io.BytesIO()
    Image.new("RGB", (8, 6), (200, 10, 10)).save(sink, kind)
    assert upright(sink.getvalue()).size == (8, 6)


def test_a_kind_that_runs_another_program_is_none() -> None:
    sink = io.BytesIO()
    Image.new("RGB", (8, 6)).save(sink, "EPS")
    with pytest.raises(PictureError):
        upright(sink.getvalue())


def test_a_sparse_member_of_a_shard(tmp_path: Path) -> None:
    """A member of a few bytes that unpacks to a terabyte."""
    info = tarfile.TarInfo("0.txt")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 512
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    block[386:398], block[398:410] = b"00000000000\0", b"00000000001\0"
    block[483:495] = b"\x80" + (1 << 40).to_bytes(11, "big")
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    (tmp_path / "a.tar").write_bytes(bytes(block) + bytes(512 + 1024))
    with pytest.raises(DataError, match=r"a\.tar is cut or damaged \(0\.txt is sparse\)"):
        list(caption_source(tmp_path / "a.tar").records())


def test_thousands_of_headers_of_headers(tmp_path: Path) -> None:
    """tarfile reads each by calling itself."""
    info = tarfile.TarInfo("x")
    info.type = tarfile.XHDTYPE
    (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.USTAR_FORMAT) * 3000)
    with pytest.raises(DataError, match=r"a\.tar is cut or damaged"):
        list(caption_source(tmp_path / "a.tar").records())


@pytest.mark.parametrize("shape", [(10**12, 3), (10**17, 10**17)])
def test_an_array_larger_than_its_file(tmp_path: Path, shape: tuple[int, int]) -> None:
    sink = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        sink, {"descr": "<f4", "fortran_order": False, "shape": shape}
    )
    (tmp_path / "a.npy").write_bytes(sink.getvalue() + bytes(64))
    with pytest.raises(DataError, match=r"a\.npy cannot be read: its shape wants"):
        map_npy(tmp_path / "a.npy")
    np.savez(tmp_path / "a.npz", a=np.zeros(3))
    import zipfile

    with zipfile.ZipFile(tmp_path / "b.npz", "w") as file:
        file.writestr("a.npy", sink.getvalue() + bytes(64))
    with pytest.raises(DataError, match=r"b\.npz cannot be read: the shape of a\.npy is not"):
        read_npz(tmp_path / "b.npz")


def test_arrays_are_read_as_numpy_reads_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "a": rng.normal(size=(2, 3, 4)).astype(np.float32), "b": np.arange(6).reshape(2, 3),
        "c": np.asfortranarray(rng.normal(size=(3, 5))), "d": np.array(["x", "ab"]),
        "e": np.zeros((0, 3), np.float16), "f": np.array(2.5), "g": np.array([True, False]),
        "h": np.arange(5, dtype=">u2"), "i": np.array([b"ab", b"c"]),
    }  # fmt: skip
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    names, found = read_npz(tmp_path / "a.npz")
    assert names == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)
        np.save(tmp_path / "a.npy", array)
        mapped = map_npy(tmp_path / "a.npy")
        assert (mapped.dtype, mapped.shape) == (array.dtype, array.shape)
        assert np.array_equal(mapped, array)
