"""Readers of captions and pictures: what each kind of file gives, and what it is refused for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxonomy.errors import ConfigError, DataError
from tests.xmodal.align import caption_worlds as worlds
from tests.xmodal.align.caption_worlds import PAIRS, picture
from xmodal.align.caption_files import caption_source
from xmodal.align.caption_shards import read_shard


def read(path: Path | str, **more: Any) -> list[tuple[str, str, bytes]]:
    return [(one.key, one.caption, one.read()) for one in caption_source(path, **more).records()]


def pairs(path: Path | str, **more: Any) -> list[tuple[str, bytes]]:
    return [(caption, content) for _, caption, content in read(path, **more)]


class TestParquet:
    @pytest.mark.parametrize("caption", ["caption", "text", "TEXT"])
    def test_pictures_as_hugging_face_keeps_them(self, tmp_path: Path, caption: str) -> None:
        path = worlds.parquet(tmp_path / "a.parquet", caption=caption)
        source = caption_source(path)
        assert (source.kind, source.name) == ("parquet", "a")
        assert pairs(path) == PAIRS
        assert [key for key, _, _ in read(path)] == [f"a.parquet:{i}" for i in range(5)]

    def test_shards_of_a_folder_come_by_name(self, tmp_path: Path) -> None:
        for name, part in (("b", PAIRS[2:]), ("a", PAIRS[:2])):
            worlds.parquet(tmp_path / f"{name}.parquet", part)
        assert pairs(tmp_path) == PAIRS

    def test_caption_goes_before_text_and_a_column_may_hold_bytes(self, tmp_path: Path) -> None:
        columns = {"text": ["no"], "Caption": [" yes "], "image": [picture(1)]}
        pq.write_table(pa.table(columns), tmp_path / "a.parquet")
        assert pairs(tmp_path / "a.parquet") == [("yes", picture(1))]

    @pytest.mark.parametrize("column", ["image_path", "path", "file_name"])
    def test_paths_are_below_the_folder(self, tmp_path: Path, column: str) -> None:
        (tmp_path / "in" / "x").mkdir(parents=True)
        for folder in (tmp_path, tmp_path / "in"):
            (folder / "x").mkdir(exist_ok=True)
            (folder / "x" / "1.png").write_bytes(folder.name.encode())
        pq.write_table(pa.table({"text": ["t"], column: ["x/1.png"]}), tmp_path / "a.parquet")
        assert pairs(tmp_path / "a.parquet") == [("t", tmp_path.name.encode())]
        assert pairs(tmp_path / "a.parquet", images=tmp_path / "in") == [("t", b"in")]

    def test_a_struct_without_bytes_names_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "1.png").write_bytes(b"x")
        image = pa.array([{"bytes": None, "path": "1.png"}], worlds.STRUCT)
        pq.write_table(pa.table({"text": ["t"], "image": image}), tmp_path / "a.parquet")
        assert pairs(tmp_path / "a.parquet") == [("t", b"x")]

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            ({"alt": ["t"], "image": [b"x"]}, "has no column caption or text, only alt, image$"),
            ({"text": ["t"], "pixels": [b"x"]}, "has no column image or image_path, path, file_"),
            ({"text": [1], "image": [b"x"]}, "column text of .* must hold text, got int64$"),
            ({"text": ["t"], "image": ["x"]}, "column image of .* must hold bytes, .* got string"),
            ({"text": ["t"], "path": [b"x"]}, "column path of .* must hold paths, got binary$"),
            ({"text": ["t"], "path": ["../x"]}, r"row 0 names the picture '../x', which leads out"),
            ({"text": ["t"], "path": ["/x"]}, "row 0 names the picture '/x', which leads out of"),
        ],
    )
    def test_what_is_refused(self, tmp_path: Path, columns: Any, message: str) -> None:
        pq.write_table(pa.table(columns), tmp_path / "a.parquet")
        with pytest.raises(DataError, match=message):
            read(tmp_path / "a.parquet")

    def test_a_cut_file(self, tmp_path: Path) -> None:
        path = worlds.parquet(tmp_path / "a.parquet")
        path.write_bytes(path.read_bytes()[:-9])
        with pytest.raises(DataError, match=r"a\.parquet cannot be read as Parquet: "):
            read(path)


class TestShards:
    def test_members_of_one_name_are_a_pair(self, tmp_path: Path) -> None:
        path = worlds.tar(tmp_path / "a.tar", worlds.members())
        assert caption_source(path).kind == "webdataset"
        assert pairs(path) == PAIRS
        assert [key for key, _, _ in read(path)] == [f"0000{i}" for i in range(5)]

    @pytest.mark.parametrize("field", ["caption", "text", "TEXT"])
    def test_a_json_holds_the_caption_where_no_txt_does(self, tmp_path: Path, field: str) -> None:
        said = json.dumps({field: " a hen"}).encode()
        members = {
            "._x.png": b"of another system",
            "d/a.b.JSON": b"{}",
            "d/a.PNG": b"1",
            "d/a.json": said,
            "stats.json": b"{}",
            "readme.md": b"?",
        }
        assert read(worlds.tar(tmp_path / "a.tar", members)) == [("d/a", "a hen", b"1")]

    def test_a_pattern_and_a_folder_of_shards(self, tmp_path: Path) -> None:
        for n in (8, 9, 10):
            worlds.tar(tmp_path / f"s-{n:03d}.tar", worlds.members(PAIRS[n - 8 :][:1], n))
        assert pairs(tmp_path / "s-{008..010}.tar") == PAIRS[:3]
        assert pairs(tmp_path / "{s,s}-0{10,08}.tar") == [PAIRS[2], PAIRS[0]] * 2
        assert pairs(tmp_path) == PAIRS[:3]
        assert caption_source(tmp_path / "s-{008..010}.tar").name == "s"
        with pytest.raises(DataError, match=r"s-011\.tar is not there"):
            read(tmp_path / "s-{008..011}.tar")
        with pytest.raises(DataError, match=r"counts down: write \{008\.\.010\}$"):
            read(tmp_path / "s-{010..008}.tar")

    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(data=st.data())
    def test_a_cut_shard_is_never_taken_for_a_whole_one(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        path = tmp_path_factory.getbasetemp() / "cut.tar"
        worlds.tar(path, worlds.members(PAIRS[:2]))
        whole = path.read_bytes()
        # the first zero block behind the last member's own; 2 pairs are 6 headers and contents
        end = 512 * sum(
            1 + -(-len(content) // 512) for content in worlds.members(PAIRS[:2]).values()
        )
        cut = data.draw(st.integers(0, end + 511) | st.sampled_from(range(0, end + 1, 512)))
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"^shard .*cut\.tar is cut or damaged \("):
            list(read_shard(path, ["caption"]))
        path.write_bytes(whole[: end + 512])
        assert len(list(read_shard(path, ["caption"]))) == 2

    def test_what_lies_behind_the_end_or_is_damaged_is_not_passed_over(
        self, tmp_path: Path
    ) -> None:
        path = worlds.tar(tmp_path / "a.tar", worlds.members(PAIRS[:1]))
        whole = path.read_bytes()
        path.write_bytes(whole + whole)
        with pytest.raises(DataError, match="more data behind its end mark"):
            read(path)
        # the header of the second member
        at = 512 * (1 + -(-len(PAIRS[0][1]) // 512))
        path.write_bytes(whole[:at] + b"\xff" * 512 + whole[at + 512 :])
        with pytest.raises(DataError, match=f"no end mark at byte {at}"):
            read(path)

    def test_a_name_twice_and_a_json_that_is_none(self, tmp_path: Path) -> None:
        path = worlds.tar(tmp_path / "a.tar", {"1.jpg": b"1", "1.JPG": b"2"})
        with pytest.raises(DataError, match=r"a\.tar holds 1\.jpg twice"):
            read(path)
        path = worlds.tar(tmp_path / "a.tar", {"1.jpg": b"1", "1.json": b"{"})
        with pytest.raises(DataError, match=r"^1\.json of .* is not JSON: "):
            read(path)


class TestLlava:
    def test_the_first_turn_of_the_model_is_the_caption(self, tmp_path: Path) -> None:
        path = worlds.llava(tmp_path)
        source = caption_source(path, images=tmp_path / "images")
        assert (source.kind, source.name) == ("llava-json", "chat")
        assert pairs(path, images=tmp_path / "images") == PAIRS
        assert [key for key, _, _ in read(path, images=tmp_path / "images")][:2] == [
            "GCC_0",
            "GCC_1",
        ]

    def test_entries_without_turns_have_their_captions(self, tmp_path: Path) -> None:
        entries = [
            {"id": 1, "image": "1.jpg", "blip_caption": "a", "caption": "b"},
            {"id": 2, "image": "1.jpg", "conversations": [], "caption": "b"},
            {"image": "1.jpg", "conversations": [{"from": "human", "value": "?"}]},
        ]
        (tmp_path / "1.jpg").write_bytes(b"1")
        (tmp_path / "metadata.json").write_text(json.dumps(entries))
        assert read(tmp_path) == [("1", "a", b"1"), ("2", "b", b"1"), ("2", "", b"1")]

    def test_chat_goes_before_metadata(self, tmp_path: Path) -> None:
        worlds.llava(tmp_path)
        (tmp_path / "metadata.json").write_text("[]")
        assert pairs(tmp_path, images=tmp_path / "images") == PAIRS

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{}", "must be a list of entries with image and conversations$"),
            ("[1]", "entry 0 must be an object, got int$"),
            ("[", "is not JSON: "),
            ('[{"image": "a/../../b"}]', "entry 0 names the picture 'a/../../b', which leads out"),
        ],
    )
    def test_what_is_refused(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(DataError, match=message):
            read(tmp_path / "a.json")


class TestKinds:
    def test_a_kind_may_be_said(self, tmp_path: Path) -> None:
        path = worlds.parquet(tmp_path / "a.parquet").rename(tmp_path / "a.bin")
        assert pairs(path, kind="parquet") == PAIRS
        worlds.tar(tmp_path / "a.tar", worlds.members(PAIRS[:1]))
        (tmp_path / "a_stats.json").write_text("{}")
        assert pairs(tmp_path) == PAIRS[:1]
        worlds.parquet(tmp_path / "a.parquet")
        assert pairs(tmp_path, kind="webdataset") == PAIRS[:1]

    def test_what_is_no_source(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"^unknown kind 'csv'; valid: "):
            caption_source(tmp_path, kind="csv")
        with pytest.raises(DataError, match=r"holds no \.parquet or \.tar or chat\.json$"):
            caption_source(tmp_path)
        with pytest.raises(DataError, match=r"holds no \.tar$"):
            caption_source(tmp_path, kind="webdataset")
        with pytest.raises(DataError, match=r"a\.tar is not there: give a file or folder"):
            caption_source(tmp_path / "a.tar")
        with pytest.raises(DataError, match=r"must be a \.parquet, \.tar or \.json file"):
            caption_source(tmp_path / "a.csv")
        with pytest.raises(DataError, match="images must be a folder of pictures, "):
            caption_source(tmp_path / "a.tar", images=tmp_path / "no")
        worlds.parquet(tmp_path / "a.parquet")
        worlds.tar(tmp_path / "a.tar", {})
        with pytest.raises(DataError, match="holds parquet and webdataset: say which with --kind"):
            caption_source(tmp_path)
