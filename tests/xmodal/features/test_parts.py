"""Parts of a set: made apart, and put together to the bytes of one call."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from taxonomy.errors import ConfigError, DataError, NoRoomError
from taxonomy.model import Taxonomy
from tests.small_disk import files_at_most
from tests.xmodal import tiny
from tests.xmodal.tiny import StoppedError
from xmodal.features import parts, shards
from xmodal.features.config import FeatureConfig
from xmodal.features.extract import (
    Part,
    Work,
    extract,
    extract_part,
    feature_set_id,
    load_features,
    put,
)
from xmodal.features.feature_set import FeatureSet
from xmodal.files import LOCK, own

CONFIGS = {
    "patches": FeatureConfig(encoder="classical", pooling="patches", n_views=3),
    "bfloat16": FeatureConfig(encoder="classical", pooling="mean", n_views=2, dtype="bfloat16"),
    "pca": FeatureConfig(encoder="classical", n_components=8, n_views=3),
}
PCA = CONFIGS["pca"]
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parts")


@pytest.fixture(scope="module")
def taxonomy(folder: Path) -> Taxonomy:
    return tiny.taxonomy(folder / "pictures")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """5 shards of the 35 pictures, 3 of each further view of the 20 training pictures."""
    monkeypatch.setattr(shards, "SHARD", 8)
    # these files need not outlive a power cut
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(scope="module")
def whole(taxonomy: Taxonomy, folder: Path) -> Callable[[FeatureConfig], Files]:
    """What one call makes of a config."""
    made: dict[FeatureConfig, Files] = {}

    def make(config: FeatureConfig) -> Files:
        if config not in made:
            made[config] = files(extract(taxonomy, config, folder / str(len(made)))[0])
        return made[config]

    return make


def files(features: FeatureSet) -> Files:
    """A set's files, and its name."""
    found = {path.name: path.read_bytes() for path in features.path.iterdir()}
    return found | {"": features.path.name.encode()}


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def count_made(patch: pytest.MonkeyPatch, most: int | None = None) -> list[str]:
    """Names of the shards that are encoded from here on; an error instead of more than most."""
    made: list[str] = []
    make = shards.Maker.make

    def counted(self: shards.Maker, shard: shards.Shard, *given: object) -> shards.Note:
        if len(made) == most:
            raise StoppedError
        made.append(shard.name)
        return make(self, shard, *given)  # type: ignore[arg-type]

    patch.setattr(shards.Maker, "make", counted)
    return made


@pytest.mark.parametrize(("kind", "of"), [("bfloat16", 3), ("pca", 13)])
def test_parts_in_any_order_make_the_bytes_of_one_call(
    taxonomy: Taxonomy,
    tmp_path: Path,
    whole: Callable[[FeatureConfig], Files],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    of: int,
) -> None:
    config = CONFIGS[kind]
    want = whole(config)
    made = count_made(monkeypatch)
    said: list[str] = []
    order = [*range(2, of + 1), 1]
    for number in order[:-1]:
        part = Part(number, of)
        assert extract_part(taxonomy, config, tmp_path, part, say=said.append) is None
        assert not list(tmp_path.glob("[!.]*"))
    assert len(said) == of - 1
    set_id = want[""].decode()
    assert said[-1] == f"part {of}/{of} of {set_id} is whole; 1 missing: 1"
    got = extract_part(taxonomy, config, tmp_path, Part(1, of), say=said.append)
    assert got is not None
    assert files(got) == want
    assert (names(tmp_path), len(said)) == ([set_id], of - 1)
    # nothing was encoded twice, and a late call of a part encodes nothing
    n_views = 3 if config.n_views == 3 else 2
    assert len(made) == len(set(made)) == 5 + 3 * (n_views - 1)
    late = extract_part(taxonomy, config, tmp_path, Part(of, of))
    assert late is not None
    assert files(late) == want
    assert len(made) == 5 + 3 * (n_views - 1)


def test_no_part_writes_a_file_of_another(taxonomy: Taxonomy, tmp_path: Path) -> None:
    written = []
    for number in (1, 2, 3):
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
        extract_part(taxonomy, PCA, tmp_path, Part(number, 4))
        now = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
        assert {path: now[path] for path in before} == before
        written.append(len(now) - len(before))
    # a lock, the rows, a mark, and a note for each of 3, 3 and 3 of the 11 shards
    assert written == [6, 6, 6]


def test_a_whole_part_is_not_touched_again_and_a_stopped_one_goes_on(
    taxonomy: Taxonomy,
    tmp_path: Path,
    whole: Callable[[FeatureConfig], Files],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    want = whole(PCA)
    extract_part(taxonomy, PCA, tmp_path, Part(1, 2))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    extract_part(taxonomy, PCA, tmp_path, Part(1, 2))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    with monkeypatch.context() as patch:
        count_made(patch, most=3)
        with pytest.raises(StoppedError):
            extract_part(taxonomy, PCA, tmp_path, Part(2, 2))
    # a note that lies, of a whole part and of the stopped one
    for part in (Part(1, 2), Part(2, 2)):
        rows = part.folder(tmp_path, want[""].decode()) / parts.ROWS
        array = np.load(rows, mmap_mode="r+")
        array[0] += 1
        array.flush()
    made = count_made(monkeypatch)
    got = extract_part(taxonomy, PCA, tmp_path, Part(2, 2))
    assert got is not None
    assert files(got) == want
    # two that were not made yet, the stopped part's damaged one, and the whole part's
    assert len(made) == 4


def test_one_call_takes_what_parts_hold_and_parts_what_others_hold(
    taxonomy: Taxonomy,
    tmp_path: Path,
    whole: Callable[[FeatureConfig], Files],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = PCA
    extract_part(taxonomy, config, tmp_path, Part(2, 3))
    with monkeypatch.context() as patch:
        made = count_made(patch)
        # 4 of the 11 were made by 2/3, of which 2/2 holds two
        extract_part(taxonomy, config, tmp_path, Part(2, 2))
        assert len(made) == 3
    made = count_made(monkeypatch)
    got, _ = extract(taxonomy, config, tmp_path)
    assert len(made) == 11 - 4 - 3
    assert files(got) == whole(config)
    assert names(tmp_path) == [got.feature_set_id]


def test_of_two_that_end_at_once_one_puts_the_set_together(
    taxonomy: Taxonomy, tmp_path: Path, whole: Callable[[FeatureConfig], Files]
) -> None:
    set_id = whole(PCA)[""].decode()
    extract_part(taxonomy, PCA, tmp_path, Part(1, 2))
    said: list[str] = []

    def again(done: int, total: int) -> None:
        # while the other puts it together: all 75 rows are counted, not those of a part
        if total == 75 and not said:
            assert extract_part(taxonomy, PCA, tmp_path, Part(1, 2), say=said.append) is None

    got = extract_part(taxonomy, PCA, tmp_path, Part(2, 2), progress=again)
    assert said == [f"part 1/2 of {set_id} is whole; another process puts the set together"]
    assert got is not None
    assert (files(got), names(tmp_path)) == (whole(PCA), [set_id])


def test_without_locks_two_put_it_together_apart(
    taxonomy: Taxonomy,
    tmp_path: Path,
    whole: Callable[[FeatureConfig], Files],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a network file system mounted without locks."""

    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    want = whole(PCA)
    monkeypatch.setattr(fcntl, "flock", none)
    with pytest.raises(DataError, match=r"cannot be locked \(No locks available\), and two"):
        extract(taxonomy, PCA, tmp_path)
    extract_part(taxonomy, PCA, tmp_path, Part(1, 2))
    others: list[FeatureSet | None] = []
    at_once = []

    def count(done: int, total: int) -> None:
        at_once.append(len(list(tmp_path.glob(".*.part/*/whole"))))

    def again(done: int, total: int) -> None:
        if total == 75 and done == 35 and not others:
            others.append(None)
            others[0] = extract_part(taxonomy, PCA, tmp_path, Part(1, 2), progress=count)

    got = extract_part(taxonomy, PCA, tmp_path, Part(2, 2), progress=again)
    assert got is not None
    assert others[0] is not None
    assert files(got) == files(others[0]) == want
    assert set(at_once) == {2}
    assert names(tmp_path) == [got.feature_set_id]


def test_a_set_that_is_in_place_is_not_replaced(taxonomy: Taxonomy, tmp_path: Path) -> None:
    features, _ = extract(taxonomy, CONFIGS["bfloat16"], tmp_path)
    before = features.path.stat().st_ino
    put(Path(shutil.copytree(features.path, tmp_path / ".made")), features)
    assert features.path.stat().st_ino == before
    # what holds no description is no set
    (features.path / "feature_set.json").unlink()
    put(tmp_path / ".made", features)
    assert names(tmp_path) == [features.feature_set_id]
    assert load_features(features.path).sha256 == features.sha256


def test_a_part_that_is_being_made_is_kept_apart_and_left_alone(
    taxonomy: Taxonomy, tmp_path: Path, whole: Callable[[FeatureConfig], Files]
) -> None:
    set_id = whole(PCA)[""].decode()
    mine = Part(1, 2).folder(tmp_path, set_id)
    seen = []

    def meanwhile(done: int, total: int) -> None:
        if not seen:
            with pytest.raises(DataError, match=r"^another process extracts into .*: wait for"):
                extract_part(taxonomy, PCA, tmp_path, Part(1, 2))
            extract(taxonomy, PCA, tmp_path)
            seen.append(names(tmp_path))

    got = extract_part(taxonomy, PCA, tmp_path, Part(1, 2), progress=meanwhile)
    assert seen == [[mine.name, set_id]]
    assert got is not None
    assert (files(got), names(tmp_path)) == (whole(PCA), [set_id])


def test_what_a_kill_at_the_end_left_goes_with_the_next_call(
    taxonomy: Taxonomy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(parts, "remove", lambda *_: None)
        extract_part(taxonomy, PCA, tmp_path, Part(1, 2))
        got = extract_part(taxonomy, PCA, tmp_path, Part(2, 2))
    assert got is not None
    (tmp_path / f"..{got.feature_set_id}.part-1-of-2.whole.a1b2c3d4.whole").touch()
    assert len(names(tmp_path)) == 6
    extract(taxonomy, PCA, tmp_path)
    assert names(tmp_path) == [got.feature_set_id]


def test_no_room_to_put_them_together_leaves_them(taxonomy: Taxonomy, tmp_path: Path) -> None:
    config = CONFIGS["patches"]
    extract_part(taxonomy, config, tmp_path, Part(1, 2))
    # half of the 75 rows of 64 x 58 x 4 bytes fit, all do not
    with files_at_most(700_000), pytest.raises(NoRoomError, match=r"^no room in "):
        extract_part(taxonomy, config, tmp_path, Part(2, 2))
    left = names(tmp_path)
    assert len(left) == 4
    assert all(".part-" in name for name in left)
    got = extract_part(taxonomy, config, tmp_path, Part(2, 2))
    assert got is not None
    assert names(tmp_path) == [got.feature_set_id]


class TestSkipBad:
    @pytest.fixture
    def own(self, tmp_path: Path) -> Taxonomy:
        of = tiny.taxonomy(tmp_path / "own")
        for name in ("saw1.png", "owl6.png"):
            picture = tmp_path / "own" / name
            picture.write_bytes(picture.read_bytes()[:-30])
        return of

    def test_pictures_skipped_by_any_part_make_the_id(self, own: Taxonomy, tmp_path: Path) -> None:
        work = Work(skip_bad=True)
        want, _ = extract(own, PCA, tmp_path / "want", work=work)
        assert len(want.skipped) == 2
        for number in (1, 2, 3):
            got = extract_part(own, PCA, tmp_path / "got", Part(number, 3), work=work)
        assert got is not None
        assert files(got) == files(want)
        assert names(tmp_path / "got") == [want.feature_set_id]

    def test_rows_of_a_skipped_picture_are_not_taken_where_none_may_be(
        self, tmp_path: Path
    ) -> None:
        of = tiny.taxonomy(tmp_path / "one")
        # the first shard is of the first part
        Path(of.images["uri"][0].as_py()).unlink()
        root, config = tmp_path / "got", replace(PCA, n_views=1)
        extract_part(of, config, root, Part(1, 2), work=Work(skip_bad=True))
        with pytest.raises(DataError, match="cannot be decoded"):
            extract(of, config, root)

    def test_a_part_with_bad_pictures_is_missing_where_none_may_be_skipped(
        self, own: Taxonomy, tmp_path: Path
    ) -> None:
        root, said = tmp_path / "got", list[str]()
        for number in (1, 2):
            extract_part(own, PCA, root, Part(number, 2), work=Work(skip_bad=number == 1))
            if number == 1:
                with pytest.raises(DataError, match="cannot be decoded"):
                    extract_part(own, PCA, root, Part(1, 2))
                tiny.table(tmp_path / "own")
        extract_part(own, PCA, root, Part(2, 2), say=said.append)
        assert said[0].endswith("is whole; 1 missing: 1")
        got = extract_part(own, PCA, root, Part(1, 2))
        want, _ = extract(own, PCA, tmp_path / "want")
        assert got is not None
        assert files(got) == files(want)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2", "shard must be i/n, such as 1/4 to 4/4, got '2'"),
        ("-1/4", "shard must be i/n, such as 1/4 to 4/4, got '-1/4'"),
        ("0/4", "shard must be i/n with i from 1 to n and n at most 9999, got 0/4"),
        ("5/4", "shard must be i/n with i from 1 to n and n at most 9999, got 5/4"),
        ("1/10000", "shard must be i/n with i from 1 to n and n at most 9999, got 1/10000"),
    ],
)
def test_what_is_no_part(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Part.read(text)
    assert str(refused.value) == message


def test_a_folder_that_cannot_be_written_is_one_line(taxonomy: Taxonomy, tmp_path: Path) -> None:
    """A folder stands for the lock, which even the superuser cannot open for writing."""
    set_id = feature_set_id(taxonomy.dataset_id, PCA)
    mine = Part(1, 2).folder(tmp_path, set_id)
    (mine / LOCK).mkdir(parents=True)
    with pytest.raises(DataError) as refused:
        extract_part(taxonomy, PCA, tmp_path, Part(1, 2))
    assert str(refused.value) == f"{mine} cannot be written: Is a directory"
    # and does not keep one call from making the set
    got, _ = extract(taxonomy, PCA, tmp_path)
    assert names(tmp_path) == [mine.name, got.feature_set_id]


def test_folders_that_only_look_like_parts(taxonomy: Taxonomy, tmp_path: Path) -> None:
    for odd in ("0-of-0", "3-of-2", "x-of-2", "01-of-2"):
        (tmp_path / f".abc.part-{odd}").mkdir()
    (tmp_path / ".abc.part-1-of-2").mkdir()
    assert parts.parts_in(tmp_path, "abc") == {tmp_path / ".abc.part-1-of-2": Part(1, 2)}
    (tmp_path / ".abc.part-1-of-2.whole").write_text(json.dumps({"n_skipped": "x"}))
    assert parts.missing(tmp_path, "abc", 2, True) == [1, 2]
    with own(tmp_path / ".abc.part-1-of-2"):
        parts.remove(tmp_path, "abc")
    assert (tmp_path / ".abc.part-1-of-2").is_dir()
