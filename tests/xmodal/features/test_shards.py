"""Making a feature file: in any number of processes, killed and gone on with, all or nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch

from taxonomy.errors import DataError, XmodalError
from taxonomy.model import Taxonomy
from tests.xmodal import tiny
from tests.xmodal.features import tiny_encoders
from tests.xmodal.tiny import StoppedError
from xmodal.features import crew, shards
from xmodal.features.classical import augment, encode, skip_views
from xmodal.features.config import FeatureConfig
from xmodal.features.encoders.load import config_for, load_encoder
from xmodal.features.extract import Work, extract
from xmodal.features.feature_set import FeatureSet, load_features
from xmodal.features.pca import PCA
from xmodal.features.pictures import read_pixels

FILE = "features.npy"
VIEWS = FeatureConfig(encoder="classical", pooling="patches", n_views=3)


@pytest.fixture(scope="module")
def taxonomy(tmp_path_factory: pytest.TempPathFactory) -> Taxonomy:
    return tiny.taxonomy(tmp_path_factory.mktemp("shards"))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several shards of the 35 pictures and 20 training pictures."""
    monkeypatch.setattr(shards, "SHARD", 8)


def bytes_of(features: FeatureSet) -> bytes:
    return (features.path / FILE).read_bytes()


def test_rows_are_what_one_loop_over_batches_gives(taxonomy: Taxonomy, tmp_path: Path) -> None:
    """The oracle: all pictures, then view by view the training pictures, 8 at a time."""
    splits = taxonomy.images["split"].to_pylist()
    uris, hashes = (taxonomy.images[name].to_pylist() for name in ("uri", "sha256"))
    pixels = torch.cat(list(read_pixels(uris, hashes, 64)))
    train = [i for i, split in enumerate(splits) if split == "train"]
    parts = [encode(part) for part in torch.split(pixels, 8)]
    for view in (1, 2):
        generator = torch.Generator().manual_seed(5000 + view)
        parts += [encode(augment(part, generator)) for part in torch.split(pixels[train], 8)]
    features, _ = extract(taxonomy, replace(VIEWS, seed=5), tmp_path)
    assert torch.equal(features.take(np.arange(35 + 40)), torch.cat(parts))
    assert sha256(bytes_of(features)).hexdigest() == features.sha256


def test_the_generator_is_moved_on_as_views_move_it() -> None:
    one, other = (torch.Generator().manual_seed(3) for _ in range(2))
    augment(torch.rand(8, 3, 64, 64), one)
    skip_views(8, other)
    assert torch.equal(one.get_state(), other.get_state())


RUN = """
import sys
from pathlib import Path
from tests.xmodal import tiny
from xmodal.features import shards
shards.SHARD = 8
from xmodal.features.config import FeatureConfig
from xmodal.features.encoders.load import config_for
from xmodal.features.extract import Work, extract
from xmodal.taxonomies import TaxonomyConfig, build_taxonomy

if __name__ == "__main__":
    of = build_taxonomy(TaxonomyConfig(source="csv", min_leaves=2), csv=Path(sys.argv[1]))
    config = FeatureConfig(encoder="classical", n_components=8, n_views=3)
    if sys.argv[4] != "classical":
        config = config_for(sys.argv[4], n_views=2)
    done = extract(of, config, Path(sys.argv[2]), None, Work(workers=int(sys.argv[3])))
    print(done[0].path)
"""


def script(folder: Path) -> Path:
    path = folder / "run.py"
    path.write_text(RUN)
    return path


def start(taxonomy: Taxonomy, folder: Path, workers: int, encoder: str) -> list[str]:
    table = Path(taxonomy.images["uri"][0].as_py()).parent / "table.csv"
    given = [str(table), str(folder / "features"), str(workers), encoder]
    return [sys.executable, str(script(folder)), *given]


@pytest.mark.parametrize("encoder", [pytest.param("classical", marks=pytest.mark.slow), "dinov2"])
def test_two_processes_make_the_bytes_of_one(
    taxonomy: Taxonomy, tmp_path: Path, encoder: str
) -> None:
    if encoder != "classical":
        encoder = str(tiny_encoders.save(tmp_path / encoder, encoder))
    done = subprocess.run(
        start(taxonomy, tmp_path, 2, encoder),
        capture_output=True,
        text=True,
        env=tiny.environment(),
        check=True,
    )
    config = FeatureConfig(encoder="classical", n_components=8, n_views=3)
    if encoder != "classical":
        config = config_for(encoder, n_views=2)
    here, _ = extract(taxonomy, config, tmp_path / "here")
    assert bytes_of(load_features(Path(done.stdout.strip()))) == bytes_of(here)


def test_processes_that_only_decode_make_the_same(taxonomy: Taxonomy, tmp_path: Path) -> None:
    """As on a GPU."""
    want, _ = extract(taxonomy, replace(VIEWS, n_views=1), tmp_path / "want")
    encoder = load_encoder(want.config)
    file = shards.ArrayFile(path=tmp_path / FILE, shape=want.shape, dtype="float32")
    file.make()
    (tmp_path / "notes").mkdir()
    order = crew.Order(config=want.config, file=file, notes=shards.Notes(tmp_path / "notes"))
    uris, hashes = (taxonomy.images[name].to_pylist() for name in ("uri", "sha256"))
    first, _ = shards.plan(range(35), uris, hashes, [], 1)
    made = list(crew.make_shards(order, first, encoder, workers=2, decode_apart=True))
    assert [shard for shard, _ in made] == first
    assert file.path.read_bytes() == bytes_of(want)


def stop_after(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise when so many shards are noted."""
    write = shards.Notes.write
    left = [n]

    def counted(self: shards.Notes, shard: shards.Shard, note: shards.Note) -> None:
        write(self, shard, note)
        left[0] -= 1
        if not left[0]:
            raise StoppedError

    monkeypatch.setattr(shards.Notes, "write", counted)


@pytest.mark.parametrize("pooling", ["patches", "pca"])
@pytest.mark.parametrize("n", [1, 4, 6, 11])
def test_whole_shards_are_kept_and_the_rest_is_made(
    taxonomy: Taxonomy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pooling: str, n: int
) -> None:
    config = replace(VIEWS, pooling=pooling, n_components=8)
    want, _ = extract(taxonomy, config, tmp_path / "want")
    with monkeypatch.context() as patch:
        stop_after(n, patch)
        with pytest.raises(StoppedError):
            extract(taxonomy, config, tmp_path / "got")
    # nothing that looks like a set
    assert not list((tmp_path / "got").glob("[!.]*"))
    made = []
    with monkeypatch.context() as patch:
        make = shards.Maker.make
        patch.setattr(shards.Maker, "make", lambda *given: made.append(given[1]) or make(*given))
        got, _ = extract(taxonomy, config, tmp_path / "got")
    assert len(made) == 5 + 3 + 3 - n
    assert bytes_of(got) == bytes_of(want)
    assert [path.name for path in (tmp_path / "got").iterdir()] == [want.feature_set_id]
    pca = {PCA} if pooling == "pca" else set()
    assert {path.name for path in got.path.iterdir()} == {FILE, "feature_set.json"} | pca


def test_a_damaged_shard_is_made_again(
    taxonomy: Taxonomy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    want, _ = extract(taxonomy, VIEWS, tmp_path / "want")
    with monkeypatch.context() as patch:
        stop_after(4, patch)
        with pytest.raises(StoppedError):
            extract(taxonomy, VIEWS, tmp_path / "got")
    (part,) = (tmp_path / "got").iterdir()
    array = np.load(part / "whole" / FILE, mmap_mode="r+")
    array[9, 0, 0] += 1  # of the second shard
    array.flush()
    notes = sorted((part / "notes-rows").iterdir())
    notes[2].write_text("{")
    got, _ = extract(taxonomy, VIEWS, tmp_path / "got")
    assert bytes_of(got) == bytes_of(want)


def test_killed_processes_leave_what_the_next_call_goes_on_with(
    taxonomy: Taxonomy, tmp_path: Path
) -> None:
    want, _ = extract(
        taxonomy, FeatureConfig(encoder="classical", n_components=8, n_views=3), tmp_path / "want"
    )
    command = start(taxonomy, tmp_path, 2, "classical")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=tiny.environment())
    try:
        deadline = time.monotonic() + 120
        while not list((tmp_path / "features").glob(".*/notes-*/*.json")):
            assert process.poll() is None, "ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.002)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL
    assert not list((tmp_path / "features").glob("[!.]*"))
    got, made = extract(
        taxonomy,
        FeatureConfig(encoder="classical", n_components=8, n_views=3),
        tmp_path / "features",
    )
    assert made
    assert bytes_of(got) == bytes_of(want)


def test_two_calls_at_once_are_kept_apart(taxonomy: Taxonomy, tmp_path: Path) -> None:
    said = []

    def again(done: int, total: int) -> None:
        if not said:
            with pytest.raises(DataError, match=r"^another process extracts into .*: wait for"):
                extract(taxonomy, VIEWS, tmp_path)
            said.append(done)

    features, made = extract(taxonomy, VIEWS, tmp_path, again)
    assert (made, said) == (True, [0])
    assert load_features(features.path).sha256 == features.sha256


def test_progress_counts_every_row_and_what_was_there(
    taxonomy: Taxonomy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stop_after(3, patch)
        with pytest.raises(StoppedError):
            extract(taxonomy, VIEWS, tmp_path)
    calls: list[tuple[int, int]] = []
    extract(taxonomy, VIEWS, tmp_path, lambda done, total: calls.append((done, total)))
    assert [done for done, _ in calls] == [24, 32, 35, 43, 51, 55, 63, 71, 75]
    assert {total for _, total in calls} == {75}


def test_a_disk_that_is_too_small_is_told_beforehand(
    taxonomy: Taxonomy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(DataError, match=r"needs 0.0 GB for 75 x 64 tokens of 58 numbers"):
        extract(taxonomy, VIEWS, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_an_ended_worker_is_one_line(
    taxonomy: Taxonomy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: object) -> object:
        raise crew.BrokenProcessPool

    monkeypatch.setattr(crew, "_encoders", broken)
    with pytest.raises(XmodalError, match=r"with fewer workers than 2$"):
        extract(taxonomy, VIEWS, tmp_path, work=Work(workers=2))


class TestBfloat16:
    def test_rows_are_rounded_once_and_read_exactly(
        self, taxonomy: Taxonomy, tmp_path: Path
    ) -> None:
        fine, _ = extract(taxonomy, VIEWS, tmp_path)
        half, _ = extract(taxonomy, replace(VIEWS, dtype="bfloat16"), tmp_path)
        assert half.feature_set_id != fine.feature_set_id
        assert np.load(half.path / FILE, mmap_mode="r").dtype == np.uint16
        assert len(bytes_of(half)) - 128 == (len(bytes_of(fine)) - 128) / 2
        rows = np.array([3, 0, 70])
        want = fine.take(rows).bfloat16().float()
        assert torch.equal(half.take(rows), want)
        array = half.open()
        assert (array.shape, len(array), array.dtype) == (fine.open().shape, 75, np.float32)
        assert np.array_equal(array[rows], want.numpy())
        assert np.array_equal(array[2:5], half.take(np.arange(2, 5)).numpy())
        assert np.array_equal(np.array(array), half.take(np.arange(75)).numpy())

    def test_numbers_that_no_number_is(self) -> None:
        odd = torch.tensor([float("nan"), float("inf"), -0.0, 1e-40, 3.4e38]).reshape(1, 1, 5)
        from xmodal.features.feature_set import Bfloat16Rows, as_stored

        got = torch.from_numpy(Bfloat16Rows(as_stored(odd, "bfloat16"))[:])
        assert torch.equal(got.isnan(), odd.isnan())
        assert torch.equal(got.nan_to_num(), odd.bfloat16().float().nan_to_num())


class TestSkipBad:
    @pytest.fixture
    def own(self, tmp_path: Path) -> Taxonomy:
        of = tiny.taxonomy(tmp_path)
        (tmp_path / "saw1.png").write_bytes((tmp_path / "saw1.png").read_bytes()[:-30])
        (tmp_path / "owl6.png").unlink()
        return of

    def bad(self, own: Taxonomy) -> list[int]:
        names = [Path(uri).name for uri in own.images["uri"].to_pylist()]
        return sorted(names.index(name) for name in ("saw1.png", "owl6.png"))

    @pytest.mark.parametrize("pooling", ["patches", "pca"])
    def test_bad_pictures_are_named_and_have_no_features(
        self, own: Taxonomy, tmp_path: Path, pooling: str
    ) -> None:
        config = replace(VIEWS, pooling=pooling, n_components=8)
        root = tmp_path / "features"
        with pytest.raises(DataError, match="cannot be decoded: "):
            extract(own, config, root)
        features, made = extract(own, config, root, work=Work(skip_bad=True))
        assert made
        assert features.skipped_images.tolist() == self.bad(own)
        reasons = dict(features.skipped)
        assert any("No such file" in why for why in reasons.values())
        array = features.take(np.arange(75))
        images = np.arange(35)
        for view in range(3):
            rows = features.rows(images, np.full(35, view))
            lost = array[torch.from_numpy(rows)].isnan().flatten(1).any(1)
            assert np.flatnonzero(lost.numpy()).tolist() == self.bad(own)

    def test_others_are_as_without_the_bad_ones(self, own: Taxonomy, tmp_path: Path) -> None:
        whole, _ = extract(tiny.taxonomy(tmp_path / "whole"), VIEWS, tmp_path / "a")
        features, _ = extract(own, VIEWS, tmp_path / "b", work=Work(skip_bad=True))
        kept = np.setdiff1d(
            np.arange(75),
            np.flatnonzero(features.take(np.arange(75)).isnan().flatten(1).any(1).numpy()),
        )
        assert torch.equal(features.take(kept), whole.take(kept))

    def test_it_is_another_set_and_is_found_again(self, own: Taxonomy, tmp_path: Path) -> None:
        root = tmp_path / "features"
        first, _ = extract(own, VIEWS, root, work=Work(skip_bad=True))
        again, made = extract(own, VIEWS, root, work=Work(skip_bad=True))
        assert (again.feature_set_id, made) == (first.feature_set_id, False)
        # mended pictures give the whole set, under the id it always has
        tiny.table(tmp_path)
        whole, made = extract(own, VIEWS, root)
        assert (made, whole.skipped) == (True, ())
        assert whole.feature_set_id != first.feature_set_id
        now, made = extract(own, VIEWS, root, work=Work(skip_bad=True))
        assert (now.feature_set_id, made) == (whole.feature_set_id, False)

    def test_a_mended_picture_is_read_when_work_goes_on(
        self, own: Taxonomy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            stop_after(11, patch)
            with pytest.raises(StoppedError):
                extract(own, VIEWS, tmp_path / "b", work=Work(skip_bad=True))
        tiny.table(tmp_path)
        got, _ = extract(own, VIEWS, tmp_path / "b")
        want, _ = extract(own, VIEWS, tmp_path / "c")
        assert bytes_of(got) == bytes_of(want)

    def test_another_picture_under_a_name_is_no_bad_picture(
        self, own: Taxonomy, tmp_path: Path
    ) -> None:
        (tmp_path / "saw0.png").write_bytes((tmp_path / "saw2.png").read_bytes())
        with pytest.raises(DataError, match=r"saw0\.png is not the one the dataset was built"):
            extract(own, VIEWS, tmp_path / "features", work=Work(skip_bad=True))


def test_a_description_of_the_first_version_is_read(taxonomy: Taxonomy, tmp_path: Path) -> None:
    features, _ = extract(taxonomy, VIEWS, tmp_path)
    path = features.path / "feature_set.json"
    said = json.loads(path.read_text())
    first = ("feature_set_id", "dataset_id", "config", "n_images", "augmented", "sha256")
    path.write_text(json.dumps({key: said[key] for key in first}))
    old = load_features(features.path)
    assert (old.config, old.encoder_version, old.skipped) == (VIEWS, "1", ())
    assert set(said["config"]) == {"encoder", "pooling", "n_components", "n_views", "seed"}


@pytest.mark.parametrize(
    ("encoder", "n_shards", "n_workers"),
    [("embedded-ssl", 7, 1), ("embedded-ssl", 25, 3), ("embedded-ssl", 400, 6), ("vit", 2, 6)],
)
def test_quick_encoders_start_processes_only_for_much_work(
    encoder: str, n_shards: int, n_workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "n_cores", lambda: 6)
    assert crew.workers_for(encoder, n_shards) == n_workers
