"""Caption sets on disk: each picture's own vector, once, whatever happens in between."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from taxonomy.errors import ConfigError, DataError
from tests.xmodal import tiny
from tests.xmodal.align import caption_worlds as worlds
from tests.xmodal.align.caption_worlds import PAIRS, picture
from tests.xmodal.features import tiny_encoders
from xmodal.align import captions
from xmodal.align.caption_files import CaptionSource, caption_source
from xmodal.align.caption_index import Index
from xmodal.align.captions import CaptionSet, load_caption_set, make_caption_set
from xmodal.align.picture_vectors import PictureEncoder, encode_pictures
from xmodal.features.config import FeatureConfig
from xmodal.features.encoders.load import config_for, load_encoder
from xmodal.features.pictures import as_tensor
from xmodal.files import own

MEAN = FeatureConfig(encoder="classical", pooling="mean", n_views=1)
BAD = [("an owl", picture(0)), ("cut", picture(1)[:99]), ("", picture(2)), ("a hen", picture(3))]


@pytest.fixture
def source(tmp_path: Path) -> CaptionSource:
    return caption_source(worlds.parquet(tmp_path / "in" / "tiny.parquet"))


def alone(content: bytes, config: FeatureConfig) -> torch.Tensor:
    """float32 [Dv], the vector of a picture that is in no batch."""
    encoder = load_encoder(config)
    pixels = encoder.preparation(Image.open(io.BytesIO(content)))
    (tokens,) = encoder.encode(as_tensor(pixels[None]))
    return tokens[0] if config.pooling == "cls" else tokens.mean(0)


def check(made: CaptionSet, pairs: Sequence[tuple[str, bytes]], config: FeatureConfig) -> None:
    """A set says of each pair its text, and has its picture's vector."""
    vectors, texts = made.open(), made.texts()
    rows = made.pairs().to_pylist()
    assert [row["pair"] for row in rows] == list(range(len(pairs)))
    assert [texts[row["text_row"]] for row in rows] == [text for text, _ in pairs]
    for row, (_, content) in zip(rows, pairs, strict=True):
        want = alone(content, config).numpy()
        assert np.allclose(vectors[row["image_row"]], want, atol=1e-5)
    n_images = len({content for _, content in pairs})
    n_texts = len({text for text, _ in pairs})
    assert (vectors.shape, vectors.dtype) == ((n_images, made.width), np.float32)
    assert (made.n_pairs, made.n_texts, made.n_images) == (len(pairs), n_texts, n_images)
    assert len(texts) == len(set(texts)) == n_texts


def test_each_picture_has_its_own_vector_once(source: CaptionSource, tmp_path: Path) -> None:
    made, new = make_caption_set(source, MEAN, tmp_path / "out", batch_size=3)
    assert new
    check(made, PAIRS, MEAN)
    assert made.pairs()["image_row"].to_pylist() == [0, 1, 2, 0, 3]
    assert made.pairs()["key"].to_pylist() == [f"tiny.parquet:{i}" for i in range(5)]
    assert (made.name, made.source, made.n_skipped) == ("tiny", "parquet", 0)
    assert load_caption_set(made.path) == made


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_tokens_of_a_transformers_model(
    source: CaptionSource, tmp_path: Path, pooling: str
) -> None:
    folder = tiny_encoders.save(tmp_path / "dinov2", "dinov2")
    config = config_for(str(folder), pooling=pooling, layer="last")
    made, _ = make_caption_set(source, config, tmp_path / "out", batch_size=2)
    check(made, PAIRS, config)
    assert (made.pooling, made.layer, made.side) == (pooling, "last", tiny_encoders.SIDE)


def test_a_second_call_does_nothing_but_rename(source: CaptionSource, tmp_path: Path) -> None:
    first, _ = make_caption_set(source, MEAN, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in first.path.iterdir()}
    again, new = make_caption_set(source, MEAN, tmp_path / "out")
    assert (new, again) == (False, first)
    assert before == {path: path.stat().st_mtime_ns for path in first.path.iterdir()}
    named, new = make_caption_set(source, MEAN, tmp_path / "out", name="mine")
    assert (new, named.name, named.caption_set_id) == (False, "mine", first.caption_set_id)
    assert load_caption_set(first.path).name == "mine"
    assert [path.name for path in (tmp_path / "out").iterdir()] == [first.caption_set_id]


def test_the_id_is_of_texts_pictures_and_encoder(tmp_path: Path) -> None:
    def made(pairs: Any, config: FeatureConfig = MEAN) -> str:
        path = worlds.parquet(tmp_path / "a.parquet", pairs)
        return make_caption_set(caption_source(path), config, tmp_path)[0].caption_set_id

    first = made(PAIRS[:2])
    assert made(PAIRS[:2], FeatureConfig(encoder="classical", pooling="mean", seed=3)) == first
    others = [
        made([("other", PAIRS[0][1]), PAIRS[1]]),
        made([(PAIRS[0][0], picture(9)), PAIRS[1]]),
        made(PAIRS[1::-1]),
        made(PAIRS[:2], FeatureConfig(pooling="mean")),
    ]
    assert len({first, *others}) == 5


def test_what_was_stopped_goes_on_where_it_was(
    source: CaptionSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captions, "CHUNK", 1)
    want, _ = make_caption_set(source, MEAN, tmp_path / "want")
    seen: list[int] = []

    def stop(done: int, total: int) -> None:
        assert total == 4
        seen.append(done)
        if done == 3:
            raise tiny.StoppedError

    with pytest.raises(tiny.StoppedError):
        make_caption_set(source, MEAN, tmp_path / "got", progress=stop)
    assert not list((tmp_path / "got").glob("[!.]*"))
    seen.clear()
    got, new = make_caption_set(
        source, MEAN, tmp_path / "got", progress=lambda done, total: seen.append(done)
    )
    # two chunks were there before
    assert (new, seen) == (True, [2, 3, 4])
    assert (got.sha256, got.open().tobytes()) == (want.sha256, want.open().tobytes())
    names = {"features.npy", "pairs.parquet", "texts.parquet", "caption_set.json"}
    assert {path.name for path in got.path.iterdir()} == names
    assert [path.name for path in (tmp_path / "got").iterdir()] == [got.caption_set_id]


class TestBadPairs:
    @pytest.fixture
    def bad(self, tmp_path: Path) -> CaptionSource:
        members = worlds.members(BAD) | {"9.txt": b"no picture"}
        return caption_source(worlds.tar(tmp_path / "in" / "bad.tar", members))

    def test_the_first_is_named(self, bad: CaptionSource, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"^00002 of .*bad\.tar has no caption: mend it, or "):
            make_caption_set(bad, MEAN, tmp_path / "out")
        path = worlds.tar(tmp_path / "in" / "cut.tar", worlds.members(BAD[:2]))
        with pytest.raises(
            DataError, match=r"^picture 00001 of .*cut\.tar cannot be decoded: .*: mend it, or"
        ):
            make_caption_set(caption_source(path), MEAN, tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_they_are_left_out_and_counted(self, bad: CaptionSource, tmp_path: Path) -> None:
        made, _ = make_caption_set(bad, MEAN, tmp_path / "out", skip_bad=True)
        check(made, [BAD[0], BAD[3]], MEAN)
        assert made.pairs()["key"].to_pylist() == ["00000", "00003"]
        assert (made.n_skipped, made.first_skipped) == (3, "picture of 00001 cannot be decoded")
        assert not make_caption_set(bad, MEAN, tmp_path / "out", skip_bad=True)[1]

    def test_a_set_that_lacks_pairs_is_not_taken_for_a_whole_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(captions, "CHUNK", 1)
        path = worlds.tar(tmp_path / "in" / "cut.tar", worlds.members(BAD[1::-1]))
        source = caption_source(path)

        def stop(done: int, total: int) -> None:
            if done == total:
                raise tiny.StoppedError

        with pytest.raises(tiny.StoppedError):
            make_caption_set(source, MEAN, tmp_path / "out", skip_bad=True, progress=stop)
        # nor is a chunk that lacks one
        with pytest.raises(DataError, match=r"cannot be decoded: .*: mend it"):
            make_caption_set(source, MEAN, tmp_path / "out")
        made, new = make_caption_set(source, MEAN, tmp_path / "out", skip_bad=True)
        assert (new, made.n_skipped) == (True, 1)
        with pytest.raises(DataError, match=r"^picture of 00000 cannot be decoded: mend it"):
            make_caption_set(source, MEAN, tmp_path / "out")

    def test_nothing_is_left(self, tmp_path: Path) -> None:
        path = worlds.tar(tmp_path / "in" / "cut.tar", worlds.members(BAD[1:3]))
        message = r"holds no pair of caption and picture \(picture of 00000 cannot be decoded\)$"
        with pytest.raises(DataError, match=message):
            make_caption_set(caption_source(path), MEAN, tmp_path / "out", skip_bad=True)
        path = worlds.tar(tmp_path / "in" / "none.tar", {"a.jpg": b"x"})
        with pytest.raises(DataError, match=r"holds no pair .* \(a of .*none\.tar has no caption"):
            make_caption_set(caption_source(path), MEAN, tmp_path / "out", skip_bad=True)
        assert not (tmp_path / "out").exists()

    def test_a_missing_file(self, tmp_path: Path) -> None:
        path = worlds.llava(tmp_path / "in")
        (tmp_path / "in" / "images" / "00" / "3.jpg").unlink()
        source = caption_source(path, images=tmp_path / "in" / "images")
        with pytest.raises(DataError, match=r"^picture .*3\.jpg of GCC_3 of .* cannot be read: No"):
            make_caption_set(source, MEAN, tmp_path / "out")
        made, _ = make_caption_set(source, MEAN, tmp_path / "out", skip_bad=True)
        check(made, [*PAIRS[:3], PAIRS[4]], MEAN)
        assert made.n_skipped == 1


@given(
    rows=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12),
    bad=st.sets(st.integers(0, 4)),
)
@settings(max_examples=50, deadline=None, derandomize=True)
def test_pairs_are_numbered_anew_without_bad_pictures(
    rows: list[tuple[int, int]], bad: set[int]
) -> None:
    index = Index()
    for place, (text, image) in enumerate(rows):
        content = bytes([image])
        if content not in index.images:
            index.firsts.append(place)
        index.keys.append(str(place))
        index.text_row.append(index.texts.setdefault(f"t{text}", len(index.texts)))
        index.image_row.append(index.images.setdefault(content, len(index.images)))
    good = np.array([content[0] not in bad for content in index.images])
    kept = index.pairs_with(good)
    texts = kept.texts["caption"].to_pylist()
    images = [content[0] for content in index.images if content[0] not in bad]
    got = [
        (row["key"], texts[row["text_row"]], images[row["image_row"]])
        for row in kept.pairs.to_pylist()
    ]
    want = [(str(n), f"t{t}", i) for n, (t, i) in enumerate(rows) if i not in bad]
    assert got == want
    assert sorted(set(texts)) == sorted(texts) == sorted({text for _, text, _ in want})
    assert kept.n_skipped == len(rows) - len(want)


def test_files_that_change_meanwhile_are_refused(
    source: CaptionSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = captions.read_index
    later = [[*PAIRS[:4], ("a parrot", picture(8))], PAIRS[:4]]

    def and_change(of: CaptionSource, **more: Any) -> Index:
        index = read(of, **more)
        worlds.parquet(of.files[0], later.pop())
        return index

    monkeypatch.setattr(captions, "read_index", and_change)
    while later:
        worlds.parquet(source.files[0])
        with pytest.raises(DataError, match=r" has changed while it was read: start anew$"):
            make_caption_set(source, MEAN, tmp_path / "out")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            FeatureConfig(encoder="classical"),
            "^pooling must be mean or cls .* got 'pca': encode with --pool mean",
        ),
        (FeatureConfig(encoder="classical", pooling="patches"), "got 'patches': encode with "),
        (FeatureConfig(encoder="classical", pooling="given"), "got 'given': encode with "),
        (FeatureConfig(encoder="classical", pooling="cls"), "no class token: take pooling mean$"),
        (FeatureConfig(pooling="mean", dtype="bfloat16"), "^dtype must be float32 "),
    ],
)
def test_settings_that_do_not_fit(config: FeatureConfig, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PictureEncoder.load(config)


def test_pictures_given_as_bytes() -> None:
    contents = [content for _, content in PAIRS]
    got = encode_pictures(contents, MEAN, batch_size=2)
    want = np.stack([alone(content, MEAN).numpy() for content in contents])
    assert np.allclose(got, want, atol=1e-6)
    assert encode_pictures([], MEAN).shape == (0, got.shape[1])
    with pytest.raises(DataError, match=r"^picture 1 cannot be decoded: "):
        encode_pictures([contents[0], b"x"], MEAN)
    with pytest.raises(DataError, match=r"^picture b cannot be decoded: "):
        encode_pictures([contents[0], b"x"], MEAN, names=["a", "b"])


def test_vectors_that_are_no_numbers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = PictureEncoder.load(MEAN)
    monkeypatch.setattr(
        type(encoder.encoder),
        "encode",
        lambda self, pixels: torch.full((len(pixels), 1, 2), np.inf),
    )
    with pytest.raises(DataError, match="gives no finite vector for picture a: "):
        encoder.encode([("a", picture(0))])


def test_another_process_and_a_damaged_set(source: CaptionSource, tmp_path: Path) -> None:
    made, _ = make_caption_set(source, MEAN, tmp_path)
    (made.path / "features.npy").unlink()
    with pytest.raises(DataError, match="delete its folder to encode the pictures anew"):
        made.open()
    (made.path / "caption_set.json").write_text("{}")
    with pytest.raises(DataError, match="holds no whole caption set"):
        load_caption_set(made.path)
    (made.path / "caption_set.json").unlink()
    part = tmp_path / f".{made.caption_set_id}.part"
    part.mkdir()
    with own(part), pytest.raises(DataError, match="another process extracts into"):
        make_caption_set(source, MEAN, tmp_path)
    assert make_caption_set(source, MEAN, tmp_path)[1]
